"""A release that is no good never goes live: it is stopped, its own log is shown, and the old one goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from demo import Demo
from load import Load

EXAMPLE = "examples/slow_sql"


@pytest.fixture(autouse=True)
def _old_goes_on(demo: Demo) -> Iterator[None]:
    """After the failure the same release is live, and a plain run of what was committed before clears all up."""
    good, live = demo.run("git", "rev-parse", "HEAD").output, demo.live()
    yield
    assert demo.live() == live
    assert demo.get("/healthz") == "ok\n"
    assert demo.run("git", "reset", "--quiet", "--hard", good.strip()).code == 0
    again = demo.playbook("deploy")
    assert again.code == 0, again.output
    assert "already live" in again.text
    assert demo.host("systemctl list-units --plain --no-legend --all 'slow-sql@*'").count("\n") == 0


def spoil(demo: Demo, file: str, old: str, new: str) -> str:
    """Commit a change, and return what the failed deploy of it printed."""
    path = demo.path / EXAMPLE / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    demo.commit("Spoil it")
    with Load(demo.connect, connections=2, pause=0.05) as load:
        result = demo.playbook("deploy", "-e", "release_health_timeout=5")
    assert load.failures == {}
    assert result.code != 0, result.output
    return result.text


def test_a_health_page_that_answers_500_stops_the_deploy_and_shows_the_log(demo: Demo) -> None:
    message = spoil(
        demo, "pages/views.py", '    return plain_text("ok")', '    raise RuntimeError("broken on purpose")'
    )
    assert "is no good: it answered 500 to GET /healthz" in message
    assert "RuntimeError: broken on purpose" in message
    assert f"{demo.live()} is still live." in message


def test_a_health_page_that_hangs_stops_the_deploy(demo: Demo) -> None:
    hang = '    __import__("time").sleep(60)\n    return plain_text("ok")'
    assert "it does not answer GET /healthz (timed out)" in spoil(
        demo, "pages/views.py", '    return plain_text("ok")', hang
    )


def test_a_process_that_dies_stops_the_deploy_with_its_last_words(demo: Demo) -> None:
    die = "    print('last words', flush=True)\n    os.kill(os.getppid(), 9)"
    message = spoil(demo, "pages/views.py", '    return plain_text("ok")', die)
    assert "is no good: it ended" in message
    assert "last words" in message


def test_a_settings_module_that_does_not_import_stops_the_deploy_while_staging(demo: Demo) -> None:
    message = spoil(demo, "slow_sql/settings/base.py", "env = Env()", "import not_there")
    assert "The project's settings cannot be loaded" in message
    assert "No module named 'not_there'" in message


def test_a_wsgi_module_that_does_not_import_stops_the_deploy_while_proving(demo: Demo) -> None:
    message = spoil(demo, "slow_sql/wsgi.py", "application = get", "import not_there\napplication = get")
    assert "gunicorn cannot load the WSGI application" in message
    assert "No module named 'not_there'" in message


def test_a_requirement_that_cannot_be_installed_stops_the_deploy_while_staging(demo: Demo) -> None:
    message = spoil(demo, "requirements.txt", "requests==", "requests==0.0.0.99999 #")
    assert "The packages of requirements.txt cannot be installed" in message
    assert "requests" in message


def test_a_migration_that_fails_stops_the_deploy(demo: Demo) -> None:
    migration = "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n"
    migration += '    dependencies = [("pages", "0003_greeting_attachment")]\n'
    migration += '    operations = [migrations.RunSQL("SELECT no_such_column")]\n'
    (demo.path / EXAMPLE / "pages/migrations/0004_fails.py").write_text(migration)
    assert demo.run("git", "add", "--all").code == 0
    message = spoil(demo, "README.md", "# slow_sql", "# slow sql")
    assert "Raw SQL operation" in message
    assert "pages.0004_fails" in message
    assert "migrate failed" in message
    assert "The live release goes on. Applied: none. Failed: pages.0004_fails. What it had done was rolled" in message
    assert 'column "no_such_column" does not exist' in message


def test_a_driver_whose_patch_was_taken_back_stops_the_deploy(demo: Demo) -> None:
    undo = "application = get_wsgi_application()\nfrom psycopg2 import extensions\nextensions.set_wait_callback(None)"
    message = spoil(demo, "slow_sql/wsgi.py", "application = get_wsgi_application()", undo)
    assert "psycopg2 would block its worker: psycogreen's callback is not in place" in message.replace("''", "'")


def test_a_wsgi_module_with_settings_of_its_own_stops_the_deploy(demo: Demo) -> None:
    other = 'import os\nos.environ["DJANGO_SETTINGS_MODULE"] = "slow_sql.settings.base"\napplication = '
    message = spoil(demo, "slow_sql/wsgi.py", "application = ", other)
    assert (
        "manage.py loads the settings slow_sql.settings.demo, and slow_sql.wsgi loads slow_sql.settings.base" in message
    )
