"""The controller's half of `initech.django.inputs`; all of it, since no host has to be asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ansible import constants
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible_collections.initech.django.plugins.module_utils.inputs import (
    Templated,
    advice,
    at_once,
    clear_vaults,
    database_host_problem,
    evaluator,
    list_problem,
    load_specs,
    number_problem,
    problems,
    require_lockstep,
    require_one_environment,
    roles_of,
    where,
)
from ansible_collections.initech.django.plugins.module_utils.machines import Machine, machine_of
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.processes import problems as process_problems

Value = TypeVar("Value")


class ActionModule(ActionBase):
    """Check the variables of every host of the play."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the environment, or fail with everything that is wrong."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        spec = {"type": "bool", "default": True}
        _, options = self.validate_argument_spec({"complete": spec, "taken_names": spec})
        try:
            environment, roles, machines = self.check(variables, options["complete"], options["taken_names"])
            result.update(changed=False, environment=environment, roles=roles, at_once=at_once(machines))
        except Problem as problem:
            result.update(failed=True, msg=str(problem))
        return result

    def check(
        self, variables: dict[str, Any], is_complete: bool, is_strict: bool
    ) -> tuple[str, dict[str, list[str]], dict[str, Machine]]:
        """Return the environment of this run, of which groups each host is, and on which machine.

        Args:
            variables: of the task.
            is_complete: whether every variable has to be there.
            is_strict: whether an app may not have a name that something of the system may have.

        Raises:
            Problem: there are several environments, or variables are lacking.
        """
        require_lockstep(constants.DEFAULT_STRATEGY)
        specs = load_specs()
        hosts = {host: variables["hostvars"].raw_get(host) for host in variables["ansible_play_hosts_all"]}
        environments = {host: str(raw.get("app_environment", "")) for host, raw in hosts.items()}
        strangers = sorted(
            host for host, name in environments.items() if name not in hosts[host].get("group_names", ())
        )
        if strangers:
            raise Problem(
                f"app_environment of {', '.join(strangers)} names none of the inventory groups of that host. "
                "Set it in inventories/<environment>/group_vars/<environment>/app.yml to the name of the environment."
            )
        environment = require_one_environment(environments)
        directories = {Path(raw["inventory_dir"]) for raw in hosts.values() if raw.get("inventory_dir")}
        clear = [line for directory in sorted(directories) for line in clear_vaults(directory, environment)]
        if clear:
            raise Problem("\n".join(clear))
        found: list[str] = []
        for host, raw in hosts.items() if is_complete else ():
            templated = evaluator(self._templar, raw)
            lines = problems(host, environment, raw, specs, templated, is_strict=is_strict) or self.invalid(
                environment, {name: templated(raw[name]) for name in specs if name in raw}, specs
            )
            found += [line for line in lines if line not in found]
        named = self.evaluated(
            "database_host", hosts, lambda raw, templated: str(templated(raw.get("database_host") or ""))
        )
        members = variables["groups"][environment]
        wrong = database_host_problem(named, members, environment)
        found += [wrong] if wrong else []
        if found:
            raise Problem(
                f"The environment {environment} is not complete. Fill in, then type the same again:\n"
                + "\n".join(f"  {line}" for line in found)
                + advice(environment, found)
            )
        machines = self.evaluated("ansible_host", hosts, machine_of)
        return environment, {host: roles_of(host, name) for host, name in named.items()}, machines

    def evaluated(
        self, name: str, hosts: dict[str, Any], read: Callable[[dict[str, Any], Templated], Value]
    ) -> dict[str, Value]:
        """Return what is read of each host from a variable of that name.

        Raises:
            Problem: it cannot be evaluated.
        """
        values = {}
        for host, raw in hosts.items():
            try:
                values[host] = read(raw, evaluator(self._templar, raw))
            except Problem as problem:
                raise Problem(f"{name} of {host}: {problem}") from None
        return values

    def invalid(self, environment: str, values: dict[str, Any], specs: dict[str, Any]) -> list[str]:
        """Return what is not of the type that its role's argument_specs say, a line each."""
        found = []
        valid: dict[str, Any] = {}
        for name, value in values.items():
            option = {key: specs[name][key] for key in specs[name] if key not in ("description", "required", "default")}
            result = ArgumentSpecValidator({name: option}).validate({name: value})
            problem = number_problem(name, option["type"], value) or list_problem(name, option["type"], value)
            messages = [problem] if problem else result.error_messages
            found += [f"{where(environment, name)}: {message}" for message in messages]
            valid.update(result.validated_parameters)
        if found:
            return found
        wrong = process_problems(valid.get("processes_workers") or [], valid.get("processes_timers") or [])
        return [f"{where(environment, line)}: {line}" for line in wrong]
