"""What becomes of a running database: settings, versions and data, on hosts that have some already."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import pytest
from apps import App
from demo import HOST, Demo, Result

UNIT = "postgresql@17-main"
FILE = "/etc/postgresql/17/main/conf.d/initech.conf"
TIMEOUTS = "statement_timeout=0s lock_timeout=10s idle_in_transaction_session_timeout=300s"
OLD_HOST = "upgrade-host"
INFO = "cd / && runuser -u postgres -- pgbackrest --stanza=main --output=json info"
# As soon as the new cluster has files: all of the upgrade, its servers and its tool.
KILL = """
until [ -e /var/lib/postgresql/upgrading-17 ] && [ -d /var/lib/postgresql/17/main/base ]; do :; done
%ssystemctl kill --signal=KILL postgresql-upgrade
"""
# The module, which has the old cluster go on where it lives.
KILL_MODULE = "kill -KILL $(ps -o ppid= -C systemd-run)\n"
URL = "{{ lookup('initech.django.database_url') }}"
FILL = "CREATE TABLE kept AS SELECT id, md5(id::text) AS text FROM generate_series(1, 50000) AS id"
SUM = "SELECT count(*), sum(hashtext(text)) FROM kept"


# As in provision.yml, without what has nothing to do with databases and takes most of its time.
PLAY = """---
- name: The environment
  hosts: all
  gather_facts: false
  roles:
    - role: initech.django.check

- name: The database alone
  hosts: databases
  become: true
  gather_facts: true
  gather_subset: ["!all", "!min", distribution, hardware]
  roles:
    - role: initech.django.database
"""


@pytest.fixture(scope="module", autouse=True)
def _play(demo: Demo) -> Iterator[None]:
    """Let the clone have a playbook for the database alone."""
    play = demo.path / "only-database.yml"
    play.write_text(PLAY)
    yield
    play.unlink()


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
    run = demo.playbook("only-database", "-e", f'{{"postgresql_settings": {{{settings}}}}}')
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
    made_good = demo.playbook("only-database")
    assert (made_good.code, made_good.changed) == (0, 1), made_good.output
    assert setting(demo, "shared_buffers") != "64MB"
    assert demo.playbook("only-database").changed == 0


def test_settings_of_others_that_the_server_does_not_understand_stop_no_running_server(demo: Demo) -> None:
    before = server(demo)
    demo.host("echo 'work_mem = much' > /etc/postgresql/17/main/conf.d/wrong.conf")
    refused = demo.playbook("only-database", "-e", '{"postgresql_settings": {"shared_buffers": "64MB"}}')
    demo.host("rm /etc/postgresql/17/main/conf.d/wrong.conf")
    assert refused.code != 0
    assert "conf.d/wrong.conf, line 1, work_mem: setting could not be applied" in refused.text
    assert server(demo) == before
    assert demo.playbook("only-database").code == 0
    assert setting(demo, "shared_buffers") != "64MB"


# Timeouts


def test_a_statement_gives_up_waiting_for_a_lock_and_a_long_one_is_ended_where_that_is_asked_for(demo: Demo) -> None:
    names = "SELECT array_to_string(rolconfig, ' ') FROM pg_roles WHERE rolname = 'slow_sql'"
    assert asked(demo, names) == TIMEOUTS
    short = demo.playbook("only-database", "-e", '{"postgresql_statement_timeout": 1, "postgresql_lock_timeout": 1}')
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
    assert demo.playbook("only-database").code == 0
    assert asked(demo, names) == TIMEOUTS


# Databases that the inventory names no longer


def test_a_database_that_the_inventory_names_no_longer_stays_and_serves(demo: Demo) -> None:
    rows = asked(demo, "SELECT count(*) FROM django_migrations", "slow_sql")
    other = demo.playbook("only-database", "-e", "database_name=successor", "-e", "database_user=successor")
    assert other.code == 0, other.output
    assert asked(demo, "SELECT datdba::regrole FROM pg_database WHERE datname = 'successor'") == "successor"
    assert asked(demo, "SELECT count(*) FROM django_migrations", "slow_sql") == rows
    assert "Ten slow queries" in demo.get("/")
    assert demo.playbook("only-database").changed == 0
    # What nobody but its administrator drops.
    asked(demo, "DROP DATABASE successor")
    asked(demo, "DROP ROLE successor")
    demo.host("sed -i /successor/d /etc/postgresql/17/main/pg_hba.conf")


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
        "backup_enabled": True,
        "backup_passphrase": secrets.token_urlsafe(32),
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


def backups(demo: Demo) -> list[str]:
    """Return the version and the kind of the old host's backups, the oldest first."""
    (stanza,) = json.loads(on(demo, OLD_HOST, INFO))
    versions = {each["id"]: each["version"] for each in stanza["db"]}
    return [f"{versions[each['database']['id']]} {each['type']}" for each in stanza["backup"]]


def upgrade_and_kill(demo: Demo, old: App, before: str = "") -> Result:
    """Return what an upgrade said whose unit was killed, and what is named here before it."""
    with ThreadPoolExecutor() as pool:
        upgrade = pool.submit(old.playbook, "upgrade-database")
        on(demo, OLD_HOST, KILL % before)
        return upgrade.result()


@pytest.fixture(scope="module")
def failed(demo: Demo, old: App, data: str) -> Result:
    """Return what an upgrade said that failed."""
    looked = old.playbook("upgrade-database", "--check")
    assert (looked.code, clusters(demo), backups(demo)) == (0, ["15 5432 online"], []), looked.output
    return upgrade_and_kill(demo, old)


@pytest.fixture(scope="module")
def killed(demo: Demo, old: App, failed: Result) -> Result:
    """Return what the next one said, which was killed whole."""
    return upgrade_and_kill(demo, old, KILL_MODULE)


@pytest.fixture(scope="module")
def upgraded(old: App, killed: Result) -> Result:
    """Return what the next one said."""
    return old.playbook("upgrade-database")


def test_an_upgrade_that_fails_says_so_and_the_old_cluster_goes_on(
    demo: Demo, old: App, data: str, failed: Result
) -> None:
    assert failed.code != 0
    assert "The upgrade from 15 failed" in failed.text
    assert "The old cluster 15/main goes on" in failed.text
    assert "type the same again" in failed.text
    assert clusters(demo) == ["15 5432 online"]
    assert asked(demo, SUM, "old", OLD_HOST) == data
    assert backups(demo) == ["15 full"]


def test_an_upgrade_that_is_killed_is_not_provisioned_over(demo: Demo, old: App, killed: Result) -> None:
    assert killed.code != 0
    assert backups(demo) == ["15 full", "15 diff"]
    refused = old.playbook("provision")
    assert (refused.code, refused.changed) == (2, 0)
    assert "ansible-playbook upgrade-database.yml -l old-host" in refused.text


def test_data_is_upgraded_on_purpose_also_after_an_upgrade_that_was_killed(
    demo: Demo, old: App, data: str, upgraded: Result
) -> None:
    assert upgraded.code == 0, upgraded.output
    assert clusters(demo) == ["15 5433 down", "17 5432 online"]
    assert asked(demo, SUM, "old", OLD_HOST) == data
    names = "SELECT array_to_string(rolconfig, ' ') FROM pg_roles WHERE rolname = 'old'"
    assert asked(demo, names, host=OLD_HOST) == TIMEOUTS
    assert asked(demo, "SHOW shared_buffers", host=OLD_HOST) != "128MB"
    assert old.playbook("provision").changed == 0
    again = old.playbook("upgrade-database")
    assert (again.code, again.changed) == (0, 0), again.output
    assert "has no data of another version than 17" in again.text


def test_the_new_cluster_is_backed_up_and_what_was_before_the_upgrade_can_be_restored(
    demo: Demo, old: App, data: str, upgraded: Result
) -> None:
    assert backups(demo) == ["15 full", "15 diff", "17 full"]
    on(demo, OLD_HOST, "systemctl start initech-backup-check")
    asked(demo, "CREATE TABLE later (id int)", "old", OLD_HOST)
    drill = old.playbook("restore-drill")
    assert drill.code == 0, drill.output
    assert "are those of the live database" in drill.text

    second = json.loads(on(demo, OLD_HOST, INFO))[0]["backup"][0]["timestamp"]["stop"] + 1
    before = ("-e", f"restore_time='{datetime.fromtimestamp(second, timezone.utc)}'")
    refused = old.playbook("restore", *before, "-e", "restore_over_live=old")
    assert refused.code != 0
    assert "is of PostgreSQL 15, from before an upgrade" in refused.text
    restored = old.playbook("restore", *before)
    assert restored.code == 0, restored.output
    assert "as cluster 15/restored" in restored.text
    assert on(demo, OLD_HOST, f'cd /tmp; runuser -u postgres -- psql --cluster 15/restored -d old -Atc "{SUM}"') == data
    on(demo, OLD_HOST, "pg_dropcluster --stop 15 restored")


def test_the_old_cluster_leads_back_and_is_backed_up_again(demo: Demo, old: App, data: str, upgraded: Result) -> None:
    told = upgraded.output.rpartition("To go back")[2].splitlines()
    back = [line.strip().removeprefix("- ") for line in told if line.strip().startswith("- ")]
    on(demo, OLD_HOST, " && ".join(line for line in back if not line.startswith("ansible-playbook")))
    assert clusters(demo) == ["15 5432 online", "17 5433 down"]
    assert asked(demo, SUM, "old", OLD_HOST) == data
    for command in ("provision", "backup"):
        assert f"ansible-playbook {command}.yml -l old-host" in back
        ran = old.playbook(command, "-e", "postgresql_version=15")
        assert ran.code == 0, ran.output
    assert old.playbook("provision", "-e", "postgresql_version=15").changed == 0
    assert backups(demo)[-1] == "15 full"
    # Where both have data nobody guesses.
    assert "pg_dropcluster --stop 17 main" in old.playbook("upgrade-database").text
