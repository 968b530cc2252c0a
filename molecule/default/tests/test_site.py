"""What a provisioned and deployed host is like, before and after a reboot."""

from __future__ import annotations

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest

Host = Any  # testinfra has no types

CURRENT = "/srv/slow-sql/current"
GET = (
    "import ssl, sys, urllib.request as r; c = ssl.create_default_context(cafile='/etc/ssl/initech/authority.crt'); "
    "sys.stdout.write(r.urlopen(sys.argv[1], timeout=30, context=c).read().decode())"
)
TIMED = f"import time; started = time.monotonic(); {GET}; print(time.monotonic() - started)"
INSTALLED = "import importlib.metadata as m; print(*(f'{d.name}=={d.version}' for d in m.distributions()))"


def get(host: Host, path: str) -> str:
    """Return what nginx on the host answers, or fail where that is no success."""
    return str(host.check_output("python3 -c %s %s", GET, f"https://127.0.0.1{path}"))


def engine(host: Host) -> str:
    """Return which database the host has: postgres or mysql."""
    return dotenv(host)["DATABASE_URL"].partition(":")[0]


def query(host: Host, sql: str) -> str:
    """Return the answer of the database server to its superuser, values separated by bars or tabs."""
    client = {
        "postgres": "runuser -u postgres -- psql --tuples-only --no-align --command %s",
        "mysql": "mariadb --skip-column-names --raw --execute %s",
    }
    return str(host.check_output(client[engine(host)], sql)).strip()


def backends(host: Host) -> int:
    """Return how many connections the app's database has."""
    sql = {
        "postgres": "SELECT count(*) FROM pg_stat_activity WHERE usename = 'slow_sql'",
        "mysql": "SELECT count(*) FROM information_schema.processlist WHERE user = 'slow_sql'",
    }
    return int(query(host, sql[engine(host)]))


def gone(host: Host) -> None:
    """Wait until the app has no connection any more: a server needs a moment to see that one was closed."""
    deadline = time.monotonic() + 5
    while left := backends(host):
        assert time.monotonic() < deadline, f"{left} connections are left"


def live(host: Host) -> str:
    """Return the id of the live release."""
    return str(host.check_output(f"readlink {CURRENT}")).removeprefix("releases/")


def dotenv(host: Host) -> dict[str, str]:
    """Return what `.env` of the live release holds."""
    lines = host.file(f"{CURRENT}/project/.env").content_string.splitlines()
    return {key: value.strip("'\"") for key, _, value in (line.partition("=") for line in lines)}


@pytest.fixture(autouse=True)
def _answers(host: Host) -> None:
    """Wait until the site is there, which after a reboot takes a moment."""
    deadline = time.monotonic() + 60
    while host.run("python3 -c %s https://127.0.0.1/healthz", GET).rc != 0:
        assert time.monotonic() < deadline, host.check_output("journalctl --no-pager --lines 40")


def test_the_host_has_started_everything(host: Host) -> None:
    assert host.check_output("systemctl is-system-running --wait") == "running"


def test_the_home_page_shows_the_migrated_row_and_the_live_release(host: Host) -> None:
    page = get(host, "/")
    assert "Ten slow queries, one short wait." in page
    assert live(host) in page
    assert {"postgres": "<dd>PostgreSQL 1", "mysql": "<dd>MariaDB 1"}[engine(host)] in page


def test_nginx_serves_the_stylesheet_that_the_page_names(host: Host) -> None:
    (stylesheet,) = re.findall(r'rel="stylesheet" href="([^"]+)"', get(host, "/"))
    assert ":root {" in get(host, stylesheet)
    assert "nginx" in host.check_output("readlink /proc/$(cat /run/nginx.pid)/exe")
    assert host.file(f"{CURRENT}/static{stylesheet.removeprefix('/static')}").exists


def test_ten_slow_requests_take_one_wait_and_ten_connections_that_are_gone_afterwards(host: Host) -> None:
    # The first request of a worker imports what it needs: after a reboot that is not what is measured here.
    for _ in range(8):
        get(host, "/")
    gone(host)
    most = 0
    with ThreadPoolExecutor() as pool:
        # Measured on the host, without the time that SSH takes.
        answer = pool.submit(host.check_output, "python3 -c %s %s", TIMED, "https://127.0.0.1/ten-slow-requests/")
        # Each look at the database starts a client there: as few as tell, so that they are not what is measured.
        while not wait([answer], timeout=1).done:
            most = max(most, backends(host))
    *squares, seconds = answer.result().split()
    assert sorted(int(square) for square in squares) == [x * x for x in range(1, 11)]
    assert float(seconds) < 5.5
    assert most == 10
    gone(host)


def test_there_is_one_worker_per_core(host: Host) -> None:
    unit = f"slow-sql@{live(host)}.service"
    master = host.check_output("systemctl show --property MainPID --value %s", unit)
    assert host.check_output("pgrep --count --parent %s", master) == host.check_output("nproc")


def test_only_root_and_the_app_can_read_the_secrets(host: Host) -> None:
    file = host.file(f"{CURRENT}/project/.env")
    assert (file.user, file.group, file.mode) == ("root", "slow-sql", 0o640)
    assert host.run("runuser -u slow-sql -- test -r %s", file.path).rc == 0
    assert host.run("runuser -u www-data -- test -r %s", file.path).rc != 0


def test_the_app_cannot_read_what_was_deployed_when_and_by_whom(host: Host) -> None:
    assert host.run("test -r /srv/slow-sql/history.jsonl").rc == 0
    assert host.run("runuser -u slow-sql -- test -r /srv/slow-sql/history.jsonl").rc != 0


def test_the_app_cannot_change_its_own_code(host: Host) -> None:
    places = "/srv/slow-sql/releases /srv/slow-sql/virtualenvs /srv/slow-sql/current /etc/slow-sql"
    # It cannot look into that of its backups either.
    find = f"find {places} -path /etc/slow-sql/backup -prune -o ! -type l -writable -print"
    assert host.check_output(f"cd / && runuser -u slow-sql -- {find}") == ""
    assert host.run("runuser -u slow-sql -- test -w /srv/slow-sql/media").rc == 0


def test_what_runs_for_visitors_may_do_little_else(host: Host) -> None:
    """systemd's own judgement of the whole unit, in tenths of ten; without a sandbox either has 9.6 and more."""
    for unit, most in ((f"slow-sql@{live(host)}", 12), ("nginx", 30)):
        host.check_output(f"systemd-analyze security --threshold={most} --no-pager {unit}.service")


def test_the_app_owns_its_database_and_nothing_else(host: Host) -> None:
    if engine(host) == "mysql":
        grants = query(host, "SHOW GRANTS FOR slow_sql@127.0.0.1").splitlines()
        assert [grant.partition(" TO ")[0] for grant in grants] == [
            "GRANT USAGE ON *.*",
            r"GRANT ALL PRIVILEGES ON `slow\_sql`.*",
        ]
        return
    assert query(host, "SELECT datname FROM pg_database WHERE datdba = 'slow_sql'::regrole") == "slow_sql"
    powers = "rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
    assert query(host, f"SELECT {powers} FROM pg_roles WHERE rolname = 'slow_sql'") == "f"
    assert query(host, "SELECT has_database_privilege('pg_monitor', 'slow_sql', 'CONNECT')") == "f"
    hashed = query(host, "SELECT rolpassword FROM pg_authid WHERE rolname = 'slow_sql'")
    assert hashed.startswith("SCRAM-SHA-256$")


@pytest.mark.parametrize("password", ["wrong", ""])
def test_a_wrong_password_or_none_does_not_open_the_database(host: Host, password: str) -> None:
    clients = {
        "postgres": ("PGPASSWORD=%s psql postgres://slow_sql@127.0.0.1/slow_sql --command 'SELECT 1'", "password"),
        "mysql": ("mariadb --host=127.0.0.1 --user=slow_sql --password=%s --execute 'SELECT 1'", "Access denied"),
    }
    client, message = clients[engine(host)]
    refused = host.run(client, password)
    assert refused.rc != 0
    assert message in refused.stderr


def test_the_memory_of_the_database_follows_from_that_of_the_host(host: Host) -> None:
    """A quarter of its half for PostgreSQL, a half of it for MariaDB; memory is rounded up by less than a quarter."""
    sql, part = {
        "postgres": ("SELECT setting::bigint * 8192 FROM pg_settings WHERE name = 'shared_buffers'", 8),
        "mysql": ("SELECT @@innodb_buffer_pool_size", 4),
    }[engine(host)]
    memory = int(host.check_output("getconf _PHYS_PAGES")) * int(host.check_output("getconf PAGE_SIZE"))
    assert memory <= int(query(host, sql)) * part < memory * 1.26


def test_the_app_is_cut_off_where_it_would_hold_up_others(host: Host) -> None:
    if engine(host) == "postgres":
        timeouts = query(host, "SELECT array_to_string(rolconfig, ' ') FROM pg_roles WHERE rolname = 'slow_sql'")
        assert timeouts == "statement_timeout=0s lock_timeout=10s idle_in_transaction_session_timeout=300s"
        assert query(host, "SHOW data_checksums") == "on"
    else:
        timeouts = "@@lock_wait_timeout, @@innodb_lock_wait_timeout, @@idle_transaction_timeout"
        assert query(host, f"SELECT {timeouts}").split("\t") == ["10", "10", "300"]


def test_slow_queries_are_logged(host: Host) -> None:
    get(host, "/ten-slow-requests/?seconds=1.5")
    log, query_text = {
        "postgres": ("/var/log/postgresql/*.log", "pg_sleep"),
        "mysql": ("/var/log/mysql/slow.log", "sleep"),
    }[engine(host)]
    assert int(host.check_output(f"cat {log} | grep --count --ignore-case {query_text}")) >= 10


def test_the_virtualenv_holds_exactly_what_requirements_txt_says(host: Host) -> None:
    lines = host.file(f"{CURRENT}/project/requirements.txt").content_string.splitlines()
    wanted = {line.lower() for line in lines if line and not line.startswith("#")}
    installed = host.check_output(f"{CURRENT}/virtualenv/bin/python -c %s", INSTALLED).lower().split()
    assert {name.replace("_", "-") for name in installed} == {name.replace("_", "-") for name in wanted}


def test_no_secret_is_in_the_journal_or_in_a_process_list(host: Host) -> None:
    values = dotenv(host)
    password = re.findall(r":([^:@/]+)@", values["DATABASE_URL"])[0]
    seen = host.check_output("journalctl --no-pager --output cat; cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "slow-sql" in seen
    assert values["SECRET_KEY"] not in seen
    assert password not in seen


def test_the_manifest_says_what_was_deployed(host: Host) -> None:
    manifest = json.loads(host.file(f"{CURRENT}/manifest.json").content_string)
    assert manifest["release"] == live(host)
    assert manifest["settings"] == "slow_sql.settings.demo"
    assert manifest["release"].endswith(manifest["commit"][:8])
