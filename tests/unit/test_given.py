"""What the app could write for a while is root's again, whatever the app did with it and still does."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest
from ansible_collections.initech.django.plugins.module_utils.given import give, take_back
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

IS_ROOT = os.geteuid() == 0
APP = pwd.getpwnam("nobody" if IS_ROOT else pwd.getpwuid(os.geteuid()).pw_name)
ROOT = 0 if IS_ROOT else os.geteuid()


@pytest.fixture(autouse=True)
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root gives files away; for anybody else all is the same, but for whose they are."""
    if not IS_ROOT:
        monkeypatch.setattr(os, "chown", lambda *_: None)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a directory with files of several modes."""
    found = tmp_path / "source"
    (found / "src" / "assets").mkdir(parents=True)
    for name, mode in {"manage.py": 0o755, "src/shop.py": 0o644, "src/.env": 0o640, "src/assets/new.js": 0o600}.items():
        (found / name).write_text(name)
        (found / name).chmod(mode)
    return found


def modes(directory: Path) -> dict[str, int]:
    files = (path for path in directory.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(directory)): path.stat().st_mode & 0o7777 for path in files}


def test_all_of_it_is_the_apps_and_then_roots(source: Path) -> None:
    give(source, APP.pw_name)
    everything = [source, *source.rglob("*")]
    assert {path.lstat().st_uid for path in everything if not path.is_symlink()} == {APP.pw_uid}
    take_back(source, APP.pw_name, is_public=False)
    assert {path.lstat().st_uid for path in everything} == {ROOT}
    assert [path.read_text() for path in everything if path.is_file()] != []


def test_the_app_reads_what_it_made_and_others_no_more_than_it_let_them(source: Path) -> None:
    (source / "manage.py").chmod(0o6775)
    take_back(source, APP.pw_name, is_public=False)
    assert modes(source) == {"manage.py": 0o755, "src/shop.py": 0o644, "src/.env": 0o640, "src/assets/new.js": 0o640}
    assert {(source / name).stat().st_gid for name in modes(source)} <= {APP.pw_gid, os.getegid()}


def test_everybody_reads_what_nginx_serves_and_no_file_of_it_is_a_program(source: Path) -> None:
    take_back(source, APP.pw_name, is_public=True)
    assert set(modes(source).values()) == {0o644}


def test_who_has_a_file_open_writes_into_the_void(source: Path) -> None:
    path = source / "src" / "shop.py"
    before = path.stat().st_mtime_ns
    with path.open("a") as file:
        take_back(source, APP.pw_name, is_public=False)
        file.write("evil")
    assert path.read_text() == "src/shop.py"
    assert path.stat().st_mtime_ns == before


def test_what_a_link_leads_to_is_left_alone(source: Path) -> None:
    (source.parent / "outside").write_text("outside")
    (source.parent / "outside").chmod(0o600)
    (source / "src" / "link").symlink_to(source.parent / "outside")
    (source / "src" / "directory").symlink_to(source.parent)
    give(source, APP.pw_name)
    take_back(source, APP.pw_name, is_public=True)
    outside = (source.parent / "outside").stat()
    assert (outside.st_mode & 0o777, outside.st_uid) == (0o600, ROOT)
    assert (source / "src" / "link").is_symlink()


@pytest.mark.parametrize("target", ["/etc", "../../elsewhere", "shop.py/../../../elsewhere"])
def test_a_link_of_the_apps_that_leads_out_of_it_is_refused(source: Path, target: str) -> None:
    """Root would write `.env` there, or move uploads away, as in a directory of the source."""
    link = source / "src" / "project"
    link.symlink_to(target)
    os.lchown(link, APP.pw_uid, APP.pw_gid)
    with pytest.raises(Problem, match=f"^{link} leads to {target}, which is not in the release"):
        take_back(source, APP.pw_name, is_public=False)


def test_a_link_of_the_apps_within_it_stays(source: Path) -> None:
    link = source / "src" / "main.py"
    link.symlink_to("shop.py")
    (source / "src" / "loop").symlink_to("loop")
    for each in (link, source / "src" / "loop"):
        os.lchown(each, APP.pw_uid, APP.pw_gid)
    take_back(source, APP.pw_name, is_public=False)
    assert link.read_text() == "src/shop.py"


def test_pipes_are_removed_and_nothing_else_is_left_beside(source: Path) -> None:
    before = set(source.rglob("*"))
    os.mkfifo(source / "src" / "pipe")
    take_back(source, APP.pw_name, is_public=False)
    assert set(source.rglob("*")) == before
