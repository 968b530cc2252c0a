"""Restore the newest backup beside the live database, and compare."""

from __future__ import annotations

import shutil
import time
from datetime import datetime, timezone
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import backups, clusters, digests, uploads
from ansible_collections.initech.django.plugins.module_utils.commands import run_or_fail
from ansible_collections.initech.django.plugins.module_utils.layout import App
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
module: restore_drill
short_description: Try whether the newest backup can be restored, and whether it holds what the live database holds
description:
  - Checks every file of the repository, restores the newest backup beside the live database, has it recover to a mark
    that was just written into the write-ahead log, and compares the rows of all tables with those at this mark.
  - Then checks the restored pages, tables and indexes, and removes the restored cluster.
  - Reads all that visitors uploaded from its repository, and restores that, too.
author: The initech.django team
options:
  app_name:
    description: The app.
    type: str
    required: true
  media:
    description: Whether uploads are backed up too.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: Says how old the newest backup is, and restores nothing.
"""
EXAMPLES = """
- name: Try whether the backup is good
  initech.django.restore_drill:
    app_name: shop
"""
RETURN = """
label:
  description: The backup that was restored.
  type: str
  returned: success
age:
  description: How old it is, in seconds.
  type: float
  returned: success
seconds:
  description: How long restoring and recovering the database took.
  type: float
  returned: success
tables:
  description: How many tables were compared.
  type: int
  returned: success
rows:
  description: How many rows they have.
  type: int
  returned: success
report:
  description: What was compared, a line each.
  type: list
  elements: str
  returned: success
"""

BAD = "The repository of backups is damaged, and what is damaged cannot be restored:"
NEXT = (
    "\nTake a new full backup at once: ansible-playbook backup.yml -e backup_type=full with the same -l. Then look for "
    "the cause: a disk that fails, or somebody who changed files there."
)
PAUSED = "SELECT pg_get_wal_replay_pause_state()"


def drill_database(live: clusters.Cluster, backup: backups.Backup, keep: int) -> tuple[float, int, int, list[str]]:
    """Restore the database beside the live one and compare.

    Returns:
        How many seconds the restore took, how many tables and rows were compared, and what was checked.

    Raises:
        Problem: something differs or cannot be restored.
    """
    if not live.is_running():
        raise Problem(
            f"The live database, {live.version}/{live.name}, is not running: there is nothing to compare with."
        )
    output = clusters.pgbackrest(live, "--output=text", "--verbose", "verify", failure=BAD)
    wrong = backups.verify_problems(output)
    if wrong:
        raise Problem(BAD + backups.listing(wrong) + NEXT)
    scratch = live.beside("drill")
    clusters.require_space(live, backup)
    here = digests.marked(live.port(), f"initech-drill-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}")
    clusters.bring_up_to_date(live)
    scratch.begin()
    try:
        started = time.time()
        options = [f"--set={backup.label}", "--type=name", f"--target={here.name}", "--target-action=pause"]
        clusters.fetch(live, scratch, options, keep)
        clusters.adopt(scratch)
        scratch.wait(PAUSED, "paused")
        took = time.time() - started
        differing = backups.differences(here.digests, digests.everything(scratch.port()))
        if differing:
            raise Problem(
                f"Backup {backup.label} does not hold what the live database holds:{backups.listing(differing)}"
            )
        checks = check_pages(scratch)
    finally:
        scratch.remove()
    tables, rows = backups.totals(here.digests)
    return took, tables, rows, checks


def check_pages(scratch: clusters.Cluster) -> list[str]:
    """Check the restored tables, indexes and pages, and return what was checked.

    Raises:
        Problem: something is damaged.
    """
    scratch.ask("SELECT pg_wal_replay_resume()")
    scratch.wait("SELECT pg_is_in_recovery()", "f")
    command: list[str | Path] = [scratch.program("pg_amcheck"), "--all", "--install-missing", "--port", scratch.port()]
    run_or_fail(
        command, "pg_amcheck finds restored tables or indexes damaged", user=clusters.USER, timeout=clusters.DAY
    )
    scratch.stop()
    if not backups.has_checksums(scratch.controlled()):
        return ["pg_amcheck finds nothing. Pages have no checksums: the cluster was made without."]
    command = [scratch.program("pg_checksums"), "--check", "-D", scratch.data]
    run_or_fail(command, "pg_checksums finds restored pages damaged", user=clusters.USER, timeout=clusters.DAY)
    return ["pg_amcheck finds nothing, and the checksums of all pages are right."]


def drill_uploads(app: str) -> str:
    """Read everything that was uploaded from its repository, restore it, and say what that was.

    Raises:
        Problem: something is damaged or cannot be restored.
    """
    snapshot = backups.newest_snapshot(uploads.snapshots(app))
    if snapshot is None:
        raise Problem(f"Nothing that was uploaded to {app} is backed up yet. Type: {backups.TAKE}")
    failure = f"The repository of what was uploaded to {app} is damaged"
    uploads.restic(app, "check", "--read-data", failure=failure)
    place = App(app).media.with_name("media.drill")
    try:
        # One that a killed drill left.
        shutil.rmtree(place, ignore_errors=True)
        failure = f"What was uploaded to {app} cannot be restored"
        uploads.restic(app, "restore", snapshot["id"], "--target", place, "--verify", failure=failure)
        files = sum(1 for path in place.rglob("*") if path.is_file())
    finally:
        shutil.rmtree(place, ignore_errors=True)
    moment = backups.seconds_of(snapshot["time"])
    return f"Uploads: {files} files restored from snapshot {snapshot['short_id']} of {backups.utc(moment)}."


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "media": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    try:
        with clusters.locked() as keep:
            live = clusters.live()
            # Those from before an upgrade do not become what is live.
            mine = [each for each in clusters.listed(live) if each.is_current]
            backup = backups.choose(mine, None, time.time())
            age = time.time() - backup.stop
            report = [f"Backup {backup.label} ({backup.kind}) is {backups.duration(age)} old."]
            took, tables, rows = 0.0, 0, 0
            if not module.check_mode:
                took, tables, rows, checks = drill_database(live, backup, keep)
                report.append(
                    f"Restored and recovered in {backups.duration(took)}: {rows} rows in {tables} tables are those of "
                    "the live database."
                )
                report += checks
                if module.params["media"]:
                    report.append(drill_uploads(module.params["app_name"]))
        module.exit_json(
            changed=False, label=backup.label, age=age, seconds=took, tables=tables, rows=rows, report=report
        )
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
