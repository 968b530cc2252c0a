"""The controller's half of `initech.django.unpack`: it sends what is packed, and judges the virtualenv."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.initech.django.plugins.module_utils.layout import App
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.proof import refusal


class ActionModule(ActionBase):
    """Begin a release on a host, with its source and its virtualenv."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return where the virtualenv is and what is in it, or fail with everything that differs."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        sent = {"source": arguments.pop("archive", None), "wheels": arguments.pop("wheels", None)}
        asked = str(arguments.pop("asked_version", ""))
        try:
            places = App(arguments["app_name"]).release(arguments["release"]).archives
            for name, archive in sent.items() if not self._task.check_mode else ():
                if archive:
                    self.send(Path(archive), places[name])
        except Problem as problem:
            result.update(failed=True, msg=str(problem))
            return result
        result.update(self._execute_module("initech.django.unpack_archive", arguments, task_vars=task_vars))
        seen = result.pop("seen", None)
        found = refusal(seen, asked) if seen else ""
        if found:
            result.update(failed=True, msg=found)
        return result

    def send(self, archive: Path, place: Path) -> None:
        """Write a file on the host as root, through the connection itself: no copy lies anywhere else.

        What a run that was killed leaves of it, the next one removes with the release.

        Raises:
            Problem: it cannot be written.
        """
        path = shlex.quote(str(place))
        command = f"umask 077; cat > {path} || {{ rm -f {path}; exit 1; }}"
        answer = self._low_level_execute_command(command, in_data=archive.read_bytes())
        if answer["rc"] != 0:
            said = answer["stderr"].strip() or answer["stdout"].strip()
            raise Problem(f"The release cannot be sent to {place.parent}: {said}. The live one goes on.")
