"""The filter `initech.django.has_jump`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

DOCUMENTATION = """
name: has_jump
short_description: Tell whether one of several hosts is reached through another
positional: _input
options:
  _input:
    description: The variables of each.
    type: list
    elements: dict
    required: true
"""
EXAMPLES = """
is_passed: "{{ groups['prod'] | map('extract', hostvars) | initech.django.has_jump }}"
"""
RETURN = """
_value:
  description: Whether arguments of SSH in the inventory say so; what stands in ~/.ssh/config is not seen.
  type: bool
"""

ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
JUMP = re.compile(r"(?i:proxy(?:jump|command))|(?<!\S)-J")
"""A word of ssh_config(5), which may be written in any case, or the option of ssh(1)."""


def has_jump(hosts: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether one of these hosts is reached through another."""
    return any(JUMP.search(str(host.get(name, ""))) for host in hosts for name in ARGUMENTS)


class FilterModule:
    """Filters that Ansible finds here."""

    def filters(self) -> dict[str, Callable[..., bool]]:
        """Return the filters by name."""
        return {"has_jump": has_jump}
