"""Wait until a release that was live has ended."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils.instance import drain, state_of
from ansible_collections.initech.django.plugins.module_utils.layout import App
from ansible_collections.initech.django.plugins.module_utils.lease import require
from ansible_collections.initech.django.plugins.module_utils.problem import Problem, room

DOCUMENTATION = """
module: drain
short_description: Wait until a release that was live has finished what it had, and ended
description:
  - M(initech.django.switch) told it to end, and all hosts wait at once. What has not ended in its deadline, systemd
    kills.
  - The live release is left alone.
author: The initech.django team
extends_documentation_fragment:
  - initech.django.step
options:
  release:
    description: The id of the release.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Tells whether it would tell the release to end.
"""
EXAMPLES = """
- name: Wait until the release before has ended
  initech.django.drain:
    app_name: shop
    release: 20261124T101500Z-1a2b3c4d
"""
RETURN = """ # """


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "lease": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    app = App(module.params["app_name"])
    release = app.release(module.params["release"])
    if release == app.live():
        module.exit_json(changed=False)
    # Otherwise it was told already.
    changed = state_of(release)[0]
    try:
        with room(app.root):
            if not module.check_mode:
                lease = require(app.leases, module.params["lease"])
                drain(app, release, lease.claim if lease else None)
    except Problem as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(changed=changed)


if __name__ == "__main__":
    main()
