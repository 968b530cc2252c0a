"""Settings follow from the host's memory and cores, by formulas that are written down, and not from chance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.sizing import (
    Server,
    installed_memory,
    milliseconds,
    named,
    reported_memory,
    settings,
)
from hypothesis import given
from hypothesis import strategies as st

SERVER = Server(
    memory=7950,
    cores=4,
    share=0.5,
    connections=400,
    slow_query_seconds=1,
    lock_timeout=10,
    idle_in_transaction_timeout=300,
)


def test_memory_is_read_as_the_kernel_reports_it() -> None:
    assert reported_memory("MemTotal:        8140800 kB\nMemFree:         1234 kB\n") == 7950
    with pytest.raises(Problem, match="/proc/meminfo does not say how much memory"):
        reported_memory("MemFree:         1234 kB\n")


@pytest.mark.parametrize(
    ("reported", "installed"),
    [
        (957, 1024),
        (981, 1024),
        (1024, 1024),
        (1967, 2048),
        (3891, 4096),
        (3912, 4096),
        (5921, 6144),
        (24105, 24576),
        (64300, 65536),
        (257_500, 262_144),
        (1, 1),
    ],
)
def test_a_host_has_the_memory_that_its_vendor_says_and_not_what_the_kernel_leaves(
    reported: int, installed: int
) -> None:
    assert installed_memory(reported) == installed


@pytest.mark.parametrize("gibibytes", [1, 2, 4, 6, 8, 16, 24, 32, 48, 64, 128, 256, 512])
def test_what_the_kernel_keeps_more_or_less_after_an_update_changes_no_setting(gibibytes: int) -> None:
    seen = {
        str(settings(engine, replace(SERVER, memory=int(gibibytes * 1024 * part))))
        for engine in ("postgresql", "mariadb")
        for part in (1, 0.99, 0.975, 0.96, 0.94)
    }
    assert len(seen) == 2


@given(st.integers(1, 10**8))
def test_memory_is_rounded_up_and_by_less_than_a_quarter(reported: int) -> None:
    installed = installed_memory(reported)
    assert reported <= installed < reported * 1.25 + 1
    assert installed_memory(installed) == installed


def test_postgresql_on_a_host_of_8_gb_that_the_app_runs_on_too() -> None:
    assert settings("postgresql", SERVER) == {
        "max_connections": 400,
        "password_encryption": "scram-sha-256",
        "shared_buffers": "1024MB",
        "effective_cache_size": "3072MB",
        "maintenance_work_mem": "256MB",
        "work_mem": "4MB",
        "max_worker_processes": 8,
        "max_parallel_workers": 4,
        "max_parallel_workers_per_gather": 2,
        "max_parallel_maintenance_workers": 2,
        "log_min_duration_statement": 1000,
        "log_lock_waits": "on",
    }


def test_postgresql_on_a_big_host_of_its_own_gets_a_quarter_and_no_setting_beyond_its_bound() -> None:
    big = replace(SERVER, memory=250_000, cores=32, share=1, connections=100)
    found = settings("postgresql", big)
    assert found["shared_buffers"] == f"{262_144 // 4}MB"
    assert found["maintenance_work_mem"] == "1024MB"
    assert found["work_mem"] == "64MB"
    assert found["max_worker_processes"] == 32
    assert found["max_parallel_workers_per_gather"] == 2


def test_postgresql_on_a_tiny_host_gets_no_less_than_its_own_defaults_and_no_second_process_for_a_query() -> None:
    found = settings("postgresql", replace(SERVER, memory=450, cores=1))
    assert found["shared_buffers"] == "128MB"
    assert found["maintenance_work_mem"] == "64MB"
    assert found["work_mem"] == "4MB"
    assert found["max_worker_processes"] == 8
    assert found["max_parallel_workers_per_gather"] == 0


def test_what_a_query_may_take_shrinks_with_the_number_of_connections() -> None:
    few = settings("postgresql", replace(SERVER, memory=32_000, connections=100))
    many = settings("postgresql", replace(SERVER, memory=32_000, connections=800))
    assert (few["work_mem"], many["work_mem"]) == ("40MB", "5MB")


@given(st.integers(64, 10**7), st.integers(1, 512), st.floats(0.01, 1), st.integers(1, 10_000))
def test_postgresql_is_never_given_more_than_its_part_but_for_its_own_defaults(
    memory: int, cores: int, share: float, connections: int
) -> None:
    server = replace(SERVER, memory=memory, cores=cores, share=share, connections=connections)
    found = {name: str(value) for name, value in settings("postgresql", server).items()}
    buffers = int(found["shared_buffers"].removesuffix("MB"))
    work = int(found["work_mem"].removesuffix("MB"))
    assert buffers == 128 or buffers <= server.own_memory / 4
    assert work == 4 or buffers + 3 * connections * work <= server.own_memory
    assert int(found["effective_cache_size"].removesuffix("MB")) >= buffers


def test_mariadb_on_a_host_of_8_gb_that_the_app_runs_on_too() -> None:
    assert settings("mariadb", SERVER) == {
        "character_set_server": "utf8mb4",
        "max_connections": 400,
        "innodb_buffer_pool_size": "2048M",
        "innodb_lock_wait_timeout": 10,
        "lock_wait_timeout": 10,
        "idle_transaction_timeout": 300,
        "thread_handling": "one-thread-per-connection",
        "slow_query_log": 1,
        "slow_query_log_file": "/var/log/mysql/slow.log",
        "long_query_time": 1,
    }
    assert settings("mariadb", replace(SERVER, memory=200))["innodb_buffer_pool_size"] == "128M"


def test_mysql_is_told_nothing_that_only_mariadb_knows() -> None:
    only_mariadb = set(settings("mariadb", SERVER)) - set(settings("mysql", SERVER))
    assert only_mariadb == {"idle_transaction_timeout", "thread_handling"}


def test_a_pool_of_threads_is_mariadbs_and_refused_for_mysql() -> None:
    pooled = replace(SERVER, thread_pool=True)
    assert settings("mariadb", pooled)["thread_handling"] == "pool-of-threads"
    with pytest.raises(Problem, match="has no pool of threads"):
        settings("mysql", pooled)


@pytest.mark.parametrize("engine", ["mariadb", "mysql"])
def test_0_waits_for_a_lock_for_ever_which_to_mariadb_would_be_not_at_all(engine: str) -> None:
    found = settings(engine, replace(SERVER, lock_timeout=0))
    assert int(found["lock_wait_timeout"]) > 30_000_000
    assert int(found["innodb_lock_wait_timeout"]) > 30_000_000


def test_0_seconds_log_no_query_and_a_tiny_part_of_a_second_does_not_log_all_of_them() -> None:
    none = replace(SERVER, slow_query_seconds=0)
    assert settings("postgresql", none)["log_min_duration_statement"] == -1
    assert settings("mariadb", none)["slow_query_log"] == 0
    assert [milliseconds(seconds) for seconds in (0, 0.0001, 0.25, 2)] == [0, 1, 250, 2000]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"share": 0}, "The share of the memory is 0. Write a number above 0 and up to 1, such as 0.5."),
        ({"share": 50}, "The share of the memory is 50. Write a number above 0 and up to 1, such as 0.5."),
        ({"connections": 0}, "The server would accept 0 connections. Write 1 or more."),
        ({"lock_timeout": -1}, "lock_timeout is below 0. Write seconds, or 0 for none."),
        ({"slow_query_seconds": -1}, "slow_query_seconds is below 0. Write seconds, or 0 for none."),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(Problem) as problem:
        settings("postgresql", replace(SERVER, **wrong))
    assert str(problem.value) == message


def test_an_unknown_engine_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(Problem, match="engine is 'oracle', and not one of postgresql, mariadb, mysql"):
        settings("oracle", SERVER)


@pytest.mark.parametrize(
    ("engine", "given", "names"),
    [
        ("mariadb", ["max-connections", "innodb_buffer_pool-size"], ["max_connections", "innodb_buffer_pool_size"]),
        ("mysql", ["skip-name-resolve"], ["skip_name_resolve"]),
        ("postgresql", ["Max_Connections", "DateStyle"], ["max_connections", "datestyle"]),
        ("postgresql", ["auto_explain.log_min_duration"], ["auto_explain.log_min_duration"]),
    ],
)
def test_a_setting_has_one_name_however_it_is_spelled(engine: str, given: list[str], names: list[str]) -> None:
    assert named(engine, dict.fromkeys(given, 7)) == dict.fromkeys(names, 7)
