"""What happened to releases on a host, and what follows from it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible_collections.initech.django.plugins.module_utils.lease import Claim
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

BEGUN = "begun"
STAGED = "staged"
PROVED = "proved"
MIGRATED = "migrated"
STARTED = "started"
LIVE = "live"
DRAINED = "drained"
FINISHED = "finished"
FAILED = "failed"

LONGEST_MESSAGE = 200


@dataclass(frozen=True)
class Event:
    """Something that happened to a release; `live` and `failed` decide whether it is good.

    Attributes:
        release: its id.
        event: what happened.
        at: when, as ISO 8601 in UTC.
        run: the deploy or rollback that did it; empty where a step was called by itself.
        kind: `deploy` or `rollback`.
        version: what was deployed.
        owner: by whom.
        controller: from where.
        seconds: how long that step took; None where it only marks a moment.
        step: which step failed.
        message: why, in one line.
        migrations: what was applied.
        backup: the label of the backup that was taken before.
    """

    release: str
    event: str
    at: str
    run: str = ""
    kind: str = ""
    version: str = ""
    owner: str = ""
    controller: str = ""
    seconds: float | None = None
    step: str = ""
    message: str = ""
    migrations: Sequence[str] = ()
    backup: str = ""


def record(path: Path, release: str, event: str, claim: Claim | None = None, **details: Any) -> None:
    """Add an event. One write of one line: whoever is killed leaves a whole line or none.

    A full disk can leave a part of one. That part is never read, and gets a line of its own.

    Args:
        path: of the history.
        release: the id of the release.
        event: what happened to it.
        claim: whose doing it was.
        details: further attributes of `Event`.
    """
    at = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    if claim:
        details.update(run=claim.run, kind=claim.kind, version=claim.version)
        details.update(owner=claim.owner, controller=claim.controller)
    entry = asdict(Event(release, event, at, **details))
    line = json.dumps({name: value for name, value in entry.items() if value not in ("", None, (), [])})
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        is_cut_off = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, ("\n" * is_cut_off + f"{line}\n").encode())
    finally:
        os.close(descriptor)


@contextmanager
def failures(path: Path, release: str, step: str, claim: Claim | None) -> Iterator[None]:
    """Record that a release failed in a step, if it does, and by which message: its first line alone, and no output."""
    try:
        yield
    except Problem as problem:
        if claim:
            message = str(problem).partition("\n")[0].rstrip(":")[:LONGEST_MESSAGE]
            record(path, release, FAILED, claim, step=step, message=message)
        raise


@contextmanager
def steps(path: Path, release: str, step: str, event: str, claim: Claim | None) -> Iterator[dict[str, Any]]:
    """Record a step that is done under a lease, with how long it took, or that it failed.

    What is put into the dictionary goes into the event. A step that is called by itself is not recorded.
    """
    began, details = time.monotonic(), dict[str, Any]()
    with failures(path, release, step, claim):
        yield details
    if claim:
        record(path, release, event, claim, seconds=round(time.monotonic() - began, 1), **details)


def read(path: Path) -> list[Event]:
    """Return all events, oldest first. A line that is none, as a crash of the host may leave one, costs no other."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [event for event in map(_event, lines) if event]


def _event(line: str) -> Event | None:
    """Return the event that a line tells of, or None where it tells of none."""
    names = {field.name for field in fields(Event)}
    try:
        return Event(**{name: value for name, value in json.loads(line).items() if name in names})
    except (ValueError, TypeError, AttributeError):
        return None


def good(events: Sequence[Event]) -> set[str]:
    """Return the releases that were live and have not failed since."""
    last = {event.release: event.event for event in events if event.event in (LIVE, FAILED)}
    return {release for release, event in last.items() if event == LIVE}


def live_since(release: str, events: Sequence[Event]) -> datetime | None:
    """Return when a release that is live went live for the last time, or None where nobody recorded it."""
    found = [event.at for event in events if (event.release, event.event) == (release, LIVE)]
    return datetime.fromisoformat(found[-1]) if found else None


def by_age(events: Sequence[Event]) -> list[str]:
    """Return the releases as they came to this host, oldest first.

    Their ids do not tell: they hold the time of the controller that made them, whose clock may be wrong.
    """
    return list(dict.fromkeys(event.release for event in events))


def rollback_target(complete: Collection[str], live: str | None, events: Sequence[Event]) -> str | None:
    """Return the newest good release older than the live one, or None."""
    usable = good(events) & set(complete)
    known = by_age(events)
    older = known[: known.index(live)] if live in known else known
    return next((release for release in reversed(older) if release in usable and release != live), None)


def chosen_target(asked: str, complete: Collection[str], live: str | None, events: Sequence[Event], again: str) -> str:
    """Return the release that a rollback goes to.

    Args:
        asked: for which; empty for `rollback_target`.
        complete: the complete releases of the host.
        live: the live one.
        events: the history.
        again: what to type to deploy instead.

    Raises:
        Problem: there is none, or the one that was asked for is no good.
    """
    found = asked or rollback_target(complete, live, events)
    if not found:
        raise Problem(f"It has no good release older than the live one ({live or 'none'}). {again}")
    usable = sorted((good(events) & set(complete)) - {live or ""})
    others = f"Good ones are here: {', '.join(usable)}." if usable else "No other good one is here."
    if found not in complete:
        raise Problem(f"Release {found} is not here, or was never complete. {others} {again}")
    if found != live and found not in good(events):
        reasons = [event.message for event in events if (event.release, event.event) == (found, FAILED)]
        why = ": ".join(filter(None, ["failed", reasons[-1]])) if reasons else "was never live"
        raise Problem(f"Release {found} is no good: it {why}. {others} {again}")
    return found


def prepared(complete: Collection[str], events: Sequence[Event]) -> set[str]:
    """Return the newest release, if it was prepared and has neither gone live nor failed; else nothing."""
    newest = by_age(events)[-1:]
    happened = {event.event for event in events if event.release in newest}
    is_prepared = PROVED in happened and happened.isdisjoint((LIVE, FAILED))
    return set(newest).intersection(complete) if is_prepared else set()


def to_keep(complete: Collection[str], live: str | None, events: Sequence[Event], keep: int) -> set[str]:
    """Return the releases that stay: the live one, the newest good ones up to `keep` in all, and what is prepared.

    The next release that is made takes the virtualenv of what is prepared, and its place.
    """
    good_ones = (good(events) & set(complete)) - {live or ""}
    usable = [release for release in reversed(by_age(events)) if release in good_ones]
    kept = {live} if live else set()
    return kept | set(usable[: max(keep - len(kept), 0)]) | prepared(complete, events)
