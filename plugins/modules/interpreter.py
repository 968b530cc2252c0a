"""Find the interpreter of an app, or have uv install it."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils.interpreter import provide
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
module: interpreter
short_description: Find the interpreter that an app asks for, or have uv install it
description:
  - The distribution's own comes first, then O(paths), then others in the path, then those that uv installed before.
  - Where none serves, the message lists what the host has.
author: The initech.django team
options:
  version:
    description: A version like V(3.13) or V(3.13.5). Empty is the distribution's own.
    type: str
    default: ""
  paths:
    description: Interpreters in other places.
    type: list
    elements: path
    default: []
  state:
    description:
      - With V(found) the host must have one.
      - With V(possible) it must have one, or uv must know one. Nothing changes, and RV(path) may be empty.
      - With V(present) uv installs what the host lacks.
    type: str
    choices: [found, possible, present]
    default: found
  managed:
    description: Whether uv may install one.
    type: bool
    default: true
  mirror:
    description: Where uv downloads from instead of the releases of python-build-standalone. May be C(file://).
    type: str
    default: ""
  downloads:
    description: A URL or a path on the host of uv's list of downloads, if not the one that uv has built in.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Tells whether uv would install one.
"""
EXAMPLES = """
- name: Find the interpreter
  initech.django.interpreter:
    version: "3.13"
"""
RETURN = """
path:
  description: Where it is; empty where uv has still to install it.
  type: path
  returned: success
  sample: /usr/bin/python3
version:
  description: Its full version; empty likewise.
  type: str
  returned: success
  sample: 3.13.5
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "version": {"type": "str", "default": ""},
            "paths": {"type": "list", "elements": "path", "default": []},
            "state": {"type": "str", "choices": ["found", "possible", "present"], "default": "found"},
            "managed": {"type": "bool", "default": True},
            "mirror": {"type": "str", "default": ""},
            "downloads": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**provide(module.params, module.get_bin_path("uv"), module.check_mode))
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
