"""The controller's half of `initech.django.promotion_source`: it has the host read, and proves what it read."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.proof import problems
from ansible_collections.initech.django.plugins.module_utils.requirements import read_requirements, text_hash


class ActionModule(ActionBase):
    """Look up what is live on a host, since when, and whether it is proven."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what is live. What is not proven is no failure here."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            {
                "host": {"type": "str", "required": True},
                "app_name": {"type": "str", "required": True},
                "python_version": {"type": "str", "default": ""},
            }
        )
        app = {"app_name": options["app_name"]}
        live = self._execute_module("initech.django.release_info", app, task_vars=task_vars)
        if live.get("failed") or live.get("unreachable"):
            result.update(live)
            return result
        seconds = live["live_seconds"]
        seen = {"host": options["host"], "live": live["live"], "version": live["version"], "commit": live["commit"]}
        seen.update(seconds=None if seconds < 0 else seconds, problems=[])
        if seen["live"]:
            # The release by its name: another could go live meanwhile.
            arguments = {**app, "release": live["live"]}
            read = self._execute_module("initech.django.virtualenv_info", arguments, task_vars=task_vars)
            if read.get("unreachable") or (read.get("failed") and "exception" in read):
                result.update(read)
                return result
            seen.update({"problems": [read["msg"]]} if read.get("failed") else proven(read, options["python_version"]))
        result.update(changed=False, seen=seen)
        return result


def proven(read: dict[str, Any], asked: str) -> dict[str, Any]:
    """Return what a release was installed from, and why that is not proven.

    Args:
        read: what the host read.
        asked: its python_version.
    """
    files = read["marker"]["requirements"]
    try:
        pins = [str(pin.requirement) for pin in read_requirements(PurePosixPath(next(iter(files))), files.get).pins]
    except Problem:
        pins = []  # What is wrong is one of the problems.
    return {
        "requirements": {file: text_hash(text) for file, text in files.items()},
        "pins": pins,
        "python": read["environment"]["python_full_version"],
        "problems": problems(read, asked),
    }
