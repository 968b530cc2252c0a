"""Claim an app on this host; the host's half of `initech.django.lease`."""

from __future__ import annotations

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils.layout import App
from ansible_collections.initech.django.plugins.module_utils.lease import Claim, give_back, take

DOCUMENTATION = """
module: lease_claim
short_description: Claim an app on this host, and tell who comes first
description:
  - Claims lie below C(/run), so that a reboot ends them.
  - P(initech.django.lease#module) calls it and judges the answer.
author: The initech.django team
options:
  app_name:
    description: The app.
    type: str
    required: true
  claim:
    description: Who wants what, where, and since when.
    type: dict
    required: true
  gone:
    description: The ids of runs that are known to have ended.
    type: list
    elements: str
    default: []
  state:
    description: Whether the claim is made or renewed, or ended.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    support: none
    description: There is nothing to look at without a claim.
"""
EXAMPLES = """
- name: Claim the app
  initech.django.lease_claim:
    app_name: shop
    claim: "{{ claim }}"
"""
RETURN = """
blockers:
  description: The claims that come first, with C(renewed), the time at which each was renewed.
  type: list
  elements: dict
  returned: success
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "claim": {"type": "dict", "required": True},
            "gone": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
    )
    directory, claim = App(module.params["app_name"]).leases, Claim(**module.params["claim"])
    if module.params["state"] == "absent":
        give_back(directory, claim.id)
        module.exit_json(changed=True, blockers=[])
    blockers = take(directory, claim, module.params["gone"])
    module.exit_json(changed=False, blockers=[{**asdict(found.claim), "renewed": found.renewed} for found in blockers])


if __name__ == "__main__":
    main()
