"""Read from a checkout which Debian packages its requirements need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.initech.django.plugins.module_utils.lock import find_input
from ansible_collections.initech.django.plugins.module_utils.native import native_packages
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
name: native_packages
short_description: Read which Debian packages a project's requirements need
description:
  - Reads the comments of a requirements_to_freeze.txt that begin with C(apt:).
author: The initech.django team
options:
  _terms:
    description: Checkouts of projects on the controller.
    type: list
    elements: path
    required: true
"""
EXAMPLES = """
- name: Show them
  ansible.builtin.debug:
    msg: "{{ lookup('initech.django.native_packages', '~/src/shop') }}"
"""
RETURN = """
_raw:
  description: For each checkout the names of the packages, with the file and line that names them.
  type: list
  elements: dict
"""


class LookupModule(LookupBase):
    """Read which Debian packages the requirements of checkouts need."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, str]]:
        """Return the packages of each checkout.

        Raises:
            AnsibleLookupError: a file is not there, or names what is no package.
        """
        self.set_options(var_options=variables, direct=kwargs)
        try:
            files = [find_input(Path(str(term)).expanduser()) for term in terms]
            return [
                native_packages(file.name, file.read_text(encoding="utf-8-sig", errors="replace")) for file in files
            ]
        except Problem as problem:
            raise AnsibleLookupError(str(problem)) from None
