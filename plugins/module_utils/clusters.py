"""Clusters of PostgreSQL on a host as Debian keeps them, and pgBackRest's work on them."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.initech.django.plugins.module_utils import backups, servers
from ansible_collections.initech.django.plugins.module_utils.commands import DAY, run, run_or_fail, tail
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

CONFIGURATION = Path("/etc/pgbackrest/pgbackrest.conf")
USER = "postgres"
PAUSED = "SELECT pg_get_wal_replay_pause_state()"
LOCK = Path("/run/postgresql/initech-restore.lock")
UNIT = "initech-backup@.service"

OFF = f"Backups are not set up on this host: {CONFIGURATION} is not there. Set backup_enabled: true and provision."


@dataclass(frozen=True)
class Cluster:
    """One database server of a host.

    Attributes:
        version: of PostgreSQL, as in its paths.
        name: as Debian calls it.
        data: its data directory.
    """

    version: str
    name: str
    data: Path

    def beside(self, name: str, version: str = "") -> Cluster:
        """Return the cluster of that name beside this one, of its version where no other is given."""
        version = version or self.version
        return Cluster(version, name, self.data.parents[1] / version / name)

    @property
    def configuration(self) -> Path:
        """Where its settings are."""
        return Path("/etc/postgresql", self.version, self.name)

    @property
    def marker(self) -> Path:
        """Says, in the data of a restored cluster, to which point that is."""
        return self.data / "restored"

    @property
    def draft(self) -> Path:
        """Is there while a restore makes the cluster: what it finds half-made it may remove."""
        return self.data.with_name(f"{self.name}.restoring")

    @property
    def unit(self) -> str:
        """The systemd unit."""
        return f"postgresql@{self.version}-{self.name}.service"

    @property
    def log(self) -> Path:
        """Its own log."""
        return Path(f"/var/log/postgresql/postgresql-{self.version}-{self.name}.log")

    @property
    def tablespaces(self) -> Path:
        """Where the tablespaces of a restored cluster are."""
        return self.data.with_name(f"{self.name}.tablespaces")

    def program(self, name: str) -> Path:
        """Return a program of its version."""
        return Path("/usr/lib/postgresql", self.version, "bin", name)

    def exists(self) -> bool:
        """Tell whether Debian knows it."""
        return (self.configuration / "postgresql.conf").exists()

    def port(self) -> str:
        """Return its port.

        Raises:
            Problem: its settings name none.
        """
        text = (self.configuration / "postgresql.conf").read_text(encoding="utf-8")
        found = re.findall(r"^port\s*=\s*(\d+)", text, re.MULTILINE)
        if not found:
            raise Problem(f"{self.configuration}/postgresql.conf names no port.")
        return str(found[-1])

    def is_running(self) -> bool:
        """Tell whether its server is there."""
        return run([self.program("pg_ctl"), "status", "-D", self.data], user=USER, cwd=Path("/")).returncode == 0

    def ask(self, sql: str, database: str = "postgres") -> str:
        """Return what the server answers to its administrator.

        Raises:
            Problem: it does not.
        """
        command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-p", self.port(), "-d", database, "-c", sql]
        return run_or_fail(command, f"PostgreSQL {self.version}/{self.name} does not answer", user=USER).strip()

    def start(self) -> None:
        """Start it.

        Raises:
            Problem: it does not start; with its log.
        """
        if run(["systemctl", "start", self.unit], timeout=DAY).returncode != 0:
            raise Problem(f"PostgreSQL {self.version}/{self.name} does not start:\n{self.last_words()}")

    def stop(self) -> None:
        """Stop it.

        Raises:
            Problem: it does not stop.
        """
        run_or_fail(["systemctl", "stop", self.unit], f"{self.unit} does not stop", timeout=DAY)

    def last_words(self) -> str:
        """Return the end of its log."""
        return tail(self.log.read_text(encoding="utf-8", errors="replace"), 12) if self.log.exists() else ""

    def wait(self, sql: str, answer: str) -> None:
        """Wait until the server gives that answer, however long it takes while it is there and recovers.

        Raises:
            Problem: it ended before, or paused, as nothing told it to; with its log.
        """
        command = ["psql", "-XAtq", "-p", self.port(), "-d", "postgres", "-c"]
        while run([*command, sql], user=USER, cwd=Path("/")).stdout.strip() != answer:
            if not self.is_running():
                raise Problem(f"PostgreSQL {self.version}/{self.name} ended while it recovered:\n{self.last_words()}")
            if sql != PAUSED and run([*command, PAUSED], user=USER, cwd=Path("/")).stdout.strip() == "paused":
                raise Problem(
                    f"PostgreSQL {self.version}/{self.name} paused while it recovered:\n{self.last_words()}\nA setting "
                    "that is too low there has to be raised for the live server. Then type the same again."
                )
            time.sleep(0.2)

    def controlled(self) -> str:
        """Return what pg_controldata prints.

        Raises:
            Problem: there is no cluster.
        """
        failure = f"{self.data} is no data directory"
        return run_or_fail([self.program("pg_controldata"), "-D", self.data], failure, user=USER)

    def require_absent(self) -> None:
        """Refuse to take the place of a cluster, but not of what another restore left half-made.

        Raises:
            Problem: there is one of that name.
        """
        if not self.draft.exists() and (self.data.exists() or self.configuration.exists()):
            raise Problem(
                f"There is a cluster {self.version}/{self.name} already. If it is not needed, remove it on the host: "
                f"sudo pg_dropcluster --stop {self.version} {self.name}\nOr restore to another: -e restore_name=again"
            )

    def require_programs(self) -> None:
        """Refuse to restore what no server on the host could start, as from before an upgrade.

        Raises:
            Problem: its version is not installed.
        """
        if not self.program("postgres").exists():
            raise Problem(
                f"That second is in a backup of PostgreSQL {self.version}, which is not installed on this host. Type "
                f"there: apt-get install postgresql-{self.version}   Then type the same again."
            )

    def begin(self) -> None:
        """Make place for a restore: remove what another one left half-made, and nothing else.

        Raises:
            Problem: there is a cluster of that name.
        """
        self.require_absent()
        if not self.data.parent.exists():
            self.data.parent.mkdir()
            shutil.chown(self.data.parent, USER, USER)
        self.draft.touch()
        self.clear()

    def clear(self) -> None:
        """Remove a cluster that a restore made or began, with its data.

        Raises:
            Problem: its server does not stop.
        """
        run(["systemctl", "stop", self.unit], timeout=DAY)
        if self.data.exists() and self.is_running():
            failure = f"{self.version}/{self.name} does not stop"
            run_or_fail([self.program("pg_ctl"), "stop", "-m", "immediate", "-D", self.data], failure, user=USER)
        for path in (self.tablespaces, self.data, self.configuration):
            if path.exists():
                shutil.rmtree(path)
        self.log.unlink(missing_ok=True)
        run(["systemctl", "reset-failed", self.unit])

    def remove(self) -> None:
        """Remove a cluster that `begin` made place for."""
        self.clear()
        self.draft.unlink()


def live() -> Cluster:
    """Return the cluster that is backed up.

    Raises:
        Problem: backups are not set up.
    """
    if not CONFIGURATION.exists():
        raise Problem(OFF)
    text = CONFIGURATION.read_text(encoding="utf-8")
    match = re.search(r"^\[(\w+)\]\npg1-path=(\S+/(\d+)/\S+)$", text, re.MULTILINE)
    if not match:
        raise Problem(f"{CONFIGURATION} names no cluster. Provision again.")
    return Cluster(match[3], match[1], Path(match[2]))


def siblings(cluster: Cluster) -> list[Cluster]:
    """Return the clusters of that name of other versions that the host has, with their programs."""
    found = [Cluster(path.parts[-2], path.name, path) for path in cluster.data.parents[1].glob(f"*/{cluster.name}")]
    return [each for each in found if each.version != cluster.version and each.program("pg_controldata").exists()]


def full() -> str:
    """Return a line that says so if the repository is a directory that has no space left; else nothing."""
    match = re.search(r"^repo1-path=(\S+)$", CONFIGURATION.read_text(encoding="utf-8"), re.MULTILINE)
    return servers.full(Path(match[1])) if match else ""


def take(kind: str = "diff") -> str:
    """Take a backup of that kind as the timers do, and return what is wrong, or nothing."""
    return servers.start_unit(UNIT.replace("@", f"@{kind}"), full)


def pgbackrest(cluster: Cluster, *arguments: str, failure: str, keep: int | None = None) -> str:
    """Run pgBackRest on the stanza of a cluster, as the server's user, and return what it printed.

    Raises:
        Problem: it failed.
    """
    command = ["pgbackrest", f"--stanza={cluster.name}", *arguments]
    return run_or_fail(command, failure, user=USER, cwd=Path("/"), timeout=DAY, keep=keep)


def listed(cluster: Cluster) -> list[backups.Backup]:
    """Return the backups of a cluster, the oldest first.

    Raises:
        Problem: the repository cannot be read.
    """
    text = pgbackrest(cluster, "info", "--output=json", failure="The repository cannot be read")
    return backups.read_info(text, cluster.name)


def timeline_at(cluster: Cluster, backup: backups.Backup, second: float) -> str:
    """Return which timeline leads from a backup to a second, as pgBackRest names it.

    PostgreSQL's own choice is the newest one: a backup need not lie on that, nor all that was committed until then.

    Raises:
        Problem: the repository cannot be read.
    """
    place = f"archive/{cluster.name}/{backup.archive}"
    failure = "The repository cannot be read"
    listed = pgbackrest(cluster, "repo-ls", place, "--output=json", failure=failure)
    then = backups.timeline_at(listed, second)
    return str(then) if then > backup.timeline else "current"


def fetch(source: Cluster, target: Cluster, options: Sequence[str], keep: int) -> None:
    """Restore the files of a cluster's backup to an empty directory.

    Args:
        source: whose backup it is.
        target: where to.
        options: which backup, and how far its server is to recover.
        keep: the descriptor of the lock.

    Raises:
        Problem: pgBackRest failed.
    """
    options = [f"--pg1-path={target.data}", f"--tablespace-map-all={target.tablespaces}", *options]
    pgbackrest(source, *options, "restore", failure="The backup cannot be restored", keep=keep)


ALONE = """\
# Made by a restore: the settings of a cluster beside the live one.
listen_addresses = ''
archive_mode = off
"""
ADMINISTRATOR = "local all all peer\n"


def adopt(target: Cluster, live: Cluster) -> None:
    """Make a restored directory a cluster of Debian's, on a port of its own, and start it. It never archives.

    Args:
        target: what is made.
        live: the live one.

    Raises:
        Problem: its server does not start.
    """
    # The log goes on with what was raised since the backup, and recovery would pause there.
    known = [
        run([each.program("pg_controldata"), "-D", each.data], user=USER).stdout for each in (live, *siblings(live))
    ]
    settings = [f"{name} = {value}\n" for name, value in backups.controlled(target.controlled(), *known).items()]
    files = {"postgresql.conf": ALONE + "".join(settings), "pg_hba.conf": ADMINISTRATOR, "pg_ident.conf": ""}
    owner = target.data.stat()
    for name, text in files.items():
        # pg_createcluster moves them to where Debian has them, and adds the port and the paths.
        file = target.data / name
        file.write_text(text, encoding="utf-8")
        os.chown(file, owner.st_uid, owner.st_gid)
        file.chmod(0o640)
    command = ["pg_createcluster", "--start-conf", "manual", "-d", str(target.data), target.version, target.name]
    run_or_fail(command, f"{target.version}/{target.name} cannot be made a cluster")
    target.start()


def bring_up_to_date(cluster: Cluster) -> None:
    """Have everything archived that was committed until now, and a commit after it, by which recovery knows its time.

    Raises:
        Problem: the archive is not reached.
    """
    cluster.ask("SELECT txid_current()")
    pgbackrest(cluster, "check", failure="The write-ahead log does not reach the repository")
