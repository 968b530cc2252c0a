"""What backups and restores do alike with PostgreSQL and MariaDB."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

from ansible_collections.initech.django.plugins.module_utils.alone import taken
from ansible_collections.initech.django.plugins.module_utils.commands import DAY, run
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

PATIENCE = 30
"""How long what a killed restore left running is waited for, in seconds."""

LITTLE = 32 << 20
"""What a repository lacks two pieces of the write-ahead log for, in bytes."""


class Server(Protocol):
    """A database server of a host."""

    @property
    def data(self) -> Path:
        """Its data directory."""

    def is_running(self) -> bool:
        """Tell whether it is there."""

    def start(self) -> None:
        """Start it."""

    def stop(self) -> None:
        """Stop it."""


def full(repository: Path) -> str:
    """Return a line that says so if a repository is a directory that has no space left; else nothing.

    What stores a database's log tells that to the server's log alone; others only see that nothing arrives.
    """
    if not repository.is_dir() or shutil.disk_usage(repository).free > LITTLE:
        return ""
    return f"\nThe repository is full: {repository} has less than {LITTLE >> 20} MB of free space. Make some there."


def require_space(directory: Path, size: int) -> None:
    """Refuse a restore for which there is no space.

    Args:
        directory: on the disk that takes it.
        size: what is restored, in bytes.

    Raises:
        Problem: there is not.
    """
    free = shutil.disk_usage(directory).free
    # Recovery needs some for the log, and others who write there are not to fail.
    needed = size + (256 << 20)
    if free < needed:
        raise Problem(f"{directory} has {free >> 20} MB of free space, and a restore needs {needed >> 20} MB.")


def is_installed(unit: str) -> bool:
    """Tell whether a unit is there. On a host in the place of another one it is not, until that is provisioned."""
    return run(["systemctl", "cat", unit]).returncode == 0


def start_unit(unit: str, full: Callable[[], str]) -> str:
    """Run a unit to its end and return what is wrong, or nothing.

    Args:
        unit: its name.
        full: says so if the repository is full.
    """
    since = f"@{time.time():.3f}"
    started = run(["systemctl", "start", unit], timeout=DAY)
    if started.returncode == 0:
        return ""
    journal = ["journalctl", "--no-pager", "--output=cat", f"--unit={unit}", f"--since={since}", "--lines=15"]
    words = run(journal).stdout.strip()
    if not words:
        return f"{unit} cannot be started: {started.stderr.strip()}\nProvision again."
    return f"{unit} failed, and stands in systemctl --failed:\n{words}{full()}"


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Let one restore at a time work on this host. A child that inherits the descriptor holds it, too.

    Raises:
        Problem: another one is at work.
    """
    with path.open("w", encoding="utf-8") as file:
        deadline = time.monotonic() + PATIENCE
        while not taken(file.fileno()):
            if time.monotonic() > deadline:
                raise Problem("Another restore is at work on this host. Type the same again when it has ended.")
            time.sleep(0.2)
        yield file.fileno()


def stamp() -> str:
    """Return the present second, for the name of what is kept."""
    return f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}"


def told(kept: Path) -> str:
    """Return what is said of what was there before a restore."""
    return f"What was there before is kept in {kept}. When it is not needed: sudo rm -r {kept}"


def keep(path: Path) -> list[str]:
    """Move what is at a place aside, if something is, and return what to say of it, a line or none."""
    if not os.path.lexists(path):
        return []
    kept = path.with_name(f"{path.name}.before-{stamp()}")
    os.rename(path, kept)
    return [told(kept)]


def swap(server: Server, incoming: Path, prepare: Callable[[], None]) -> str:
    """Put a restored data directory in the place of the live one, which is kept, and say where.

    Args:
        server: the live one.
        incoming: the restored directory.
        prepare: waits until the new server is ready, and raises Problem if it never is.

    Raises:
        Problem: the new server does not start. Then the old one is at its place again, and the restored directory is
            kept for a look at it.
    """
    now = stamp()
    kept = server.data.with_name(f"{server.data.name}.before-{now}")
    failed = server.data.with_name(f"{server.data.name}.failed-{now}")
    existed = server.data.exists()
    was_running = existed and server.is_running()
    server.stop()
    try:
        if existed:
            os.rename(server.data, kept)
        os.rename(incoming, server.data)
        server.start()
        prepare()
    except (Problem, OSError) as error:
        server.stop()
        # Where the live directory could not be moved, as one that something is mounted on, it still is what it was.
        if not incoming.exists():
            os.rename(server.data, failed)
        if kept.exists():
            os.rename(kept, server.data)
        if was_running:
            server.start()
        back = "The database is again what it was before." if existed else "There was no database before."
        lies = incoming if incoming.exists() else failed
        raise Problem(f"{error}\n{back} What was restored lies in {lies}.") from None
    if not existed:
        return ""
    return told(kept)
