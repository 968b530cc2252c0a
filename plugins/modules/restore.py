"""Restore a database server from its backups."""

from __future__ import annotations

import os
import shutil
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import backups, clusters, uploads
from ansible_collections.initech.django.plugins.module_utils.layout import App
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
module: restore
short_description: Restore a PostgreSQL server to a chosen second, and what was uploaded
description:
  - Beside the live cluster by default, as a cluster of Debian's with a port of its own, which never archives.
  - Over the live one only with an explicit word. Its data directory is kept, and is back in its place if the restored
    one does not start.
  - A restore that was killed leaves a half-made cluster, which the next one removes.
author: The initech.django team
options:
  app_name:
    description: The app.
    type: str
    required: true
  name:
    description: The name of the cluster beside the live one.
    type: str
    default: restored
  time:
    description: The second to restore to, with its zone. Empty is the newest.
    type: str
    default: ""
  over_live:
    description: All databases that the live cluster holds, separated by commas. Empty restores beside it.
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
    time: 2026-11-24 10:00:00+00
"""
RETURN = """
label:
  description: The backup that was restored.
  type: str
  returned: success
report:
  description: What was restored, where it is, and how to remove it. A line each.
  type: list
  elements: str
  returned: success
"""


ENDED = "recovery ended before configured recovery target was reached"
"""What a server says that finds no commit after the chosen second."""


def how_far(target: float | None, label: str) -> list[str]:
    """Return from where and how far pgBackRest is to have a server recover."""
    if target is None:
        return [f"--set={label}", "--type=default"]
    moment = datetime.fromtimestamp(target, timezone.utc)
    return [f"--set={label}", "--type=time", f"--target={moment:%Y-%m-%d %H:%M:%S.%f}+00", "--target-action=promote"]


class Restore:
    """One run of the module."""

    def __init__(self, options: dict[str, Any], check_mode: bool) -> None:
        """Take the options."""
        self.options = options
        self.check_mode = check_mode
        self.live = clusters.live()
        self.now = time.time()
        self.report: list[str] = []

    def run(self, keep: int) -> str:
        """Restore, and return the label of the backup.

        Raises:
            Problem: it is refused, or failed.
        """
        target = backups.read_time(self.options["time"]) if self.options["time"] else None
        listed = clusters.listed(self.live)
        backup = backups.choose(listed, target, self.now)
        beside = self.live.beside(self.options["name"], backup.version)
        if self.options["over_live"]:
            backups.check_version(backup, self.live.version)
            self.check_word(backup)
        else:
            backups.check_name(beside.name, self.live.name)
            beside.require_absent()
            beside.require_programs()
        clusters.require_space(self.live, backup)
        if self.check_mode:
            return backup.label
        self.bring_up_to_date()
        if self.options["over_live"]:
            self.replace(how_far(target, backup.label), keep)
        else:
            self.put_beside(beside, backup, target, keep)
        self.restore_uploads(target)
        return backup.label

    def check_word(self, backup: backups.Backup) -> None:
        """Refuse a restore over the live database that does not name what it replaces.

        Raises:
            Problem: the word is wrong, or tablespaces forbid it.
        """
        arguments = ("info", "--output=json", f"--set={backup.label}")
        text = clusters.pgbackrest(self.live, *arguments, failure="The repository cannot be read")
        databases, tablespaces = backups.read_set(text)
        if self.live.is_running():
            listing = "SELECT datname FROM pg_database WHERE NOT datistemplate"
            databases = sorted({*databases, *self.live.ask(listing).splitlines()})
        backups.check_word(self.options["over_live"], databases)
        if tablespaces:
            raise Problem(
                f"The backup has tablespaces ({', '.join(tablespaces)}), whose places the live database uses. Restore "
                "beside it, without restore_over_live, and move by hand."
            )

    def bring_up_to_date(self) -> None:
        """Let the archive have what the live server has, if there is one."""
        if not self.live.is_running():
            self.report.append("The live database is not running: what it had not archived yet is not restored.")
            return
        try:
            clusters.bring_up_to_date(self.live)
        except Problem as problem:
            self.report.append(f"Not everything may be in the archive. {problem}")

    def put_beside(self, target: clusters.Cluster, backup: backups.Backup, moment: float | None, keep: int) -> None:
        """Restore to a cluster of its own.

        Raises:
            Problem: it failed; what is half-made the next run removes.
        """
        target.begin()
        clusters.fetch(self.live, target, how_far(moment, backup.label), keep)
        try:
            clusters.adopt(target)
        except Problem as problem:
            # The log from before an upgrade has an end. Nothing was committed between that and the chosen second.
            if backup.is_current or ENDED not in str(problem):
                raise
            target.clear()
            clusters.fetch(self.live, target, how_far(None, backup.label), keep)
            clusters.adopt(target)
        target.wait("SELECT pg_is_in_recovery()", "f")
        target.marker.write_text(f"{self.options['time'] or 'the newest'}\n", encoding="utf-8")
        target.draft.unlink()
        self.report += [
            f"Restored beside the live database, as cluster {target.version}/{target.name} on port {target.port()}.",
            f"Look at it on the host: sudo -u postgres psql --cluster {target.version}/{target.name} NAME",
            f"Remove it: sudo pg_dropcluster --stop {target.version} {target.name}",
        ]

    def replace(self, options: list[str], keep: int) -> None:
        """Restore over the live cluster.

        Raises:
            Problem: it failed; then the live cluster is what it was.
        """
        incoming = self.live.data.with_name(f"{self.live.name}.incoming")
        if incoming.exists():
            shutil.rmtree(incoming)
        source = clusters.Cluster(self.live.version, "incoming", incoming)
        clusters.fetch(self.live, source, options, keep)
        # What it recovers with must name the place where it will be.
        settings = incoming / "postgresql.auto.conf"
        owner = settings.stat()
        text = settings.read_text(encoding="utf-8").replace(str(incoming), str(self.live.data))
        settings.write_text(text, encoding="utf-8")
        os.chown(settings, owner.st_uid, owner.st_gid)
        stamp = f"{datetime.fromtimestamp(self.now, timezone.utc):%Y%m%dT%H%M%SZ}"

        def prepare() -> None:
            self.live.wait("SELECT pg_is_in_recovery()", "f")

        kept = clusters.swap(self.live, incoming, stamp, prepare)
        self.report.append("Restored over the live database.")
        if kept != Path():
            self.report.append(f"What was there before is kept in {kept}. When it is not needed: sudo rm -r {kept}")

    def restore_uploads(self, target: float | None) -> None:
        """Restore uploads to a directory beside them, as they were backed up last before that second.

        Raises:
            Problem: restic failed.
        """
        if not self.options["media"]:
            return
        app = App(self.options["app_name"])
        text = uploads.snapshots(app.name)
        snapshot = backups.newest_snapshot(text, target)
        if snapshot is None:
            self.report.append("No backup of uploads is that old: none was restored.")
            return
        place, draft = app.media.with_name("media.restored"), app.media.with_name("media.restoring")
        for path in (place, draft):
            if path.exists():
                shutil.rmtree(path)
        failure = f"What was uploaded to {app.name} cannot be restored"
        uploads.restic(app.name, "restore", snapshot["id"], "--target", draft, "--verify", failure=failure)
        os.rename(draft / app.media.relative_to("/"), place)
        shutil.rmtree(draft)
        moment = backups.utc(backups.seconds_of(snapshot["time"]))
        self.report.append(f"Uploads as of {moment} are in {place}; those that are served were not touched.")


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "name": {"type": "str", "default": "restored"},
            "time": {"type": "str", "default": ""},
            "over_live": {"type": "str", "default": ""},
            "media": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    try:
        with clusters.locked() as keep:
            restore = Restore(module.params, module.check_mode)
            label = restore.run(keep)
        report = restore.report or [f"Would restore backup {label}."]
        module.exit_json(changed=True, label=label, report=report)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
