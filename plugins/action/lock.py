"""The controller's half of `initech.django.lock`: it reads and writes the checkout. `freeze` does the rest."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.initech.django.plugins.module_utils.lock import (
    compose,
    find_input,
    is_same,
    moves,
    old_pins,
    preferences,
)
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.requirements import FROZEN, read_direct


def write(path: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
    os.replace(draft, path)


class ActionModule(ActionBase):
    """Make requirements.txt from requirements_to_freeze.txt."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what moved, or fail with what is wrong."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            {
                "directory": {"type": "path", "required": True},
                "python": {"type": "path", "required": True},
                "upgrade": {"type": "list", "elements": "str", "default": []},
                "hashes": {"type": "bool", "default": False},
                "indexes": {"type": "list", "elements": "str", "default": [], "no_log": True},
            }
        )
        try:
            result.update(self.lock(options, task_vars or {}))
        except Problem as problem:
            result.update(failed=True, msg=str(problem))
        return result

    def lock(self, options: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Make the file, and return the module's result.

        Raises:
            Problem: the input cannot be read or resolved.
        """
        to_freeze = find_input(Path(options["directory"]))
        frozen = to_freeze.with_name(FROZEN)
        text = to_freeze.read_bytes().decode("utf-8-sig", errors="replace")
        _, wrong = read_direct(to_freeze.name, text)
        if wrong:
            raise Problem(f"{to_freeze} cannot be frozen:\n" + "\n".join(f"  {line}" for line in wrong))
        old = frozen.read_text(encoding="utf-8", errors="replace") if frozen.exists() else ""
        pins = old_pins(old)
        arguments = {
            "requirements": text,
            "preferences": preferences(pins, options["upgrade"]),
            "python": options["python"],
            "indexes": options["indexes"],
        }
        answer = self._execute_module("initech.django.freeze", arguments, task_vars=task_vars)
        if answer.get("failed"):
            raise Problem(str(answer.get("msg", answer)))
        has_hashes = options["hashes"] or any(pin.hashes for pin in pins)
        when = f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
        new = compose(text, answer["frozen"], answer["resolved"], answer["facts"], when=when, hashes=has_hashes)
        result = {"changed": not is_same(old, new), "path": str(frozen), "moves": moves(pins, old_pins(new))}
        if result["changed"]:
            result["diff"] = {"before_header": str(frozen), "after_header": str(frozen), "before": old, "after": new}
            if not self._task.check_mode:
                write(frozen, new)
        return result
