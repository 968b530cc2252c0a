"""The filter `initech.django.switches`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.initech.django.plugins.module_utils.switches import back, going_back, lost, read, who_runs_what

DOCUMENTATION = """
name: switches
short_description: Tell who runs what where a host of several could not switch, and who goes back for that
positional: _input
options:
  _input:
    description: The variables of each host of the run, in their order.
    type: list
    elements: dict
    required: true
  in_play:
    description: The names of those that Ansible goes on with.
    type: list
    elements: str
    required: true
  results:
    description: What became of those that were to go back, as the loop over them has registered it.
    type: list
    elements: dict
    required: true
  go_back:
    description: Whether those that have switched are to go back.
    type: bool
    required: true
  release:
    description: The release that was to go live.
    type: str
    required: true
"""
EXAMPLES = """
# {"lost": ["web2"], "going_back": ["web1"], "back": [], "who_runs_what": ["No host had switched"]}
switches: >-
  {{ ansible_play_hosts_all | map('extract', hostvars)
     | initech.django.switches(ansible_play_hosts, [], go_back=true, release='20261124T101500Z-1a2b3c4d') }}
"""
RETURN = """
_value:
  description:
    - Who was lost on the way to the release, as C(lost); who is to go back, as C(going_back), and who did, as C(back);
      and who runs what in the end, with what to type, in lines, as C(who_runs_what).
  type: dict
"""


def switches(
    hosts: Iterable[Mapping[str, Any]],
    in_play: Collection[str],
    results: Sequence[Mapping[str, Any]],
    *,
    go_back: bool,
    release: str,
) -> dict[str, list[str]]:
    """Return all of it by name."""
    known = [read(each, in_play) for each in hosts]
    return {
        "lost": lost(known),
        "going_back": going_back(known, go_back),
        "back": back(results),
        "who_runs_what": who_runs_what(known, results, go_back=go_back, release=release),
    }


class FilterModule:
    """Filters that Ansible finds here."""

    def filters(self) -> dict[str, Callable[..., dict[str, list[str]]]]:
        """Return the filters by name."""
        return {"switches": switches}
