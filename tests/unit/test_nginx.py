"""nginx is asked of its whole configuration, as it would be, before any of it is changed."""

from __future__ import annotations

import os
import re
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from ansible_collections.initech.django.plugins.module_utils import nginx
from ansible_collections.initech.django.plugins.module_utils.files import Entry, place
from ansible_collections.initech.django.plugins.module_utils.nginx import whole
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.tests.templates.render import load_tasks, render

OWNER, GROUP = Path(__file__).owner(), Path(__file__).group()


@pytest.fixture(name="etc")
def _etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of an nginx that has somebody else's site, and the distribution's."""
    for name in ("conf.d", "sites-enabled"):
        (tmp_path / name).mkdir()
    (tmp_path / "nginx.conf").write_text(
        f"http {{\n    include {tmp_path}/conf.d/*.conf;\n    include {tmp_path}/sites-enabled/*;\n}}\n"
    )
    (tmp_path / "conf.d/other.conf").write_text("server { listen 80; server_name Other.test www.other.test; }\n")
    (tmp_path / "sites-enabled/default").write_text("server { listen 80 default_server; }\n")
    monkeypatch.setattr(nginx, "MAIN", tmp_path / "nginx.conf")
    return tmp_path


def answers(monkeypatch: pytest.MonkeyPatch, code: int = 0, said: str = "") -> list[str]:
    """Let nginx say this, and return what it will have read, each time, with the included files in it."""
    read: list[str] = []

    def run(command: list[str]) -> CompletedProcess[str]:
        assert command[:4] == ["nginx", "-t", "-q", "-c"]
        text = Path(command[4]).read_text()
        read.append(re.sub(r"include (\S+);", lambda match: Path(match[1]).read_text().strip(), text))
        return CompletedProcess([], code, "", said)

    monkeypatch.setattr(nginx, "run", run)
    return read


def entry(path: Path, content: str = "", state: str = "file") -> Entry:
    return Entry(path, state, content, OWNER, GROUP, validate="" if state == "absent" else "nginx")


def site(etc: Path, names: str) -> Entry:
    return entry(etc / "conf.d/shop.conf", f"server {{ listen 80; server_name {names}; }}\n")


def test_nginx_judges_all_of_its_files_with_those_that_are_about_to_be_in_place(
    etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = answers(monkeypatch)
    (etc / "conf.d/shop.conf").write_text("old;\n")
    main = (etc / "nginx.conf").read_text().replace("http {\n", "http {\n    new;\n")
    place(
        [
            entry(etc / "nginx.conf", main),
            entry(etc / "sites-enabled/default", state="absent"),
            entry(etc / "conf.d/00-https.conf", "https;\n"),
            site(etc, "shop.test"),
        ],
        is_check=False,
    )
    # Each of the three is asked of beside the other two.
    (text,) = set(read)
    assert [line.strip() for line in text.splitlines() if line.strip()] == [
        "http {",
        "new;",
        "https;",
        "server { listen 80; server_name Other.test www.other.test; }",
        "server { listen 80; server_name shop.test; }",
        "}",
    ]
    assert sorted(os.listdir(etc)) == ["conf.d", "nginx.conf", "sites-enabled"]
    assert sorted(os.listdir(etc / "conf.d")) == ["00-https.conf", "other.conf", "shop.conf"]
    assert os.listdir(etc / "sites-enabled") == []


def test_a_site_that_breaks_nginx_only_beside_others_is_not_put_in_place(
    etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, 1, f"nginx: [emerg] a duplicate upstream in {etc}/conf.d/.shop.conf.draft:1")
    with pytest.raises(
        Problem, match=rf"shop\.conf stays as it is.*\n.*duplicate upstream in {etc}/conf\.d/shop\.conf:1$"
    ):
        place([entry(etc / "sites-enabled/default", state="absent"), site(etc, "shop.test")], is_check=False)
    assert os.listdir(etc / "conf.d") == ["other.conf"]
    assert os.listdir(etc / "sites-enabled") == ["default"]
    assert sorted(os.listdir(etc)) == ["conf.d", "nginx.conf", "sites-enabled"]


def test_of_a_second_site_for_every_name_it_is_said_what_to_write(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, 1, "nginx: [emerg] a duplicate default server for 0.0.0.0:80")
    with pytest.raises(Problem, match=r"for 0\.0\.0\.0:80\n.*Set nginx_server_names"):
        place([site(etc, "_")], is_check=False)


WARNING = 'nginx: [warn] conflicting server name "{}" on 0.0.0.0:80, ignored\n'


def test_a_name_that_another_site_has_too_is_refused_although_nginx_only_warns(
    etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, 0, 2 * WARNING.format("other.test"))
    with pytest.raises(Problem) as refused:
        place([site(etc, "shop.test OTHER.test")], is_check=False)
    assert str(refused.value).partition("\n")[2] == (
        f"other.test is a name of {etc}/conf.d/other.conf too, and nginx would show only one of the two sites. "
        "Remove it here, or there first: where that is an app's, provision that one before this one"
    )
    assert os.listdir(etc / "conf.d") == ["other.conf"]


@pytest.mark.parametrize(("names", "said"), [("shop.test Shop.test", "shop.test"), ("shop.test", "other.test")])
def test_a_name_that_a_site_itself_has_twice_and_what_others_have_among_themselves_is_no_matter(
    etc: Path, monkeypatch: pytest.MonkeyPatch, names: str, said: str
) -> None:
    answers(monkeypatch, 0, WARNING.format(said))
    assert place([site(etc, names)], is_check=False)


def test_the_servers_own_configuration_is_read_so_that_no_include_of_several_files_is_left() -> None:
    text = render("nginx", "nginx.conf.j2")
    drafts = {Path("/etc/nginx/conf.d/shop.conf"): Path("/etc/nginx/conf.d/.shop.conf.draft")}
    assert "include /etc/nginx/conf.d/.shop.conf.draft;" in whole(text, drafts)
    assert "*.conf" not in whole(text, drafts)


def test_the_role_has_nginx_judge_each_of_its_files() -> None:
    (block,) = load_tasks("nginx", "tasks/site.yml")
    files = [file for group in block["block"][0]["vars"].values() for file in group if file.get("state") != "absent"]
    assert [file.get("validate") for file in files] == ["nginx"] * 3
