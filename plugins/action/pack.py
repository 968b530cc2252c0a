"""All of `initech.django.pack`: no process of its own, since all of it is on the controller."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.initech.django.plugins.module_utils.packing import pack, require_one_app
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

TEXTS = ("subdirectory", "project_directory", "requirements_file", "environment", "wsgi", "python_path", "database")
LISTS = ("env_keys", "cut_keys", "misread_keys", "developer_packages", "shared_directories", "shared_files")


class ActionModule(ActionBase):
    """Resolve, check and pack one version."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what is known of the version, or fail with everything that is wrong."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            {
                "repository": {"type": "str", "required": True},
                "version": {"type": "str", "required": True},
                "apps": {"type": "dict", "default": {}},
                "cache": {"type": "path", "default": "~/.cache/initech-django"},
                "wheels": {"type": "path"},
                "compiles_messages": {"type": "bool", "default": False},
                **{name: {"type": "str", "default": ""} for name in TEXTS},
                **{name: {"type": "list", "elements": "str", "default": []} for name in LISTS},
            }
        )
        try:
            require_one_app(options["apps"])
            packed = pack(options)
        except Problem as problem:
            result.update(failed=True, msg=str(problem))
            return result
        result.update(packed, changed=False, warnings=packed["advice"])
        return result
