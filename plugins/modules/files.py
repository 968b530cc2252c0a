"""Have several files and directories as they should be."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils.files import Entry, place, specification
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
module: files
short_description: Have several files and directories as they should be
description:
  - For what a role writes in one step. M(ansible.builtin.template) takes one file, and runs two modules on the host for
    it, which is a second in each run.
  - A file is there whole or not at all, with its owner and mode from the first byte on. Where its own command finds one
    wrong, none is changed; in check mode, where that program may not be there yet, it is not asked.
  - A link in place of a file is replaced, and what it leads to is left alone. A link to a directory is a directory.
author: The initech.django team
extends_documentation_fragment: [initech.django.files]
attributes:
  check_mode:
    support: full
    description: Tells what would change.
  diff_mode:
    support: full
    description: Shows the files, and owner, group and mode where only they change.
"""
EXAMPLES = """
- name: Install the unit and the directory that it writes to
  initech.django.files:
    files:
      - path: /etc/systemd/system/shop.service
        content: "{{ lookup('ansible.builtin.template', 'shop.service.j2') }}"
      - {path: /var/lib/shop, state: directory, owner: shop, mode: "0750"}
"""
RETURN = """
paths:
  description: Those that changed.
  type: list
  elements: str
  returned: success
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=specification(), supports_check_mode=True)
    entries = [Entry(**{**options, "path": Path(options["path"])}) for options in module.params["files"]]
    try:
        diff = place(entries, is_check=module.check_mode)
    except Problem as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(changed=bool(diff), paths=[change["after_header"] for change in diff], diff=diff)


if __name__ == "__main__":
    main()
