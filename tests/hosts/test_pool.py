"""PgBouncer before PostgreSQL: 2,000 requests at once share the connections of a small server."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from urllib.error import HTTPError

import pytest
from apps import App, example
from demo import Demo, Result

AT_ONCE = 2000
SIZE = 80
PAGE = "/slow-sql/?x=3&seconds=0.5"
"""Two cores answer some 150 requests a second by HTTPS: with shorter queries not half of the pool would be in use."""
URL = "{{ lookup('initech.django.database_url') }}"
COUNT = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'pooled'"
WATCH = f"""cd /tmp; for i in $(seq 150); do echo "{COUNT}; SELECT pg_sleep(0.1);"; done |
    runuser -u postgres -- psql -At | sort -n | tail -1"""


async def ask(demo: Demo, ready: asyncio.Semaphore, go: asyncio.Event) -> str:
    """Send a request but for its last byte, wait until all others have, send that, and return what came back."""
    try:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", demo.port, ssl=demo.trusting, server_hostname="pooled.test", ssl_handshake_timeout=120
        )
        request = f"GET {PAGE} HTTP/1.1\r\nHost: pooled.test\r\nConnection: close\r\n\r\n".encode()
        writer.write(request[:-1])
        await writer.drain()
        ready.release()
        await go.wait()
        writer.write(request[-1:])
        answer = (await asyncio.wait_for(reader.read(), 60)).decode()
        writer.close()
    except (OSError, TimeoutError) as error:
        ready.release()
        return repr(error)
    head, _, body = answer.partition("\r\n\r\n")
    return f"{head.partition(' ')[2][:3]} {body.strip()}"


async def ask_at_once(demo: Demo, meanwhile: Callable[[], None] = lambda: None) -> Counter[str]:
    """Have all requests in flight together, do something meanwhile, and count the answers."""
    ready, go = asyncio.Semaphore(0), asyncio.Event()
    requests = [asyncio.create_task(ask(demo, ready, go)) for _ in range(AT_ONCE)]
    for _ in requests:
        await ready.acquire()
    go.set()
    await asyncio.to_thread(meanwhile)
    return Counter(await asyncio.gather(*requests))


def variables(demo: Demo, **others: object) -> dict[str, object]:
    """Return what a user would set for the example on a server that accepts 100 connections."""
    return example(
        demo,
        "pooled",
        URL,
        database_password=secrets.token_urlsafe(16),
        postgresql_max_connections=100,
        gunicorn_worker_connections=1000,
        gunicorn_workers=2,
        **others,
    )


@pytest.fixture(scope="module")
def pooled(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Return the example as a second app with a pool; the server is as before at the end."""
    inventory = tmp_path_factory.mktemp("pooled") / "hosts.yml"
    demo.host("echo 127.0.0.1 pooled.test >> /etc/hosts")
    app = App(demo, inventory, "pooled", variables(demo, database_pool=True, database_connections=SIZE))
    yield app
    app.remove()
    demo.host("systemctl disable --now pooled-pgbouncer")
    assert demo.playbook("provision").code == 0


@pytest.fixture(scope="module")
def runs(pooled: App) -> tuple[Result, Result]:
    """Provision and deploy, twice."""
    return pooled.playbook("site"), pooled.playbook("site", "--diff")


def connections(demo: Demo) -> int:
    return int(demo.host(f'cd /tmp; runuser -u postgres -- psql -Atc "{COUNT}"'))


def errors(demo: Demo) -> str:
    """Return what the app said last that is an error."""
    return demo.host("journalctl --unit 'pooled@*' --output cat --lines 2000 | grep Error: | tail -5")


def test_without_the_pool_the_sum_is_refused_before_anything_is_changed(
    demo: Demo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    app = App(demo, tmp_path_factory.mktemp("unpooled") / "hosts.yml", "pooled", variables(demo))
    before = demo.state()
    refused = app.playbook("provision")
    assert refused.code != 0
    assert refused.changed == 0
    assert "Together 4020, and postgresql_max_connections is 100." in refused.output
    assert "database_pool: true, database_connections: 80" in refused.output
    assert demo.state() == before


def test_a_second_run_changes_nothing(runs: tuple[Result, Result]) -> None:
    assert [run.code for run in runs] == [0, 0], "".join(run.output for run in runs)
    assert runs[1].changed == 0, runs[1].output


def test_all_requests_at_once_are_answered_over_no_more_connections_than_the_pool_has(
    demo: Demo, runs: tuple[Result, Result]
) -> None:
    process = demo.background(WATCH)
    answers = asyncio.run(ask_at_once(demo))
    peak = int(process.communicate()[0])
    assert answers == {"200 9": AT_ONCE}, errors(demo)
    assert SIZE / 2 < peak <= SIZE
    # Those that nobody uses are closed after half a minute.
    deadline = time.monotonic() + 60
    while connections(demo) > 0 and time.monotonic() < deadline:
        time.sleep(1)
    assert connections(demo) == 0


def queued(demo: Demo) -> int:
    """Return how many connections wait until PgBouncer accepts them."""
    process = "$(systemctl show --property MainPID --value pooled-pgbouncer)"
    listening = demo.host(f"nsenter --net --target {process} ss --no-header --listening --unix 'src */.s.PGSQL.5432'")
    return int(listening.split()[2])


def test_a_pool_that_is_not_given_a_processor_for_a_moment_is_waited_for(
    demo: Demo, runs: tuple[Result, Result]
) -> None:
    def while_it_is_stopped() -> None:
        deadline = time.monotonic() + 30
        try:
            # Its own limit is 128.
            while queued(demo) < 3 * 128:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        finally:
            demo.host("systemctl kill --signal CONT pooled-pgbouncer")

    demo.host("systemctl kill --signal STOP pooled-pgbouncer")
    answers = asyncio.run(ask_at_once(demo, while_it_is_stopped))
    assert answers == {"200 9": AT_ONCE}, errors(demo)


def test_what_is_no_request_goes_directly_to_the_server_and_the_site_outlives_a_new_pool(
    demo: Demo, pooled: App, runs: tuple[Result, Result]
) -> None:
    demo.host("systemctl stop pooled-pgbouncer")
    assert "0002_first_greeting" in demo.host("pooled-manage showmigrations --plan")
    with pytest.raises(HTTPError, match="500"):
        pooled.get("/healthz")
    demo.host("systemctl start pooled-pgbouncer")
    assert pooled.get("/healthz") == "ok\n"


def test_an_app_that_reaches_its_database_by_a_unix_socket_needs_no_network(
    demo: Demo, pooled: App, runs: tuple[Result, Result]
) -> None:
    closed = pooled.playbook("site", "-e", "gunicorn_network=false")
    assert closed.code == 0, closed.output
    unit = f"pooled@{demo.host('basename $(readlink /srv/pooled/current)')}.service"
    demo.host(f"systemd-analyze security --threshold=5 --no-pager {unit}")
    assert pooled.get("/slow-sql/?x=3&seconds=0") == "9\n"
    assert ">PostgreSQL 1" in pooled.get("/")
    # Which asks the site by HTTP, as it would ask anybody.
    with pytest.raises(HTTPError, match="502"):
        pooled.get("/ten-slow-requests/?seconds=0")
    opened = pooled.playbook("site")
    assert opened.code == 0, opened.output
    assert len(pooled.get("/ten-slow-requests/?seconds=0").split()) == 10
