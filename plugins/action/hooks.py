"""All of `initech.django.hooks`: files of tasks lie on the controller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.initech.django.plugins.module_utils.hooks import (
    AFTER,
    AFTER_STATIC,
    BEFORE,
    BEFORE_STATIC,
    CALLBACK,
    NOTIFY,
    files_and_problems,
    path_problem,
    tasks_problem,
)


class ActionModule(ActionBase):
    """Refuse hooks that could not run."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return nothing, or fail with everything that is wrong."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        items = {"type": "list", "elements": "dict", "default": []}
        _, options = self.validate_argument_spec(
            {
                "before_static": items,
                "after_static": items,
                "before": items,
                "after": items,
                "notify": {"type": "path", "default": ""},
                "about": {"type": "dict", "default": {}},
            }
        )
        names = {BEFORE_STATIC: "before_static", AFTER_STATIC: "after_static", BEFORE: "before", AFTER: "after"}
        files, found = files_and_problems({name: options[option] for name, option in names.items()})
        found += filter(None, (self.file_problem(name, path) for name, path in files))
        # It must not keep a deploy from going live, and still less a rollback.
        wrong = self.notify_problem(options["notify"]) if options["notify"] else None
        if wrong:
            Display().warning(f"Nobody will be told how this ends. {wrong}")
        result.update(changed=False, notify="" if wrong else options["notify"], about=options["about"])
        if found:
            result.update(failed=True, msg="These hooks could not run. Nothing was changed:\n  " + "\n  ".join(found))
        return result

    def notify_problem(self, path: str) -> str | None:
        """Return why nobody would be told, or None."""
        if CALLBACK not in constants.CALLBACKS_ENABLED:
            return f"{NOTIFY} is set, and ansible.cfg lacks the line below [defaults]: callbacks_enabled = {CALLBACK}"
        return path_problem(NOTIFY, path) or self.file_problem(NOTIFY, path)

    def file_problem(self, name: str, path: str) -> str | None:
        """Return what is wrong with a file of tasks, or None."""
        if not Path(path).is_file():
            return f"{name}: there is no file {path}"
        try:
            content = self._loader.load_from_file(path)
        except AnsibleError as error:
            return f"{name}: {path} cannot be read: {error}"
        return tasks_problem(name, path, content)
