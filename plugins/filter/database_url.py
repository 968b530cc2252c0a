"""The filter `initech.django.database_url`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.initech.django.plugins.module_utils.database_url import database_url
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
name: database_url
short_description: Compute DATABASE_URL from a password and the rest
description:
  - User and password are percent-encoded, so that they may hold any character.
positional: _input
options:
  _input:
    description: The password.
    type: str
    required: true
  user:
    description: The role that the app connects as.
    type: str
    required: true
  name:
    description: The database.
    type: str
    required: true
  host:
    description: A name, an address, or the directory of a unix socket, which begins with C(/).
    type: str
    default: 127.0.0.1
  port:
    description: Default is the engine's.
    type: int
  engine:
    description: Which database it is.
    type: str
    choices: [postgresql, mysql]
    default: postgresql
  pool:
    description:
      - PgBouncer stands before PostgreSQL. Then the app connects over the unix socket, and Django's options are set as
        a pool of transactions needs them.
    type: bool
    default: false
"""
EXAMPLES = """
# postgres://shop:p%40ss@127.0.0.1:5432/shop
DATABASE_URL: "{{ 'p@ss' | initech.django.database_url(user='shop', name='shop') }}"
"""
RETURN = """
_value:
  description: The URL.
  type: str
"""


def filter_database_url(password: str, pool: Any = False, **parts: Any) -> str:
    """Return the URL of a database."""
    try:
        # From the command line it is text.
        return database_url(password, pool=boolean(pool), **parts)
    except (Problem, TypeError) as problem:
        raise AnsibleFilterError(str(problem)) from None


class FilterModule:
    """Filters that Ansible finds here."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"database_url": filter_database_url}
