"""Make the place of a cluster in a repository of backups."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils.commands import run, tail

DOCUMENTATION = """
module: stanza
short_description: Make the place of a PostgreSQL cluster in pgBackRest's repository
description:
  - Where it is there already, nothing is done.
author: The initech.django team
options:
  name:
    description: The stanza, which is called as the cluster.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Changes nothing, and does not look either.
"""
EXAMPLES = """
- name: Make the stanza
  initech.django.stanza:
    name: main
"""
RETURN = ""

OF_ANOTHER = "do not match the database"
"""What pgBackRest says where the backups are those of another server."""

HINT = (
    "\nThis server is new, and the repository has the backups of the former one. To have the old data: "
    "ansible-playbook restore.yml with the same -l, which says how. To begin anew: another backup_directory."
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={"name": {"type": "str", "required": True}}, supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=False)
    name = module.params["name"]
    command = ["pgbackrest", f"--stanza={name}", "--log-level-console=info", "--no-online", "stanza-create"]
    result = run(command, user="postgres", cwd=Path("/"))
    output = result.stdout + result.stderr
    if result.returncode != 0:
        failure = f"pgBackRest cannot make the stanza {name} (exit code {result.returncode}):\n{tail(output, 5)}"
        module.fail_json(msg=failure + (HINT if OF_ANOTHER in output else ""))
    module.exit_json(changed="already exists" not in output)


if __name__ == "__main__":
    main()
