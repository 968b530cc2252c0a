"""Add up the connections that may be opened to a database server, and compare with what it accepts.

Under gevent every request in flight has a connection of its own, and while a release is switched two of them serve.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.initech.django.plugins.module_utils.problem import Problem

POOLED = 1000
"""How many connections a worker serves at once where a pool stands before the database: gevent's own default."""

FIELDS = {
    "gunicorn_worker_connections": "worker_connections",
    "database_connections": "connections",
    "database_pool": "is_pooled",
}
"""What a variable is called in a demand."""

NAMES = {"postgresql": "PostgreSQL", "mysql": "MariaDB"}


@dataclass(frozen=True)
class Demand:
    """What the app on one host may open.

    Attributes:
        host: its name in the inventory.
        workers: how many of them a release has there.
        worker_connections: how many requests each serves at once; 0 where that follows from `connections`.
        connections: `database_connections`, which all workers of the host share.
        is_pooled: a pool stands before the database.
        processes: how many its workers and timers open, those of the release before, which still finish, included.
    """

    host: str
    workers: int
    worker_connections: int
    connections: int
    is_pooled: bool
    processes: int = 0

    @property
    def requests(self) -> int:
        """How many requests one release serves at once, where a pool stands before the database."""
        return self.workers * (self.worker_connections or POOLED)


@dataclass(frozen=True)
class Server:
    """A database server and all who may connect to it.

    Attributes:
        engine: `postgresql` or `mysql`.
        machine: where it runs.
        allowed: how many connections it accepts.
        reserved: for administrators, management commands and backups.
        demands: those of the apps, at least one.
        is_apart: it is on a host of its own, before which no PgBouncer can stand.
        at_once: on how many hosts a release is switched at a time, at least one.
    """

    engine: str
    machine: str
    allowed: int
    reserved: int
    demands: Sequence[Demand]
    is_apart: bool = False
    at_once: int = 1


def has_own_pool(server: Server, demand: Demand) -> bool:
    """Tell whether the pool itself keeps to `database_connections`. That of MariaDB limits threads, not connections."""
    return demand.is_pooled and server.engine == "postgresql"


def per_release(server: Server, demand: Demand) -> int:
    """Return how many connections one release of an app may open."""
    if has_own_pool(server, demand):
        return demand.connections
    if demand.is_pooled:
        return demand.requests
    return demand.workers * demand.worker_connections or demand.connections


def beside(server: Server, demand: Demand) -> int:
    """Return how many more the workers and timers of an app may open. PgBouncer's pool has theirs among its own."""
    return 0 if has_own_pool(server, demand) else demand.processes


def while_switching(server: Server) -> int:
    """Return how many more there are while a release is switched: the next one beside the live one, batch by batch."""
    each = sorted(0 if has_own_pool(server, demand) else per_release(server, demand) for demand in server.demands)
    return sum(each[-server.at_once :])


def total(server: Server) -> int:
    """Return how many connections may be open at once."""
    apps = sum(per_release(server, each) + beside(server, each) for each in server.demands)
    return apps + while_switching(server) + server.reserved


def problem(server: Server) -> str | None:
    """Return the sum and what to set, where the server accepts fewer; else None."""
    together = total(server)
    if together <= server.allowed:
        return None
    limit = f"{server.engine}_max_connections"
    lines = [f"More connections may be opened to {NAMES[server.engine]} on {server.machine} than it accepts:"]
    lines += [f"  {each.host}: {per_release(server, each)}, {_reason(server, each)}" for each in server.demands]
    lines += [
        f"  {each.host}: {beside(server, each)} more, of its workers and timers"
        for each in server.demands
        if beside(server, each)
    ]
    if while_switching(server):
        lines.append(f"  {while_switching(server)} more while a release is switched, when the next one serves already")
    lines += [
        f"  {server.reserved} for administrators, commands and backups, database_reserved_connections",
        f"  Together {together}, and {limit} is {server.allowed}.",
        "Set one of these, in all of the hosts' environment:",
        f"  {limit}: {together}",
    ]
    lines += [
        f"  {', '.join(f'{name}: {_text(value)}' for name, value in each.items())}" for each in _proposals(server)
    ]
    return "\n".join(lines)


def _proposals(server: Server) -> list[Mapping[str, int]]:
    """Return the settings of which each would do, on all hosts of the server."""
    rest = server.allowed - server.reserved - sum(beside(server, each) for each in server.demands)
    shares = len(server.demands)
    # While a host is switched there is one share more.
    share = rest // (shares + min(server.at_once, shares))
    candidates: list[Mapping[str, int]] = [
        {"gunicorn_worker_connections": share // max(each.workers for each in server.demands)},
        {"database_connections": share},
        {"database_connections": rest // shares},
        {"database_pool": True, "database_connections": rest // shares},
    ]
    found: list[Mapping[str, int]] = []
    for values in candidates:
        changes: dict[str, Any] = {FIELDS[name]: value for name, value in values.items()}
        mended = replace(server, demands=[replace(each, **changes) for each in server.demands])
        if min(values.values()) > 0 and mended.demands != server.demands and total(mended) <= server.allowed:
            found.append(values)
    # A pool is for those who have none, and of two numbers for the same thing the larger one does.
    return [
        values
        for number, values in enumerate(found)
        if not any(each.keys() == values.keys() for each in found[number + 1 :])
        and not ("database_pool" in values and (all(each.is_pooled for each in server.demands) or server.is_apart))
    ]


def _text(value: int) -> str:
    return str(value).lower()


def _reason(server: Server, demand: Demand) -> str:
    if has_own_pool(server, demand):
        return "of its pool, database_connections"
    if demand.worker_connections or demand.is_pooled:
        each = demand.worker_connections or POOLED
        return f"{demand.workers} workers with gunicorn_worker_connections: {each}"
    return "database_connections"


def at_once(serial: Any, hosts: int) -> int:
    """Return on how many hosts at most a release is switched at a time.

    Args:
        serial: `release_serial`: a number, a percentage of the hosts, or a list of these. Source: Ansible's `serial`.
        hosts: how many there are.

    Raises:
        Problem: it is none of these.
    """
    sizes = [str(size) for size in (serial if isinstance(serial, list) else [serial])]
    if not sizes or not all(re.fullmatch("[0-9]+%?", size) for size in sizes):
        raise Problem(
            f"release_serial is {serial}. Write a number of hosts, a percentage such as 30%, or a list of these"
        )
    # As Ansible does: of a percentage one at least, and 0 stands for all.
    return max(
        max(1, int(size[:-1]) * hosts // 100) if size.endswith("%") else int(size) or max(1, hosts) for size in sizes
    )


def pool_problem(demand: Demand, clients: int) -> str | None:
    """Return what to set where PgBouncer accepts fewer connections than two releases may open; else None.

    Args:
        demand: that of the host.
        clients: how many PgBouncer accepts.
    """
    needed = 2 * demand.requests + demand.processes
    if needed <= clients:
        return None
    each = demand.worker_connections or POOLED
    others = f", {demand.processes} of them for workers and timers" if demand.processes else ""
    return (
        f"{demand.host}: {demand.workers} workers with gunicorn_worker_connections: {each} may open {needed} "
        f"connections to PgBouncer while a release is switched{others}, and pgbouncer_max_clients is {clients}. "
        f"Set pgbouncer_max_clients: {needed}"
    )
