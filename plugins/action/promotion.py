"""All of `initech.django.promotion`; it judges what was looked up before."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.promotion import Seen, compare, judge, say


class ActionModule(ActionBase):
    """Refuse what must not be promoted."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what is promoted, or fail with everything that is wrong."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            {
                "source": {"type": "str", "required": True},
                "environment": {"type": "str", "required": True},
                "after": {"type": "str", "default": ""},
                "seen": {"type": "list", "elements": "dict", "required": True},
                "packed": {"type": "dict"},
            }
        )
        source, environment, packed = options["source"], options["environment"], options["packed"]
        seen = [Seen(**each) for each in options["seen"]]
        try:
            there = judge(seen, source, environment, options["after"])
            found = compare(there, packed, source, environment) if packed else []
            if found:
                differs = "\n".join(f"  {line}" for line in found)
                raise Problem(
                    f"What {environment} would get is not what is live in {source}:\n{differs}\nNothing was changed."
                )
        except Problem as problem:
            result.update(failed=True, msg=str(problem))
            return result
        lines = say(seen, packed, source, environment) if packed else []
        result.update(changed=False, commit=there.commit, called=f"{there.called} from {source}", lines=lines)
        return result
