"""Compute the settings of a database server from the memory and the cores of its host."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Union

from ansible_collections.initech.django.plugins.module_utils.problem import Problem

Settings = dict[str, Union[str, int, float]]

MIB_OF_GIB = 1024


@dataclass(frozen=True)
class Server:
    """What the settings follow from.

    Attributes:
        memory: of the host, in MiB, as the kernel reports it.
        cores: of the host.
        share: the part of the memory that is the database's, above 0 and at most 1. The rest is the app's and the
            system's.
        connections: how many the server accepts.
        slow_query_seconds: queries that take as long, or longer, are logged; 0 logs none.
        lock_timeout: how many seconds a statement waits for a lock; 0 is for ever.
        idle_in_transaction_timeout: after how many seconds without a statement a transaction is ended; 0 is never.
        thread_pool: whether a few threads serve all connections, instead of one each. Only MariaDB can.
    """

    memory: int
    cores: int
    share: float
    connections: int
    slow_query_seconds: float
    lock_timeout: int
    idle_in_transaction_timeout: int
    thread_pool: bool = False

    @property
    def own_memory(self) -> int:
        """The database's part of the memory, in MiB."""
        return int(installed_memory(self.memory) * self.share)


def reported_memory(meminfo: str) -> int:
    """Return how much memory the kernel reports, in MiB.

    Args:
        meminfo: the content of /proc/meminfo.

    Raises:
        Problem: it does not say.
    """
    found = re.search(r"^MemTotal:\s+([0-9]+) kB$", meminfo, re.MULTILINE)
    if not found:
        raise Problem("/proc/meminfo does not say how much memory this host has.")
    return int(found[1]) // 1024


def installed_memory(reported: int) -> int:
    """Return how much memory a host has, in MiB, from how much its kernel reports.

    The kernel keeps a few percent for itself, and after an update or a reboot a little more or less. So it is rounded
    up, to an eighth of the next power of two: 957, 976 and 981 MiB are all 1 GiB, 3,912 are 4 GiB, 64,300 are 64 GiB.
    Nothing that is computed from it changes by chance.
    """
    power = 1 << (reported - 1).bit_length()
    step = max(power // 8, 1)
    return -(-reported // step) * step


def within(least: int, value: float, most: int) -> int:
    """Return a value, or the bound that it lies beyond."""
    return int(min(max(value, least), most))


def postgresql(server: Server) -> Settings:
    """Return the settings of PostgreSQL.

    With M, the database's part of the memory, and C, the cores:

    - shared_buffers = M / 4, at least 128 MB, PostgreSQL's own default. Source: PostgreSQL's documentation, "Resource
      Consumption": 25 % of the memory of a dedicated server is a reasonable start.
    - effective_cache_size = M * 3 / 4. It reserves nothing. Source: PostgreSQL's wiki, "Tuning Your PostgreSQL Server".
    - maintenance_work_mem = M / 16, between 64 MB, the default, and 1 GB; three workers of autovacuum may take as much
      each. Source: PGTune; "Resource Consumption" says that it may well be larger than work_mem.
    - work_mem = what shared_buffers leaves of M / (3 * max_connections), between 4 MB, the default, and 64 MB. Source:
      PGTune; the 3 is for the sorts and hashes that one query may have at once, as "Resource Consumption" warns.
    - max_parallel_workers = C, and for one query, or for one index that is made, C / 2, at most 2: the app needs the
      cores too. max_worker_processes = C, at least 8, the default. Source: "Resource Consumption", "Asynchronous
      Behavior"; PGTune has the same for a host of the database's own, with 4 in place of 2.

    log_lock_waits tells of waits for a lock that last a second. Timeouts are set by role, and stand in `timeouts`.
    """
    memory = server.own_memory
    buffers = max(128, memory // 4)
    at_once = min(2, server.cores // 2)
    work = within(4, (memory - buffers) / (3 * server.connections), 64)
    return {
        "max_connections": server.connections,
        "password_encryption": "scram-sha-256",
        "shared_buffers": f"{buffers}MB",
        "effective_cache_size": f"{max(memory * 3 // 4, buffers)}MB",
        "maintenance_work_mem": f"{within(64, memory // 16, MIB_OF_GIB)}MB",
        "work_mem": f"{work}MB",
        "max_worker_processes": max(8, server.cores),
        "max_parallel_workers": server.cores,
        "max_parallel_workers_per_gather": at_once,
        "max_parallel_maintenance_workers": at_once,
        "log_min_duration_statement": milliseconds(server.slow_query_seconds) or -1,
        "log_lock_waits": "on",
    }


def mariadb(server: Server) -> Settings:
    """Return the settings of MariaDB.

    With M, the database's part of the memory:

    - innodb_buffer_pool_size = M / 2, at least 128 MiB, MariaDB's own default. Source: MariaDB's documentation, "InnoDB
      Buffer Pool", gives up to 80 % of the memory of a host of the database's own, if connections need little. Here
      there are many, each with buffers of its own ("MariaDB Memory Allocation"), so that they get the other half.
    - Threads for connections and for reading and writing it chooses itself; it is told of no cores. A pool of them
      serves all connections where that is asked for. Source: MariaDB's documentation, "Thread Pool in MariaDB".

    It knows the two timeouts for all users alone: for rows, and for tables that a migration changes; its own default
    lets a migration wait for a whole day, and every request behind it.
    """
    return {
        **_mysql(server),
        "innodb_lock_wait_timeout": server.lock_timeout or 100_000_000,
        "idle_transaction_timeout": server.idle_in_transaction_timeout,
        "thread_handling": "pool-of-threads" if server.thread_pool else "one-thread-per-connection",
    }


def mysql(server: Server) -> Settings:
    """Return the settings of Oracle's MySQL: as those of MariaDB, less what it does not know.

    It has no timeout for idle transactions. Source: MySQL's reference manual, "Server System Variables". A pool of
    threads has only its Enterprise Edition.

    Raises:
        Problem: a pool of threads is asked for.
    """
    if server.thread_pool:
        raise Problem(
            "Oracle's MySQL has no pool of threads. Set database_pool to false, or take MariaDB (mysql_packages)."
        )
    return {**_mysql(server), "innodb_lock_wait_timeout": server.lock_timeout or 1_073_741_824}


def _mysql(server: Server) -> Settings:
    return {
        "character_set_server": "utf8mb4",
        "max_connections": server.connections,
        "innodb_buffer_pool_size": f"{max(128, server.own_memory // 2)}M",
        "lock_wait_timeout": server.lock_timeout or 31_536_000,
        "slow_query_log": int(server.slow_query_seconds > 0),
        "slow_query_log_file": "/var/log/mysql/slow.log",
        "long_query_time": server.slow_query_seconds,
    }


ENGINES: Mapping[str, Callable[[Server], Settings]] = {"postgresql": postgresql, "mariadb": mariadb, "mysql": mysql}


def settings(engine: str, server: Server) -> Settings:
    """Return the settings of a server by name.

    Args:
        engine: `postgresql`, `mariadb` or `mysql`.
        server: what they follow from.

    Raises:
        Problem: the engine is unknown, or a number makes no sense.
    """
    if engine not in ENGINES:
        raise Problem(f"database_settings: engine is {engine!r}, and not one of {', '.join(ENGINES)}.")
    if not 0 < server.share <= 1:
        raise Problem(f"The share of the memory is {server.share}. Write a number above 0 and up to 1, such as 0.5.")
    if server.connections < 1:
        raise Problem(f"The server would accept {server.connections} connections. Write 1 or more.")
    negative = [
        name
        for name in ("slow_query_seconds", "lock_timeout", "idle_in_transaction_timeout")
        if getattr(server, name) < 0
    ]
    if negative:
        raise Problem(f"{negative[0]} is below 0. Write seconds, or 0 for none.")
    return ENGINES[engine](server)


def named(engine: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the inventory sets, by the names that `settings` has, however they are spelled.

    MariaDB and MySQL read a hyphen as an underscore, and PostgreSQL capitals as small letters. A setting in another
    spelling would stand beside the computed one, and the last in the file would count.

    Args:
        engine: as for `settings`.
        given: the settings by name.
    """
    if engine == "postgresql":
        return {str(name).lower(): value for name, value in given.items()}
    return {str(name).replace("-", "_"): value for name, value in given.items()}


def milliseconds(seconds: float) -> int:
    """Return seconds as milliseconds, at least one of them where it is more than nothing."""
    return max(1, round(seconds * 1000)) if seconds > 0 else 0
