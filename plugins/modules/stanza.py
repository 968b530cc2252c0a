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

FAILED = """\
pgBackRest cannot make the stanza {name} (exit code {code}):
{output}
Where it says that the backups are of another server, this one is new and the repository is not: to have the old data,
ansible-playbook restore.yml with restore_over_live; to begin anew, another backup_directory."""


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
        module.fail_json(msg=FAILED.format(name=name, code=result.returncode, output=tail(output)))
    module.exit_json(changed="already exists" not in output)


if __name__ == "__main__":
    main()
