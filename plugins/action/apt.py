"""The controller's half of `initech.django.apt`: Ansible's own module, and what it cannot do on a new host.

That module opens the whole cache of apt, which takes a second. Where all packages are installed dpkg says so at once.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

LIBRARY_MISSING = "python3-apt must be installed to use check mode"
PACKAGE_UNKNOWN = "No package matching"
# With what is not installed yet, apt wants to know what there is today.
LISTS = {"update_cache": True, "cache_valid_time": 3600}
OPTIONS_OF_OURS = ("named_at", "repository_is_new")
PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
STATES = """\
dpkg-query --show --showformat '${{Package}} ${{db:Status-Status}}\\n' {packages} 2>/dev/null
awk 'BEGIN {{ RS = "" }} /\\nAuto-Installed: 1/ {{ print $2, "automatic" }}' /var/lib/apt/extended_states"""
"""Prints which packages are installed, and after that which only since another one needed them."""

HAS_LISTS = "ls /var/lib/apt/lists/*_Packages*"


class ActionModule(ActionBase):
    """Install Debian packages."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what ansible.builtin.apt says, or in check mode on a new host that it would install."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = {name: value for name, value in self._task.args.items() if name not in OPTIONS_OF_OURS}
        if arguments.keys() == {"name"} and self.are_installed(arguments["name"]):
            return {**result, "changed": False}
        result.update(self._execute_module("ansible.builtin.apt", {**LISTS, **arguments}, task_vars=task_vars))
        if self._task.check_mode and result.get("failed") and self.is_new(str(result.get("msg", ""))):
            names = self._task.args.get("name", [])
            listing = names if isinstance(names, str) else ", ".join(names)
            return {"changed": True, "msg": f"This host does not know all packages yet. Would install {listing}."}
        for package, place in self._task.args.get("named_at", {}).items():
            if result.get("failed") and f"'{package}'" in str(result.get("msg", "")):
                result["msg"] = f"{place}: apt knows no package {package!r} on this host. Correct its name."
        return result

    def are_installed(self, names: str | Sequence[str]) -> bool:
        """Tell whether these packages are installed, and apt would never remove them by itself."""
        packages = [names] if isinstance(names, str) else list(names)
        # Anything else, such as name=version, is for apt to understand.
        if not all(PACKAGE.fullmatch(package) for package in packages):
            return False
        output = self._low_level_execute_command(STATES.format(packages=shlex.join(packages)))["stdout"]
        states = dict(line.split(" ", 1) for line in output.splitlines() if " " in line)
        return all(states.get(package) == "installed" for package in packages)

    def is_new(self, message: str) -> bool:
        """Tell whether apt failed only because nothing was ever installed on the host, or from a new repository."""
        if LIBRARY_MISSING in message:
            return True
        has_lists = self._low_level_execute_command(HAS_LISTS)["rc"] == 0
        is_new = not has_lists or boolean(self._task.args.get("repository_is_new", False))
        return PACKAGE_UNKNOWN in message and is_new
