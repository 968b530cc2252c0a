"""The filter `initech.django.database_settings`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.sizing import Server, Settings, named, settings

DOCUMENTATION = """
name: database_settings
short_description: Compute the settings of a database server from the memory and the cores of its host
description:
  - The formulas, and where they come from, stand in C(plugins/module_utils/sizing.py).
positional: _input
options:
  _input:
    description: What M(initech.django.database_info) found, of which C(memory) and C(cores) are taken.
    type: dict
    required: true
  engine:
    description: Which server it is.
    type: str
    choices: [postgresql, mariadb, mysql]
    required: true
  share:
    description: The part of the memory that is the database's.
    type: float
    required: true
  connections:
    description: How many connections the server accepts.
    type: int
    required: true
  slow_query_seconds:
    description: Queries that take as long are logged; 0 logs none.
    type: float
    required: true
  seconds_for_lock:
    description: How long a statement waits for a lock; 0 is for ever. PostgreSQL is told by role, and not by this.
    type: int
    required: true
  seconds_idle:
    description: How long a transaction may do nothing; 0 is for ever. Likewise.
    type: int
    required: true
  thread_pool:
    description: Whether a few threads serve all connections, instead of one each. Only MariaDB can.
    type: bool
    default: false
  given:
    description: Settings that win over the computed ones, however their names are spelled.
    type: dict
    default: {}
"""
EXAMPLES = """
# {"shared_buffers": "1024MB", …}
settings: >-
  {{ {'memory': 7950, 'cores': 4}
     | initech.django.database_settings(engine='postgresql', share=0.5, connections=400, slow_query_seconds=1,
                                        seconds_for_lock=10, seconds_idle=300) }}
"""
RETURN = """
_value:
  description: The settings by name.
  type: dict
"""


def database_settings(
    host: Any,
    *,
    engine: str,
    share: float,
    connections: int,
    slow_query_seconds: float,
    seconds_for_lock: int,
    seconds_idle: int,
    thread_pool: bool | str = False,
    given: Mapping[str, Any] | None = None,
) -> Settings:
    """Return the settings of a server."""
    if not isinstance(host, Mapping) or not {"memory", "cores"} <= set(host):
        raise AnsibleFilterError("initech.django.database_settings takes what initech.django.database_info returns")
    try:
        server = Server(
            memory=int(host["memory"]),
            cores=int(host["cores"]),
            share=float(share),
            connections=int(connections),
            slow_query_seconds=float(slow_query_seconds),
            lock_timeout=int(seconds_for_lock),
            idle_in_transaction_timeout=int(seconds_idle),
            thread_pool=boolean(thread_pool),
        )
        return {**settings(engine, server), **named(engine, given or {})}
    except (Problem, TypeError, ValueError) as problem:
        raise AnsibleFilterError(str(problem)) from None


class FilterModule:
    """Filters that Ansible finds here."""

    def filters(self) -> dict[str, Callable[..., Settings]]:
        """Return the filters by name."""
        return {"database_settings": database_settings}
