"""Take a backup now."""

from __future__ import annotations

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import backups, clusters, uploads
from ansible_collections.initech.django.plugins.module_utils.commands import run
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
  type:
    description: All, what changed since the last full backup, or what changed since the last one of any kind.
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
"""
RETURN = """
label:
  description: By what name pgBackRest has the backup. Empty where none was taken.
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


def start(unit: str) -> str:
    """Run a unit to its end and return what is wrong, or nothing."""
    since = f"@{time.time():.3f}"
    started = run(["systemctl", "start", unit], timeout=clusters.DAY)
    if started.returncode == 0:
        return ""
    journal = ["journalctl", "--no-pager", "--output=cat", f"--unit={unit}", f"--since={since}", "--lines=15"]
    words = run(journal).stdout.strip()
    if not words:
        return f"{unit} cannot be started: {started.stderr.strip()}\nProvision again."
    return f"{unit} failed, and stands in systemctl --failed:\n{words}{clusters.full()}"


def take(app: str, kind: str, media: bool) -> dict[str, object]:
    """Take a backup and return how it is called.

    Raises:
        Problem: a unit failed.
    """
    cluster = clusters.live()
    started = time.time()
    wrong = [start(f"initech-backup@{kind}.service")]
    if media:
        wrong.append(start(f"{app}-media-backup.service"))
    if any(wrong):
        raise Problem("\n".join(filter(None, wrong)))
    newest = backups.choose(clusters.listed(cluster), None, started)
    if newest.stop < int(started):
        raise Problem(
            f"initech-backup@{kind}.service ended well, but the newest backup is an older one: {newest.label}"
        )
    snapshot = backups.newest_snapshot(uploads.snapshots(app)) if media else None
    moment = backups.utc(newest.stop + 1)
    return {
        "label": newest.label,
        "restore_time": moment,
        "command": f"ansible-playbook restore.yml with the same -l and -e restore_time='{moment}'",
        "snapshot": snapshot["short_id"] if snapshot else "",
        "seconds": round(time.time() - started, 1),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "type": {"type": "str", "choices": ["full", "diff", "incr"], "default": "diff"},
            "media": {"type": "bool", "default": True},
            "first": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    options = module.params
    try:
        live = clusters.live()
        needed = not options["first"] or not any(each.is_current for each in clusters.listed(live))
        taken: dict[str, object] = {"label": "", "restore_time": "", "command": "", "snapshot": "", "seconds": 0.0}
        if needed and not module.check_mode:
            taken = take(options["app_name"], options["type"], options["media"])
        module.exit_json(changed=needed, **taken)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
