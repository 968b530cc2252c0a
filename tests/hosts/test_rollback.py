"""A rollback goes where it is told, and to no release that is bad or whose code does not know the database."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from demo import Demo

EXAMPLE = "examples/slow_sql"
MIGRATION = """from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("pages", "0003_greeting_attachment")]
    operations = [migrations.RunSQL("SELECT 1", "SELECT 1")]
"""


@pytest.fixture(scope="module")
def releases(demo: Demo) -> Iterator[tuple[str, str]]:
    """Deploy a release and one that migrates after it, and take the migration away again in the end."""
    good = demo.checked("git", "rev-parse", "HEAD").strip()
    readme = demo.path / EXAMPLE / "README.md"
    readme.write_text(f"{readme.read_text()}\nBefore the migration\n")
    demo.commit("Before the migration")
    assert demo.playbook("deploy").code == 0
    before = demo.live()
    (demo.path / EXAMPLE / "pages/migrations/0004_nothing.py").write_text(MIGRATION)
    demo.checked("git", "add", "--all")
    demo.commit("A migration")
    assert demo.playbook("deploy").code == 0
    yield before, demo.live()
    demo.checked("git", "reset", "--quiet", "--hard", good)
    demo.host("runuser -u postgres -- psql slow_sql -c \"DELETE FROM django_migrations WHERE name = '0004_nothing'\"")
    assert demo.playbook("deploy").code == 0


def test_a_rollback_to_a_release_that_does_not_know_the_database_is_refused_and_says_why(
    demo: Demo, releases: tuple[str, str]
) -> None:
    before, live = releases
    state = demo.state()
    for arguments in ((), ("-e", f"release={before}"), ("--check",)):
        refused = demo.playbook("rollback", *arguments)
        assert refused.code != 0
        assert f"Release {before} does not know 1 of the database's migrations" in refused.text.replace("''", "'")
        assert "pages.0004_nothing" in refused.text
        assert "-e release_despite_migrations=true" in refused.text
    assert (demo.live(), demo.state()) == (live, state)


def test_the_history_names_the_migration(demo: Demo, releases: tuple[str, str]) -> None:
    _, live = releases
    assert re.search(rf"{live} .*\n +migrated: pages\.0004_nothing", demo.playbook("releases").output)


def test_a_rollback_goes_there_when_told_to_and_forth_again_to_the_release_that_was_asked_for(
    demo: Demo, releases: tuple[str, str]
) -> None:
    before, live = releases
    back = demo.playbook("rollback", "-e", "release_despite_migrations=true")
    assert back.code == 0, back.output
    assert f"went back from release {live} to {before}." in back.text
    assert demo.live() == before
    forth = demo.playbook("rollback", "-e", f"release={live}")
    assert forth.code == 0, forth.output
    assert demo.live() == live
    again = demo.playbook("rollback", "-e", f"release={live}")
    assert (again.code, again.changed) == (0, 0), again.output
    assert f"release {live} is live already." in again.text


def test_a_release_that_is_not_here_is_refused_with_those_that_are(demo: Demo, releases: tuple[str, str]) -> None:
    before, _ = releases
    refused = demo.playbook("rollback", "-e", "release=20200101T000000Z-00000000")
    assert refused.code != 0
    assert "Release 20200101T000000Z-00000000 is not here, or was never complete. Good ones are here: " in refused.text
    assert before in refused.text
