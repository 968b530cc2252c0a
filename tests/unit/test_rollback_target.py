"""Which migrations a release does not know is asked of Django, and what only an older code knew stops nobody."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.initech.django.plugins.module_utils.history import LIVE, record, to_keep
from ansible_collections.initech.django.plugins.module_utils.history import read as read_history
from ansible_collections.initech.django.plugins.module_utils.layout import App, Release
from ansible_collections.initech.django.plugins.module_utils.manage import MARK, UNKNOWN
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.modules import rollback_target
from ansible_collections.initech.django.plugins.modules.release_info import compare
from ansible_collections.initech.django.plugins.modules.rollback_target import later_migrations, look_up

OLD, NEW = "20261101T000000Z-aaaaaaaa", "20261102T000000Z-bbbbbbbb"
SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
"""
MIGRATION = "from django.db import migrations\nclass Migration(migrations.Migration):\n    replaces = %s\n"


def ask(directory: Path) -> list[list[str]]:
    """Return what the project in a directory does not know of its database, and which squashes add nothing to it."""
    code = f"import django\ndjango.setup()\n{UNKNOWN.format(mark=MARK)}"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(directory)}
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=directory, env=environment, capture_output=True, text=True, check=True
    ).stdout
    answer: list[list[str]] = json.loads(output.partition(MARK)[2])
    return answer


def project(directory: Path, migrations: dict[str, str], applied: list[str]) -> Path:
    """Make a project whose app has migrations, and a database that has some."""
    (directory / "shop" / "migrations").mkdir(parents=True)
    for file in ("shop/__init__.py", "shop/migrations/__init__.py"):
        (directory / file).touch()
    (directory / "settings.py").write_text(SETTINGS)
    for name, replaces in migrations.items():
        (directory / "shop" / "migrations" / f"{name}.py").write_text(MIGRATION % replaces)
    with sqlite3.connect(directory / "db.sqlite3") as database:
        if applied:
            database.execute("CREATE TABLE django_migrations (id integer, app text, name text, applied text)")
        for name in applied:
            database.execute("INSERT INTO django_migrations VALUES (1, 'shop', ?, '2026-11-25 00:00:00')", [name])
    database.close()
    return directory


def test_what_the_database_has_and_the_code_has_not_is_unknown(tmp_path: Path) -> None:
    unknown = ["shop.0002_b", "shop.0003_c"]
    assert ask(project(tmp_path, {"0001_a": "[]"}, ["0001_a", "0002_b", "0003_c"])) == [unknown, []]


@pytest.mark.parametrize("applied", [[], ["0001_a"]])
def test_what_the_code_has_and_the_database_has_not_yet_stands_in_nobodys_way(
    tmp_path: Path, applied: list[str]
) -> None:
    assert ask(project(tmp_path, {"0001_a": "[]", "0002_b": "[]"}, applied)) == [[], []]


@pytest.mark.parametrize(
    ("applied", "squashes"),
    [
        (["0001_a", "0002_b"], []),
        (["0001_a", "0002_b", "0001_squashed"], ["shop.0001_squashed"]),
        # What it replaces was removed from the database: it alone says what is there.
        (["0001_squashed"], []),
    ],
)
def test_what_was_squashed_is_known_and_the_squash_adds_nothing(
    tmp_path: Path, applied: list[str], squashes: list[str]
) -> None:
    squashed = {"0001_squashed": '[("shop", "0001_a"), ("shop", "0002_b")]'}
    assert ask(project(tmp_path, squashed, applied)) == [[], squashes]


@pytest.fixture
def app(tmp_path: Path) -> App:
    """Return an app with two releases, both with a database."""
    made = App(str(tmp_path / "app"))
    for name in (OLD, NEW):
        made.release(name).path.mkdir(parents=True)
        made.release(name).manifest.write_text('{"has_database": true}')
    return made


@pytest.mark.parametrize(
    ("old", "new", "squashes", "expected"),
    [
        ([], [], [], []),
        (["shop.0003_c"], [], [], ["shop.0003_c"]),
        # Of an app that is gone: the live release does not know it either, and runs.
        (["blog.0001_a", "shop.0003_c"], ["blog.0001_a"], [], ["shop.0003_c"]),
        (["blog.0001_a"], ["blog.0001_a"], [], []),
        # A squash of what both know, and one of what came later.
        (["shop.0001_squashed"], [], ["shop.0001_squashed"], []),
        (["shop.0001_squashed", "shop.0003_c"], [], ["shop.0001_squashed"], ["shop.0003_c"]),
    ],
)
def test_only_what_the_live_release_knows_stands_against_an_older_one(
    app: App, monkeypatch: pytest.MonkeyPatch, old: list[str], new: list[str], squashes: list[str], expected: list[str]
) -> None:
    answers = {OLD: (old, []), NEW: (new, squashes)}

    def unknown(release: Release, _as_environment: bool) -> tuple[list[str], list[str]]:
        return answers[release.id]

    monkeypatch.setattr(rollback_target, "unknown_migrations", unknown)
    assert later_migrations(app.release(OLD), app.release(NEW), False) == expected
    assert later_migrations(app.release(OLD), None, False) == old


def test_a_project_without_a_database_is_not_asked(app: App) -> None:
    app.release(OLD).manifest.write_text('{"has_database": false}')
    assert later_migrations(app.release(OLD), app.release(NEW), False) == []


OPTIONS = {"release": "", "environment": "prod", "despite_migrations": False, "env_as_environment": False}


def test_a_release_whose_manifest_is_empty_is_none_to_go_back_to_and_none_to_keep(app: App) -> None:
    app.current.symlink_to(Path("releases", NEW))
    for release in (OLD, NEW):
        record(app.history, release, LIVE)
    app.release(OLD).manifest.write_text("")
    with pytest.raises(Problem, match=f"It has no good release older than the live one .{NEW}"):
        look_up(app, OPTIONS)
    with pytest.raises(Problem, match=f"Release {OLD} is not here, or was never complete"):
        look_up(app, {**OPTIONS, "release": OLD})
    complete = [release.id for release in app.complete()]
    assert to_keep(complete, NEW, read_history(app.history), 5) == {NEW}


def test_where_the_manifest_of_the_live_release_is_empty_it_can_be_left_and_the_next_deploy_finds_everything_new(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.current.symlink_to(Path("releases", NEW))
    for release in (OLD, NEW):
        record(app.history, release, LIVE)
    app.release(NEW).manifest.write_text("")
    monkeypatch.setattr(rollback_target, "unknown_migrations", lambda *_: ([], []))
    assert look_up(app, OPTIONS) == (NEW, OLD)
    assert compare(app, {"source": "a", "wsgi": "b"}, "", is_active=True) == ["source", "wsgi"]
    # The link alone says what is live, so what it leads to stays until the next one is.
    assert to_keep([OLD], NEW, read_history(app.history), 5) == {OLD, NEW}
    assert to_keep([OLD], OLD, read_history(app.history), 5) == {OLD}
