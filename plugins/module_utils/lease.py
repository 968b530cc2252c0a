"""One deploy of an app at a time: the claims that runs have on a host, and which of them comes first.

A claim is a file below /run, so that a reboot takes it along. The controller renews it as long as its run lives. A
claim that is not renewed any more, or whose run is known to be gone, is void; but not while a step of that run is still
at work on the host, which a lock by flock(2) on the claim tells.

Several hosts are claimed at once, without an order. So that of two runs exactly one wins, one host decides between
them: the first by name of those that both want. There the earlier claim wins. On the other hosts the two do not stand
in each other's way, until the one that won holds them.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.initech.django.plugins.module_utils.alone import alone, taken
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

EXPIRY_SECONDS = 45
"""A claim that was not renewed for so long is void. The controller renews it every few seconds."""

PATIENCE_SECONDS = 60
"""How long who has won waits for who has just finished on another host and is about to on this one."""

ASKED = "asked"
HELD = "held"
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
DURATION = re.compile(r"([0-9]+)([smhd]?)")


@dataclass(frozen=True)
class Claim:
    """Who wants to change an app on this host, or does so.

    Attributes:
        id: of the process on the controller, the same on all hosts.
        kind: `deploy` or `rollback`.
        version: what is deployed.
        owner: the user on the controller.
        controller: its name.
        machine: what tells the controller from all others, until it reboots.
        process: the process there.
        started: when that process started, as `process_start` tells.
        since: when the claim was made, in UTC.
        host: what that run calls this host.
        hosts: all hosts of that run by name, with their addresses.
        order: how many claims there had been on this host.
    """

    id: str
    kind: str
    version: str
    owner: str
    controller: str
    machine: str
    process: int
    started: str
    since: str
    host: str
    hosts: Mapping[str, str] = field(hash=False)
    order: int = 0

    @property
    def run(self) -> str:
        """The name of this run in the history: one process can deploy more than once."""
        return f"{self.id}-{self.since}"


@dataclass(frozen=True)
class Found:
    """A claim on this host."""

    claim: Claim
    is_held: bool
    renewed: float
    is_busy: bool

    def is_void(self, gone: Collection[str], now: float) -> bool:
        """Tell whether its run has ended, as far as the claim tells.

        Args:
            gone: ids of runs that are known to have ended.
            now: the time, as files have it.
        """
        return self.claim.id in gone or now - self.renewed > EXPIRY_SECONDS


def duration(text: str, name: str = "release_wait") -> int:
    """Return the seconds of a duration as people type it: `90`, `90s`, `10m`, `1h`, `2d`, or nothing.

    Args:
        text: what was typed.
        name: the variable, for the message.

    Raises:
        Problem: it is none.
    """
    match = DURATION.fullmatch(text.strip() or "0")
    if not match:
        raise Problem(f"{name} is {text!r}. Type a duration, for example 90s, 10m or 1h")
    return int(match[1]) * UNITS[match[2]]


def decides_here(mine: Claim, other: Claim) -> bool:
    """Tell whether this host decides between two runs.

    It does not where both call it the same, and a host that both call the same, too, comes before it.
    """
    common = set(mine.hosts.items()) & set(other.hosts.items())
    names = {name for name, _ in common}
    return mine.host != other.host or mine.host not in names or mine.host == min(names)


def blocks(other: Found, mine: Claim) -> bool:
    """Tell whether another claim keeps mine from going on, on this host."""
    return other.is_held or (other.claim.order < mine.order and decides_here(mine, other.claim))


def where_and_since(claim: Claim) -> str:
    """Return who that is, where, since when, and on which hosts."""
    return (
        f"{claim.owner} at {claim.controller} (process {claim.process}), {claim.version}, since {claim.since}, "
        f"on {', '.join(claim.hosts)}"
    )


def refusal(app: str, claim: Claim, *, is_alive: bool) -> str:
    """Return what to tell whom another run keeps from going on."""
    doing = "rolled back" if claim.kind == "rollback" else "deployed"
    why = "" if is_alive else " That run has ended, but a step of it is still at work on this host."
    return (
        f"{app} is being {doing} by {where_and_since(claim)}.{why} Nothing was changed. "
        "To wait for it, type the same again with -e release_wait=10m"
    )


# --- On the host ----------------------------------------------------------------------------------------------------


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Let one process at a time look at the claims and change them."""
    for path in (directory.parent, directory):
        path.mkdir(mode=0o700, exist_ok=True)
    with alone(directory):
        yield


def _is_busy(path: Path) -> bool:
    """Tell whether a step of that run is at work."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return not taken(descriptor)
    finally:
        os.close(descriptor)


def _load(path: Path) -> Found | None:
    """Return a claim, or None where it has just gone, or was never written whole."""
    try:
        claim = Claim(**json.loads(path.read_text(encoding="utf-8")))
        return Found(claim, path.suffix == f".{HELD}", path.stat().st_mtime, _is_busy(path))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _paths(directory: Path, claim_id: str = "*") -> list[Path]:
    return [path for state in (HELD, ASKED) for path in sorted(directory.glob(f"{claim_id}.{state}"))]


def claims(directory: Path) -> list[Found]:
    """Return the claims on this host, those that are held first."""
    return [found for found in map(_load, _paths(directory)) if found]


def under_way(directory: Path) -> set[str]:
    """Return the runs that are under way on this host, by the names that they have in the history."""
    if not directory.is_dir():
        return set()
    with _alone(directory):
        now = time.time()
        return {found.claim.run for found in claims(directory) if found.is_busy or not found.is_void((), now)}


def take(directory: Path, wanted: Claim, gone: Collection[str] = ()) -> list[Found]:
    """Claim this host, or renew the claim, and return who comes first; nobody, where the claim is good.

    Args:
        directory: of the claims.
        wanted: the claim; its order is found here.
        gone: ids of runs that are known to have ended.
    """
    with _alone(directory):
        others: list[Found] = []
        mine: Claim | None = None
        for found in claims(directory):
            if found.claim.id == wanted.id:
                mine = found.claim
            elif found.is_void(gone, time.time()) and not found.is_busy:
                _remove(directory, found.claim.id)
            else:
                others.append(found)
        if mine is None:
            mine = replace(wanted, order=1 + max((found.claim.order for found in others), default=0))
            draft = directory / f"{mine.id}.draft"
            draft.write_text(json.dumps(asdict(mine)), encoding="utf-8")
            draft.replace(directory / f"{mine.id}.{ASKED}")
        for path in _paths(directory, mine.id):
            os.utime(path)
        return [found for found in others if blocks(found, mine)]


def _remove(directory: Path, claim_id: str) -> None:
    for path in _paths(directory, claim_id):
        path.unlink(missing_ok=True)


def give_back(directory: Path, claim_id: str) -> None:
    """End a claim. That of another run is never touched."""
    with _alone(directory):
        _remove(directory, claim_id)


def _lost(directory: Path) -> Problem:
    others = [found for found in claims(directory) if found.is_held]
    rest = f" {where_and_since(others[0].claim)} has it now." if others else ""
    return Problem(
        "The lease was lost: this host was rebooted, or the controller could not renew it for "
        f"{EXPIRY_SECONDS} s.{rest} Nothing more was done here. Type the same again"
    )


def hold(directory: Path, claim_id: str) -> None:
    """Hold this host, having won on all.

    Raises:
        Problem: the claim is gone, or another run does not let go of the host.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        with _alone(directory):
            found = {each.claim.id: each for each in claims(directory)}
            if claim_id not in found:
                raise _lost(directory)
            holders = [each for each in found.values() if each.is_held and each.claim.id != claim_id]
            if not holders:
                for path in directory.glob(f"{claim_id}.{ASKED}"):
                    path.rename(path.with_suffix(f".{HELD}"))
                return
        if time.monotonic() > deadline:
            raise Problem(f"This host is still held by {where_and_since(holders[0].claim)}. Type the same again")
        time.sleep(0.1)


@dataclass(frozen=True)
class Lease:
    """A claim that a step works under, and the descriptor that says so as long as somebody has it open."""

    claim: Claim
    descriptor: int


def require(directory: Path, claim_id: str) -> Lease | None:
    """Return the lease that a step works under, or None where it has no need of one.

    It stays at work until this process, and those that it hands the descriptor to, have ended.

    Args:
        directory: of the claims.
        claim_id: the claim; empty for a step that is called by itself.

    Raises:
        Problem: it was lost.
    """
    if not claim_id:
        return None
    for path in _paths(directory, claim_id):
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        content: dict[str, Any] = json.loads(os.pread(descriptor, 1 << 20, 0))
        # Somebody may have removed it between the two.
        if os.fstat(descriptor).st_nlink:
            return Lease(Claim(**content), descriptor)
        os.close(descriptor)
    raise _lost(directory)


# --- On the controller ----------------------------------------------------------------------------------------------


def judge(
    blockers: Sequence[Mapping[str, Any]], machine: str, running: Mapping[str, bool], seen: Mapping[str, float]
) -> tuple[list[str], list[str]]:
    """Return which of those who come first are gone, and which are alive. Of the others that is not known yet.

    Args:
        blockers: `id`, `machine` and `renewed` of each.
        machine: this controller.
        running: by id, whether the process of those that run on this controller is there.
        seen: by id, when each had been renewed when it was first seen.
    """
    gone = [each["id"] for each in blockers if each["machine"] == machine and not running[each["id"]]]
    alive = [
        each["id"]
        for each in blockers
        if (each["machine"] == machine and running[each["id"]])
        or (each["machine"] != machine and seen.get(each["id"], each["renewed"]) != each["renewed"])
    ]
    return gone, alive
