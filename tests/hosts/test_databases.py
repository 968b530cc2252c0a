"""What becomes of a running database: settings, versions and data, on hosts that have some already."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator

import pytest
from apps import App
from demo import HOST, Demo, Result

UNIT = "postgresql@17-main"
FILE = "/etc/postgresql/17/main/conf.d/initech.conf"
TIMEOUTS = "statement_timeout=0s lock_timeout=10s idle_in_transaction_session_timeout=300s"
OLD_HOST = "upgrade-host"
URL = "{{ database_password | initech.django.database_url(user=database_user, name=database_name) }}"
FILL = "CREATE TABLE kept AS SELECT id, md5(id::text) AS text FROM generate_series(1, 50000) AS id"
SUM = "SELECT count(*), sum(hashtext(text)) FROM kept"


def on(demo: Demo, host: str, command: str) -> str:
    """Run a shell command on a host as root, and return what it printed."""
    return demo.checked(sys.executable, "molecule/throwaway.py", "run", host, "--", "sh", "-c", command).strip()


def asked(demo: Demo, sql: str, database: str = "postgres", host: str = HOST) -> str:
    """Return what the server of a host answers to its superuser."""
    return on(demo, host, f'cd /tmp; runuser -u postgres -- psql --dbname={database} -Atc "{sql}"')


def server(demo: Demo) -> str:
    """Return the process that every restart replaces."""
    return demo.host(f"systemctl show --property MainPID --value {UNIT}")


def setting(demo: Demo, name: str) -> str:
    return asked(demo, f"SHOW {name}")


def provisioned(demo: Demo, settings: str) -> Result:
    run = demo.playbook("provision", "-e", f'{{"postgresql_settings": {{{settings}}}}}')
    assert run.code == 0, run.output
    return run


# Settings


def test_the_server_is_restarted_only_for_a_setting_that_needs_it_also_if_the_run_was_killed_before(demo: Demo) -> None:
    computed = demo.host(f"cat {FILE}")
    before = server(demo)
    reloaded = provisioned(demo, '"work_mem": "9MB"')
    assert (setting(demo, "work_mem"), server(demo), reloaded.changed) == ("9MB", before, 2)
    restarted = provisioned(demo, '"work_mem": "9MB", "shared_buffers": "64MB"')
    assert (setting(demo, "shared_buffers"), restarted.changed) == ("64MB", 2)
    assert server(demo) != before
    # What a run leaves that was killed after it had written the file.
    demo.host(f"cat > {FILE} <<'END'\n{computed}\nEND")
    made_good = demo.playbook("provision")
    assert (made_good.code, made_good.changed) == (0, 1), made_good.output
    assert setting(demo, "shared_buffers") != "64MB"
    assert demo.playbook("provision").changed == 0


def test_settings_of_others_that_the_server_does_not_understand_stop_no_running_server(demo: Demo) -> None:
    before = server(demo)
    demo.host("echo 'work_mem = much' > /etc/postgresql/17/main/conf.d/wrong.conf")
    refused = demo.playbook("provision", "-e", '{"postgresql_settings": {"shared_buffers": "64MB"}}')
    demo.host("rm /etc/postgresql/17/main/conf.d/wrong.conf")
    assert refused.code != 0
    assert "conf.d/wrong.conf, line 1, work_mem: setting could not be applied" in refused.text
    assert server(demo) == before
    assert demo.playbook("provision").code == 0
    assert setting(demo, "shared_buffers") != "64MB"


# Timeouts


def test_a_statement_gives_up_waiting_for_a_lock_and_a_long_one_is_ended_where_that_is_asked_for(demo: Demo) -> None:
    names = "SELECT array_to_string(rolconfig, ' ') FROM pg_roles WHERE rolname = 'slow_sql'"
    assert asked(demo, names) == TIMEOUTS
    short = demo.playbook("provision", "-e", '{"postgresql_statement_timeout": 1, "postgresql_lock_timeout": 1}')
    assert short.code == 0, short.output
    password = "$(sed -n 's,.*postgres://slow_sql:\\([^@]*\\)@.*,\\1,p' /srv/slow-sql/current/project/.env)"
    login = f'PGPASSWORD="{password}" psql "host=127.0.0.1 dbname=slow_sql user=slow_sql" -c'
    ended = demo.host(f"{login} 'SELECT pg_sleep(20)' 2>&1 || :")
    assert "canceling statement due to statement timeout" in ended
    hold = "BEGIN; LOCK TABLE django_migrations; SELECT pg_sleep(3)"
    held = "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"
    waited = demo.host(
        f"cd /tmp; runuser -u postgres -- psql -d slow_sql -c '{hold}' > /dev/null & "
        f'until runuser -u postgres -- psql -Atc "{held}" | grep -q 1; do :; done; '
        f"{login} 'SET statement_timeout = 0; TABLE django_migrations' 2>&1 || :; wait"
    )
    assert "canceling statement due to lock timeout" in waited
    assert demo.playbook("provision").code == 0
    assert asked(demo, names) == TIMEOUTS


# Versions


@pytest.fixture(scope="module")
def old(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Return an app on a host of Debian 13 that has PostgreSQL 15, from the repository that Debian 12 has."""
    demo.checked(sys.executable, "molecule/throwaway.py", "up", OLD_HOST)
    uri = on(demo, OLD_HOST, "sed -n 's/^deb \\([^ ]*\\) trixie main$/\\1/p' /etc/apt/sources.list")
    variables = {
        "ansible_host": OLD_HOST,
        "database_password": secrets.token_urlsafe(16),
        "postgresql_repository_uri": uri,
        "postgresql_repository_suite": "bookworm",
        "postgresql_repository_key": "/usr/share/keyrings/debian-archive-keyring.gpg",
        "postgresql_extensions": ["citext"],
        "release_repository": str(demo.path),
        "release_subdirectory": "examples/slow_sql",
        "release_env": {
            "ENVIRONMENT": "demo",
            "DEBUG": False,
            "SECRET_KEY": secrets.token_urlsafe(32),
            "DATABASE_URL": URL,
        },
    }
    yield App(demo, tmp_path_factory.mktemp("old") / "hosts.yml", "old", variables)
    demo.checked(sys.executable, "molecule/throwaway.py", "down", OLD_HOST)


@pytest.fixture(scope="module")
def data(demo: Demo, old: App) -> str:
    """Return what the data of the old version adds up to."""
    looked, made, again = (
        old.playbook("provision", *check, "-e", "postgresql_version=15") for check in (["--check"], [], [])
    )
    assert [run.code for run in (looked, made, again)] == [0, 0, 0], looked.output + made.output + again.output
    assert again.changed == 0, again.output
    asked(demo, FILL, "old", OLD_HOST)
    return asked(demo, SUM, "old", OLD_HOST)


def clusters(demo: Demo) -> list[str]:
    """Return version, port and state of the clusters of the old host."""
    return [
        " ".join(line.split()[i] for i in (0, 2, 3)) for line in on(demo, OLD_HOST, "pg_lsclusters -h").splitlines()
    ]


def test_a_new_cluster_of_another_version_has_checksums_and_the_extension(demo: Demo, old: App, data: str) -> None:
    assert clusters(demo) == ["15 5432 online"]
    assert asked(demo, "SHOW data_checksums", host=OLD_HOST) == "on"
    assert asked(demo, "SELECT count(*) FROM pg_extension WHERE extname = 'citext'", "old", OLD_HOST) == "1"


def test_another_version_is_refused_before_anything_changes(demo: Demo, old: App, data: str) -> None:
    for arguments in ([], ["--check"]):
        refused = old.playbook("provision", *arguments)
        assert (refused.code, refused.changed) == (2, 0)
        assert "has the data of PostgreSQL 15, in the cluster 15/main, and version 17 is asked for" in refused.text
        assert "ansible-playbook upgrade-database.yml -l old-host" in refused.text
    assert clusters(demo) == ["15 5432 online"]


def test_data_is_upgraded_on_purpose_and_the_old_cluster_leads_back(demo: Demo, old: App, data: str) -> None:
    looked = old.playbook("upgrade-database", "--check")
    assert (looked.code, clusters(demo)) == (0, ["15 5432 online"]), looked.output
    upgraded = old.playbook("upgrade-database")
    assert upgraded.code == 0, upgraded.output
    assert clusters(demo) == ["15 5433 down", "17 5432 online"]
    assert asked(demo, SUM, "old", OLD_HOST) == data
    names = "SELECT array_to_string(rolconfig, ' ') FROM pg_roles WHERE rolname = 'old'"
    assert asked(demo, names, host=OLD_HOST) == TIMEOUTS
    assert asked(demo, "SHOW shared_buffers", host=OLD_HOST) != "128MB"
    assert old.playbook("provision").changed == 0
    assert "Nothing was done" in old.playbook("upgrade-database").text

    told = upgraded.output.rpartition("To go back")[2].splitlines()
    back = [line.strip().removeprefix("- ") for line in told if line.strip().startswith("- ")]
    assert len(back) == 7
    on(demo, OLD_HOST, " && ".join(back))
    assert clusters(demo) == ["15 5432 online", "17 5433 down"]
    assert asked(demo, SUM, "old", OLD_HOST) == data
    assert old.playbook("provision", "-e", "postgresql_version=15").changed == 0
    # Where both have data nobody guesses.
    assert "pg_dropcluster --stop 17 main" in old.playbook("upgrade-database").text
