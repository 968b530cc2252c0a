"""Have a database on a server of MariaDB or MySQL, and time zones that the server knows by name."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils.mysql_server import Server
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
module: mysql_database
short_description: Have a database on a server of MariaDB or MySQL, and time zones that the server knows by name
description:
  - Without time zones C(CONVERT_TZ) is NULL, and Django finds nothing by a date. They are loaded from the package
    C(tzdata) where the server knows none, and where a load was killed.
  - A database that is there is left as it is.
author: The initech.django team
options:
  name:
    description: The database. Its texts are utf8mb4.
    type: str
    required: true
  engine:
    description: Which server it is.
    type: str
    choices: [mariadb, mysql]
    default: mariadb
  socket:
    description: Where it listens. Its administrator is let in there without a password.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    description: Tells what it would make and load.
"""
EXAMPLES = """
- name: Make the shop's database
  initech.django.mysql_database:
    name: shop
    socket: /run/mysqld/mysqld.sock
"""
RETURN = """
made:
  description: Whether the database was lacking.
  type: bool
  returned: success
loaded:
  description: Whether time zones were lacking.
  type: bool
  returned: success
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "engine": {"type": "str", "choices": ["mariadb", "mysql"], "default": "mariadb"},
            "socket": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    server = Server(module.params["engine"], module.params["socket"])
    try:
        made, loaded = server.lacking(module.params["name"])
        if made and not module.check_mode:
            server.make(module.params["name"])
        if loaded and not module.check_mode:
            server.load_time_zones()
    except Problem as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(changed=made or loaded, made=made, loaded=loaded)


if __name__ == "__main__":
    main()
