"""All of `initech.django.connections`: the inventory and the facts say everything."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.initech.django.plugins.module_utils.connections import (
    Demand,
    Server,
    at_once,
    pool_problem,
    problem,
    total,
)
from ansible_collections.initech.django.plugins.module_utils.inputs import evaluator, load_specs, roles_of
from ansible_collections.initech.django.plugins.module_utils.machines import Machine, machine_of
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.processes import connections
from ansible_collections.initech.django.plugins.module_utils.sizing import named

PGBOUNCER_CLIENTS = 2100
"""How many the role pgbouncer accepts for each core, unless told otherwise."""


class Settings:
    """The variables of one host that roles specify: what the inventory says, or else their defaults."""

    def __init__(self, raw: dict[str, Any], templar: Any, specs: dict[str, dict[str, Any]]) -> None:
        """Take the variables as written, what evaluates them, and the specifications."""
        self.raw = raw
        self._specs = specs
        self._templated = evaluator(templar, raw)

    def __getitem__(self, name: str) -> Any:
        """Return a value.

        Raises:
            Problem: it cannot be evaluated.
        """
        return self._templated(self.raw[name]) if name in self.raw else self._specs[name].get("default")

    def number(self, name: str) -> int:
        """Return a value that is a number."""
        return int(self[name] or 0)

    def allowed(self, engine: str) -> int:
        """Return how many connections the host's server accepts."""
        given = named(engine, self[f"{engine}_settings"] or {})
        return int(given.get("max_connections", self.number(f"{engine}_max_connections")))

    @property
    def machine(self) -> Machine:
        """Where the host is: two apps on one machine are two names of it."""
        return machine_of(self.raw, self._templated)

    @property
    def cores(self) -> int:
        """How many cores the host has.

        Raises:
            Problem: nobody asked it.
        """
        facts = self.raw.get("ansible_facts") or {}
        if "processor_nproc" not in facts:
            raise Problem(
                f"The cores of {self.raw['inventory_hostname']} are not known. The play has to gather them: "
                'gather_subset: ["!all", "!min", hardware]'
            )
        return int(facts["processor_nproc"])


def require_all(hosts: dict[str, Settings], groups: dict[str, list[str]]) -> None:
    """Require all hosts of an environment that share a database.

    Args:
        hosts: those of the run.
        groups: of the inventory.

    Raises:
        Problem: one of them is not in the run.
    """
    for settings in hosts.values():
        environment = str(settings["app_environment"])
        lacking = sorted(set(groups.get(environment, ())) - hosts.keys()) if settings["database_host"] else []
        if lacking:
            raise Problem(
                f"Nothing was changed. All hosts of {environment} share the database on {settings['database_host']}, "
                f"and this run leaves out {', '.join(lacking)}. Type -l {environment}"
            )


def demand_of(host: str, settings: Settings) -> Demand:
    """Return what the app on a host may open."""
    # From the command line it is text.
    is_pooled = boolean(settings["database_pool"])
    own = is_pooled and settings["database_engine"] == "postgresql"
    workers = settings["processes_workers"] or []
    # Where nobody sets that of the role, it follows the one that is said once for all.
    shared = "pgbouncer_pool_size" if own else "gunicorn_database_connections"
    return Demand(
        host,
        settings.number("gunicorn_workers") or settings.cores,
        settings.number("gunicorn_worker_connections"),
        settings.number(shared if shared in settings.raw else "database_connections"),
        is_pooled,
        connections(workers, settings["processes_timers"] or [], settings.cores if workers else 0),
    )


class ActionModule(ActionBase):
    """Check the sums of every server."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the sums, or fail with every one that is too large."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec({"reserved": {"type": "int", "required": True}})
        try:
            result.update(changed=False, sums=self.check(task_vars or {}, options["reserved"]))
        except Problem as wrong:
            result.update(failed=True, msg=str(wrong))
        return result

    def check(self, variables: dict[str, Any], reserved: int) -> dict[str, int]:
        """Return how many connections may be open at once, by server.

        Args:
            variables: of the task.
            reserved: how many of each server are for everything but the apps.

        Raises:
            Problem: some server accepts fewer.
        """
        specs = load_specs()
        every = {
            host: Settings(variables["hostvars"].raw_get(host), self._templar, specs)
            for host in variables["ansible_play_hosts_all"]
        }
        require_all(every, variables["groups"])
        servers: dict[tuple[str, Machine], dict[str, Settings]] = {}
        for host, settings in every.items():
            server = settings["database_host"] or host
            if "apps" in roles_of(host, settings["database_host"]):
                servers.setdefault((settings["database_engine"], every[server].machine), {})[host] = settings
        problems, sums = [], {}
        for (engine, machine), hosts in servers.items():
            allowed = [
                each.allowed(engine) for each in (every[app["database_host"] or host] for host, app in hosts.items())
            ]
            demands = [demand_of(host, settings) for host, settings in hosts.items()]
            is_apart = any(app["database_host"] for app in hosts.values())
            batch = at_once(next(iter(every.values()))["release_serial"], len(hosts))
            server = Server(engine, str(machine), min(allowed), reserved, demands, is_apart, batch)
            sums[str(machine)] = total(server)
            problems.append(problem(server))
            for demand, settings in zip(demands, hosts.values(), strict=True):
                if demand.is_pooled and engine == "postgresql":
                    clients = settings.number("pgbouncer_max_clients") or PGBOUNCER_CLIENTS * settings.cores
                    problems.append(pool_problem(demand, clients))
        found = [text for text in problems if text]
        if found:
            raise Problem("Nothing was changed. " + "\n".join(found))
        return sums
