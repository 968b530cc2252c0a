"""Compute DATABASE_URL from what the inventory says of the database."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.initech.django.plugins.module_utils.database_url import certificate_path, database_url
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
name: database_url
short_description: Compute DATABASE_URL from what the inventory says of the database
description:
  - Every option is the variable of its name, unless it is given.
  - User and password are percent-encoded, so that they may hold any character.
author: The initech.django team
options:
  engine:
    description: Which database it is.
    type: str
    choices: [postgresql, mysql]
    vars:
      - name: database_engine
  name:
    description: The database.
    type: str
    vars:
      - name: database_name
  user:
    description: The user that the app connects as.
    type: str
    vars:
      - name: database_user
  password:
    description: The password.
    type: str
    vars:
      - name: database_password
  pool:
    description:
      - A pool stands before the database. With PgBouncer the app connects over the unix socket, and Django's options
        are set as a pool of transactions needs them.
    type: bool
    default: false
    vars:
      - name: database_pool
  host:
    description:
      - The host of the inventory that has the database. Empty is the app's own. On a host of its own the database is
        asked over TLS, and has to show the certificate that provisioning made for it.
    type: str
    default: ""
    vars:
      - name: database_host
  address:
    description: The name or the address by which the app's hosts reach that host. Empty is O(host).
    type: str
    default: ""
    vars:
      - name: database_address
  app:
    description: The app, in whose directory that certificate is.
    type: str
    default: ""
    vars:
      - name: app_name
"""
EXAMPLES = """
release_env:
  # postgres://shop:p%40ss@127.0.0.1:5432/shop?sslmode=disable
  DATABASE_URL: "{{ lookup('initech.django.database_url') }}"
"""
RETURN = """
_raw:
  description: The URL.
  type: list
  elements: str
"""

VARIABLES = {
    "engine": "database_engine",
    "name": "database_name",
    "user": "database_user",
    "password": "database_password",
    "pool": "database_pool",
    "host": "database_host",
    "address": "database_address",
    "app": "app_name",
}
"""Which variable each option is."""


class LookupModule(LookupBase):
    """Compute DATABASE_URL."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return the URL.

        Raises:
            AnsibleLookupError: something is lacking, or would be read back as something else.
        """
        known = variables or {}
        # Ansible hands variables over as they are written.
        wanted = [name for option, name in VARIABLES.items() if option not in kwargs and name in known]
        self.set_options(
            var_options={name: self._templar.template(known[name]) for name in wanted},
            direct=kwargs,
        )
        options = {name: self.get_option(name) for name in VARIABLES}
        host, address, app = options.pop("host"), options.pop("address"), options.pop("app")
        try:
            if terms:
                raise Problem(f"database_url takes no terms, and got {len(terms)}.")
            if not host:
                return [database_url(**options)]
            return [database_url(**options, host=address or host, certificate=certificate_path(app))]
        except Problem as problem:
            raise AnsibleLookupError(str(problem)) from None
