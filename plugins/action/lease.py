"""The controller's half of `initech.django.lease`: it judges who comes first, and sees to it that the lease is kept."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.initech.django.plugins.module_utils import keeper
from ansible_collections.initech.django.plugins.module_utils.layout import App
from ansible_collections.initech.django.plugins.module_utils.lease import (
    Claim,
    duration,
    judge,
    refusal,
    where_and_since,
)
from ansible_collections.initech.django.plugins.module_utils.machines import machine_of
from ansible_collections.initech.django.plugins.module_utils.packing import require_one_app
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

LOOK_SECONDS = 1
ENDING_SECONDS = 900
"""How long a step may still be at work of a run that has ended. Nobody is asked to wait for that: all do."""


def addresses(variables: Mapping[str, Any]) -> dict[str, str]:
    """Return the hosts of this run by name, each with what tells it from another of that name."""
    return {host: str(machine_of(variables["hostvars"][host])) for host in variables["ansible_play_hosts"]}


class ActionModule(ActionBase):
    """Take the lease of an app on one host, or say who has it."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the claim's id, or fail with who comes first."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            {
                "app_name": {"type": "str", "required": True},
                "apps": {"type": "dict", "default": {}},
                "kind": {"type": "str", "choices": ["deploy", "rollback"], "default": "deploy"},
                "version": {"type": "str", "required": True},
                "wait": {"type": "str", "default": ""},
            }
        )
        try:
            require_one_app(options["apps"])
            wait = duration(options["wait"])
            # In check mode nothing is changed, and so nobody has to be kept from anything.
            result.update({"changed": False, "id": ""} if self._task.check_mode else {})
            if not self._task.check_mode:
                result.update(self.take(options, wait, task_vars or {}))
        except Problem as problem:
            result.update(failed=True, msg=str(problem))
        return result

    def take(self, options: Mapping[str, Any], wait: int, variables: dict[str, Any]) -> dict[str, Any]:
        """Return the result of the claim that is good.

        Raises:
            Problem: somebody else comes first.
        """
        owner, host = keeper.owner(), variables["inventory_hostname"]
        claim = {
            "id": owner.id,
            "kind": options["kind"],
            "version": options["version"],
            "owner": owner.name,
            "controller": owner.controller,
            "machine": owner.machine,
            "process": owner.process,
            "started": owner.started,
            "since": f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S} UTC",
            "host": host,
            "hosts": addresses(variables),
        }
        began = time.monotonic()
        seen: dict[str, float] = {}
        gone: list[str] = []
        is_kept = False
        while True:
            answer = self.ask(options, variables, claim=claim, gone=gone)
            if answer.get("failed"):
                return answer
            if not is_kept:
                self.keep(options["app_name"], owner)
                is_kept = True
            blockers = answer["blockers"]
            if not blockers:
                return {"changed": False, "id": owner.id}
            running = {
                each["id"]: keeper.is_running(each["process"], each["started"])
                for each in blockers
                if each["machine"] == owner.machine
            }
            known, (gone, alive) = gone, judge(blockers, owner.machine, running, seen)
            before = next((each for each in blockers if each["id"] in alive), blockers[0])
            first = Claim(**{name: before[name] for name in Claim.__dataclass_fields__})
            if not seen:
                Display().display(f"{host}: another run is before this one, of {where_and_since(first)}")
            seen.update({each["id"]: each["renewed"] for each in blockers if each["id"] not in seen})
            if not keeper.is_running(owner.process, owner.started):
                # Workers outlive a run that was killed, and must not wait in its name.
                self.ask(options, variables, claim=claim, state="absent")
                raise Problem("The run has ended while it waited for another one.")
            if time.monotonic() - began > (wait if alive else max(wait, ENDING_SECONDS)):
                self.ask(options, variables, claim=claim, state="absent")
                raise Problem(refusal(options["app_name"], first, is_alive=bool(alive)))
            if set(gone) <= set(known):
                time.sleep(LOOK_SECONDS)

    def ask(self, options: Mapping[str, Any], variables: dict[str, Any], **arguments: Any) -> dict[str, Any]:
        """Have the host look at its claims."""
        answer: dict[str, Any] = self._execute_module(
            "initech.django.lease_claim", {"app_name": options["app_name"], **arguments}, task_vars=variables
        )
        return answer

    def keep(self, app: str, owner: keeper.Owner) -> None:
        """Have a process keep the claim until this run has ended."""
        claims = f"{shlex.quote(str(App(app).leases / owner.id))}.[ah]*"
        renew = f'set -- {claims}; test -e "$1" || exit {keeper.GONE}; touch -c "$1"'
        # A step that is still at work has a lock on it. The claim ends with that then.
        end = f'set -- {claims}; test ! -e "$1" || flock -n "$1" rm -f "$1" || touch -c -d @0 "$1"'

        def run(command: str) -> int:
            return int(self._low_level_execute_command(command)["rc"])

        def work() -> None:
            # What it would show belongs to a task that has ended.
            Display().verbosity = 0
            keeper.keep(lambda: keeper.is_running(owner.process, owner.started), lambda: run(renew), lambda: run(end))

        keeper.detach(work)
