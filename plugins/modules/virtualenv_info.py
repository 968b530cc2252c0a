"""Read a release's virtualenv."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils.layout import App
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.virtualenvs import look

DOCUMENTATION = """
module: virtualenv_info
short_description: Read a release's virtualenv, for the controller to compare
description:
  - What M(initech.django.virtualenv_proof) has done on the host. Nothing of the virtualenv is run but its interpreter,
    as the app's user.
author: The initech.django team
options:
  app_name:
    description: The app.
    type: str
    required: true
  release:
    description: The id of the release. Empty is the live one.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Never changes anything.
"""
EXAMPLES = """
- name: Read what is live
  initech.django.virtualenv_info:
    app_name: shop
"""
RETURN = """
release:
  description: The id of the release.
  type: str
  returned: success
marker:
  description: What the virtualenv was made of.
  type: dict
  returned: success
changed_files:
  description: The requirements files of the release that are not what was deployed.
  type: list
  elements: str
  returned: success
environment:
  description: What its interpreter says of itself, by the names of PEP 508.
  type: dict
  returned: success
target:
  description: Where the link to its interpreter leads.
  type: path
  returned: success
packages:
  description: What is installed, each with C(name), C(version), C(requires), C(url) and the C(changed) files.
  type: list
  elements: dict
  returned: success
strays:
  description: Files that belong to no package.
  type: list
  elements: str
  returned: success
"""


def read(app: App, release_id: str) -> dict[str, Any]:
    """Return what there is, for the controller to compare.

    Raises:
        Problem: nothing is live, or the virtualenv is not complete.
    """
    release = app.release(release_id) if release_id else app.live()
    if release is None:
        raise Problem(f"Nothing of {app.name} is live on this host. Type: ansible-playbook deploy.yml with the same -l")
    return look(release, release.virtualenv.resolve())


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "release": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **read(App(module.params["app_name"]), module.params["release"]))
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
