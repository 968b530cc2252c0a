"""Make an immutable virtualenv."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils.installer import MARKER, create, virtualenv_name
from ansible_collections.initech.django.plugins.module_utils.layout import App
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
module: virtualenv
short_description: Make the virtualenv of an interpreter and a requirements file
description:
  - The virtualenv is named by the hash of both, shared by all releases that have the same, and never changed again.
  - One that an interrupted run left half-made is never used, but made anew.
  - uv installs where the host has it, pip otherwise or where it is told to. Both trust what the host trusts.
author: The initech.django team
options:
  app_name:
    description: The app.
    type: str
    required: true
  python:
    description: The path of the interpreter.
    type: path
    required: true
  python_version:
    description: Its version.
    type: str
    required: true
  requirements:
    description: The path of the requirements file on the host.
    type: path
    required: true
  requirements_sha256:
    description: The hash of that file and of those that it names.
    type: str
    required: true
  installer:
    description: What fills it. Where V(uv) is not on the host, V(pip) serves.
    type: str
    choices: [uv, pip]
    default: uv
attributes:
  check_mode:
    support: full
    description: Tells whether it would make one.
"""
EXAMPLES = """
- name: Make the virtualenv
  initech.django.virtualenv:
    app_name: shop
    python: /usr/bin/python3
    python_version: 3.13.5
    requirements: /srv/shop/releases/20261124T101500Z-1a2b3c4d/source/requirements.txt
    requirements_sha256: "{{ pack.requirements_sha256 }}"
"""
RETURN = """
path:
  description: The directory of the virtualenv.
  type: path
  returned: success
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "python": {"type": "path", "required": True},
            "python_version": {"type": "str", "required": True},
            "requirements": {"type": "path", "required": True},
            "requirements_sha256": {"type": "str", "required": True},
            "installer": {"type": "str", "choices": ["uv", "pip"], "default": "uv"},
        },
        supports_check_mode=True,
    )
    options = module.params
    name = virtualenv_name(options["python"], options["python_version"], options["requirements_sha256"])
    path = App(options["app_name"]).virtualenvs / name
    changed = not (path / MARKER).exists()
    try:
        if changed and not module.check_mode:
            uv = module.get_bin_path("uv") if options["installer"] == "uv" else None
            create(path, options["python"], Path(options["requirements"]), uv)
        module.exit_json(changed=changed, path=str(path))
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
