"""From nothing to a page in two commands: a new project, deployed beside the demo."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from demo import Demo, Result


@pytest.fixture(scope="module")
def runs(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Result, Result]]:
    """Make a project, and type what that run says."""
    directory = tmp_path_factory.mktemp("new")
    home = str(directory / "config")
    new = ("ansible-playbook", "new.yml", "-e", "project=bookshop", "-e", f"directory={directory / 'bookshop'}")
    made = demo.run(*new, "-vvv", "--diff", XDG_CONFIG_HOME=home)
    command = re.search(r"^ +(ansible-playbook site\.yml .*)$", made.output, re.MULTILINE)
    assert command, made.output
    yield made, demo.run(*command[1].split(), XDG_CONFIG_HOME=home)
    shutil.rmtree(demo.path / "inventories/bookshop")
    demo.host("rm -f /etc/nginx/conf.d/bookshop.conf; systemctl reload nginx; systemctl stop 'bookshop@*'")


def test_the_page_is_there_after_two_commands(demo: Demo, runs: tuple[Result, Result]) -> None:
    made, deployed = runs
    assert made.code == 0, made.output
    assert deployed.code == 0, deployed.output
    request = Request(f"http://127.0.0.1:{demo.port}/", headers={"Host": "bookshop.localhost"})
    with urlopen(request, timeout=30) as response:
        page = response.read().decode()
    assert "<h1>It works.</h1>" in page
    assert "PostgreSQL 17" in page


def test_its_secrets_are_not_printed(demo: Demo, runs: tuple[Result, Result]) -> None:
    text = demo.host("cat /srv/bookshop/current/project/.env")
    values = re.findall(r"^SECRET_KEY=['\"]*([^'\"\n]+)", text, re.MULTILINE)
    values += re.findall(r"://[^:]+:([^@]+)@", text)
    assert len(values) == 2
    assert [value for value in values for run in runs if value in run.output] == []


def test_nothing_of_it_is_for_git_here(demo: Demo, runs: tuple[Result, Result]) -> None:
    assert demo.checked("git", "status", "--porcelain", "inventories/bookshop") == ""


def test_a_second_run_is_refused_and_loses_nothing(demo: Demo, runs: tuple[Result, Result], tmp_path: Path) -> None:
    inventory = demo.path / "inventories/bookshop"
    before = {path: path.read_bytes() for path in inventory.rglob("*") if path.is_file()}
    again = demo.run("ansible-playbook", "new.yml", "-e", "project=bookshop", "-e", f"directory={tmp_path / 'other'}")
    assert again.code != 0
    assert {path: path.read_bytes() for path in inventory.rglob("*") if path.is_file()} == before
    assert not (tmp_path / "other").exists()
