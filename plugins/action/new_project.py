"""All of `initech.django.new_project`: there is no host yet that could be asked."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ansible.parsing.vault import VaultLib, VaultSecret
from ansible.plugins.action import ActionBase
from ansible_collections.initech.django.plugins.module_utils.new_project import is_module, make, plan_project, report
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

HOST = ".throwaway/hosts/demo-host.conf"
"""What `make demo` writes when it has booted the host."""


def is_importable(name: str) -> bool:
    """Tell whether the name is a module's, for the new project or for the Python that runs this."""
    return is_module(name) or find_spec(name) is not None


class ActionModule(ActionBase):
    """Make a new project, its inventory and its vault."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return where everything is, or fail with everything that is wrong."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            {
                "project": {"type": "str", "required": True},
                "directory": {"type": "path", "required": True},
                "database": {"type": "str", "default": "postgresql"},
                "inventories": {"type": "path", "default": "inventories"},
            }
        )
        try:
            result.update(self.new_project(options))
        except Problem as problem:
            result.update(failed=True, msg=str(problem))
        return result

    def new_project(self, options: dict[str, Any]) -> dict[str, Any]:
        """Make everything, and return the module's result.

        Raises:
            Problem: something is in the way.
        """
        inventories = Path(options["inventories"])
        plan = plan_project(options["project"], options["directory"], options["database"], inventories, is_importable)

        def encrypt(text: str, password: str) -> str:
            secret = VaultSecret(password.encode())
            return str(VaultLib().encrypt(text, secret, plan.project).decode())

        if not self._task.check_mode:
            make(plan, encrypt)
        return {
            "changed": True,
            "directory": str(plan.directory),
            "inventory": str(plan.inventory),
            "report": report(
                plan,
                Path.cwd(),
                is_made=not self._task.check_mode,
                has_host=(plan.inventory.parents[1] / HOST).exists(),
                port=os.environ.get("DEMO_PORT") or "8443",
            ),
        }
