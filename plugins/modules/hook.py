"""Run a command of the team's from a release."""

from __future__ import annotations

from contextlib import nullcontext

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import history, hooks
from ansible_collections.initech.django.plugins.module_utils.layout import App
from ansible_collections.initech.django.plugins.module_utils.lease import require
from ansible_collections.initech.django.plugins.module_utils.manage import run_commands
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
module: hook
short_description: Run a command as the app's user, from a release's project directory and with its virtualenv
description:
  - Programs of the virtualenv, such as C(python), are found by their names. No shell reads the command.
  - A release before whose switch a command failed is marked as failed.
author: The initech.django team
extends_documentation_fragment:
  - initech.django.step
  - initech.django.step.project
options:
  command:
    description: The program and its arguments, which any user of the host can read. Never a secret.
    type: str
    required: true
  moment:
    description: Whether it is run before the release goes live or after that.
    type: str
    choices: [before, after]
    required: true
attributes:
  check_mode:
    support: full
    description: Runs nothing.
"""
EXAMPLES = """
- name: Warm the cache
  initech.django.hook:
    app_name: shop
    release: 20261124T101500Z-1a2b3c4d
    command: python manage.py warm_cache
    moment: before
"""
RETURN = """
stdout:
  description: What it printed.
  type: str
  returned: when it was run
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "command": {"type": "str", "required": True},
            "moment": {"type": "str", "choices": ["before", "after"], "required": True},
            "env_as_environment": {"type": "bool", "default": False},
            "lease": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=True)
    app, command = App(module.params["app_name"]), module.params["command"]
    is_before = module.params["moment"] == "before"
    release = app.release(module.params["release"])
    name = hooks.BEFORE if is_before else hooks.AFTER
    try:
        lease = require(app.leases, module.params["lease"])
        claim = lease.claim if lease else None
        # One that is live is good, whatever is run after.
        with history.failures(app.history, release.id, "before_switch", claim) if is_before else nullcontext():
            keep = lease.descriptor if lease else None
            stdout = run_commands(release, name, [command], module.params["env_as_environment"], keep=keep)
        module.exit_json(changed=True, stdout=stdout)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
