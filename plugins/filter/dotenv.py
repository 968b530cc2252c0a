"""The filter `initech.django.dotenv`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.initech.django.plugins.module_utils.dotenv import render, type_name
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
name: dotenv
short_description: Render a mapping as a .env that django-environ reads back exactly
description:
  - One line per key, ENVIRONMENT, DEBUG, SECRET_KEY and DATABASE_URL first, the others sorted.
  - What the grammar cannot express is refused with the name of its key, never with its value.
  - So is a key that the app's units set themselves, for example RELEASE.
positional: _input
options:
  _input:
    description: Keys and values. A value is text, a number, a boolean, or a list of these.
    type: dict
    required: true
  systemd:
    description: Quote so that systemd's C(EnvironmentFile=) reads the same values.
    type: bool
    default: false
"""
EXAMPLES = """
- name: Write .env
  ansible.builtin.copy:
    content: "{{ {'DEBUG': false, 'SECRET_KEY': vault_secret_key} | initech.django.dotenv }}"
    dest: /srv/shop/.env
    mode: "0640"
  no_log: true
"""
RETURN = """
_value:
  description: The content of the file.
  type: str
"""


def dotenv(values: Any, systemd: bool = False) -> str:
    """Return the content of a .env."""
    if not isinstance(values, Mapping):
        raise AnsibleFilterError(f"initech.django.dotenv takes a mapping, not a {type_name(values)}")
    try:
        return render(values, systemd)
    except Problem as problem:
        raise AnsibleFilterError(str(problem)) from None


class FilterModule:
    """Filters that Ansible finds here."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"dotenv": dotenv}
