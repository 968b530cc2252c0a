"""Freeze requirements; the documentation of the action plugin of the same name."""

DOCUMENTATION = """
module: lock
short_description: Make requirements.txt from requirements_to_freeze.txt
description:
  - Resolves, installs and freezes in a new, empty virtualenv on the host of the task, whose interpreter and platform
    count, and writes the file on the controller.
  - What is pinned already stays, and only what the change needs moves.
  - A file that would differ in nothing but its date stays as it is.
author: The initech.django team
options:
  directory:
    description: A checkout of the project on the controller; the file is there or up to three levels below.
    type: path
    required: true
  python:
    description: The path of the interpreter.
    type: path
    required: true
  upgrade:
    description: Names of packages that may move to their newest versions, or V(all).
    type: list
    elements: str
    default: []
  hashes:
    description: Write the hashes of all files too, so that installing verifies them. A file that has them keeps them.
    type: bool
    default: false
  indexes:
    description: URLs of package indexes, the first instead of the default one. Empty is what the host is configured to.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: Tells what would move.
  diff_mode:
    support: full
    description: Shows the change of the file.
"""
EXAMPLES = """
- name: Lock
  initech.django.lock:
    directory: ~/src/shop
    python: /usr/bin/python3
    upgrade: [django]
"""
RETURN = """
path:
  description: The file.
  type: path
  returned: success
moves:
  description: What was added, removed and moved.
  type: dict
  returned: success
"""
