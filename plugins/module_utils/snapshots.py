"""Judge which snapshots of restic a MariaDB server is restored from: whole backups, and its binary log."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.initech.django.plugins.module_utils import backups
from ansible_collections.initech.django.plugins.module_utils.backups import Backup
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

FILE = re.compile(r"binlog\.\d+")
"""How the files of the binary log are called."""


@dataclass(frozen=True)
class Log:
    """What was stored of the binary log at one time.

    Attributes:
        label: its name in the repository.
        until: everything that was committed until then is in it, in seconds since 1970.
        data: which data the server had: the file that is made once with it, by its number and birth. Other data, as
            after a restore, has a log of its own, whose files are called alike.
    """

    label: str
    until: int
    data: str


@dataclass(frozen=True)
class Plan:
    """From what a restore is made.

    Attributes:
        backup: the whole backup that it begins with.
        log: what it goes on with; None where nothing was committed since.
    """

    backup: Backup
    log: Log | None


def read(text: str) -> tuple[list[Backup], list[Log]]:
    """Return the whole backups and the logs that `restic snapshots --json` lists, the oldest first.

    What has no such tag was not completed.
    """
    wholes, logs = [], []
    for each in json.loads(text) or ():
        tags = dict(tag.partition("=")[::2] for tag in each.get("tags") or ())
        if {"base", "stop", "data"} <= tags.keys():
            start = int(backups.seconds_of(each["time"]))
            wholes.append(Backup(each["short_id"], "full", start, int(tags["stop"]), 0, data=tags["data"]))
        if {"log", "until", "data"} <= tags.keys():
            logs.append(Log(each["short_id"], int(tags["until"]), tags["data"]))
    return sorted(wholes, key=lambda each: each.stop), sorted(logs, key=lambda each: each.until)


def plan(wholes: Sequence[Backup], logs: Sequence[Log], target: float | None, now: float) -> Plan:
    """Return what a restore is made from.

    Args:
        wholes: the oldest first.
        logs: the oldest first.
        target: the second to restore to; None is the newest.
        now: seconds since 1970.

    Raises:
        Problem: nothing will do.
    """
    whole = backups.choose(wholes, target, now)
    mine = [log for log in logs if log.data == whole.data]
    if target is not None:
        # The server may have got other data in between, of which no backup had been taken at that second.
        last = max(whole.stop, *(log.until for log in mine)) if mine else whole.stop
        others = [log.until for log in logs if log.data != whole.data and last < log.until <= target]
        if others:
            later = [each.stop for each in wholes if each.stop >= target]
            hint = f"The next second that can be restored is {backups.utc(later[0] + 1)}. " if later else ""
            raise Problem(
                f"restore_time, {backups.utc(target)}, is after the server got other data, as a restore gives it, at "
                f"{backups.utc(min(others))} at the latest, and before a backup of that. {hint}"
                f"What was before can be restored until {backups.utc(last)}."
            )
        mine = [log for log in mine if log.until >= target][:1] or mine
    newest = mine[-1] if mine and mine[-1].until >= whole.stop else None
    return Plan(whole, newest)


def position(text: str) -> tuple[str, int]:
    """Return the file and the place of the binary log at which a backup was taken, from what mariadb-backup wrote.

    Raises:
        Problem: it does not say, since the server wrote none.
    """
    words = text.split()
    if len(words) < 2 or not words[1].isdigit():
        raise Problem("The backup does not say where in the binary log it was taken: the server wrote none then.")
    return words[0], int(words[1])


def needed(names: Sequence[str], first: str, last: str = "") -> list[str]:
    """Return the files of a binary log from a certain one on, in their order.

    Args:
        names: all that are stored.
        first: the one that it begins with.
        last: the one that it ends with, if that is stored: the one that the server just writes is not.

    Raises:
        Problem: the first one is lacking.
    """
    if first not in names:
        raise Problem(
            f"The stored binary log lacks {first}, with which the restore goes on. Choose a restore_time that is "
            "closer to a backup."
        )
    end = number(last) if last in names else max(map(number, names))
    # After .999999 comes .1000000.
    return sorted((name for name in names if number(first) <= number(name) <= end), key=number)


def number(name: str) -> int:
    """Return the number of a file of the binary log."""
    return int(name.rpartition(".")[2])


def damages(text: str) -> list[str]:
    """Return what mariadb-check found wrong, a line each. What it cannot check, as a view, is a note to it."""
    found, table = [], ""
    for line in text.splitlines():
        kind, _, words = line.partition(":")
        if kind.strip().lower() in ("error", "warning"):
            found.append(f"{table}: {words.strip()}")
        elif ":" not in line:
            table = line.split(maxsplit=1)[0] if line.strip() else table
    return found
