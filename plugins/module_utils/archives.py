"""What the controller packs for hosts: made once, kept for the next run, removed when it was not used for long."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ansible_collections.initech.django.plugins.module_utils.alone import alone

IN_USE_SECONDS = 3600
KEPT = 10


def provide(archive: Path, write: Callable[[Path, int], object]) -> Path:
    """Return an archive, made now if it is not there. It is there whole or not at all, whoever else packs just now.

    Args:
        archive: its path, in a directory of such alone. Its name says what is in it.
        write: writes it to a path; what it starts inherits a descriptor.
    """
    archive.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with alone(archive.parent) as lock:
        if archive.exists():
            archive.touch()  # the oldest by use are the first to go
        else:
            _forget_old(archive.parent)
            draft = archive.with_name("draft")
            try:
                write(draft, lock)
                draft.replace(archive)
            finally:
                draft.unlink(missing_ok=True)
    return archive


def _forget_old(directory: Path) -> None:
    """Remove all archives but the ten that were used last, and those that a run may still have to send."""
    used = {archive: archive.stat().st_mtime for archive in directory.glob("*.tar")}
    for archive in sorted(used, key=used.__getitem__)[:-KEPT]:
        if time.time() - used[archive] > IN_USE_SECONDS:
            archive.unlink()
