"""Take a backup now."""

from __future__ import annotations

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import backups, clusters, mariadb, restic, servers
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
module: backup
short_description: Take a backup of the database server, and of what was uploaded to an app
description:
  - Runs the same units as the timers do, so that a failure is seen in the same places.
  - Uploads are backed up even where that of the database failed.
author: The initech.django team
options:
  app_name:
    description: The app.
    type: str
    required: true
  engine:
    description: The engine of the database server. Empty where the host has none.
    type: str
    choices: [postgresql, mysql, ""]
    required: true
  type:
    description: >-
      Of PostgreSQL: all, what changed since the last full backup, or what changed since the last one of any kind. Of
      MariaDB each is whole.
    type: str
    choices: [full, diff, incr]
    default: diff
  media:
    description: Whether uploads are backed up too.
    type: bool
    default: true
  first:
    description: Whether one is taken only where there is none yet of the cluster as it is since an upgrade.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Takes none.
"""
EXAMPLES = """
- name: Take a backup
  initech.django.backup:
    app_name: shop
    engine: postgresql
"""
RETURN = """
label:
  description: By what name the repository has the backup. Empty where none was taken.
  type: str
  returned: success
restore_time:
  description: The first second that can be restored with it.
  type: str
  returned: success
command:
  description: What would restore the database to this second.
  type: str
  returned: success
snapshot:
  description: By what name restic has the uploads. Empty where they are not backed up.
  type: str
  returned: success
seconds:
  description: How long it took.
  type: float
  returned: success
"""


NOTHING = {"label": "", "restore_time": "", "command": "", "snapshot": "", "seconds": 0.0}


def newest(engine: str, started: float) -> backups.Backup:
    """Return the backup that was just taken.

    Raises:
        Problem: there is none that is as new.
    """
    listed = mariadb.stored()[0] if engine == "mysql" else clusters.listed(clusters.live())
    backup = backups.choose(listed, None, started)
    if backup.stop < int(started):
        raise Problem(f"The backup ended well, but the newest in the repository is an older one: {backup.label}")
    return backup


def take(app: str, engine: str, kind: str, media: bool) -> dict[str, object]:
    """Take a backup and return how it is called.

    Raises:
        Problem: a unit failed.
    """
    started = time.time()
    wrong = [mariadb.take() if engine == "mysql" else clusters.take(kind)] if engine else []
    if media:
        wrong.append(servers.start_unit(f"{app}-media-backup.service", restic.uploads(app).full))
    if any(wrong):
        raise Problem("\n".join(filter(None, wrong)))
    taken: dict[str, object] = dict(NOTHING)
    if engine:
        backup = newest(engine, started)
        moment = backups.utc(backup.stop + 1)
        command = f"ansible-playbook restore.yml with the same -l and -e restore_time={moment}"
        taken.update(label=backup.label, restore_time=moment, command=command)
    if media:
        snapshot = backups.newest_snapshot(restic.uploads(app).snapshots())
        taken["snapshot"] = snapshot["short_id"] if snapshot else ""
    return {**taken, "seconds": round(time.time() - started, 1)}


def is_needed(engine: str, only_first: bool) -> bool:
    """Tell whether one is to be taken.

    Raises:
        Problem: the repository cannot be read.
    """
    if not only_first or engine != "postgresql":
        return True
    return not any(each.is_current for each in clusters.listed(clusters.live()))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "engine": {"type": "str", "choices": ["postgresql", "mysql", ""], "required": True},
            "type": {"type": "str", "choices": ["full", "diff", "incr"], "default": "diff"},
            "media": {"type": "bool", "default": True},
            "first": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    options = module.params
    app, engine, media = options["app_name"], options["engine"], options["media"]
    try:
        changed = bool(engine or media) and is_needed(engine, options["first"])
        taken = take(app, engine, options["type"], media) if changed and not module.check_mode else NOTHING
        module.exit_json(changed=changed, **taken)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
