"""Servers of MariaDB on a host, the live one and those that a restore makes beside it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.initech.django.plugins.module_utils import backups, servers, snapshots
from ansible_collections.initech.django.plugins.module_utils.commands import DAY, pipe, run, run_or_fail, tail
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.restic import Repository

USER = "mysql"
LOCK = Path("/run/initech-mysql-restore.lock")
PLACE = Path("/etc/initech-mysql-backup")
REPOSITORY = Repository(PLACE / "restic", "MariaDB")
UNIT = "initech-mysql-backup@.service"
WHOLE = "/base.mbstream"
"""What restic calls a whole backup, which it reads from a pipe."""

OWN = frozenset({"information_schema", "mysql", "performance_schema", "sys"})
"""The databases that every server has."""


@dataclass(frozen=True)
class Server:
    """One of them.

    Attributes:
        name: of the one beside the live one; empty for that.
        data: its data directory.
        socket: where it listens.
        unit: the systemd unit.
    """

    name: str
    data: Path
    socket: Path
    unit: str

    @property
    def draft(self) -> Path:
        """Is there while a restore makes the server: what it finds half-made it may remove."""
        return self.data.with_name(f"{self.data.name}.restoring")

    @property
    def logs(self) -> Path:
        """Where the files of the binary log are while a restore reads them."""
        return self.data.with_name(f"{self.data.name}.binlogs")

    def is_running(self) -> bool:
        """Tell whether it is there."""
        return run(["systemctl", "is-active", self.unit]).stdout.strip() == "active"

    def ask(self, sql: str) -> str:
        """Return what it answers to its administrator: a row a line, with tabs between values.

        Raises:
            Problem: it does not.
        """
        command = ["mariadb", f"--socket={self.socket}", "--batch", "--skip-column-names", "--raw", "--execute", sql]
        return run_or_fail(command, f"{self} does not answer").strip()

    def databases(self) -> list[str]:
        """Return the databases that it holds, also where it is not running, but for its own."""
        if self.is_running():
            names = self.ask("SHOW DATABASES").splitlines()
        else:
            names = [path.name for path in self.data.iterdir() if path.is_dir()] if self.data.exists() else []
        return sorted(name for name in names if name not in OWN)

    def start(self) -> None:
        """Start it.

        Raises:
            Problem: it does not start; with its last words.
        """
        if run(["systemctl", "start", self.unit], timeout=DAY).returncode != 0:
            words = run(["journalctl", "--no-pager", "--output=cat", f"--unit={self.unit}", "--lines=15"]).stdout
            raise Problem(f"{self} does not start:\n{tail(words, 12)}")

    def stop(self) -> None:
        """Stop it.

        Raises:
            Problem: it does not stop.
        """
        run_or_fail(["systemctl", "stop", self.unit], f"{self.unit} does not stop", timeout=DAY)

    def require_absent(self) -> None:
        """Refuse to take the place of a server, but not of what another restore left half-made.

        Raises:
            Problem: there is one of that name.
        """
        if not self.draft.exists() and self.data.exists():
            raise Problem(
                f"There is a restored server {self.name} already. If it is not needed, remove it on the host: "
                f"{self.removal}\nOr restore to another: -e restore_name=again"
            )

    @property
    def removal(self) -> str:
        """What removes it, to be typed."""
        return f"sudo sh -c 'systemctl stop {self.unit} && rm -r {self.data}'"

    def begin(self) -> None:
        """Make place for a restore: remove what another one left half-made, and nothing else.

        Raises:
            Problem: there is a server of that name.
        """
        self.require_absent()
        self.draft.touch()
        self.clear()
        self.data.mkdir(mode=0o700)
        shutil.chown(self.data, USER, USER)

    def clear(self) -> None:
        """Remove what a restore made or began, with its data.

        Raises:
            Problem: its server does not stop.
        """
        self.stop()
        run(["systemctl", "reset-failed", self.unit])
        for path in (self.data, self.logs):
            if path.exists():
                shutil.rmtree(path)

    def remove(self) -> None:
        """Remove what `begin` made place for."""
        self.clear()
        self.draft.unlink()

    def __str__(self) -> str:
        """Return what messages call it."""
        return f"MariaDB's restored server {self.name}" if self.name else "MariaDB"


LIVE = Server("", Path("/var/lib/mysql"), Path("/run/mysqld/mysqld.sock"), "mariadb.service")


def beside(name: str) -> Server:
    """Return the server of that name beside the live one."""
    socket = Path(f"/run/initech-mariadb-{name}/mysqld.sock")
    return Server(name, LIVE.data.with_name(f"mysql-{name}"), socket, f"initech-mariadb@{name}.service")


def stored() -> tuple[list[backups.Backup], list[snapshots.Log]]:
    """Return the whole backups and the binary logs of the repository, the oldest first.

    Raises:
        Problem: it cannot be read.
    """
    return snapshots.read(REPOSITORY.snapshots())


def data() -> str:
    """Return which data the live server has, as the program that stores them says it.

    Raises:
        Problem: it has none.
    """
    return run_or_fail([PLACE / "store", "data"], f"There are no data in {LIVE.data}").strip()


def take() -> str:
    """Take a whole backup as the timer does, of which restic stores what is new; return what is wrong, or nothing."""
    return servers.start_unit(UNIT.replace("@", "@whole"), REPOSITORY.full)


def bring_up_to_date() -> None:
    """Have the binary log stored with everything that was committed until now.

    Raises:
        Problem: it cannot be.
    """
    run_or_fail([PLACE / "store", "log"], "The binary log does not reach the repository", timeout=DAY)


def require_space(backup: backups.Backup) -> None:
    """Refuse a restore for which there is no space.

    Raises:
        Problem: there is not.
    """
    listed = backups.entries(REPOSITORY.run("--json", "--no-lock", "ls", backup.label))
    servers.require_space(LIVE.data.parent, listed.get(WHOLE, 0))


def fetch(target: Server, backup: backups.Backup, keep: int) -> tuple[str, int]:
    """Restore the files of a backup to an empty directory, and make them whole.

    Args:
        target: where to.
        backup: which.
        keep: the descriptor of the lock.

    Returns:
        At which file and place of the binary log it was taken.

    Raises:
        Problem: that failed.
    """
    failure = f"Backup {backup.label} cannot be restored"
    source: list[str | Path] = [REPOSITORY.program, "--no-lock", "dump", backup.label, WHOLE]
    pipe(source, ["mbstream", "--extract", f"--directory={target.data}"], failure, user=USER, keep=keep)
    prepare = ["mariadb-backup", "--prepare", f"--target-dir={target.data}"]
    run_or_fail(prepare, failure, user=USER, cwd=Path("/"), timeout=DAY, keep=keep)
    # The second name is that of versions before 11.
    names = [target.data / name for name in ("mariadb_backup_binlog_info", "xtrabackup_binlog_info")]
    return snapshots.position("".join(path.read_text(encoding="utf-8") for path in names if path.exists()))


@dataclass(frozen=True)
class End:
    """How far the binary log is done again.

    Attributes:
        second: it stops before the first event of that second, which is since 1970; None goes on.
        place: the file and the place in it where it stops.
    """

    second: float | None = None
    place: tuple[str, int] | None = None

    def options(self, files: Sequence[str]) -> list[str]:
        """Return what mariadb-binlog is told, which reads these files."""
        if self.second is not None:
            return [f"--stop-datetime={datetime.fromtimestamp(self.second, timezone.utc):%Y-%m-%d %H:%M:%S}"]
        return [f"--stop-position={self.place[1]}"] if self.place and self.place[0] == files[-1] else []


def replay(target: Server, log: snapshots.Log, start: tuple[str, int], end: End, keep: int) -> None:
    """Have a restored server do again what the binary log says.

    Args:
        target: the server, which is running.
        log: what is stored of the log.
        start: the file and the place where it begins.
        end: where it ends.
        keep: the descriptor of the lock.

    Raises:
        Problem: that failed.
    """
    paths = {Path(path).name: path for path in backups.entries(REPOSITORY.run("--json", "--no-lock", "ls", log.label))}
    names = [name for name in paths if snapshots.FILE.fullmatch(name)]
    files = snapshots.needed(names, start[0], end.place[0] if end.place else "")
    includes = [part for name in files for part in ("--include", paths[name])]
    failure = "The binary log cannot be restored"
    if target.logs.exists():
        shutil.rmtree(target.logs)
    REPOSITORY.run("--no-lock", "restore", log.label, "--target", target.logs, *includes, failure=failure)
    source = ["mariadb-binlog", f"--start-position={start[1]}", *end.options(files)]
    reader = ["mariadb", f"--socket={target.socket}", "--binary-mode"]
    # The times that it is told are those of this zone.
    zone = {"TZ": "UTC"}
    source += [f"{target.logs}{paths[name]}" for name in files]
    pipe(source, reader, failure, keep=keep, environment=zone)
    shutil.rmtree(target.logs)


def wait_until_there(server: Server) -> None:
    """Wait until a server answers that was just started.

    Raises:
        Problem: it ended before.
    """
    while run(["mariadb-admin", f"--socket={server.socket}", "ping"]).returncode != 0:
        if not server.is_running():
            raise Problem(f"{server} ended.")
        time.sleep(0.2)
