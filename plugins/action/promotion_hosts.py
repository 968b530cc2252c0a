"""All of `initech.django.promotion_hosts`; no host has to be asked, the inventory tells."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.initech.django.plugins.module_utils.inputs import evaluator
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.promotion import Source, members, sources


class ActionModule(ActionBase):
    """Tell which hosts of another environment a promotion looks at."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the hosts, or fail with what to type."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            {"source": {"type": "str", "required": True}, "environment": {"type": "str", "required": True}}
        )
        variables = task_vars or {}
        try:
            names = members(options["source"], options["environment"], variables["groups"])
            hosts = [self.source(name, variables["hostvars"]) for name in names]
            found = sources(options["source"], options["environment"], hosts)
            chosen = [
                {"host": each.host, "app_name": each.app_name, "python_version": each.python_version} for each in found
            ]
            result.update(changed=False, hosts=chosen)
        except Problem as problem:
            result.update(failed=True, msg=str(problem))
        return result

    def source(self, host: str, hostvars: Any) -> Source:
        """Return what the inventory says of a host.

        Raises:
            Problem: its variables cannot be read.
        """
        try:
            raw = hostvars.raw_get(host)
        except AnsibleError as error:
            # For example an encrypted file whose password is not here.
            raise Problem(f"The variables of {host} cannot be read: {error}") from None
        templated = evaluator(self._templar, raw)

        def value(*names: str) -> str:
            return str(templated(next((raw[name] for name in names if name in raw), "")) or "")

        return Source(
            host,
            value("app_environment"),
            value("app_name"),
            value("release_python_version", "python_version"),
            value("database_host"),
        )
