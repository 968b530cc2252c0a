"""The filter `initech.django.named_settings`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.initech.django.plugins.module_utils.sizing import named

DOCUMENTATION = """
name: named_settings
short_description: Give settings of a database server the names that the computed ones have, however they were spelled
positional: _input, engine
options:
  _input:
    description: The settings by name.
    type: dict
    required: true
  engine:
    description: Which server it is.
    type: str
    choices: [postgresql, mariadb, mysql]
    required: true
"""
EXAMPLES = """
# {"max_connections": 500}
settings: "{{ {'max-connections': 500} | initech.django.named_settings('mariadb') }}"
"""
RETURN = """
_value:
  description: The settings by name.
  type: dict
"""


def named_settings(given: Any, engine: str) -> dict[str, Any]:
    """Return the settings."""
    if not isinstance(given, Mapping):
        raise AnsibleFilterError(f"initech.django.named_settings takes a mapping, not a {type(given).__name__}")
    return named(engine, given)


class FilterModule:
    """Filters that Ansible finds here."""

    def filters(self) -> dict[str, Callable[..., dict[str, Any]]]:
        """Return the filters by name."""
        return {"named_settings": named_settings}
