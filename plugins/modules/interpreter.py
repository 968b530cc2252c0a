"""Find the interpreter of an app."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils.commands import run
from ansible_collections.initech.django.plugins.module_utils.interpreter import Interpreter, choose
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
module: interpreter
short_description: Find the interpreter that an app asks for
description:
  - The distribution's own comes first, then others in C(/usr/bin) and C(/usr/local/bin).
  - Where none serves, the message lists what the host has.
author: The initech.django team
options:
  version:
    description: A version like V(3.13) or V(3.13.5). Empty is the distribution's own.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Never changes anything.
"""
EXAMPLES = """
- name: Find the interpreter
  initech.django.interpreter:
    version: "3.13"
"""
RETURN = """
path:
  description: Where it is.
  type: path
  returned: success
  sample: /usr/bin/python3
version:
  description: Its full version.
  type: str
  returned: success
  sample: 3.13.5
"""

NAME = re.compile(r"python3\.[0-9]+")
PRINT_VERSION = "import platform; print(platform.python_version())"


def find() -> Iterator[Interpreter]:
    """Yield the interpreters of this host."""
    directories = (Path("/usr/bin"), Path("/usr/local/bin"))
    others = (path for each in directories for path in sorted(each.glob("python3.*")) if NAME.fullmatch(path.name))
    seen = set()
    for path in (Path("/usr/bin/python3"), *others):
        target = path.resolve()
        if target in seen or not target.is_file():
            continue
        seen.add(target)
        result = run([path, "-I", "-c", PRINT_VERSION])
        if result.returncode == 0:
            yield Interpreter(str(path), result.stdout.strip())


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={"version": {"type": "str", "default": ""}}, supports_check_mode=True)
    try:
        interpreter = choose(module.params["version"], find())
        module.exit_json(changed=False, path=interpreter.path, version=interpreter.version)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
