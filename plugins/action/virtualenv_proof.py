"""The controller's half of `initech.django.virtualenv_proof`: it compares what `virtualenv_info` read."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.initech.django.plugins.module_utils.proof import refusal


class ActionModule(ActionBase):
    """Prove that a release's virtualenv is what its requirements say."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what is installed, or fail with everything that differs."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        asked = str(self._task.args.get("python_version", ""))
        arguments = {name: value for name, value in self._task.args.items() if name != "python_version"}
        seen = self._execute_module("initech.django.virtualenv_info", arguments, task_vars=task_vars)
        if seen.get("failed"):
            result.update(seen)
            return result
        result.update(changed=False, release=seen["release"], python=seen["environment"]["python_full_version"])
        found = refusal(seen, asked)
        if found:
            again = "A deploy makes another and leaves this one alone: ansible-playbook deploy.yml with the same -l"
            result.update(failed=True, msg=f"{found}\n  {again}")
        else:
            result["packages"] = [f"{each['name']}=={each['version']}" for each in seen["packages"]]
        return result
