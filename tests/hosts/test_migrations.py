"""Migrations: shown before they run, warned of, run ahead, and never in the way of the site."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from demo import Demo
from load import Load

EXAMPLE = "examples/slow_sql"
SQL = "cd / && runuser -u postgres -- psql -XAtq -d slow_sql"
COLUMN = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'note'"
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'pg_sleep' AND pid <> pg_backend_pid()"
MIGRATION = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pages", "0003_greeting_attachment")]

    operations = [migrations.AddField("Greeting", "note", models.TextField(default=""))]
"""


@pytest.fixture(scope="module")
def migrating(demo: Demo) -> Iterator[Demo]:
    """Commit a migration that the live code does not survive; afterwards all is as it was."""
    good = demo.run("git", "rev-parse", "HEAD").output.strip()
    (demo.path / EXAMPLE / "pages/migrations/0004_note.py").write_text(MIGRATION)
    demo.checked("git", "add", ".")
    demo.commit("A note")
    yield demo
    demo.host(f"{SQL} -c 'ALTER TABLE pages_greeting DROP COLUMN IF EXISTS note'")
    demo.host(f"{SQL} -c \"DELETE FROM django_migrations WHERE name = '0004_note'\"")
    demo.checked("git", "reset", "--quiet", "--hard", good)
    again = demo.playbook("deploy")
    assert again.code == 0, again.output


def column(demo: Demo) -> str:
    return demo.host(f'{SQL} -c "{COLUMN}"')


def test_a_release_is_prepared_and_its_migrations_are_shown_and_warned_of_and_not_run(migrating: Demo) -> None:
    live = migrating.live()
    prepared = migrating.playbook("deploy", "-e", "release_until=prove")
    assert prepared.code == 0, prepared.output
    assert "pages.0004_note" in prepared.text
    assert "Add field note to Greeting" in prepared.text
    assert "pages.0004_note adds Greeting.note, NOT NULL without a default in the database" in prepared.text
    assert f"proven. {live} is still live." in prepared.text
    assert (migrating.live(), column(migrating)) == (live, "0")


def test_a_migration_does_not_wait_behind_a_long_query_with_the_site_behind_it(migrating: Demo) -> None:
    live = migrating.live()
    query = "BEGIN; SELECT count(*) FROM pages_greeting; SELECT pg_sleep(600)"
    reader = migrating.background(f"exec {SQL.partition('&& ')[2]} -c '{query}'")
    try:
        with Load(migrating.connect, connections=2, pause=0.05) as load:
            stopped = migrating.playbook("deploy")
    finally:
        migrating.host(f'{SQL} -c "{END}"')
        reader.wait()
    assert stopped.code != 0
    assert "lock timeout" in stopped.text
    assert "Something else held a lock for too long. Type the same again at a quieter time." in stopped.text
    assert "Applied: none. Failed: pages.0004_note. What it had done was rolled back." in stopped.text
    assert load.failures == {}
    assert (migrating.live(), column(migrating)) == (live, "0")


def test_a_migration_is_run_ahead_and_the_deploy_after_it_has_nothing_to_migrate(migrating: Demo) -> None:
    live = migrating.live()
    ahead = migrating.playbook("deploy", "-e", "release_until=migrate")
    assert ahead.code == 0, ahead.output
    assert f"proven, and the database is migrated. {live} is still live." in ahead.text
    assert (migrating.live(), column(migrating)) == (live, "1")
    deployed = migrating.playbook("deploy")
    assert deployed.code == 0, deployed.output
    assert "Apply it" not in deployed.output
    assert migrating.live() != live
