"""Make the place of a cluster in a repository of backups."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import backups, clusters
from ansible_collections.initech.django.plugins.module_utils.commands import run, tail
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
module: stanza
short_description: Make the place of a PostgreSQL cluster in pgBackRest's repository
description:
  - Where it is there already, nothing is done.
  - Where it is that of another cluster of this host, as after an upgrade, it becomes this one's. The backups stay.
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


def stanza(name: str, command: str) -> tuple[int, str]:
    """Have pgBackRest make or change the stanza, and return its exit code and what it printed."""
    options = ["pgbackrest", f"--stanza={name}", "--log-level-console=info", "--no-online"]
    result = run([*options, command], user=clusters.USER, cwd=Path("/"))
    return result.returncode, result.stdout + result.stderr


def is_of_this_host(live: clusters.Cluster) -> bool:
    """Tell whether the backups are those of another cluster of this host: the one before an upgrade, or after it.

    Raises:
        Problem: the repository cannot be read.
    """
    text = clusters.pgbackrest(live, "info", "--output=json", failure="The repository cannot be read")
    backed_up = backups.read_system(text, live.name)
    here = [each.controlled() for each in clusters.siblings(live)]
    return backed_up in map(backups.system_of, here)


def make(live: clusters.Cluster) -> bool:
    """Make the stanza, or change it, and tell whether that was needed.

    Raises:
        Problem: pgBackRest failed.
    """
    code, output = stanza(live.name, "stanza-create")
    of_another = code != 0 and OF_ANOTHER in output
    if of_another and is_of_this_host(live):
        code, output = stanza(live.name, "stanza-upgrade")
        of_another = False
    if code != 0:
        failure = f"pgBackRest cannot make the stanza {live.name} (exit code {code}):\n{tail(output, 5)}"
        raise Problem(failure + (HINT if of_another else ""))
    return "already exists" not in output


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={"name": {"type": "str", "required": True}}, supports_check_mode=True)
    try:
        module.exit_json(changed=not module.check_mode and make(clusters.live()))
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
