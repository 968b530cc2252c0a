"""The filter `initech.django.postgresql_version`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.versions import version_of

DOCUMENTATION = """
name: postgresql_version
short_description: Tell which major version of PostgreSQL a host has, or is to have
description:
  - The one that is asked for, or the distribution's own.
positional: _input, release
options:
  _input:
    description: The version that is asked for. Empty is the distribution's own.
    type: str
    required: true
  release:
    description: The code name of the distribution's release.
    type: str
    required: true
"""
EXAMPLES = """
# 17
version: "{{ '' | initech.django.postgresql_version('trixie') }}"
"""
RETURN = """
_value:
  description: The version.
  type: str
"""


def postgresql_version(asked: Any, release: Any) -> str:
    """Return the version."""
    try:
        return version_of(str(asked), str(release))
    except Problem as problem:
        raise AnsibleFilterError(str(problem)) from None


class FilterModule:
    """Filters that Ansible finds here."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"postgresql_version": postgresql_version}
