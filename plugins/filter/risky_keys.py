"""The filter `initech.django.risky_keys`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.initech.django.plugins.module_utils import dotenv
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
name: risky_keys
short_description: Tell which values of a .env not everybody reads as they are
description:
  - Only names, so that a project can be refused or warned of without its secrets being handed on.
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
- name: Say which values django-environ 0.11 would cut
  ansible.builtin.debug:
    msg: "{{ ({'SECRET_KEY': vault_secret_key} | initech.django.risky_keys(systemd=true)).cut }}"
"""
RETURN = """
_value:
  description: The keys, never their values.
  type: dict
  contains:
    cut:
      description:
        - Those that hold a C(#) which is not in single quotes. django-environ 0.11 takes it for the begin of a comment.
      type: list
      elements: str
    misread:
      description:
        - Those that python-dotenv, environs or python-decouple would misread, such as one with a single quote in it.
        - None where systemd hands them on, since all of these prefer the environment.
      type: list
      elements: str
"""


def risky_keys(values: Any, systemd: bool = False) -> dict[str, list[str]]:
    """Return the keys whose values would be cut, and those whose values would be misread."""
    if not isinstance(values, Mapping):
        raise AnsibleFilterError(f"initech.django.risky_keys takes a mapping, not a {dotenv.type_name(values)}")
    try:
        return {"cut": dotenv.cut_keys(values, systemd), "misread": dotenv.misread_keys(values, systemd)}
    except Problem as problem:
        raise AnsibleFilterError(str(problem)) from None


class FilterModule:
    """Filters that Ansible finds here."""

    def filters(self) -> dict[str, Callable[..., dict[str, list[str]]]]:
        """Return the filters by name."""
        return {"risky_keys": risky_keys}
