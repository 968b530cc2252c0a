"""Install uv."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import installer
from ansible_collections.initech.django.plugins.module_utils.alone import alone
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.virtualenvs import identify, is_sound

DOCUMENTATION = """
module: uv
short_description: Install one version of uv, in a virtualenv of its own
description:
  - The command is C(/usr/local/bin/uv), a link into the virtualenv, which is replaced in one step.
author: The initech.django team
options:
  version:
    description: The version.
    type: str
    required: true
  indexes:
    description: URLs of package indexes, the first instead of the default one. Empty is what the host is configured to.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: Tells whether it would install.
"""
EXAMPLES = """
- name: Install uv
  initech.django.uv:
    version: 0.13.9
"""
RETURN = """
version:
  description: The version that is there now.
  type: str
  returned: success
"""
ROOT = Path("/opt/initech-django")
LINK = Path("/usr/local/bin/uv")
PYTHON = "/usr/bin/python3"


def install(version: str, indexes: list[str], check_mode: bool) -> bool:
    """Install that version, and return whether it was not there yet.

    Raises:
        Problem: it cannot be had.
    """
    virtualenv = ROOT / f"uv-{version}"
    command = virtualenv / "bin" / "uv"
    is_there = is_sound(virtualenv) and LINK.is_symlink() and LINK.readlink() == command
    if is_there or check_mode:
        return not is_there
    with alone(ROOT) as lock, tempfile.TemporaryDirectory() as directory:
        pin = f"uv=={version}"
        requirements = Path(directory, "requirements.txt")
        requirements.write_text(f"{pin}\n", encoding="utf-8")
        if not is_sound(virtualenv):
            installer.create(virtualenv, PYTHON, requirements, installer.Source(indexes=indexes), pins=[pin], lock=lock)
            installer.complete(virtualenv, PYTHON, identify(Path(PYTHON))["python_full_version"], {})
        draft = LINK.with_name(".uv.draft")
        draft.unlink(missing_ok=True)
        draft.symlink_to(command)
        draft.replace(LINK)
        for other in ROOT.glob("uv*"):
            if other != virtualenv:
                shutil.rmtree(other)
    return True


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "version": {"type": "str", "required": True},
            "indexes": {"type": "list", "elements": "str", "default": [], "no_log": True},
        },
        supports_check_mode=True,
    )
    version = module.params["version"]
    try:
        module.exit_json(changed=install(version, module.params["indexes"], module.check_mode), version=version)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
