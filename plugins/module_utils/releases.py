"""What hosts know of their releases, as tables for people."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ansible_collections.initech.django.plugins.module_utils.history import (
    BEGUN,
    DRAINED,
    FAILED,
    FINISHED,
    LIVE,
    MIGRATED,
    PROVED,
    STAGED,
    STARTED,
    Event,
    good,
    rollback_target,
    to_keep,
)

NAMES = {STAGED: "stage", PROVED: "prove", MIGRATED: "migrate", STARTED: "start", DRAINED: "drain"}
STOPPED = {
    BEGUN: "while it was staged",
    STAGED: "before it was proved",
    PROVED: "before it was started",
    MIGRATED: "after it had migrated the database",
    STARTED: "before it went live",
}
SHOWN = 10
"""How many migrations of a deploy are shown. The first one of a big project has hundreds."""
COLUMNS = ("release", "state", "when (UTC)", "by", "version", "outcome")


@dataclass(frozen=True)
class OnHost:
    """What lies on a host.

    Attributes:
        releases: the ids of all directories of releases.
        complete: those that are complete.
        live: that which the link leads to.
        under_way: the runs that have the lease, or wait for it.
    """

    releases: Collection[str]
    complete: Collection[str]
    live: str | None
    under_way: Collection[str]


def runs(events: Iterable[Event]) -> list[list[Event]]:
    """Return the events of each deploy and rollback, oldest first. One that is of none stands alone."""
    found: dict[str, list[Event]] = {}
    for number, event in enumerate(events):
        found.setdefault(event.run or str(number), []).append(event)
    return list(found.values())


def _seconds(events: Sequence[Event]) -> dict[str, float]:
    """Return how long each step of a run took. Staging is many tasks, and lasts since the begin."""
    begun = next((event.at for event in events if event.event == BEGUN), None)
    found = {}
    for event in events:
        if event.event == STAGED and begun:
            found["stage"] = _between(begun, event.at)
        elif event.event in NAMES and event.seconds is not None:
            found[NAMES[event.event]] = event.seconds
    return found


def _between(first: str, last: str) -> float:
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


def outcome(events: Sequence[Event], is_under_way: bool) -> str:
    """Return how a run ended, in one line."""
    last, seen = events[-1], {event.event for event in events}
    failed = next((event for event in events if event.event == FAILED), None)
    if failed:
        return f"failed at {failed.step}: {failed.message}" if failed.step else "failed"
    if is_under_way:
        return f"under way: {last.event}"
    steps = ", ".join(f"{name} {seconds:.1f}" for name, seconds in _seconds(events).items())
    lives = [event.release for event in events if event.event == LIVE]
    if not lives:
        is_asked_for = FINISHED in seen
        stopped = f"stopped {STOPPED.get(last.event, 'before it began')}"
        return f"ended before the switch, as asked: {steps}" if is_asked_for else stopped
    return _went_live(events, lives[-1], steps) if last.run else "went live"


def _went_live(events: Sequence[Event], live: str, steps: str) -> str:
    """Return how a run ended that had a release go live: well, or stopped, or back since another host could not."""
    first, last = events[0], events[-1]
    if live != first.release:
        return f"went live, and back to {live}"
    did = "rolled back" if last.kind == "rollback" else "deployed"
    took = f"{did} in {_between(first.at, last.at):.1f} s: {steps}"
    is_finished = last.kind == "rollback" or any(event.event == FINISHED for event in events)
    return took if is_finished else f"{took}; stopped before its end"


def state(release: str, on_host: OnHost, events: Sequence[Event], keep: int) -> str:
    """Return what a release is now: live, previous, kept, prunable, bad or gone.

    Args:
        release: its id.
        on_host: what lies there.
        events: the whole history.
        keep: how many releases stay.
    """
    if release == on_host.live:
        return "live"
    if any(event.release == release and event.event == FAILED for event in events) and release not in good(events):
        return "bad"
    if release not in on_host.releases:
        return "gone"
    if release == rollback_target(on_host.complete, on_host.live, events):
        return "previous"
    return "kept" if release in to_keep(on_host.complete, on_host.live, events, keep) else "prunable"


def rows(events: Sequence[Event], on_host: OnHost, keep: int, count: int) -> list[dict[str, Any]]:
    """Return the last deploys and rollbacks of a host, newest first.

    Args:
        events: its whole history.
        on_host: what lies there.
        keep: how many releases stay.
        count: how many to return.
    """
    versions = {event.release: event.version for event in events if (event.kind, event.event) == ("deploy", LIVE)}
    known: set[str] = set()
    found = []
    for run in reversed(runs(events)):
        first = run[0]
        # Its state is said once, beside what was done last with it.
        now = "" if first.release in known else state(first.release, on_host, events, keep)
        known.add(first.release)
        migrated = next((event for event in run if event.event == MIGRATED), None)
        row = {
            "release": first.release,
            "state": now,
            "when": f"{datetime.fromisoformat(first.at).astimezone(timezone.utc):%Y-%m-%d %H:%M:%S}",
            "by": f"{first.owner} at {first.controller}" if first.owner else "",
            "version": versions.get(first.release, "") if first.kind == "rollback" else first.version,
            "outcome": outcome(run, first.run in on_host.under_way),
            "migrations": list(migrated.migrations) if migrated else [],
            "backup": migrated.backup if migrated else "",
        }
        found.append(row)
    return found[:count]


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]) - 1)]
    return ["  ".join([*(cell.ljust(width) for cell, width in zip(line, widths)), line[-1]]).rstrip() for line in lines]


def table(history: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the rows of a host as lines of aligned columns, each with its migrations below it."""
    if not history:
        return ["nothing was deployed yet"]
    cells = [[str(row[name.partition(" ")[0]]) for name in COLUMNS] for row in history]
    head, *lines = _aligned([COLUMNS, *cells])
    found = [head]
    for row, line in zip(history, lines):
        found.append(line)
        if row["migrations"]:
            backup = f"; backup before: {row['backup']}" if row["backup"] else ""
            names, rest = row["migrations"][:SHOWN], len(row["migrations"][SHOWN:])
            found.append(f"  migrated: {', '.join(names)}{f', and {rest} more' if rest else ''}{backup}")
    return found


def certificate_line(begin: str, end: str, now: datetime) -> str:
    """Return how old the certificate of a site is, and when it ends, in a line.

    Args:
        begin: as openssl prints it, for example `Nov 26 09:13:26 2026 GMT`.
        end: the same.
        now: the time.
    """
    first, last = (
        datetime.strptime(text, "%b %d %H:%M:%S %Y %Z").replace(tzinfo=timezone.utc) for text in (begin, end)
    )
    age = f"certificate {(now - first).days} days old"
    return (
        f"{age}, ended on {last:%Y-%m-%d}" if last <= now else f"{age}, ends in {(last - now).days}, on {last:%Y-%m-%d}"
    )


def comparison(live: Mapping[str, str]) -> list[str]:
    """Return which hosts differ in what is live; nothing for a single host.

    Args:
        live: by host, the id of the live release, or an empty text.
    """
    groups: dict[str, list[str]] = {}
    for host, release in live.items():
        groups.setdefault(release, []).append(host)
    if len(live) < 2:
        return []
    if len(groups) == 1:
        return [f"All {len(live)} hosts: {next(iter(groups)) or 'nothing'} is live."]
    by_number = sorted(groups.items(), key=lambda group: -len(group[1]))
    return ["The hosts differ:", *(f"  {', '.join(hosts)}: {release or 'nothing'}" for release, hosts in by_number)]


def report(hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the tables of all hosts, and who differs.

    Args:
        hosts: by name, `app`, `live`, `history` and `certificate` of each.
    """
    lines: list[str] = []
    for host, known in hosts.items():
        lines += [f"{known['app']} on {host}", *table(known["history"])]
        lines += [known["certificate"], ""] if known.get("certificate") else [""]
    apps = {known["app"] for known in hosts.values()}
    for app in sorted(apps):
        lines += comparison({host: known["live"] for host, known in hosts.items() if known["app"] == app})
    return lines if lines[-1] else lines[:-1]
