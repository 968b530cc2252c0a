"""Look up the addresses by which a host would reach another."""

from __future__ import annotations

import socket

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.route import source_addresses

DOCUMENTATION = """
module: route
short_description: Look up the addresses by which a host would reach another
description:
  - Asks the kernel, and sends nothing. The other one sees this address, unless something in between changes it.
options:
  address:
    description: The name or the address of the other host.
    type: str
    required: true
attributes:
  check_mode:
    support: full
author: The initech.django team
"""
EXAMPLES = """
- name: Look up how the database would see this host
  initech.django.route:
    address: db1.example.com
"""
RETURN = """
addresses:
  description: Own addresses, one for each kind of address that the other host has.
  type: list
  elements: str
  returned: success
"""


def main() -> None:
    """Look up the addresses."""
    module = AnsibleModule(argument_spec={"address": {"required": True}}, supports_check_mode=True)
    try:
        addresses = source_addresses(module.params["address"])
    except Problem as problem:
        module.fail_json(msg=f"{socket.gethostname()}: {problem}")
    module.exit_json(changed=False, addresses=addresses)


if __name__ == "__main__":
    main()
