"""The filter `initech.django.directives`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = """
name: directives
short_description: Write a mapping as directives of a systemd unit
positional: _input
options:
  _input:
    description:
      - The directives by name. Each element of a list is a line of its own, which systemd adds up; an empty text takes
        back what was said before.
    type: dict
    required: true
"""
EXAMPLES = """
# ProtectHome=true
# SystemCallFilter=@system-service
# SystemCallFilter=~@resources
lines: "{{ {'ProtectHome': true, 'SystemCallFilter': ['@system-service', '~@resources']} | initech.django.directives }}"
"""
RETURN = """
_value:
  description: The lines.
  type: str
"""


def directives(values: Any) -> str:
    """Return the lines."""
    if not isinstance(values, Mapping):
        raise AnsibleFilterError(f"initech.django.directives takes a mapping, not a {type(values).__name__}")
    lines = []
    for name, value in values.items():
        for each in value if isinstance(value, list | tuple) else [value]:
            text = str(each).lower() if isinstance(each, bool) else str(each)
            if "\n" in text:
                raise AnsibleFilterError(f"initech.django.directives: the value of {name} has more than one line")
            lines.append(f"{name}={text}")
    return "\n".join(lines)


class FilterModule:
    """Filters that Ansible finds here."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"directives": directives}
