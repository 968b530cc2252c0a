"""Restore a database server from its backups."""

from __future__ import annotations

import os
import pwd
import shutil
from itertools import chain
from pathlib import Path
from types import ModuleType
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
module: restore
short_description: Restore a database server to a chosen second, and what was uploaded
description:
  - Beside the live server by default, as a cluster of Debian's with a port of its own, or as a second MariaDB with a
    socket of its own. That one never archives.
  - Over the live one only with an explicit word. Its data directory is kept, and is back in its place if the restored
    one does not start. A backup is taken at once, without which what follows could not be restored.
  - A restore that was killed leaves a half-made server or directory, which the next one removes.
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
  name:
    description: The name of the server beside the live one.
    type: str
    default: restored
  time:
    description: The second to restore to, with its zone. Empty is the newest.
    type: str
    default: ""
  over_live:
    description: All databases that the live server holds, separated by commas. Empty restores beside it.
    type: str
    default: ""
  media:
    description: Whether uploads are restored too. Always to a directory beside them.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: Refuses what cannot be restored, and restores nothing.
"""
EXAMPLES = """
- name: Restore
  initech.django.restore:
    app_name: shop
    engine: postgresql
    time: 2026-11-24T10:00:00+00
"""
RETURN = """
label:
  description: The backup that was restored. Empty where the host has no database server.
  type: str
  returned: success
report:
  description: What was restored, where it is, and how to remove it. A line each.
  type: list
  elements: str
  returned: success
"""

ENGINES = {"postgresql": (recovery_postgresql, clusters), "mysql": (recovery_mariadb, mariadb)}
DRAFT = "media.restoring"
LATER = "What is committed from now on can be restored when there is a backup of it"

UPLOADS_LATER = (
    "The database is restored. When this is mended, type for uploads: ansible-playbook restore.yml with the same -l "
    "and restore_time, without restore_over_live and with -e restore_name=again"
)


def require_room(name: str, target: float | None) -> None:
    """Refuse a restore of uploads for which there is no space.

    Where their repository cannot be read nothing is refused yet: a database is restored all the same.

    Args:
        name: of the app.
        target: see `restore_uploads`.

    Raises:
        Problem: there is not.
    """
    draft = App(name).media.with_name(DRAFT)
    # How much what a killed restore has left will free is not known before; and it may be that of one that goes on.
    if draft.exists():
        return
    try:
        snapshot = backups.newest_snapshot(restic.uploads(name).snapshots(), target)
        if snapshot is None:
            return
        size = restic.uploads(name).size(snapshot["id"])
    except Problem:
        return
    try:
        servers.require_space(draft.parent, size)
    except Problem as problem:
        raise Problem(f"{problem} Make some there, or leave uploads out: -e backup_media=false") from None


def hand_over(directory: Path, name: str) -> None:
    """Let what was the app's where it was backed up be the app's on this host: restic goes by their numbers.

    Args:
        directory: of uploads that were restored. It was the app's.
        name: of the app.
    """
    was, now = directory.stat(), pwd.getpwnam(name)
    for path in chain([directory], directory.rglob("*")):
        found = path.lstat()
        user = now.pw_uid if found.st_uid == was.st_uid else found.st_uid
        group = now.pw_gid if found.st_gid == was.st_gid else found.st_gid
        if (user, group) != (found.st_uid, found.st_gid):
            os.chown(path, user, group, follow_symlinks=False)


def restore_uploads(name: str, target: float | None) -> list[str]:
    """Restore uploads to a directory beside them, as they were backed up last before that second.

    Args:
        name: of the app.
        target: the second, since 1970; None is the newest.

    Returns:
        What to say of it, a line each.

    Raises:
        Problem: restic failed, or had not stored them.
    """
    app = App(name)
    snapshot = backups.newest_snapshot(restic.uploads(name).snapshots(), target)
    if snapshot is None:
        return ["No backup of uploads is that old: none was restored."]
    place, draft = app.media.with_name("media.restored"), app.media.with_name(DRAFT)
    # Half-made by a restore that was killed.
    if draft.exists():
        shutil.rmtree(draft)
    restored = restic.restore_uploads(name, snapshot, draft)
    hand_over(restored, name)
    kept = servers.keep(place)
    os.rename(restored, place)
    shutil.rmtree(draft)
    moment = backups.utc(backups.seconds_of(snapshot["time"]))
    return [f"Uploads as of {moment} are in {place}; those that are served were not touched.", *kept]


def take_backup(server: ModuleType) -> str:
    """Take a backup of a server that was restored over the live one: it goes on from none that is there yet.

    Args:
        server: clusters or mariadb.

    Returns:
        What is to be said at the end, or nothing.

    Raises:
        Problem: it failed.
    """
    if not servers.is_installed(server.UNIT):
        # Taken before uploads are restored, the newest backup of these would be one of nothing.
        return f"{LATER}: provision again, and then take one with: {backups.TAKE}"
    wrong = server.take()
    if wrong:
        raise Problem(f"{LATER}, which failed. Take one with: {backups.TAKE}\n{wrong}")
    return ""


def restore(options: dict[str, Any], check_mode: bool) -> tuple[str, list[str]]:
    """Restore what is asked for, and return the label of the backup and what to say of it, a line each.

    Raises:
        Problem: it is refused, or failed.
    """
    request = backups.Request(options["name"], options["time"], options["over_live"], check_mode)
    if options["media"]:
        require_room(options["app_name"], request.target)
    label, report, last, problems = "", [], "", []
    if options["engine"]:
        engine, server = ENGINES[options["engine"]]
        with servers.locked(server.LOCK) as keep:
            label, report = engine.restore(request, keep)
        if check_mode:
            report.append(f"Would restore backup {label}.")
        elif request.over_live:
            try:
                last = take_backup(server)
            except Problem as problem:
                problems.append(str(problem))
    if options["media"] and not check_mode:
        try:
            report += restore_uploads(options["app_name"], request.target)
        except Problem as problem:
            problems += [f"Uploads were not restored. {problem}", UPLOADS_LATER] if report else [str(problem)]
    if problems:
        raise Problem("\n".join(filter(None, [*report, *problems, last])))
    return label, [*report, *filter(None, [last])]


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "engine": {"type": "str", "choices": ["postgresql", "mysql", ""], "required": True},
            "name": {"type": "str", "default": "restored"},
            "time": {"type": "str", "default": ""},
            "over_live": {"type": "str", "default": ""},
            "media": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    try:
        label, report = restore(module.params, module.check_mode)
        module.exit_json(changed=True, label=label, report=report)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
