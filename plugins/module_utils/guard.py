"""Change what lets people in; the host takes it back by itself unless somebody proves in time that he gets in.

A mistake in the configuration of sshd or of a firewall is noticed when nobody can mend it any more. So a timer of the
host waits until the next login has worked, and puts back what was there before if nobody has stopped it by then: also
where the controller was killed, or its network is what was cut.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from ansible_collections.initech.django.plugins.module_utils.commands import run, tail
from ansible_collections.initech.django.plugins.module_utils.files import DIRECTORY, Entry, place
from ansible_collections.initech.django.plugins.module_utils.problem import Problem, room

UNIT = "initech-guard"
KEPT = Path("/run") / UNIT


def undo_script(kept: Sequence[tuple[Path, Path | None]], commands: Sequence[str]) -> str:
    """Return what puts things back as they were, each line whatever became of those before it.

    Args:
        kept: each file, and its copy of before; None if it was not there.
        commands: what has this in force.
    """
    lines = []
    for path, copy in kept:
        draft = shlex.quote(str(path.with_name(f".{path.name}.before")))
        target = shlex.quote(str(path))
        lines.append(
            f"rm -f {target}" if copy is None else f"cp -a {shlex.quote(str(copy))} {draft} && mv -f {draft} {target}"
        )
    return "\n".join(["#!/bin/sh", *lines, *commands, ""])


def change(
    entries: Sequence[Entry],
    apply: Sequence[str],
    undo: Sequence[str],
    seconds: int,
    verify: Callable[[], object] = lambda: None,
) -> list[dict[str, str]]:
    """Have files as they should be, in force, and guarded: nobody knows yet whether he still gets in.

    Args:
        entries: the files and directories.
        apply: the commands that have them in force.
        undo: those that have in force what was there before.
        seconds: after which that is put back, unless the guard's timer is stopped.
        verify: raises a Problem where what the files say is not what counts, also where nothing has changed.

    Returns:
        What has changed, as Ansible shows it; if nothing has, there is no guard.

    Raises:
        Problem: that cannot be; everything is as it was.
    """
    take_back()
    changes = foreseen(entries)
    if changes:
        _set(entries, undo, seconds)
        try:
            place(entries, is_check=False)
            verify()
            for command in apply:
                _checked(command)
        except Problem:
            take_back()
            raise
    else:
        verify()
    return changes


def foreseen(entries: Sequence[Entry]) -> list[dict[str, str]]:
    """Return what would change."""
    return place(entries, is_check=True)


def take_back() -> None:
    """Put back at once what nobody has proven, such as a run that was killed has left it."""
    if _is_set():
        _checked(f"systemctl start {UNIT}.service")
        _checked(f"systemctl stop {UNIT}.timer")


def let_stay(entries: Sequence[Entry]) -> bool:
    """Stop the guard, since somebody got in, and tell whether there was one.

    Of two names of one machine the first one stops it for both.

    Raises:
        Problem: the host has taken back what was changed.
    """
    is_set = _is_set()
    if is_set:
        _checked(f"systemctl stop {UNIT}.timer")
    elif foreseen(entries):
        raise Problem(
            "What was changed of who gets in was taken back by the host, since no new login got in in time. Type the "
            "same again"
        )
    return is_set


def _is_set() -> bool:
    return run(["systemctl", "is-active", "--quiet", f"{UNIT}.timer"]).returncode == 0


def _set(entries: Sequence[Entry], undo: Sequence[str], seconds: int) -> None:
    """Keep what is there, and start the timer."""
    with room(KEPT.parent):
        shutil.rmtree(KEPT, ignore_errors=True)
        KEPT.mkdir(mode=0o700)
        kept: list[tuple[Path, Path | None]] = []
        for number, entry in enumerate(entry for entry in entries if entry.state != DIRECTORY):
            copy = KEPT / str(number)
            is_there = entry.path.exists()
            if is_there:
                _checked(shlex.join(["cp", "-a", str(entry.path), str(copy)]))
            kept.append((entry.path, copy if is_there else None))
        script = KEPT / "undo"
        script.write_text(undo_script(kept, undo))
    # As a oneshot, whoever starts the service by hand waits until it has done its work.
    timer = ["systemd-run", f"--unit={UNIT}", f"--on-active={seconds}", "--timer-property=AccuracySec=1s"]
    _checked(shlex.join([*timer, "--property=Type=oneshot", "--collect", "/bin/sh", str(script)]))


def _checked(command: str) -> None:
    result = run(shlex.split(command))
    if result.returncode != 0:
        raise Problem(f"{command}: exit code {result.returncode}\n{tail(result.stdout + result.stderr)}")
