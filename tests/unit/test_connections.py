"""The connections that may be opened are added up; a sum that is too large is refused with numbers that would do."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from ansible_collections.initech.django.plugins.module_utils.connections import (
    Demand,
    Server,
    at_once,
    pool_problem,
    problem,
    total,
)
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from hypothesis import given
from hypothesis import strategies as st

demands = st.builds(
    Demand,
    host=st.sampled_from(["web1", "web2"]),
    workers=st.integers(1, 64),
    worker_connections=st.integers(0, 2000),
    connections=st.integers(1, 5000),
    is_pooled=st.booleans(),
    processes=st.integers(0, 40),
)
servers = st.builds(
    Server,
    engine=st.sampled_from(["postgresql", "mysql"]),
    machine=st.just("db"),
    allowed=st.integers(1, 10000),
    reserved=st.integers(0, 100),
    demands=st.lists(demands, min_size=1, max_size=5),
    at_once=st.integers(1, 6),
)


def server(*apps: Demand, allowed: int = 400, engine: str = "postgresql") -> Server:
    return Server(engine, "web1", allowed, 20, apps)


def demand(worker_connections: int = 0, *, connections: int = 180, is_pooled: bool = False, workers: int = 2) -> Demand:
    return Demand("web1", workers, worker_connections, connections, is_pooled)


def test_what_the_roles_set_fits_together_on_a_host_with_any_number_of_cores() -> None:
    for cores in (1, 2, 64):
        assert problem(server(demand(workers=cores))) is None
    assert total(server(demand())) == 180 + 180 + 20


@pytest.mark.parametrize(("batch", "more"), [(1, 200), (2, 300), (3, 300)])
def test_a_release_that_is_switched_counts_twice_and_only_on_the_hosts_of_a_batch(batch: int, more: int) -> None:
    hosts = replace(server(demand(100), demand(50)), at_once=batch)
    assert total(hosts) == 200 + 100 + more + 20


@pytest.mark.parametrize(
    ("serial", "expected"),
    [(1, 1), ("2", 2), ("30%", 2), ("1%", 1), ("100%", 8), ([1, "50%"], 4), ([1, 3], 3), (0, 8)],
)
def test_how_many_hosts_switch_at_a_time_is_told_as_ansible_does(serial: object, expected: int) -> None:
    assert at_once(serial, 8) == expected


@pytest.mark.parametrize("serial", ["half", [], "1.5", -1])
def test_what_is_no_number_of_hosts_is_refused_with_what_is(serial: object) -> None:
    with pytest.raises(Problem, match="Write a number of hosts, a percentage such as 30%, or a list of these"):
        at_once(serial, 8)


def test_the_pool_keeps_to_its_size_however_many_requests_there_are() -> None:
    assert total(server(demand(1000, connections=80, is_pooled=True), allowed=100)) == 100


def test_the_pool_of_mariadb_limits_threads_and_so_every_request_counts() -> None:
    assert total(server(demand(connections=80, is_pooled=True), engine="mysql")) == 2000 + 2000 + 20


def test_a_sum_that_is_too_large_is_shown_with_numbers_that_would_do() -> None:
    assert str(problem(server(demand(1000), allowed=100))).splitlines() == [
        "More connections may be opened to PostgreSQL on web1 than it accepts:",
        "  web1: 2000, 2 workers with gunicorn_worker_connections: 1000",
        "  2000 more while a release is switched, when the next one serves already",
        "  20 for administrators, commands and backups, database_reserved_connections",
        "  Together 4020, and postgresql_max_connections is 100.",
        "Set one of these, in all of the hosts' environment:",
        "  postgresql_max_connections: 4020",
        "  gunicorn_worker_connections: 20",
        "  database_pool: true, database_connections: 80",
    ]


def test_workers_and_timers_are_in_the_sum_and_behind_pgbouncer_in_its_pool() -> None:
    own = replace(demand(100), processes=30)
    assert total(server(own)) == 200 + 200 + 20 + 30
    assert "  web1: 30 more, of its workers and timers" in str(problem(server(own, allowed=449))).splitlines()
    assert total(server(replace(own, is_pooled=True))) == 180 + 20
    assert "4030 connections to PgBouncer while a release is switched, 30 of them for workers and timers" in str(
        pool_problem(replace(demand(1000), processes=30), 4029)
    )


def test_a_pool_that_is_too_large_is_told_its_largest_size() -> None:
    message = str(problem(server(demand(connections=180, is_pooled=True), allowed=100)))
    assert "  web1: 180, of its pool, database_connections" in message
    assert message.splitlines()[-2:] == ["  postgresql_max_connections: 200", "  database_connections: 80"]
    assert "while a release is switched" not in message


@given(server=servers)
def test_there_is_a_problem_where_the_sum_is_larger_and_nowhere_else(server: Server) -> None:
    assert (problem(server) is None) == (total(server) <= server.allowed)


@given(server=servers)
def test_each_number_that_is_proposed_would_do(server: Server) -> None:
    lines = (problem(server) or "").splitlines()
    proposals = lines[lines.index("Set one of these, in all of the hosts' environment:") + 1 :] if lines else []
    for line in proposals:
        values = dict(re.findall(r"(\w+): (\w+)", line))
        mended = [
            Demand(
                each.host,
                each.workers,
                int(values.get("gunicorn_worker_connections", each.worker_connections)),
                int(values.get("database_connections", each.connections)),
                each.is_pooled or "database_pool" in values,
                each.processes,
            )
            for each in server.demands
        ]
        allowed = int(values.get(f"{server.engine}_max_connections", server.allowed))
        assert problem(Server(server.engine, "db", allowed, server.reserved, mended)) is None, line
        assert "0" not in values.values(), line


@pytest.mark.parametrize(("clients", "fits"), [(4000, True), (3999, False)])
def test_pgbouncer_must_accept_what_the_workers_of_two_releases_open(clients: int, fits: bool) -> None:
    message = pool_problem(demand(is_pooled=True), clients)
    assert (message is None) == fits
    assert fits or str(message).endswith("and pgbouncer_max_clients is 3999. Set pgbouncer_max_clients: 4000")
