"""The filter `initech.django.misread_keys`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.initech.django.plugins.module_utils import dotenv
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
name: misread_keys
short_description: Tell which values of a .env only django-environ reads
description:
  - Those that python-dotenv, environs or python-decouple would misread, for example one with a single quote in it.
  - None where systemd hands them on, since all of these prefer the environment.
  - Only names, so that a project can be warned of without its secrets being handed on.
positional: _input
options:
  _input:
    description: Keys and values, as P(initech.django.dotenv#filter) takes them.
    type: dict
    required: true
  systemd:
    description: The file is quoted so that systemd's C(EnvironmentFile=) reads the same values.
    type: bool
    default: false
"""
EXAMPLES = """
- name: Say which values would be misread
  ansible.builtin.debug:
    msg: "{{ {'SECRET_KEY': vault_secret_key} | initech.django.misread_keys }}"
"""
RETURN = """
_value:
  description: The keys, never their values.
  type: list
  elements: str
"""


def misread_keys(values: Any, systemd: bool = False) -> list[str]:
    """Return the keys whose values would be misread."""
    if not isinstance(values, Mapping):
        raise AnsibleFilterError(f"initech.django.misread_keys takes a mapping, not a {dotenv.type_name(values)}")
    try:
        return dotenv.misread_keys(values, systemd)
    except Problem as problem:
        raise AnsibleFilterError(str(problem)) from None


class FilterModule:
    """Filters that Ansible finds here."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Return the filters by name."""
        return {"misread_keys": misread_keys}
