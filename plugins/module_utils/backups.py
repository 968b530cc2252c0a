"""Judge what a repository of backups holds, and whether two database servers hold the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ansible_collections.initech.django.plugins.module_utils.problem import Problem

TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d{1,6})? ?(Z|[+-]\d\d(?::?\d\d)?)")
CLUSTER_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
TAKE = "ansible-playbook backup.yml with the same -l"
DAMAGED = "The repository of backups is damaged, and what is damaged cannot be restored:"
NEXT = (
    "\nTake a new full backup at once: ansible-playbook backup.yml -e backup_type=full with the same -l. Then look for "
    "the cause: a disk that fails, or somebody who changed files there."
)

Digests = Mapping[str, Mapping[str, tuple[int, str]]]
"""By database and table: how many rows, and a checksum of their content that knows no order."""


@dataclass(frozen=True)
class Backup:
    """One backup of the database server.

    Attributes:
        label: its name in the repository.
        kind: full, diff or incr.
        start: when it began, in seconds since 1970.
        stop: when it ended; no earlier second can be restored with it.
        size: what it takes when restored, in bytes.
        version: the major version of PostgreSQL that it is of.
        is_current: whether it is of the cluster that is backed up now, and not of one from before an upgrade.
        data: of MariaDB, which of the data it is of that the server had in turn.
        archive: of PostgreSQL, by what name the repository has the write-ahead log that it is of.
        timeline: of PostgreSQL, which line of that log; a restore over the live database begins another one.
    """

    label: str
    kind: str
    start: int
    stop: int
    size: int
    version: str = ""
    is_current: bool = True
    data: str = ""
    archive: str = ""
    timeline: int = 1


@dataclass(frozen=True)
class Request:
    """A restore that somebody asks for.

    Attributes:
        name: of the server beside the live one.
        time: the second to restore to, as it was typed; empty for the newest.
        over_live: the databases that it replaces, as they were typed; empty restores beside them.
        check_mode: whether it is only judged.
    """

    name: str
    time: str
    over_live: str
    check_mode: bool

    @property
    def target(self) -> float | None:
        """The second to restore to, in seconds since 1970.

        Raises:
            Problem: what was typed is none.
        """
        return read_time(self.time) if self.time else None


@dataclass(frozen=True)
class Drilled:
    """What a drill found.

    Attributes:
        seconds: how long restoring and recovering took.
        digests: what was compared.
        checks: what else was checked, a line each.
    """

    seconds: float
    digests: Digests
    checks: Sequence[str]


def read_info(text: str, stanza: str) -> list[Backup]:
    """Return the backups that `pgbackrest info --output=json` lists, the oldest first.

    Raises:
        Problem: the repository cannot be read, for example with this passphrase.
    """
    found: list[Backup] = []
    for entry in json.loads(text):
        status = entry["status"]
        # 2: the stanza has no backup yet.
        if entry["name"] == stanza and status["code"] not in (0, 2):
            messages = [each["status"]["message"] for each in entry.get("repo", ())] or [status["message"]]
            raise Problem(f"The repository of {stanza} cannot be used: {'; '.join(messages)}")
        if entry["name"] == stanza:
            versions = {each["id"]: each["version"] for each in entry["db"]}
            found += [
                Backup(
                    each["label"],
                    each["type"],
                    each["timestamp"]["start"],
                    each["timestamp"]["stop"],
                    each["info"]["size"],
                    versions[each["database"]["id"]],
                    each["database"]["id"] == max(versions),
                    archive=f"{versions[each['database']['id']]}-{each['database']['id']}",
                    # The name of a piece of the log begins with it. A backup by hand of a server that is down has none.
                    timeline=int((each["archive"]["start"] or "00000001")[:8], 16),
                )
                for each in entry["backup"]
                if not each.get("error")
            ]
    return sorted(found, key=lambda backup: backup.stop)


def read_system(text: str, stanza: str) -> str:
    """Return the identifier of the cluster that `pgbackrest info --output=json` has the backups of; empty for none."""
    systems = [
        (each["id"], each["system-id"]) for entry in json.loads(text) for each in entry["db"] if entry["name"] == stanza
    ]
    return str(max(systems)[1]) if systems else ""


def system_of(controlled: str) -> str:
    """Return the identifier of a cluster from what pg_controldata printed."""
    found = re.search(r"^Database system identifier: +(\d+)$", controlled, re.MULTILINE)
    return found[1] if found else ""


def read_set(text: str) -> tuple[list[str], list[str]]:
    """Return the databases and the tablespaces of the one backup that `info --set=… --output=json` tells of."""
    (backup,) = json.loads(text)[0]["backup"]
    spaces = [each["name"] for each in backup.get("tablespace") or ()]
    return sorted(each["name"] for each in backup.get("database-ref") or ()), spaces


def utc(seconds: float) -> str:
    """Return a point in time as one types it for `restore_time`: without a blank, at which Ansible would cut it."""
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%S}+00"


def duration(seconds: float) -> str:
    """Return a length of time in the largest two units that it fills."""
    rest, parts = int(seconds), []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if rest >= size:
            parts.append(f"{rest // size} {name}")
            rest %= size
    return " ".join([*parts, f"{rest} s"][:2])


def read_time(text: str) -> float:
    """Return a `restore_time` in seconds since 1970.

    Raises:
        Problem: it is no point in time, or lacks its zone.
    """
    example = "Type for example -e restore_time=2026-11-24T10:00:00+00"
    match = TIME.fullmatch(text.strip())
    if not match:
        raise Problem(f"restore_time is {text!r}, which is no second with its zone. {example}")
    day, second, fraction, zone = match.groups()
    # Python 3.9 knows no zone of hours alone, and no Z.
    digits = "+0000" if zone == "Z" else zone.replace(":", "").ljust(5, "0")
    try:
        moment = datetime.strptime(f"{day} {second}{digits}", "%Y-%m-%d %H:%M:%S%z")
        seconds = moment.timestamp() + float(fraction or 0)
        # With its zone it may be before the year 1 or after 9999, which nothing writes.
        utc(seconds)
    except (OverflowError, ValueError):
        raise Problem(f"restore_time is {text!r}, and there is no such second. {example}") from None
    return seconds


def choose(backups: Sequence[Backup], target: float | None, now: float) -> Backup:
    """Return the backup that a restore starts from.

    Args:
        backups: the oldest first.
        target: the second to restore to; None is the newest.
        now: seconds since 1970.

    Raises:
        Problem: none will do.
    """
    if not backups:
        raise Problem(f"The repository holds no backup. The first is taken with: {TAKE}")
    if target is None:
        return backups[-1]
    if target > now:
        raise Problem(f"restore_time, {utc(target)}, is in the future. Leave it out for the newest state.")
    earlier = [backup for backup in backups if backup.stop < target]
    if not earlier:
        raise Problem(
            f"restore_time, {utc(target)}, is before everything that can be restored. "
            f"The earliest is {utc(backups[0].stop + 1)}"
        )
    return earlier[-1]


def timeline_at(archive: str, second: float) -> int:
    """Return the timeline that a server was on.

    Args:
        archive: what `pgbackrest repo-ls --output=json` lists of its write-ahead log. The server stores the history of
            a timeline as soon as it begins it, and the first one has none.
        second: when, since 1970.
    """
    stored = {name: each.get("time", 0) for name, each in json.loads(archive).items() if name.endswith(".history")}
    # Of when it was stored only the whole second is known.
    return max((int(name[:8], 16) for name, moment in stored.items() if moment + 1 <= second), default=1)


def unreached(backup: Backup, backups: Sequence[Backup], target: float | None) -> str:
    """Return what to type where recovery does not come as far as it was to go.

    Args:
        backup: where it began.
        backups: all of them, the oldest first.
        target: the second; None is the newest.
    """
    if target is None:
        return f"Backup {backup.label} is from before a restore over the live database. Take a new one with: {TAKE}"
    later = [each.stop for each in backups if each.stop >= target]
    return (
        f"From backup {backup.label} the write-ahead log does not lead to restore_time, {utc(target)}: that is after "
        "the last commit, or between a restore over the live database and the next backup. Choose an earlier second"
        + (f", or one from {utc(later[0] + 1)} on" if later else "")
        + ". For the newest state leave restore_time out."
    )


def check_word(word: str, databases: Sequence[str]) -> None:
    """Refuse to replace a database server unless everything that it holds is named.

    Raises:
        Problem: something else is named, with what to type.
    """
    given = sorted(filter(None, (part.strip() for part in word.split(","))))
    # Every server has that one, for its administrator.
    wanted = sorted(name for name in databases if name != "postgres")
    if given != wanted:
        raise Problem(
            "A restore over the live database replaces everything that this database server holds. "
            f"If you mean that, name it: -e restore_over_live={','.join(wanted)}\n"
            "Without restore_over_live it restores beside the live one, and touches nothing."
        )


def check_version(backup: Backup, version: str) -> None:
    """Refuse to put data from before an upgrade in the place of the live one.

    Raises:
        Problem: it is of another version, or from before an upgrade.
    """
    if backup.version != version or not backup.is_current:
        raise Problem(
            f"Backup {backup.label} is of PostgreSQL {backup.version}, from before an upgrade, and the live database "
            f"is another cluster, of {version}. Restore beside it: without restore_over_live. Then move by hand."
        )


def check_name(name: str, live: str) -> None:
    """Refuse the name of a cluster that is none, or is taken.

    Raises:
        Problem: it is not good.
    """
    if not CLUSTER_NAME.fullmatch(name) or name in (live, "drill"):
        raise Problem(f"restore_name is {name!r}; use a-z, 0-9 and _, a letter first, and neither {live} nor drill")


def verify_problems(text: str) -> list[str]:
    """Return what `pgbackrest verify --output=text --verbose` found wrong, a line each; it exits with 0 in any case."""
    found, about, seen = [], "", []
    for line in map(str.strip, text.splitlines()):
        about = line.partition(",")[0] if line.startswith(("archiveId:", "backup:")) else about
        seen += re.findall(r"status: (\w+)", line)
        # The first status is that of all together.
        if line.startswith("backup:") and seen[-1:] != ["valid"]:
            found.append(f"{about} is {seen[-1] if seen else 'without a status'}")
        counts = re.findall(r"(missing|checksum invalid|size invalid|other): (\d+)", line)
        found += [f"{about}, {name}: {number}" for name, number in counts if number != "0"]
    if not found and seen[:1] != ["ok"]:
        return [f"pgbackrest verify did not say that all is well: {tail_of(text)}"]
    return found


def tail_of(text: str) -> str:
    """Return the last line of a text that is not empty."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it printed nothing")


@dataclass(frozen=True)
class Snapshot:
    """Which transactions a reader sees, as pg_current_snapshot() tells: `xmin:xmax:in progress`."""

    text: str

    @property
    def is_quiet(self) -> bool:
        """Whether nobody was writing: no transaction was in progress, not even one that was just committing."""
        xmin, xmax, running = self.text.split(":")
        return xmin == xmax and not running


def differences(live: Digests, restored: Digests) -> list[str]:
    """Return how the tables of two servers differ, a line each."""
    found = []
    for database in sorted({*live, *restored}):
        here, there = live.get(database), restored.get(database)
        if here is None or there is None:
            found.append(f"database {database} is {'only in the backup' if here is None else 'not in the backup'}")
            continue
        for table in sorted({*here, *there}):
            place = f"{database}: {table}"
            if table not in there:
                found.append(f"{place} is not in the backup")
            elif table not in here:
                found.append(f"{place} is only in the backup")
            elif here[table][0] != there[table][0]:
                found.append(f"{place} has {here[table][0]} rows, and {there[table][0]} in the backup")
            elif here[table] != there[table]:
                found.append(f"{place} has other content in the backup, in as many rows: {here[table][0]}")
    return found


def require_same(backup: Backup, live: Digests, restored: Digests) -> None:
    """Refuse a backup that does not hold what the live database holds.

    Raises:
        Problem: with how the tables differ.
    """
    differing = differences(live, restored)
    if differing:
        raise Problem(f"Backup {backup.label} does not hold what the live database holds:{listing(differing)}")


def totals(digests: Digests) -> tuple[int, int]:
    """Return how many tables and rows there are."""
    tables = [table for database in digests.values() for table in database.values()]
    return len(tables), sum(rows for rows, _ in tables)


def controlled(*texts: str) -> dict[str, int]:
    """Return the settings that a server in recovery needs at least, from what pg_controldata printed of clusters.

    Source of the rule: PostgreSQL's documentation of hot standby, "Administrator's overview".
    """
    names = {
        "max_connections": "max_connections",
        "max_worker_processes": "max_worker_processes",
        "max_wal_senders": "max_wal_senders",
        "max_prepared_xacts": "max_prepared_transactions",
        "max_locks_per_xact": "max_locks_per_transaction",
    }
    found: dict[str, int] = {}
    for name, value in re.findall(r"^(\w+) setting: +(\d+)$", "\n".join(texts), re.MULTILINE):
        if name in names:
            found[names[name]] = max(int(value), found.get(names[name], 0))
    return found


def has_checksums(text: str) -> bool:
    """Tell from what pg_controldata printed whether every page carries a checksum."""
    version = re.search(r"^Data page checksum version: +(\d+)$", text, re.MULTILINE)
    return version is not None and version[1] != "0"


def newest_snapshot(text: str, target: float | None = None) -> Mapping[str, Any] | None:
    """Return the newest of the snapshots that `restic snapshots --json` lists, or the newest until a point in time."""
    listed: list[dict[str, Any]] = json.loads(text) or []
    good = [each for each in listed if target is None or seconds_of(each["time"]) <= target]
    return max(good, key=lambda each: seconds_of(each["time"]), default=None)


def entries(text: str) -> dict[str, int]:
    """Return the files of a snapshot, which `restic ls --json` lists a line each, with their sizes in bytes."""
    lines = [json.loads(line) for line in text.splitlines() if line.strip()]
    return {each["path"]: each.get("size", 0) for each in lines if each.get("type") == "file"}


def seconds_of(text: str) -> float:
    """Return a point in time that restic wrote in seconds since 1970; it writes nanoseconds."""
    # Python 3.9 reads neither nanoseconds nor Z.
    return datetime.fromisoformat(re.sub(r"\.\d+", "", text).replace("Z", "+00:00")).timestamp()


def listing(lines: Iterable[str], most: int = 20) -> str:
    """Return lines for a message, indented, and not too many."""
    shown = list(lines)
    rest = [f"and {len(shown) - most} more"] if len(shown) > most else []
    return "".join(f"\n  {line}" for line in shown[:most] + rest)
