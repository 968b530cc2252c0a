"""Tells others how a deploy or rollback has ended."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible_collections.initech.django.plugins.module_utils import keeper
from ansible_collections.initech.django.plugins.module_utils.notice import Run, command, complaint

DOCUMENTATION = """
name: notify
type: notification
short_description: Tell others how a deploy or rollback has ended
description:
  - When a run of C(deploy), C(promote), C(site) or C(rollback) has ended, well or not, runs the playbook
    C(initech.django.notify) with the same inventory and what is to be told. It includes the file of tasks that
    C(release_notify) names.
  - No play could do that, since none begins after one that failed.
  - Whether others could be told changes nothing of how the run ended. A warning says that they could not.
author: The initech.django team
requirements:
  - C(callbacks_enabled = initech.django.notify) in C(ansible.cfg)
"""

PLAYBOOK = "initech.django.notify"
TIMEOUT_SECONDS = 60


class CallbackModule(CallbackBase):
    """Watches one run of a playbook."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "initech.django.notify"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        """Begin with nothing seen."""
        super().__init__()
        self._run = Run()

    def v2_runner_on_ok(self, result: Any) -> None:
        """Take notice of a task that went well."""
        self._run.saw(result.task.action, result.host.get_name(), result.result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Take notice of one that failed."""
        if not ignore_errors:
            self._run.failed(result.task.get_name(), result.host.get_name(), result.result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Take notice of a host that was lost."""
        self._run.failed(result.task.get_name(), result.host.get_name(), result.result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Tell others, if there was something to tell and they are to be told."""
        if self._run.tasks and not context.CLIARGS.get("check"):
            owner = keeper.owner()
            told = self._run.told(f"{owner.name} at {owner.controller}", is_good=not (stats.failures or stats.dark))
            wrong = self.tell(told)
            if wrong:
                self._display.warning(
                    f"Nobody was told how this ended, which changes nothing of it. {self._run.tasks}: {wrong}"
                )

    def tell(self, told: dict[str, Any]) -> str:
        """Run the playbook that tells others; return what went wrong, or nothing."""
        with TemporaryDirectory() as directory:
            facts = Path(directory, "told.json")
            facts.write_text(json.dumps({"__release_told": told}), encoding="utf-8")
            ansible = [sys.executable, "-m", "ansible", "playbook"]
            try:
                result = subprocess.run(
                    [*ansible, *command(PLAYBOOK, context.CLIARGS, str(facts))],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                    check=False,
                    timeout=TIMEOUT_SECONDS,
                )
            except subprocess.TimeoutExpired:
                return f"not finished after {TIMEOUT_SECONDS} s"
        return complaint(result.stdout) if result.returncode else ""
