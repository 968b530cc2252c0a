"""Make the repository of an app's uploads."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils.commands import tail
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.uploads import attempt

DOCUMENTATION = """
module: media_repository
short_description: Make restic's repository of what is uploaded to an app
description:
  - Where it is there already, nothing is done.
author: The initech.django team
options:
  app_name:
    description: The app.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Changes nothing, and does not look either.
"""
EXAMPLES = """
- name: Make the repository of uploads
  initech.django.media_repository:
    app_name: shop
"""
RETURN = ""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={"app_name": {"type": "str", "required": True}}, supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=False)
    app = module.params["app_name"]
    try:
        if attempt(app, "--no-lock", "cat", "config").returncode == 0:
            module.exit_json(changed=False)
        # It never replaces one that is there.
        made = attempt(app, "init")
        if made.returncode != 0:
            output = tail(made.stdout + made.stderr)
            module.fail_json(msg=f"The repository of what is uploaded to {app} can neither be read nor made:\n{output}")
        module.exit_json(changed=True)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
