"""What happened to releases on a host, and what follows from it."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

LIVE = "live"
FAILED = "failed"


@dataclass(frozen=True)
class Event:
    """A release went live, or did not answer."""

    release: str
    event: str
    at: str


def record(path: Path, release: str, event: str) -> None:
    """Add an event. One write of one line: whoever is killed leaves a whole line or none.

    A full disk can leave a part of one. That part is never read, and gets a line of its own.
    """
    line = json.dumps(asdict(Event(release, event, datetime.now(timezone.utc).isoformat(timespec="seconds"))))
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        is_cut_off = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, ("\n" * is_cut_off + f"{line}\n").encode())
    finally:
        os.close(descriptor)


def read(path: Path) -> list[Event]:
    """Return all events, oldest first."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [Event(**json.loads(line)) for line in lines if line.endswith("}")]


def good(events: Sequence[Event]) -> set[str]:
    """Return the releases that were live and have not failed since."""
    last = {event.release: event.event for event in events}
    return {release for release, event in last.items() if event == LIVE}


def rollback_target(complete: Collection[str], live: str | None, events: Sequence[Event]) -> str | None:
    """Return the newest good release older than the live one, or None. Ids sort by age."""
    usable = good(events) & set(complete)
    return max((release for release in usable if live is None or release < live), default=None)


def to_keep(complete: Collection[str], live: str | None, events: Sequence[Event], keep: int) -> set[str]:
    """Return the releases that stay: the live one, and the newest good ones up to `keep` in all."""
    usable = sorted((good(events) & set(complete)) - {live or ""}, reverse=True)
    kept = {live} if live else set()
    return kept | set(usable[: max(keep - len(kept), 0)])
