"""The process that serves a release: start it beside the live one and ask it, or end it without losing a request."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Any

from ansible_collections.initech.django.plugins.module_utils import history, workers
from ansible_collections.initech.django.plugins.module_utils.advice import advised
from ansible_collections.initech.django.plugins.module_utils.commands import DAY, run, tail
from ansible_collections.initech.django.plugins.module_utils.health import (
    Question,
    send,
    wait_until_healthy,
    wrong_with_each,
)
from ansible_collections.initech.django.plugins.module_utils.layout import App, Release, require_manifest
from ansible_collections.initech.django.plugins.module_utils.lease import Claim
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

BACKLOG_SECONDS = 10
"""How long a queue is waited for that does not get shorter."""

QUIET_SECONDS = 0.5
FIRST = -10
"""The nice value of what is live, also in its unit: of a processor, ten times the share of all others."""

LOG_LINES = 40


def systemctl(*arguments: str) -> tuple[bool, str]:
    """Run systemctl; return whether it succeeded, and what it printed."""
    result = run(["systemctl", *arguments], timeout=DAY)
    return result.returncode == 0, result.stdout.strip()


def state_of(release: Release) -> tuple[bool, bool]:
    """Return whether the instance runs or is about to, and whether it ended by itself since it was started."""
    _, output = systemctl("show", "--property=ActiveState,NRestarts", release.unit)
    state = dict(line.split("=", 1) for line in output.splitlines())
    return state["ActiveState"] in ("active", "activating", "reloading"), state["NRestarts"] != "0"


def log_of(release: Release) -> str:
    """Return the end of the release's own log, and what to do about it where that is known."""
    run(["journalctl", "--sync"])
    lines = ["journalctl", "--unit", release.unit, "--no-pager", "--output=cat", f"--lines={LOG_LINES}"]
    return advised(tail(run(lines).stdout, LOG_LINES))


def end_at_once(release: Release) -> None:
    """End a release that no visitor has seen, and that may hang, without waiting for what it does."""
    # Stopping first: what is only killed, systemd starts again.
    systemctl("stop", "--no-block", release.unit)
    systemctl("kill", "--signal=KILL", release.unit)
    systemctl("stop", release.unit)
    systemctl("reset-failed", release.unit)


def workers_of(app: App, release: Release, deadline: float) -> list[int]:
    """Return the processes of gunicorn's workers, as soon as all are there, or those that are there in the end."""
    configuration = (app.configuration[0]).read_text(encoding="utf-8")
    found = re.search(r"^workers = (\d+)$", configuration, re.MULTILINE)
    wanted = int(found[1]) if found else len(os.sched_getaffinity(0))
    _, main = systemctl("show", "--property=MainPID", "--value", release.unit)
    while True:
        try:
            children = Path("/proc", main, "task", main, "children").read_text(encoding="utf-8").split()
        except OSError:
            children = []
        if len(children) >= wanted or time.monotonic() > deadline:
            return [int(child) for child in children]
        time.sleep(0.02)


def wrong_with(app: App, release: Release, options: Mapping[str, Any]) -> str:
    """Ask a release that was started, each of its workers, and return what is wrong, or nothing.

    Args:
        app: of the release.
        release: whose.
        options: as those of the module `switch`.
    """
    host = options["host"] or require_manifest(release)["host"]
    deadline = time.monotonic() + options["timeout"]

    question = Question(
        release.socket, host, options["path"], options["status"], options["text"], max(1, options["attempts"])
    )

    def ask() -> str:
        rest = max(deadline - time.monotonic(), 0.1)
        return wait_until_healthy(question, rest, lambda: state_of(release) == (True, False))

    is_live = release == app.live()
    workers = [] if is_live else workers_of(app, release, time.monotonic())
    # Of a run that was killed while it asked.
    send(workers, signal.SIGCONT)
    # What is live has visitors: its workers are not to stand still.
    return ask() or ("" if is_live else wrong_with_each(workers_of(app, release, deadline), ask))


def ended_within(release: Release, seconds: float, others: Sequence[str]) -> str:
    """Wait for so long, and return that a release that has answered, or a worker, ended meanwhile, or nothing.

    Args:
        release: which.
        seconds: how long.
        others: the units of its workers.
    """
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        time.sleep(min(0.2, seconds - elapsed))
        if state_of(release) != (True, False):
            return f"it ended {elapsed:.0f} s after it had answered"
        ended = [unit for unit in others if workers.has_ended(unit)]
        if ended:
            return workers.said(ended)
    return ""


def wrong_with_workers(app: App, release: Release) -> str:
    """Start the workers of a release, and return which of them could not be executed, or nothing."""
    failed = workers.begin(workers.units_of(workers.listed(app), release))
    return workers.said(failed) if failed else ""


def was_live(app: App, release: Release) -> bool:
    """Return whether a release has ever been live."""
    return any(event.release == release.id and event.event == history.LIVE for event in history.read(app.history))


def start(app: App, release: Release, options: Mapping[str, Any], claim: Claim | None) -> None:
    """Start a release and wait until it answers.

    Args:
        app: of the release.
        release: which.
        options: as those of the module `switch`.
        claim: whose doing it is.

    Raises:
        Problem: it does not answer; it is stopped then, and marked as failed.
    """
    began = time.monotonic()
    started, _ = systemctl("start", release.unit)
    wrong = "it did not start"
    # On a host that is too busy with what is live to start another, they share in the end.
    share = Timer(options["timeout"] / 3, set_precedence, (release, FIRST))
    share.daemon = True
    if started:
        share.start()
        wrong = wrong_with(app, release, options)
        share.cancel()
        # A release that was live once goes live again, even where it knows nothing of a worker that came after it.
        if not wrong and not was_live(app, release):
            others = workers.units_of(workers.listed(app), release)
            wrong = wrong_with_workers(app, release) or ended_within(release, options["seconds"], others)
        elif not wrong:
            wrong = ended_within(release, options["seconds"], [])
    if wrong:
        # Of a failure the history has one line, and nothing that the project printed.
        wrong, _, log = wrong.partition("\n")
        log = log or log_of(release)
        workers.end(workers.units_of(workers.listed(app), release))
        end_at_once(release)
        history.record(app.history, release.id, history.FAILED, claim, step="start", message=wrong)
        live = app.live()
        rest = f"{live.id} is still live." if live else "Nothing is live yet."
        raise Problem(f"Release {release.id} is no good: {wrong}. It was stopped. {rest}\nIts own log:\n{log}")
    if claim:
        history.record(app.history, release.id, history.STARTED, claim, seconds=round(time.monotonic() - began, 1))


def connections(release: Release) -> tuple[int, int]:
    """Return how many connections wait in the socket's queue to be accepted, and how many were and are still open."""
    waiting = accepted = 0
    for line in run(["ss", "--all", "--unix", "--numeric", "--no-header"]).stdout.splitlines():
        columns = line.split()
        if str(release.socket) not in columns:
            continue
        if columns[1] == "LISTEN":
            waiting = int(columns[2])
        else:
            accepted += columns[1] == "ESTAB"
    return waiting, accepted


def set_precedence(release: Release, nice: int) -> None:
    """Have a release get the processors before or after all else on its host: deploys, backups, other releases.

    Two ways lead there, and a host goes by one of them. Where the kernel shares them out among sessions, the nice value
    of a process counts only within its own, and the session has one too. Source: sched(7), "The autogroup feature".
    Where systemd has the kernel share them out among slices, sessions have none, and all services compare by their
    processes'. In a container that may do neither, nothing is done.

    Args:
        release: which.
        nice: `FIRST` for what is live, 0 for the same as all others.
    """
    _, main = systemctl("show", "--property=MainPID", "--value", release.unit)
    if main in ("", "0"):
        return
    with suppress(OSError):
        os.setpriority(os.PRIO_PGRP, int(main), nice)
        Path("/proc", main, "autogroup").write_text(str(nice), encoding="ascii")


def _wait_for_queue(release: Release) -> None:
    """Wait until a release has accepted all that ask it, for as long as they get fewer."""
    waiting, since = sys.maxsize, time.monotonic()
    while (left := connections(release)[0]) > 0:
        if left < waiting:
            waiting, since = left, time.monotonic()
        elif time.monotonic() > since + BACKLOG_SECONDS:
            return
        time.sleep(0.02)


def begin_to_drain(release: Release) -> None:
    """Have a release end that gets no new requests, without losing one that is on its way.

    gunicorn finishes what it has accepted, and nobody waits for that here. What still waits in the queue would be
    reset, so that goes first. Most requests end in a moment, and then it gives way: that it ends takes time of the
    processors as well. One that still computes keeps the share it had.
    """
    _wait_for_queue(release)
    began = time.monotonic()
    while (is_busy := connections(release)[1] > 0) and time.monotonic() < began + QUIET_SECONDS:
        time.sleep(0.02)
    if not is_busy:
        set_precedence(release, 0)
    systemctl("stop", "--no-block", release.unit)


def drain(app: App, release: Release, claim: Claim | None) -> None:
    """Wait until a release has ended.

    Args:
        app: of the release.
        release: which; it is not live any more.
        claim: whose doing it is.
    """
    began = time.monotonic()
    begin_to_drain(release)
    systemctl("stop", release.unit)
    systemctl("reset-failed", release.unit)
    if claim:
        history.record(app.history, release.id, history.DRAINED, claim, seconds=round(time.monotonic() - began, 1))
