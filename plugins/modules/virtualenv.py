"""Make an immutable virtualenv."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import installer
from ansible_collections.initech.django.plugins.module_utils.layout import App
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.virtualenvs import listing

DOCUMENTATION = """
module: virtualenv
short_description: Make the virtualenv of an interpreter and a requirements file
description:
  - The virtualenv is named by the hash of both, shared by all releases that have the same, and never changed again.
  - One that an interrupted run left half-made is never used, but made anew. One that somebody changed afterwards is
    left to the release that may run from it, and another takes its place.
  - It gets what the file says, no more and no less; C(pip) itself is not in it.
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
  source:
    description: The directory of the unpacked source.
    type: path
    required: true
  requirements:
    description: The paths of the requirements file and of those that it names, in the source.
    type: list
    elements: str
    required: true
  requirements_sha256:
    description: The hash of these files.
    type: str
    required: true
  pins:
    description: The lines of these files, with their hashes.
    type: list
    elements: str
    required: true
  installer:
    description: What fills it. Where V(uv) is not on the host, V(pip) serves.
    type: str
    choices: [uv, pip]
    default: uv
  indexes:
    description: URLs of package indexes, the first instead of the default one. Empty is what the host is configured to.
    type: list
    elements: str
    default: []
  wheels:
    description: A directory on the host that has everything. No index is asked then.
    type: path
attributes:
  check_mode:
    support: full
    description: Tells whether it would make one.
  diff_mode:
    support: full
    description: Shows which packages differ from those of the live release.
"""
EXAMPLES = """
- name: Make the virtualenv
  initech.django.virtualenv:
    app_name: shop
    python: /usr/bin/python3
    python_version: 3.13.5
    source: /srv/shop/releases/20261124T101500Z-1a2b3c4d/source
    requirements: [requirements.txt]
    requirements_sha256: "{{ pack.requirements_sha256 }}"
    pins: "{{ pack.pins }}"
"""
RETURN = """
path:
  description: The directory of the virtualenv.
  type: path
  returned: success
packages:
  description: What is in it, or in check mode would be.
  type: list
  elements: str
  returned: success
  sample: [Django==5.2.19]
"""


def make(options: dict[str, Any], uv: str | None, check_mode: bool) -> tuple[Path, bool]:
    """Return the virtualenv, and whether it had to be made.

    Raises:
        Problem: it could not be made.
    """
    app = App(options["app_name"])
    used = {release.virtualenv.resolve() for release in app.complete()}
    python, version = options["python"], options["python_version"]
    name = installer.virtualenv_name(python, version, options["requirements_sha256"])
    if check_mode:
        return installer.find_place(app.virtualenvs, name, used)
    files = {file: Path(options["source"], file) for file in options["requirements"]}
    wheels = Path(options["wheels"]) if options["wheels"] else None
    source = installer.Source(uv if options["installer"] == "uv" else None, options["indexes"], wheels)
    wanted = installer.Wanted(python, version, files, options["pins"])
    return installer.provide(app.virtualenvs, name, wanted, source, used)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "python": {"type": "path", "required": True},
            "python_version": {"type": "str", "required": True},
            "source": {"type": "path", "required": True},
            "requirements": {"type": "list", "elements": "str", "required": True},
            "requirements_sha256": {"type": "str", "required": True},
            "pins": {"type": "list", "elements": "str", "required": True},
            "installer": {"type": "str", "choices": ["uv", "pip"], "default": "uv"},
            "indexes": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "wheels": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        path, changed = make(module.params, module.get_bin_path("uv"), module.check_mode)
        is_planned = changed and module.check_mode
        packages = [pin.split()[0] for pin in module.params["pins"]] if is_planned else listing(path)
        result: dict[str, Any] = {"changed": changed, "path": str(path), "packages": packages}
        if changed and module._diff:
            live = App(module.params["app_name"]).live()
            before = listing(live.virtualenv.resolve()) if live else []
            result["diff"] = {
                "before_header": "packages of the live release",
                "after_header": "packages of the new one",
                "before": "".join(f"{line}\n" for line in sorted(before, key=str.lower)),
                "after": "".join(f"{line}\n" for line in sorted(packages, key=str.lower)),
            }
        module.exit_json(**result)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
