"""What the hosts of an app are like whose database is on a host of its own, before and after a reboot."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import testinfra

Host = Any  # testinfra has no types

GET = (
    "import ssl, sys, urllib.request as r; c = ssl.create_default_context(cafile='/etc/ssl/initech/authority.crt'); "
    "sys.stdout.write(r.urlopen(sys.argv[1], timeout=30, context=c).read().decode())"
)
TIMED = f"import time; started = time.monotonic(); {GET}; print(time.monotonic() - started)"
CERTIFICATE = "/etc/slow-sql/database.crt"
OTHERS = "/etc/ssl/certs/ca-certificates.crt"
DOTENV = "/srv/slow-sql/current/project/.env"

SUPERUSER = {
    "postgres": "cd / && runuser -u postgres -- psql --tuples-only --no-align --command %s",
    "mysql": "mariadb --skip-column-names --raw --execute %s",
}
BACKENDS = {
    "postgres": "SELECT count(*) FROM pg_stat_activity WHERE usename = 'slow_sql'",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE user = 'slow_sql'",
}
CLIENTS = {"postgres": "postgresql-client", "mysql": "mariadb-client"}
WITH_TLS = {"postgres": "sslmode=verify-full sslrootcert={}", "mysql": "--ssl-ca={} --ssl-verify-server-cert"}
BLIND = {"postgres": "sslmode=require", "mysql": "--ssl --skip-ssl-verify-server-cert"}
PLAIN = {"postgres": "sslmode=disable", "mysql": "--skip-ssl"}


class Url:
    """The parts of the app's DATABASE_URL."""

    def __init__(self, text: str) -> None:
        found = re.fullmatch(r"(\w+)://(.*?):(.*?)@(.*?):(\d+)/(.*?)\?(.*)", text)
        assert found, "DATABASE_URL leads to no other host"
        self.engine, self.user, password, self.address, _, self.name, self.options = found.groups()
        self.password = unquote(password)


def other(host: Host, name: str) -> Host:
    """Return another host of the scenario."""
    return testinfra.get_host(f"ssh://{name}", ssh_config=host.backend.ssh_config, sudo=True)


@pytest.fixture(name="url")
def _url(host: Host) -> Url:
    (text,) = re.findall(r"^DATABASE_URL=(.*)$", host.file(DOTENV).content_string, re.MULTILINE)
    return Url(text.strip("'\""))


@pytest.fixture(autouse=True)
def _answers(host: Host) -> None:
    """Wait until the site is there, which after a reboot takes a moment."""
    deadline = time.monotonic() + 60
    while host.run("python3 -c %s https://127.0.0.1/", GET).rc != 0:
        assert time.monotonic() < deadline, host.check_output("journalctl --no-pager --lines 40")


def ask(host: Host, url: Url, tls: str, password: str | None = None, user: str | None = None) -> Any:
    """Return what the client says that asks the database for two times three."""
    client = {
        "postgres": "PGPASSWORD=%s psql --tuples-only --no-align --command 'SELECT 2 * 3' %s",
        "mysql": "MYSQL_PWD=%s mariadb --skip-column-names --execute 'SELECT 2 * 3'",
    }[url.engine]
    user = user or url.user
    password = url.password if password is None else password
    if url.engine == "postgres":
        target = f"host={url.address} dbname={url.name} user={user} {tls}"
        return host.run(client, password, target)
    return host.run(f"{client} {tls} --host={url.address} --user={user} {url.name}", password)


def backends(host: Host, url: Url) -> int:
    """Return how many connections the app's user has."""
    return int(other(host, "db").check_output(SUPERUSER[url.engine], BACKENDS[url.engine]))


def gone(host: Host, url: Url) -> None:
    """Wait until the app has no connection any more: a server needs a moment to see that one was closed."""
    deadline = time.monotonic() + 5
    while left := backends(host, url):
        assert time.monotonic() < deadline, f"{left} connections are left"


def test_every_host_has_started_everything_and_only_one_has_a_database_server(host: Host, url: Url) -> None:
    assert host.check_output("systemctl is-system-running --wait") == "running"
    assert host.run("pgrep --exact 'postgres|mariadbd'").rc != 0
    assert other(host, "db").check_output("systemctl is-system-running --wait") == "running"
    assert url.options.endswith("sslrootcert=" + CERTIFICATE) or url.options.startswith("ssl_ca=" + CERTIFICATE)


def test_ten_slow_requests_take_one_wait_and_ten_connections_that_are_gone_afterwards(host: Host, url: Url) -> None:
    for _ in range(8):
        host.check_output("python3 -c %s https://127.0.0.1/", GET)
    gone(host, url)
    most = 0
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(host.check_output, "python3 -c %s https://127.0.0.1/ten-slow-requests/", TIMED)
        # Each look at the database starts a client there: as few as tell, so that they are not what is measured.
        while not wait([answer], timeout=1).done:
            most = max(most, backends(host, url))
    *squares, seconds = answer.result().split()
    assert sorted(map(int, squares)) == [x * x for x in range(1, 11)]
    assert float(seconds) < 5.5
    assert most == 10
    gone(host, url)


def test_both_hosts_of_the_app_have_the_same_database_which_was_migrated_once(host: Host, url: Url) -> None:
    sql = {
        "postgres": "SELECT count(*) - count(DISTINCT (app, name)) FROM django_migrations",
        "mysql": "SELECT count(*) - count(DISTINCT app, name) FROM slow_sql.django_migrations",
    }[url.engine]
    command = SUPERUSER[url.engine].replace("psql", "psql --dbname=slow_sql")
    assert other(host, "db").check_output(command, sql).strip() == "0"
    assert "Ten slow queries" in host.check_output("python3 -c %s https://127.0.0.1/", GET)


def test_the_app_itself_comes_in_over_tls_and_knows_its_server(host: Host, url: Url) -> None:
    assert ask(host, url, WITH_TLS[url.engine].format(CERTIFICATE)).stdout.strip() == "6"
    # Of any other server, such as one in between, it would think so.
    refused = ask(host, url, WITH_TLS[url.engine].format(OTHERS))
    assert refused.rc != 0
    assert re.search("certificate verify failed|self.signed|certificate.*validat", refused.stderr, re.IGNORECASE)


Refusals = Callable[[Host, Url], Any]
NOBODY = "no pg_hba.conf entry for host"
DENIED = "Access denied for user"


@pytest.mark.parametrize(
    ("attempt", "messages"),
    [
        (lambda host, url: ask(host, url, BLIND[url.engine], password="wrong"), ("password authentication", DENIED)),
        (lambda host, url: ask(host, url, BLIND[url.engine], password=""), ("no password supplied", DENIED)),
        (lambda host, url: ask(host, url, PLAIN[url.engine]), (f"{NOBODY}.*no encryption", DENIED)),
        (lambda host, url: ask(host, url, BLIND[url.engine], user="postgres"), (f"{NOBODY}.*user .postgres.", DENIED)),
        (lambda host, url: ask(host, url, BLIND[url.engine], user="root"), (f"{NOBODY}.*user .root.", DENIED)),
    ],
    ids=["wrong password", "empty password", "without TLS", "administrator", "wrong role"],
)
def test_from_a_host_of_the_app_others_are_refused(
    host: Host, url: Url, attempt: Refusals, messages: tuple[str, str]
) -> None:
    refused = attempt(host, url)
    assert refused.rc != 0
    assert re.search(messages[url.engine == "mysql"], refused.stderr), refused.stderr


def test_from_another_host_even_the_right_password_is_refused(host: Host, url: Url) -> None:
    stranger = other(host, "stranger")
    if stranger.run("which psql mariadb").stdout == "":
        stranger.check_output("apt-get -qq update && apt-get -qq install --yes %s >/dev/null", CLIENTS[url.engine])
    db = other(host, "db")
    # Without the firewall the server itself refuses.
    db.check_output("systemctl stop initech-firewall")
    try:
        refused = ask(stranger, url, BLIND[url.engine])
    finally:
        db.check_output("systemctl start initech-firewall")
    assert refused.rc != 0
    assert re.search(f"{NOBODY}|is not allowed to connect", refused.stderr), refused.stderr


def test_from_another_host_the_server_cannot_even_be_reached(host: Host, url: Url) -> None:
    port = {"postgres": 5432, "mysql": 3306}[url.engine]
    reach = f"timeout 3 bash -c '</dev/tcp/{url.address}/{port}'"
    assert host.run(reach).rc == 0
    # Dropped, and not refused, which would be 1.
    assert other(host, "stranger").run(reach).rc == 124


def test_only_root_and_the_server_can_read_its_key(host: Host, url: Url) -> None:
    db = other(host, "db")
    group, name = {"postgres": ("postgres", "postgresql"), "mysql": ("mysql", "mysql")}[url.engine]
    key = db.file(f"/etc/ssl/initech/{name}.key")
    assert (key.user, key.group, key.mode) == ("root", group, 0o640)
    certificate = db.file(f"/etc/ssl/initech/{name}.crt").content_string
    assert certificate == host.file(CERTIFICATE).content_string
    assert "PRIVATE" not in certificate


def test_the_databases_host_backs_the_database_up_and_those_of_the_app_their_uploads(host: Host, url: Url) -> None:
    unit = {"postgres": "initech-backup@diff.service", "mysql": "initech-mysql-backup@whole.service"}[url.engine]
    db = other(host, "db")
    db.check_output(f"systemctl start {unit}")
    host.check_output("systemctl start slow-sql-media-backup.service")
    assert db.run("systemctl cat slow-sql-media-backup.service").rc != 0
    assert host.run(f"systemctl cat {unit}").rc != 0
    # Whoever migrated had a backup taken there before.
    history = other(host, "web1").file("/srv/slow-sql/history.jsonl").content_string
    assert any(json.loads(line).get("backup") for line in history.splitlines())


def deploy(engine: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Deploy to all hosts of the scenario, as molecule does."""
    root = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": f"{root}/ansible.cfg",
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_VAULT_IDENTITY_LIST": f"demo@{root}/inventories/vault-password-client",
        "DATABASE_ENGINE": {"postgres": "postgresql"}.get(engine, engine),
    }
    inventory = f"--inventory={root}/molecule/split/inventory"
    command = ["ansible-playbook", f"{root}/deploy.yml", "-l", "molecule", inventory, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def live(host: Host) -> str:
    """Return the id of the live release."""
    return str(host.check_output("basename $(readlink /srv/slow-sql/current)"))


@cache
def deployed_where_one_cannot_switch(ssh_config: str, engine: str) -> tuple[str, dict[str, str]]:
    """Deploy what only web1 finds good, once for both hosts; return what was printed, and what had been live."""
    hosts = [testinfra.get_host(f"ssh://{name}", ssh_config=ssh_config, sudo=True) for name in ("web1", "web2")]
    configuration = "/etc/slow-sql/gunicorn.conf.py"
    before = {each.backend.get_hostname(): live(each) for each in hosts}
    # What serves a release is a part of it, so this is a new one.
    for each in hosts:
        each.check_output(f"cp -a {configuration} /run/before && echo '# new' >> {configuration}")
    text = "{{ {'web2': 'no such words'}[inventory_hostname] | default('') }}"
    failed = deploy(engine, "-e", json.dumps({"release_health_text": text}))
    for each in hosts:
        each.check_output(f"cp -a /run/before {configuration}")
    return failed.stdout + failed.stderr, before


def test_where_one_host_cannot_switch_the_other_goes_back(host: Host, url: Url) -> None:
    output, before = deployed_where_one_cannot_switch(host.backend.ssh_config, url.engine)
    text = " ".join(output.split())
    assert "does not have 'no such words' in it" in text.replace("''", "'"), output
    assert "Went back to what they had: web1" in text
    assert live(host) == before[host.backend.get_hostname()]
    assert "Ten slow queries" in host.check_output("python3 -c %s https://127.0.0.1/", GET)
    assert host.check_output("systemctl list-units --plain --no-legend 'slow-sql@*'").count("slow-sql@") == 1
