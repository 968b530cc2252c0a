"""Migrate the database to what a staged release needs."""

from __future__ import annotations

import json

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils.layout import App, write_manifest
from ansible_collections.initech.django.plugins.module_utils.manage import manage
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
module: migrate
short_description: Migrate the database to what a staged release needs
description:
  - Asks for the plan first. With nothing to migrate, nothing is done.
author: The initech.django team
options:
  app_name:
    description: The app.
    type: str
    required: true
  release:
    description: The id of the release.
    type: str
    required: true
  env_as_environment:
    description: The project reads the environment and knows nothing of C(.env).
    type: bool
    default: false
  backup:
    description:
      - The backup that was taken before, for the release's manifest. Its C(label), and the C(command) that would
        restore the database to the state before.
    type: dict
attributes:
  check_mode:
    support: full
    description: Shows the plan.
"""
EXAMPLES = """
- name: Migrate
  initech.django.migrate:
    app_name: shop
    release: 20261124T101500Z-1a2b3c4d
  run_once: true
"""
RETURN = """
plan:
  description: What there was to migrate, as C(migrate --plan) prints it.
  type: list
  elements: str
  returned: success
"""

NOTHING = "No planned migration operations."


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "env_as_environment": {"type": "bool", "default": False},
            "backup": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    release = App(module.params["app_name"]).release(module.params["release"])
    as_environment, backup = module.params["env_as_environment"], module.params["backup"]
    try:
        plan: list[str] = []
        manifest = json.loads(release.manifest.read_text(encoding="utf-8"))
        if manifest["has_database"]:
            output = manage(release, ["migrate", "--plan"], "migrate --plan failed", as_environment)
            plan = [] if NOTHING in output else output.strip().splitlines()
        if plan and not module.check_mode:
            failure = "migrate failed, and the live release goes on. What was applied before the failure stays applied"
            if backup:
                # Before: who has to restore needs it most where this fails.
                write_manifest(release, {**manifest, "backup": backup})
                failure += f". To restore backup {backup['label']} of before, type: {backup['command']}"
            manage(release, ["migrate", "--noinput"], failure, as_environment)
        module.exit_json(changed=bool(plan), plan=plan)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
