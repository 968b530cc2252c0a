"""The filter `initech.django.releases_report`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.initech.django.plugins.module_utils.releases import report

DOCUMENTATION = """
name: releases_report
short_description: Show what was deployed to hosts as tables, and which of them differ
positional: _input
options:
  _input:
    description: What P(initech.django.releases_info#module) returned, by the name of the host.
    type: dict
    required: true
"""
EXAMPLES = """
- name: Show what was deployed
  ansible.builtin.debug:
    msg: "{{ {'web1': releases} | initech.django.releases_report }}"
"""
RETURN = """
_value:
  description: The lines, as one text.
  type: str
"""


def releases_report(hosts: Any) -> str:
    """Return the tables as text."""
    if not isinstance(hosts, Mapping) or not hosts:
        raise AnsibleFilterError("initech.django.releases_report takes a mapping of hosts, and at least one")
    return "\n".join(report(hosts))


class FilterModule:
    """Filters that Ansible finds here."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"releases_report": releases_report}
