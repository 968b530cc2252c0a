"""Restore a PostgreSQL server from its backups, and try whether that works."""

from __future__ import annotations

import os
import shutil
import time
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.initech.django.plugins.module_utils import backups, clusters, digests, servers
from ansible_collections.initech.django.plugins.module_utils.commands import DAY, run_or_fail
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

ENDED = "recovery ended before configured recovery target was reached"
"""What a server says that finds no commit after the chosen second."""

ASTRAY = (
    ENDED,
    "is not a child of this server's history",
    "forked from backup timeline",
    "is not in the history of target timeline",
)
"""What it or pgBackRest says where a backup does not lead to that second."""


def how_far(target: float | None, label: str, timeline: str) -> list[str]:
    """Return from where, how far and along which timeline pgBackRest is to have a server recover."""
    begin = [f"--set={label}", f"--target-timeline={timeline}"]
    if target is None:
        return [*begin, "--type=default"]
    moment = datetime.fromtimestamp(target, timezone.utc)
    return [*begin, "--type=time", f"--target={moment:%Y-%m-%d %H:%M:%S.%f}+00", "--target-action=promote"]


class Restore:
    """One run of the module."""

    def __init__(self, request: backups.Request, keep: int) -> None:
        """Take what is asked for, and the descriptor of the lock."""
        self.request = request
        self.keep = keep
        self.live = clusters.live()
        self.incoming = self.live.data.with_name(f"{self.live.name}.incoming")
        self.report: list[str] = []

    def run(self) -> str:
        """Restore, and return the label of the backup.

        Raises:
            Problem: it is refused, or failed.
        """
        target = self.request.target
        listed = clusters.listed(self.live)
        backup = backups.choose(listed, target, time.time())
        beside = self.live.beside(self.request.name, backup.version)
        if self.request.over_live:
            backups.check_version(backup, self.live.version)
            self.check_word(backup)
        else:
            backups.check_name(beside.name, self.live.name)
            beside.require_absent()
            beside.require_programs()
        self.make_room(beside, backup)
        if self.request.check_mode:
            return backup.label
        self.bring_up_to_date()
        timeline = "latest" if target is None else clusters.timeline_at(self.live, backup, target)
        try:
            if self.request.over_live:
                self.replace(how_far(target, backup.label, timeline))
            else:
                self.put_beside(beside, backup, target, timeline)
        except Problem as problem:
            if not any(words in str(problem) for words in ASTRAY):
                raise
            raise Problem(f"{problem}\n{backups.unreached(backup, listed, target)}") from None
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
        backups.check_word(self.request.over_live, databases)
        if tablespaces:
            raise Problem(
                f"The backup has tablespaces ({', '.join(tablespaces)}), whose places the live database uses. Restore "
                "beside it, without restore_over_live, and move by hand."
            )

    def make_room(self, beside: clusters.Cluster, backup: backups.Backup) -> None:
        """Remove what a killed restore left half-made, and then refuse a restore for which there is no space.

        Raises:
            Problem: there is not, or something cannot be removed.
        """
        left = self.incoming if self.request.over_live else beside.draft
        if left.exists():
            # How much that will free is not known before.
            if self.request.check_mode:
                return
            if self.request.over_live:
                shutil.rmtree(self.incoming)
            else:
                beside.remove()
        servers.require_space(self.live.data.parent, backup.size)

    def bring_up_to_date(self) -> None:
        """Let the archive have what the live server has, if there is one."""
        if not self.live.is_running():
            self.report.append("The live database is not running: what it had not archived yet is not restored.")
            return
        try:
            clusters.bring_up_to_date(self.live)
        except Problem as problem:
            self.report.append(f"Not everything may be in the archive. {problem}")

    def put_beside(self, target: clusters.Cluster, backup: backups.Backup, moment: float | None, timeline: str) -> None:
        """Restore to a cluster of its own.

        Raises:
            Problem: it failed; what is half-made the next run removes.
        """
        target.begin()
        try:
            self.recover(target, how_far(moment, backup.label, timeline))
        except Problem as problem:
            # The log from before an upgrade has an end. Nothing was committed between that and the chosen second.
            if backup.is_current or ENDED not in str(problem):
                raise
            target.clear()
            self.recover(target, how_far(None, backup.label, timeline))
        target.marker.write_text(f"{self.request.time or 'the newest'}\n", encoding="utf-8")
        target.draft.unlink()
        self.report += [
            f"Restored beside the live database, as cluster {target.version}/{target.name} on port {target.port()}.",
            f"Look at it on the host: sudo -u postgres psql --cluster {target.version}/{target.name} NAME",
            f"Remove it: sudo pg_dropcluster --stop {target.version} {target.name}",
        ]

    def recover(self, target: clusters.Cluster, options: list[str]) -> None:
        """Restore to an empty directory, make that a cluster, and wait until its server has recovered.

        Raises:
            Problem: it failed, or the server ended, at its start or later.
        """
        clusters.fetch(self.live, target, options, self.keep)
        clusters.adopt(target, self.live)
        target.wait("SELECT pg_is_in_recovery()", "f")

    def replace(self, options: list[str]) -> None:
        """Restore over the live cluster.

        Raises:
            Problem: it failed; then the live cluster is what it was.
        """
        source = clusters.Cluster(self.live.version, "incoming", self.incoming)
        clusters.fetch(self.live, source, options, self.keep)
        # What it recovers with must name the place where it will be.
        settings = self.incoming / "postgresql.auto.conf"
        owner = settings.stat()
        text = settings.read_text(encoding="utf-8").replace(str(self.incoming), str(self.live.data))
        settings.write_text(text, encoding="utf-8")
        os.chown(settings, owner.st_uid, owner.st_gid)

        def prepare() -> None:
            self.live.wait("SELECT pg_is_in_recovery()", "f")

        kept = servers.swap(self.live, self.incoming, prepare)
        self.report += ["Restored over the live database.", *filter(None, [kept])]


def restore(request: backups.Request, keep: int) -> tuple[str, list[str]]:
    """Restore, and return the label of the backup and what to say of it, a line each.

    Args:
        request: what is asked for.
        keep: the descriptor of the lock.

    Raises:
        Problem: it is refused, or failed.
    """
    work = Restore(request, keep)
    return work.run(), work.report


def newest() -> backups.Backup:
    """Return the backup that is drilled.

    Raises:
        Problem: there is none.
    """
    # Those from before an upgrade do not become what is live.
    mine = [each for each in clusters.listed(clusters.live()) if each.is_current]
    return backups.choose(mine, None, time.time())


def drill(backup: backups.Backup, keep: int) -> backups.Drilled:
    """Restore a backup beside the live database and compare.

    Args:
        backup: which.
        keep: the descriptor of the lock.

    Raises:
        Problem: something differs or cannot be restored.
    """
    live = clusters.live()
    if not live.is_running():
        raise Problem(
            f"The live database, {live.version}/{live.name}, is not running: there is nothing to compare with."
        )
    output = clusters.pgbackrest(live, "--output=text", "--verbose", "verify", failure=backups.DAMAGED)
    wrong = backups.verify_problems(output)
    if wrong:
        raise Problem(backups.DAMAGED + backups.listing(wrong) + backups.NEXT)
    scratch = live.beside("drill")
    if scratch.draft.exists():
        scratch.remove()
    servers.require_space(live.data.parent, backup.size)
    here = digests.marked(live.port(), f"initech-drill-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}")
    clusters.bring_up_to_date(live)
    scratch.begin()
    try:
        started = time.time()
        options = [f"--set={backup.label}", "--type=name", f"--target={here.name}", "--target-action=pause"]
        clusters.fetch(live, scratch, options, keep)
        clusters.adopt(scratch, live)
        scratch.wait(clusters.PAUSED, "paused")
        took = time.time() - started
        backups.require_same(backup, here.digests, digests.everything(scratch.port()))
        checks = check_pages(scratch)
    finally:
        scratch.remove()
    return backups.Drilled(took, here.digests, checks)


def check_pages(scratch: clusters.Cluster) -> list[str]:
    """Check the restored tables, indexes and pages, and return what was checked.

    Raises:
        Problem: something is damaged.
    """
    scratch.ask("SELECT pg_wal_replay_resume()")
    scratch.wait("SELECT pg_is_in_recovery()", "f")
    command: list[str | Path] = [scratch.program("pg_amcheck"), "--all", "--install-missing", "--port", scratch.port()]
    run_or_fail(command, "pg_amcheck finds restored tables or indexes damaged", user=clusters.USER, timeout=DAY)
    scratch.stop()
    if not backups.has_checksums(scratch.controlled()):
        return ["pg_amcheck finds nothing. Pages have no checksums: the cluster was made without."]
    command = [scratch.program("pg_checksums"), "--check", "-D", scratch.data]
    run_or_fail(command, "pg_checksums finds restored pages damaged", user=clusters.USER, timeout=DAY)
    return ["pg_amcheck finds nothing, and the checksums of all pages are right."]
