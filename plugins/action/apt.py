"""The controller's half of `initech.django.apt`: Ansible's own module, and what it cannot do on a new host."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

LIBRARY_MISSING = "python3-apt must be installed to use check mode"
PACKAGE_UNKNOWN = "No package matching"
OPTIONS_OF_OURS = ("named_at", "repository_is_new")
HAS_LISTS = "ls /var/lib/apt/lists/*_Packages*"


class ActionModule(ActionBase):
    """Install Debian packages."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what ansible.builtin.apt says, or in check mode on a new host that it would install."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = {name: value for name, value in self._task.args.items() if name not in OPTIONS_OF_OURS}
        result.update(self._execute_module("ansible.builtin.apt", arguments, task_vars=task_vars))
        if self._task.check_mode and result.get("failed") and self.is_new(str(result.get("msg", ""))):
            names = self._task.args.get("name", [])
            listing = names if isinstance(names, str) else ", ".join(names)
            return {"changed": True, "msg": f"This host does not know all packages yet. Would install {listing}."}
        for package, place in self._task.args.get("named_at", {}).items():
            if result.get("failed") and f"'{package}'" in str(result.get("msg", "")):
                result["msg"] = f"{place}: apt knows no package {package!r} on this host. Correct its name."
        return result

    def is_new(self, message: str) -> bool:
        """Tell whether apt failed only because nothing was ever installed on the host, or from a new repository."""
        if LIBRARY_MISSING in message:
            return True
        has_lists = self._low_level_execute_command(HAS_LISTS)["rc"] == 0
        is_new = not has_lists or boolean(self._task.args.get("repository_is_new", False))
        return PACKAGE_UNKNOWN in message and is_new
