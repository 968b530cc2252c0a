"""A release that ends soon after it answered is no good, however long its start took."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils import instance, workers
from ansible_collections.initech.django.plugins.module_utils.layout import App, Release
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.modules import switch


class Host:
    """Stands in for systemd and for the clock: a release that answers late, and ends some time after."""

    def __init__(self, starts: float, lives: float) -> None:
        """Take how long it takes to start, and how long it then lives, in seconds."""
        self.now, self.starts, self.lives = 1000.0, starts, lives
        self.told: list[str] = []

    def systemctl(self, verb: str, *_: str) -> tuple[bool, str]:
        """Return that it went well, after a while."""
        self.told.append(verb)
        self.now += self.starts if verb == "start" else 0
        return True, ""

    def state_of(self, *_: Any) -> tuple[bool, bool]:
        """Return whether it still runs."""
        return self.now < 1000 + self.starts + self.lives, False

    def monotonic(self) -> float:
        """Return what the clock shows."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds


def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    """Start a release that has to live for twelve seconds."""
    monkeypatch.setattr(App, "processes", property(lambda _: tmp_path / "processes.json"))
    monkeypatch.setattr(App, "history", property(lambda _: tmp_path / "history.jsonl"))
    monkeypatch.setattr(App, "live", lambda _: None)
    monkeypatch.setattr(instance, "time", host)
    for name, function in {
        "systemctl": host.systemctl,
        "state_of": host.state_of,
        "wrong_with": lambda *_: "",
        "log_of": lambda _: "its log",
    }.items():
        monkeypatch.setattr(instance, name, function)
    app = App("shop")
    instance.start(app, app.release("20261124T101500Z-1a2b3c4d"), {"seconds": 12, "timeout": 60}, None)


@pytest.mark.parametrize("starts", [0.5, 5, 30])
def test_the_seconds_count_from_its_answer_so_a_slow_start_does_not_shorten_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starts: float
) -> None:
    host = Host(starts, lives=10)
    with pytest.raises(Problem, match=r"it ended 10 s after it had answered(.|\n)*its log"):
        started(tmp_path, monkeypatch, host)
    assert host.told[-1] == "reset-failed"
    assert '"failed"' in (tmp_path / "history.jsonl").read_text()


def test_one_that_lives_longer_is_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(starts=5, lives=13)
    started(tmp_path, monkeypatch, host)
    assert host.told == ["start"]
    assert host.now == pytest.approx(1000 + 5 + 12)


# Who has the processors first

RELEASE = App("shop").release("20261124T101500Z-1a2b3c4d")


def main_process_is(monkeypatch: pytest.MonkeyPatch, process: int) -> None:
    """Have systemd say that this is the process of the release."""
    monkeypatch.setattr(instance, "systemctl", lambda *_: (True, str(process)))


def test_all_processes_of_a_release_are_given_way_and_their_session_too(monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["sh", "-c", "sleep 60 & echo $!; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as shell:
        assert shell.stdout is not None
        child = int(shell.stdout.readline())
        main_process_is(monkeypatch, shell.pid)
        # Whoever may not give precedence may always take it away.
        instance.set_precedence(RELEASE, 7)
        group = Path("/proc", str(child), "autogroup")
        found = [os.getpriority(os.PRIO_PROCESS, each) for each in (shell.pid, child)]
        said = group.read_text() if group.exists() else "nice 7"
        os.killpg(shell.pid, 9)
    assert found == [7, 7]
    assert said.split()[-2:] == ["nice", "7"]


def test_of_a_release_that_does_not_run_nothing_is_done_to_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.getpriority(os.PRIO_PROCESS, 0)
    main_process_is(monkeypatch, 0)
    instance.set_precedence(RELEASE, 7)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


@pytest.mark.parametrize(("timeout", "shares"), [(0.03, True), (300, False)])
def test_a_release_that_does_not_answer_for_a_third_of_its_time_gets_what_the_live_one_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timeout: float, shares: bool
) -> None:
    given: list[tuple[str, int]] = []
    is_given = Event()

    def give(release: Any, nice: int) -> None:
        given.append((release.id, nice))
        is_given.set()

    def ask(*_: Any) -> str:
        if shares:
            assert is_given.wait(timeout=10)
        return "it answered 500"

    monkeypatch.setattr(App, "processes", property(lambda _: tmp_path / "processes.json"))
    monkeypatch.setattr(App, "history", property(lambda _: tmp_path / "history.jsonl"))
    monkeypatch.setattr(App, "live", lambda _: None)
    for name, function in {
        "systemctl": lambda *_: (True, ""),
        "set_precedence": give,
        "wrong_with": ask,
        "log_of": lambda _: "its log",
    }.items():
        monkeypatch.setattr(instance, name, function)
    with pytest.raises(Problem, match="it answered 500"):
        instance.start(App("shop"), RELEASE, {"seconds": 0, "timeout": timeout}, None)
    assert given == ([(RELEASE.id, instance.FIRST)] if shares else [])


SOCKETS = f"""\
u_str ESTAB  0      0                              * 645      * 646
u_str LISTEN 3      2048   {RELEASE.socket} 38010014 * 0
u_str ESTAB  0      0      {RELEASE.socket} 38010020 * 38010019
u_str ESTAB  0      0      {RELEASE.socket}x 38010030 * 38010029
u_str LISTEN 9      2048   /run/shop/20261124T101600Z-1a2b3c4d/gunicorn.sock 38010040 * 0
"""


def test_connections_that_wait_and_those_that_were_accepted_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance, "run", lambda _: subprocess.CompletedProcess([], 0, SOCKETS, ""))
    assert instance.connections(RELEASE) == (3, 1)
    monkeypatch.setattr(instance, "run", lambda _: subprocess.CompletedProcess([], 0, "", ""))
    assert instance.connections(RELEASE) == (0, 0)


@pytest.mark.parametrize(
    ("seen", "gives_way"), [([(0, 0)], True), ([(2, 4), (0, 4), (0, 1), (0, 0)], True), ([(0, 1)], False)]
)
def test_a_release_gives_way_before_it_ends_unless_it_still_has_something_to_finish(
    monkeypatch: pytest.MonkeyPatch, seen: list[tuple[int, int]], gives_way: bool
) -> None:
    told: list[Any] = []
    answers = list(seen)
    monkeypatch.setattr(instance, "QUIET_SECONDS", 0.1)
    monkeypatch.setattr(instance, "connections", lambda _: answers.pop(0) if len(answers) > 1 else answers[0])
    monkeypatch.setattr(instance, "set_precedence", lambda release, nice: told.append((release.id, nice)))
    monkeypatch.setattr(instance, "systemctl", lambda *words: told.append(words))
    instance.begin_to_drain(RELEASE)
    stop = ("stop", "--no-block", RELEASE.unit)
    assert told == ([(RELEASE.id, 0), stop] if gives_way else [stop])


def test_a_queue_is_waited_for_as_long_as_it_gets_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = iter(range(20, 3, -1))
    seen = []

    def connections(_: Release) -> tuple[int, int]:
        time.sleep(0.02)
        seen.append(next(queue, 3))
        return seen[-1], 0

    monkeypatch.setattr(instance, "BACKLOG_SECONDS", 0.2)
    monkeypatch.setattr(instance, "connections", connections)
    monkeypatch.setattr(instance, "set_precedence", lambda *_: None)
    monkeypatch.setattr(instance, "systemctl", lambda *_: None)
    began = time.monotonic()
    instance.begin_to_drain(RELEASE)
    # It took longer than that to come to the last three, which nobody accepts.
    assert seen.count(3) > 1
    assert time.monotonic() - began > 2 * 0.2


@pytest.mark.parametrize("error", [KeyError("host"), Problem("Not finished"), OSError(28, "No space"), SystemExit(1)])
@pytest.mark.parametrize("is_live", [False, True])
def test_whatever_goes_wrong_in_a_switch_what_nobody_has_seen_is_ended_and_what_is_live_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, is_live: bool
) -> None:
    app = App(str(tmp_path))
    release = app.release(RELEASE.id)
    release.path.mkdir(parents=True)
    release.manifest.write_text('{"host": "localhost"}')
    app.current.symlink_to(Path("releases", release.id if is_live else "20261101T000000Z-aaaaaaaa"))
    ended: list[object] = []

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(switch, "start", fail)
    monkeypatch.setattr(switch, "end_at_once", ended.append)
    monkeypatch.setattr(workers, "listed", lambda _: ["shop.mail.1"])
    monkeypatch.setattr(workers, "end", ended.extend)
    with pytest.raises(type(error)):
        switch.switch(app, release, {"lease": ""})
    assert ended == ([] if is_live else [f"shop.mail.1@{release.id}.service", release])
