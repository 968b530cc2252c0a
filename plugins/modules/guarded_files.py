"""Have files as they should be on which it depends whether anybody gets in."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils.files import Entry, specification
from ansible_collections.initech.django.plugins.module_utils.guard import change, foreseen, let_stay
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.sshd import require_in_force

DOCUMENTATION = """
module: guarded_files
short_description: Have files as they should be on which it depends whether anybody gets in
description:
  - For the configuration of sshd, of a firewall, and of who is an administrator. What is changed is in force at once.
    The host puts back what was there before after a minute, unless it is told until then that somebody has O(proven)
    by a new login that he gets in.
  - What a run has left unproven that was killed is put back first.
author: The initech.django team
extends_documentation_fragment: [initech.django.files]
options:
  apply:
    description: The commands that have a change in force.
    type: list
    elements: str
    default: []
  undo:
    description: The commands that have in force what was put back.
    type: list
    elements: str
    default: []
  sshd:
    description:
      - That of the files which is a part of sshd's configuration. What it says has to be what sshd does, also where
        nothing has changed. None, if empty.
    type: str
    default: ""
  proven:
    description: A new login has got in since O(files) were written, and they stay. Nothing is written now.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Tells what would change.
  diff_mode:
    support: full
    description: Shows the files, and owner, group and mode where only they change.
"""
EXAMPLES = """
- name: Let nobody in with a password
  initech.django.guarded_files:
    files:
      - path: /etc/ssh/sshd_config.d/00-keys.conf
        content: |
          PasswordAuthentication no
        validate: /usr/sbin/sshd -t -f %s
    apply: [systemctl reload ssh.service]
    undo: [systemctl reload ssh.service]
    sshd: /etc/ssh/sshd_config.d/00-keys.conf

- name: Let that stay, since a new login got in
  initech.django.guarded_files:
    files:
      - path: /etc/ssh/sshd_config.d/00-keys.conf
        content: |
          PasswordAuthentication no
    proven: true
"""
RETURN = """
paths:
  description: Those that changed.
  type: list
  elements: str
  returned: success
"""

SECONDS = 60


def main() -> None:
    """Run the module."""
    commands = {"type": "list", "elements": "str", "default": []}
    specified = {
        **specification(),
        "apply": commands,
        "undo": commands,
        "sshd": {"type": "str", "default": ""},
        "proven": {"type": "bool", "default": False},
    }
    module = AnsibleModule(argument_spec=specified, supports_check_mode=True)
    entries = [Entry(**{**options, "path": Path(options["path"])}) for options in module.params["files"]]
    apply, undo, sshd = (module.params[name] for name in ("apply", "undo", "sshd"))

    def verify() -> None:
        if sshd:
            require_in_force(Path(sshd))

    try:
        if module.params["proven"] and not module.check_mode:
            module.exit_json(changed=let_stay(entries), paths=[], diff=[])
        diff = foreseen(entries) if module.check_mode else change(entries, apply, undo, SECONDS, verify)
    except Problem as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(changed=bool(diff), paths=[entry["after_header"] for entry in diff], diff=diff)


if __name__ == "__main__":
    main()
