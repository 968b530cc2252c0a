"""Restore the newest backup beside the live database, and compare."""

from __future__ import annotations

import shutil
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import (
    backups,
    clusters,
    mariadb,
    recovery_mariadb,
    recovery_postgresql,
    restic,
    servers,
)
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
  engine:
    description: The engine of the database server. Empty where the host has none.
    type: str
    choices: [postgresql, mysql, ""]
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
    engine: postgresql
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

ENGINES = {"postgresql": (recovery_postgresql, clusters.LOCK), "mysql": (recovery_mariadb, mariadb.LOCK)}


def drill_database(name: str, check_mode: bool) -> dict[str, Any]:
    """Restore the newest backup of the database beside the live one, compare, and return what the module returns.

    Raises:
        Problem: something differs, or cannot be restored.
    """
    engine, lock = ENGINES[name]
    with servers.locked(lock) as keep:
        backup = engine.newest()
        age = time.time() - backup.stop
        found = {"label": backup.label, "age": age, "seconds": 0.0, "tables": 0, "rows": 0}
        report = [f"Backup {backup.label} ({backup.kind}) is {backups.duration(age)} old."]
        if not check_mode:
            drilled = engine.drill(backup, keep)
            tables, rows = backups.totals(drilled.digests)
            found.update(seconds=drilled.seconds, tables=tables, rows=rows)
            report.append(
                f"Restored and recovered in {backups.duration(drilled.seconds)}: {rows} rows in {tables} tables are "
                "those of the live database."
            )
            report += drilled.checks
    return {**found, "report": report}


def drill_uploads(app: str) -> str:
    """Read everything that was uploaded from its repository, restore it, and say what that was.

    Raises:
        Problem: something is damaged or cannot be restored.
    """
    repository = restic.uploads(app)
    snapshot = backups.newest_snapshot(repository.snapshots())
    if snapshot is None:
        raise Problem(f"Nothing that was uploaded to {app} is backed up yet. Type: {backups.TAKE}")
    repository.check()
    place = App(app).media.with_name("media.drill")
    try:
        # One that a killed drill left.
        shutil.rmtree(place, ignore_errors=True)
        restored = restic.restore_uploads(app, snapshot, place)
        files = sum(1 for path in restored.rglob("*") if path.is_file())
    finally:
        shutil.rmtree(place, ignore_errors=True)
    moment = backups.seconds_of(snapshot["time"])
    return f"Uploads: {files} files restored from snapshot {snapshot['short_id']} of {backups.utc(moment)}."


def drill(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Try all that is backed up, also where one part is no good, and return what the module returns.

    Raises:
        Problem: with what is wrong, after what is right.
    """
    found: dict[str, Any] = {"label": "", "age": 0.0, "seconds": 0.0, "tables": 0, "rows": 0, "report": []}
    problems = []
    if options["engine"]:
        try:
            found = drill_database(options["engine"], check_mode)
        except Problem as problem:
            problems.append(str(problem))
    if options["media"] and not check_mode:
        try:
            found["report"].append(drill_uploads(options["app_name"]))
        except Problem as problem:
            problems.append(str(problem))
    if problems:
        raise Problem("\n".join([*found["report"], *problems]))
    return found


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "engine": {"type": "str", "choices": ["postgresql", "mysql", ""], "required": True},
            "media": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **drill(module.params, module.check_mode))
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
