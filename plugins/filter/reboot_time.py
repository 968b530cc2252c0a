"""The filter `initech.django.reboot_time`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.initech.django.plugins.module_utils.machines import machine_of

DOCUMENTATION = """
name: reboot_time
short_description: Tell when a host reboots of several that shall not do so at once
positional: _input
options:
  _input:
    description: When the first of them does, as hours and minutes. Empty for never.
    type: str
    required: true
  hosts:
    description: The variables of each, in their order.
    type: list
    elements: dict
    required: true
  name:
    description: Which of them is meant.
    type: str
    required: true
"""
EXAMPLES = """
# 04:10 on the second host of prod
at: "{{ '04:00' | initech.django.reboot_time(groups['prod'] | map('extract', hostvars), inventory_hostname) }}"
"""
RETURN = """
_value:
  description:
    - Ten minutes later for each host before it to whose O(ignore:base_reboot_at) the inventory gives the same value, or
      none as well. So one that has a time of its own keeps it.
  type: str
"""

APART_MINUTES = 10
DAY_MINUTES = 24 * 60


def reboot_time(first: str, hosts: Iterable[Mapping[str, Any]], name: str) -> str:
    """Return the time."""
    if not first:
        return ""
    known = {host["inventory_hostname"]: host for host in hosts}
    at = known[name].get("base_reboot_at")
    alike = (host for host in known.values() if host.get("base_reboot_at") == at)
    # Two apps on one machine are two hosts to the inventory, and one to reboot.
    row = list(dict.fromkeys(machine_of(host) for host in alike))
    hours, minutes = map(int, first.split(":"))
    minutes += 60 * hours + APART_MINUTES * row.index(machine_of(known[name]))
    return "{:02}:{:02}".format(*divmod(minutes % DAY_MINUTES, 60))


class FilterModule:
    """Filters that Ansible finds here."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"reboot_time": reboot_time}
