"""Make a repository of restic's."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils.commands import tail
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.restic import Repository

DOCUMENTATION = """
module: restic_repository
short_description: Make a repository of restic's
description:
  - Where it is there already, nothing is done.
author: The initech.django team
options:
  program:
    description: The command that is restic for it, with where it is and its passphrase.
    type: path
    required: true
  content:
    description: What it is for, for messages.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Changes nothing, and does not look either.
"""
EXAMPLES = """
- name: Make the repository of uploads
  initech.django.restic_repository:
    program: /etc/shop/backup/restic
    content: what is uploaded to shop
"""
RETURN = ""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"program": {"type": "path", "required": True}, "content": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False)
    repository = Repository(Path(module.params["program"]), module.params["content"])
    try:
        if repository.attempt("--no-lock", "cat", "config").returncode == 0:
            module.exit_json(changed=False)
        # It never replaces one that is there.
        made = repository.attempt("init")
        if made.returncode != 0:
            output = tail(made.stdout + made.stderr)
            module.fail_json(msg=f"The repository of {repository.content} can neither be read nor made:\n{output}")
        module.exit_json(changed=True)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
