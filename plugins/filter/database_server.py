"""The filter `initech.django.database_server`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.initech.django.plugins.module_utils.database_url import database_server

DOCUMENTATION = """
name: database_server
short_description: Tell where a DATABASE_URL leads to, without what is secret in it
positional: _input
options:
  _input:
    description: The URL. Empty where there is none.
    type: str
    required: true
"""
EXAMPLES = """
# {"scheme": "postgres", "is_local": true}
server: "{{ 'postgres://shop:secret@127.0.0.1:5432/shop' | initech.django.database_server }}"
"""
RETURN = """
_value:
  description: C(scheme), and C(is_local), which tells whether every host has a database of its own.
  type: dict
"""


def filter_database_server(url: Any) -> dict[str, str | bool]:
    """Return where a URL leads to."""
    if not isinstance(url, str):
        raise AnsibleFilterError(f"initech.django.database_server takes text, not a {type(url).__name__}")
    return database_server(url)


class FilterModule:
    """Filters that Ansible finds here."""

    def filters(self) -> dict[str, Callable[..., dict[str, str | bool]]]:
        """Return the filters by name."""
        return {"database_server": filter_database_server}
