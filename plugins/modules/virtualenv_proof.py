"""Prove what a virtualenv holds; the documentation of the action plugin of the same name."""

from __future__ import annotations

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
