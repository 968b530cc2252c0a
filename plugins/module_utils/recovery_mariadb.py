"""Restore a MariaDB server from its backups, and try whether that works."""

from __future__ import annotations

import shutil
import time

from ansible_collections.initech.django.plugins.module_utils import (
    backups,
    mariadb,
    mariadb_digests,
    servers,
    snapshots,
)
from ansible_collections.initech.django.plugins.module_utils.commands import DAY, run_or_fail
from ansible_collections.initech.django.plugins.module_utils.problem import Problem


class Restore:
    """One run of the module."""

    def __init__(self, request: backups.Request, keep: int) -> None:
        """Take what is asked for, and the descriptor of the lock."""
        self.request = request
        self.keep = keep
        self.report: list[str] = []

    def run(self) -> str:
        """Restore, and return the label of the backup.

        Raises:
            Problem: it is refused, or failed.
        """
        target = self.request.target
        plan = self.plan(target)
        server = mariadb.beside("incoming" if self.request.over_live else self.request.name)
        if self.request.over_live:
            # There is none where a restore was killed between two renames.
            if mariadb.LIVE.data.exists():
                backups.check_word(self.request.over_live, mariadb.LIVE.databases())
        else:
            backups.check_name(server.name, "incoming")
            server.require_absent()
        self.make_room(server, plan.backup)
        if self.request.check_mode:
            return plan.backup.label
        self.bring_up_to_date()
        # What was just stored may be what is needed.
        plan = self.plan(target)
        server.begin()
        rebuild(server, plan, mariadb.End(second=target), self.keep)
        if self.request.over_live:
            self.replace(server)
        else:
            server.draft.unlink()
            self.report += [
                f"Restored beside the live database, as server {server.name}, which listens at {server.socket}.",
                f"Look at it on the host: sudo mariadb --socket={server.socket} NAME",
                f"Remove it: {server.removal}",
            ]
        return plan.backup.label

    def plan(self, target: float | None) -> snapshots.Plan:
        """Return what it is restored from.

        Raises:
            Problem: nothing will do.
        """
        return snapshots.plan(*mariadb.stored(), target, time.time())

    def make_room(self, server: mariadb.Server, backup: backups.Backup) -> None:
        """Remove what a killed restore left half-made, and then refuse a restore for which there is no space.

        Raises:
            Problem: there is not, or something cannot be removed.
        """
        if server.draft.exists():
            # How much that will free is not known before.
            if self.request.check_mode:
                return
            server.remove()
        mariadb.require_space(backup)

    def bring_up_to_date(self) -> None:
        """Let the repository have what the live server has, if there is one."""
        if not mariadb.LIVE.is_running():
            self.report.append("The live database is not running: what it had not stored yet is not restored.")
            return
        try:
            mariadb.bring_up_to_date()
        except Problem as problem:
            self.report.append(f"Not everything may be in the repository. {problem}")

    def replace(self, server: mariadb.Server) -> None:
        """Put a restored server in the place of the live one.

        Raises:
            Problem: it failed; then the live one is what it was.
        """
        server.stop()
        # By these Debian's packages know of which version the data are; else they would upgrade them now.
        for pattern in ("debian-*.flag", "*_upgrade_info"):
            for file in mariadb.LIVE.data.glob(pattern):
                shutil.copy2(file, server.data)
        kept = servers.swap(mariadb.LIVE, server.data, lambda: mariadb.wait_until_there(mariadb.LIVE))
        server.draft.unlink()
        self.report += ["Restored over the live database.", *filter(None, [kept])]


def rebuild(server: mariadb.Server, plan: snapshots.Plan, end: mariadb.End, keep: int) -> None:
    """Restore a backup to the place that was made for it, start its server, and have it do what came later.

    Args:
        server: the one that is made.
        plan: from what.
        end: how far it goes.
        keep: the descriptor of the lock.

    Raises:
        Problem: that failed; what is half-made the next run removes.
    """
    start = mariadb.fetch(server, plan.backup, keep)
    server.start()
    mariadb.wait_until_there(server)
    if plan.log:
        mariadb.replay(server, plan.log, start, end, keep)


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
    wholes, _ = mariadb.stored()
    data = mariadb.data()
    # Those of other data, as from before a restore, do not become what is live.
    return backups.choose([each for each in wholes if each.data == data], None, time.time())


def drill(backup: backups.Backup, keep: int) -> backups.Drilled:
    """Restore a backup beside the live database and compare.

    Args:
        backup: which.
        keep: the descriptor of the lock.

    Raises:
        Problem: something differs or cannot be restored.
    """
    if not mariadb.LIVE.is_running():
        raise Problem("The live database is not running: there is nothing to compare with.")
    try:
        mariadb.REPOSITORY.check()
    except Problem as problem:
        raise Problem(f"{backups.DAMAGED}\n{problem}{backups.NEXT}") from None
    scratch = mariadb.beside("drill")
    if scratch.draft.exists():
        scratch.remove()
    mariadb.require_space(backup)
    here = mariadb_digests.marked(str(mariadb.LIVE.socket))
    mariadb.bring_up_to_date()
    plan = snapshots.plan([backup], mariadb.stored()[1], None, time.time())
    scratch.begin()
    try:
        started = time.time()
        rebuild(scratch, plan, mariadb.End(place=here.place), keep)
        took = time.time() - started
        backups.require_same(backup, here.digests, mariadb_digests.everything(str(scratch.socket)))
        command = ["mariadb-check", f"--socket={scratch.socket}", "--all-databases"]
        failure = "mariadb-check cannot check what was restored"
        damaged = snapshots.damages(run_or_fail(command, failure, timeout=DAY))
        if damaged:
            raise Problem(f"mariadb-check finds restored tables damaged:{backups.listing(damaged)}")
    finally:
        scratch.remove()
    return backups.Drilled(took, here.digests, ["mariadb-check finds nothing in all restored tables.", *here.notes])
