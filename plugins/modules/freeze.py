"""Resolve requirements and freeze them in a new, empty virtualenv."""

from __future__ import annotations

import platform
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import installer
from ansible_collections.initech.django.plugins.module_utils.commands import run_or_fail
from ansible_collections.initech.django.plugins.module_utils.indexes import index_environment
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.virtualenvs import identify, site_packages

DOCUMENTATION = """
module: freeze
short_description: Resolve requirements and freeze them in a new, empty virtualenv
description:
  - What M(initech.django.lock) has done on the machine whose interpreter and platform count. Leaves nothing there.
author: The initech.django team
options:
  requirements:
    description: The content of requirements_to_freeze.txt.
    type: str
    required: true
  preferences:
    description: Pins that are to stay where nothing speaks against it, as the content of a requirements file.
    type: str
    default: ""
  python:
    description: The path of the interpreter.
    type: path
    required: true
  indexes:
    description: URLs of package indexes, the first instead of the default one. Empty is what the host is configured to.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: Works in a temporary directory, and changes nothing else.
"""
EXAMPLES = """
- name: Freeze
  initech.django.freeze:
    requirements: "Django<6"
    python: /usr/bin/python3
"""
RETURN = """
frozen:
  description: What C(pip freeze -r) printed.
  type: str
  returned: success
resolved:
  description: The same versions, with the hashes of their files.
  type: str
  returned: success
facts:
  description: Interpreter, version and platform.
  type: dict
  returned: success
"""

OPTION = "# an option: "


def describe_platform() -> str:
    """Return the platform, for people."""
    try:
        release = platform.freedesktop_os_release()
    except (OSError, AttributeError):  # the second: Python before 3.10
        return f"{platform.system()} {platform.machine()}"
    return f"{platform.system()} {platform.machine()} ({release['NAME'].split()[0]} {release.get('VERSION_ID', '')})"


def freeze(options: dict[str, Any], uv: str, directory: Path) -> dict[str, Any]:
    """Return the module's result.

    Raises:
        Problem: the requirements contradict each other, or cannot be installed.
    """
    python, indexes = options["python"], options["indexes"]
    names = ("requirements_to_freeze.txt", "requirements.txt", "virtualenv", "tool")
    wanted, resolved, virtualenv, tool = (directory / name for name in names)
    wanted.write_text(options["requirements"], encoding="utf-8")
    # uv keeps what its earlier output pinned wherever it can.
    resolved.write_text(options["preferences"], encoding="utf-8")
    failure = "requirements_to_freeze.txt cannot be resolved"
    resolve: list[str | Path] = [uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate"]
    resolve += ["--generate-hashes", "--python", python]
    with index_environment(indexes, uses_uv=True) as environment:
        environment.update(UV_NO_CONFIG="1", UV_PYTHON_DOWNLOADS="never")
        run_or_fail([*resolve, wanted, "--output-file", resolved], failure, environment=environment, timeout=3600)
    text = resolved.read_text(encoding="utf-8")
    # --require-hashes would refuse a URL whose hash is in it, and uv has just computed the others itself.
    pins = [line.split()[0] for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    # uv leaves out where else it looked, and installing looks there again.
    lines = [line for line in options["requirements"].splitlines() if line.startswith("-")]
    resolved.write_text("\n".join([*lines, text]), encoding="utf-8")
    installer.create(virtualenv, python, resolved, installer.Source(uv, indexes), pins=pins)
    run_or_fail([python, "-m", "venv", tool], "No virtualenv can be made")
    pip: list[str | Path] = [tool / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--no-input"]
    # All: the virtualenv holds nothing that was not asked for, and what needs setuptools needs it in prod too.
    list_all = [*pip, "freeze", "--all", "--path", site_packages(virtualenv), "-r", wanted]
    # pip freeze stumbles over half of the options that pip install knows, but leaves every comment where it is.
    wanted.write_text(re.sub("^-", f"{OPTION}-", options["requirements"], flags=re.MULTILINE), encoding="utf-8")
    frozen = run_or_fail(list_all, "pip freeze failed").replace(OPTION, "")
    answer = identify(virtualenv / "bin" / "python")
    facts = {
        "interpreter": answer["platform_python_implementation"],
        "version": answer["python_full_version"],
        "platform": describe_platform(),
    }
    return {"frozen": frozen, "resolved": text, "facts": facts}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "requirements": {"type": "str", "required": True},
            "preferences": {"type": "str", "default": ""},
            "python": {"type": "path", "required": True},
            "indexes": {"type": "list", "elements": "str", "default": [], "no_log": True},
        },
        supports_check_mode=True,
    )
    try:
        # On the controller it is beside the interpreter that runs Ansible, whether that is in the path or not.
        uv = module.get_bin_path("uv", opt_dirs=[str(Path(sys.executable).parent)])
        if uv is None:
            raise Problem(
                "uv is not on this machine, and it tells which versions fit together. On a host provision.yml installs "
                "it, unless python_installer is pip; on the controller make setup does: -e lock_on=controller"
            )
        with tempfile.TemporaryDirectory(prefix="initech-django-") as directory:
            module.exit_json(changed=False, **freeze(module.params, uv, Path(directory)))
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
