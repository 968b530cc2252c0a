"""The example on MariaDB: `database_engine` is all that differs."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from apps import App, example
from demo import Demo, Result
from load import Load

URL = "{{ lookup('initech.django.database_url') }}"


@pytest.fixture(scope="module")
def maria(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Return the example as a second app, with a password that has to be encoded everywhere."""
    # Where the site finds itself.
    demo.host("echo 127.0.0.1 maria.test >> /etc/hosts")
    variables = example(
        demo,
        "maria",
        URL,
        database_engine="mysql",
        # In a grant _ would stand for any letter.
        database_name="ma_ria",
        database_password="{{ vault_database_password }}",
        mysql_settings={"init_connect": 'SET @quote = "\\\\ # "', "long_query_time": 0.5},
    )
    vault = {"vault_database_password": f'it\'s \\ 100% "{secrets.token_urlsafe(16)}"@:/#'}
    app = App(demo, tmp_path_factory.mktemp("maria") / "hosts.yml", "maria", variables, vault)
    yield app
    app.remove()


class Site(NamedTuple):
    """What was done to have the second app, and what became of the first one meanwhile."""

    runs: tuple[Result, Result, Result]
    before: str
    after: str
    failures: dict[str, int]


def neighbour(demo: Demo) -> str:
    """Return which release of the first app is live, its process, and its files."""
    return demo.host(
        "readlink /srv/slow-sql/current && systemctl show --property Id,MainPID 'slow-sql@*' && "
        "find /srv/slow-sql /etc/slow-sql /etc/systemd/system/slow-sql* /etc/nginx/conf.d/slow-sql* "
        "-printf '%p %u %m %T@\\n' | sort"
    )


@pytest.fixture(scope="module")
def site(maria: App) -> Site:
    """Look what would be done, and do it twice, while the first app is asked."""
    before = neighbour(maria.demo)
    with Load(maria.demo.connect, connections=2, pause=0.05, reopens=True) as load:
        runs = maria.playbook("provision", "--check"), maria.playbook("site"), maria.playbook("site", "--diff")
    return Site(runs, before, neighbour(maria.demo), load.failures)


def test_the_example_runs_on_mariadb(maria: App, site: Site) -> None:
    assert [run.code for run in site.runs] == [0, 0, 0], "".join(run.output for run in site.runs)
    page = maria.get("/")
    assert "Ten slow queries, one short wait." in page
    assert "<dd>MariaDB 1" in page


def test_a_second_run_changes_nothing(site: Site) -> None:
    assert site.runs[2].changed == 0, site.runs[2].output


def test_the_other_app_of_the_machine_noticed_nothing(site: Site) -> None:
    assert site.after == site.before
    assert site.failures == {}


@pytest.mark.alone
def test_ten_slow_requests_take_one_wait_on_mariadb(maria: App, site: Site) -> None:
    started = time.monotonic()
    squares = maria.get("/ten-slow-requests/").split()
    assert time.monotonic() - started < 5.5
    assert sorted(map(int, squares)) == [x * x for x in range(1, 11)]


def test_the_settings_are_in_force_as_they_were_written(demo: Demo, site: Site) -> None:
    names = "@@max_connections, @@long_query_time, @@character_set_server, @@init_connect"
    found = demo.host(f"mariadb --skip-column-names --raw --execute 'SELECT {names}'")
    assert found.split("\t") == ["400", "0.500000", "utf8mb4", 'SET @quote = "\\\\ # "']


def ask(demo: Demo, sql: str) -> str:
    """Return what the server answers its administrator."""
    return demo.host(f'mariadb --batch --skip-column-names --execute "{sql}"')


def test_django_finds_rows_by_a_date_of_its_own_time_zone(demo: Demo, site: Site) -> None:
    assert ask(demo, "SELECT CONVERT_TZ('2026-07-01 12:00:00', 'UTC', 'Europe/Berlin')") == "2026-07-01 14:00:00"


@pytest.mark.parametrize(
    "before", ["mariadb mysql --execute 'TRUNCATE TABLE time_zone_name'", "mkdir /var/lib/initech-mysql"]
)
def test_a_server_without_time_zones_or_with_a_part_of_them_learns_all_of_them(
    maria: App, site: Site, before: str
) -> None:
    names = "SELECT COUNT(*) FROM mysql.time_zone_name"
    known = ask(maria.demo, names)
    maria.demo.host(before)
    looked, made, again = (maria.playbook("provision", *check) for check in (["--check"], [], []))
    assert [(run.code, run.changed) for run in (looked, made, again)] == [(0, 1), (0, 1), (0, 0)], made.output
    assert ask(maria.demo, names) == known


def test_a_wrong_setting_is_refused_by_the_server_itself_and_changes_nothing(maria: App) -> None:
    before = maria.demo.host("cat /etc/mysql/mariadb.conf.d/initech.cnf; systemctl show -P MainPID mariadb")
    wrong = maria.playbook("provision", "-e", '{"mysql_settings": {"long_query_tiem": 1}}')
    assert wrong.code != 0
    assert "unknown variable 'long_query_tiem" in wrong.text
    after = maria.demo.host("cat /etc/mysql/mariadb.conf.d/initech.cnf; systemctl show -P MainPID mariadb")
    assert after == before


def test_the_user_may_use_its_database_and_nothing_else(maria: App, site: Site) -> None:
    grants = maria.demo.host("mariadb --skip-column-names --raw --execute 'SHOW GRANTS FOR maria@127.0.0.1'")
    assert [line.partition(" TO ")[0].partition(" IDENT")[0] for line in grants.splitlines()] == [
        "GRANT USAGE ON *.*",
        r"GRANT ALL PRIVILEGES ON `ma\_ria`.*",
    ]


def test_a_database_that_the_inventory_names_no_longer_stays_and_serves(maria: App, site: Site) -> None:
    count = "mariadb --skip-column-names --execute 'SELECT count(*) FROM ma_ria.django_migrations'"
    rows = maria.demo.host(count)
    other = maria.playbook("provision", "-e", "database_name=successor", "-e", "database_user=successor")
    assert other.code == 0, other.output
    assert "successor" in maria.demo.host("mariadb --skip-column-names --execute 'SHOW DATABASES'").split()
    assert maria.demo.host(count) == rows
    assert "Ten slow queries" in maria.get("/")
    assert maria.playbook("provision").changed == 0


def test_the_password_is_rotated_without_a_failed_request(maria: App, site: Site) -> None:
    old = maria.env()["DATABASE_URL"]
    with Load(lambda: maria.demo.connect("maria.test"), connections=8, pause=0.1) as load:
        rotated = maria.playbook("secrets", "-e", "rotate=DATABASE_URL")
    assert rotated.code == 0, rotated.output
    assert load.answers["200"] > 100
    assert load.failures == {}
    new = maria.env()["DATABASE_URL"]
    assert new != old
    assert new.startswith("mysql://maria:")
    users = maria.demo.host(
        "mariadb --skip-column-names --execute 'SELECT user FROM mysql.user WHERE user LIKE \"mar%\"'"
    )
    assert sorted(users.split()) == ["maria", "mariadb.sys"]
    assert maria.playbook("site").changed == 0


@pytest.mark.alone
def test_the_servers_own_pool_is_on_by_the_same_switch_if_it_accepts_what_may_be_opened(maria: App) -> None:
    refused = maria.playbook("provision", "-e", '{"database_pool": true, "gunicorn_workers": 2}')
    assert refused.code != 0
    assert "Together 4020, and mysql_max_connections is 400." in refused.output
    variables = '{"database_pool": true, "gunicorn_workers": 2, "mysql_max_connections": 4020}'
    pooled = maria.playbook("provision", "-e", variables)
    assert pooled.code == 0, pooled.output
    found = maria.demo.host("mariadb --skip-column-names --execute 'SELECT @@thread_handling, @@max_connections'")
    assert found.split() == ["pool-of-threads", "4020"]
    started = time.monotonic()
    assert len(maria.get("/ten-slow-requests/").split()) == 10
    assert time.monotonic() - started < 5.5
