"""Read a release's virtualenv and the file that it was made from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils.layout import App, Release
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.virtualenvs import identify, read_marker, read_packages

DOCUMENTATION = """
module: virtualenv_proof
short_description: Prove that a release's virtualenv is what its requirements say
description:
  - The installed packages are those of the file, in exactly these versions. Extra, missing and different ones are each
    named.
  - Every file of every package is what was installed, and no others lie beside them.
  - The packages fit together, as C(pip check) has it.
  - The interpreter is the one that the virtualenv was made with, and of the version that was asked for.
  - Nothing of the virtualenv is run but its interpreter, as the app's user. The controller compares.
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
  virtualenv:
    description: The directory of its virtualenv, where the release has no link to it yet.
    type: path
  python_version:
    description: The version that was asked for. Empty is any.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Never changes anything.
"""
EXAMPLES = """
- name: Prove what is live
  initech.django.virtualenv_proof:
    app_name: shop
"""
RETURN = """
release:
  description: The id of the release.
  type: str
  returned: always
python:
  description: The full version of its interpreter.
  type: str
  returned: success
packages:
  description: What is installed.
  type: list
  elements: str
  returned: success
"""


def read(app: App, options: dict[str, Any]) -> dict[str, Any]:
    """Return what there is, for the controller to compare.

    Raises:
        Problem: nothing is live, or the virtualenv is not complete.
    """
    release = app.release(options["release"]) if options["release"] else app.live()
    if release is None:
        raise Problem(f"Nothing of {app.name} is live on this host. Type: ansible-playbook deploy.yml with the same -l")
    path = Path(options["virtualenv"]) if options["virtualenv"] else release.virtualenv.resolve()
    marker = read_marker(path)
    if not marker:
        raise Problem(f"The virtualenv of release {release.id} is gone or half-made: {path}. Deploy again.")
    packages, strays = read_packages(path)
    interpreter = path / "bin" / "python"
    return {
        "release": release.id,
        "marker": marker,
        "changed_files": [file for file, text in marker["requirements"].items() if not is_same(release, file, text)],
        "environment": identify(interpreter, user=app.name),
        "target": os.path.realpath(interpreter),
        "packages": packages,
        "strays": strays,
    }


def is_same(release: Release, file: str, text: str) -> bool:
    """Tell whether a requirements file of a release still is what its virtualenv was made from."""
    try:
        return (release.source / file).read_text(encoding="utf-8-sig") == text
    except (OSError, ValueError):
        return False


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "release": {"type": "str", "default": ""},
            "virtualenv": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **read(App(module.params["app_name"]), module.params))
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
