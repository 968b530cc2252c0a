"""A lease is renewed as long as its run lives, and given back when it has ended, whatever hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.initech.django.plugins.module_utils import keeper
from ansible_collections.initech.django.plugins.module_utils.keeper import (
    GONE,
    detach,
    is_running,
    keep,
    owner,
    process_start,
)
from ansible_collections.initech.django.tests.templates.render import ROOT

# Where tests run side by side, the process that runs them has a thread beside; a worker of Ansible's has none.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

COLLECTIONS = {**os.environ, "PYTHONPATH": str(ROOT / ".collections")}
FIELDS = " ".join(map(str, range(4, 53)))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(keeper, "LOOK_SECONDS", 0.01)


def note(path: Path, code: int = 0) -> Callable[[], int]:
    """Return what makes a file longer by a byte, in whatever process, and returns a code."""

    def attempt() -> int:
        with path.open("a") as file:
            file.write(".")
        return code

    return attempt


def until(path: Path, length: int) -> Callable[[], bool]:
    """Return what tells whether a file is still shorter than that."""
    return lambda: not path.exists() or path.stat().st_size < length


def test_a_lease_is_renewed_until_the_run_has_ended_and_then_given_back(tmp_path: Path) -> None:
    renewed, back = tmp_path / "renewed", tmp_path / "back"
    keep(until(renewed, 3), note(renewed), note(back))
    assert renewed.read_text() == "..."
    assert back.read_text() == "."


def test_an_attempt_that_fails_is_tried_again(tmp_path: Path) -> None:
    renewed, back = tmp_path / "renewed", tmp_path / "back"
    keep(until(renewed, 3), note(renewed, 255), note(back))
    assert renewed.read_text() == "..."


def test_an_attempt_that_raises_is_tried_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    renewed, back = tmp_path / "renewed", tmp_path / "back"

    def attempt() -> int:
        note(renewed)()
        raise OSError("no route to host")

    keep(until(renewed, 2), attempt, note(back))
    assert renewed.read_text() == ".."
    assert back.read_text() == "."
    assert capfd.readouterr() == ("", "")


def test_a_lease_that_is_gone_is_neither_renewed_nor_given_back(tmp_path: Path) -> None:
    renewed, back = tmp_path / "renewed", tmp_path / "back"
    keep(lambda: True, note(renewed, GONE), note(back))
    assert renewed.read_text() == "."
    assert not back.exists()


def test_an_attempt_that_hangs_does_not_keep_a_lease_whose_run_has_ended(tmp_path: Path) -> None:
    renewed, back = tmp_path / "renewed", tmp_path / "back"

    def hang() -> int:
        note(renewed)()
        return subprocess.run(["sleep", "60"], check=False).returncode

    started = time.monotonic()
    keep(until(renewed, 1), hang, note(back))
    assert time.monotonic() - started < 10
    assert back.read_text() == "."


def test_an_attempt_that_hangs_is_killed_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "TRY_SECONDS", 0.3)
    renewed, back = tmp_path / "renewed", tmp_path / "back"

    def hang() -> int:
        note(renewed)()
        time.sleep(60)
        return 0

    keep(until(renewed, 2), hang, note(back))
    assert renewed.read_text() == ".."


# Who runs


@pytest.mark.parametrize(("state", "expected"), [("S", "22"), ("R", "22"), ("Z", ""), ("X", "")])
def test_a_process_is_known_by_when_it_started_and_one_that_was_killed_does_not_run(
    tmp_path: Path, state: str, expected: str
) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "42").mkdir()
    (tmp_path / "42" / "stat").write_text(f"42 (a) Z b)) {state} {FIELDS}\n")
    assert process_start(42, tmp_path) == expected


def test_a_process_that_is_not_there_has_no_start(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    assert process_start(42, tmp_path) == ""


def test_where_there_is_no_proc_the_start_is_asked_for(tmp_path: Path) -> None:
    assert process_start(os.getpid(), tmp_path)
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    assert process_start(ended.pid, tmp_path) == ""


def test_the_process_of_a_killed_child_that_nobody_has_looked_at_does_not_run() -> None:
    child = subprocess.Popen(["sleep", "60"])
    assert process_start(child.pid)
    child.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 5
    while process_start(child.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process_start(child.pid) == ""
    child.wait()


def test_a_process_is_there_as_long_as_it_is_the_one_that_was_seen() -> None:
    started = process_start(os.getpid())
    assert is_running(os.getpid(), started)
    assert not is_running(os.getpid(), f"{started}0")
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    # One that had ended before somebody looked has no start, and neither has one that is not there.
    assert not is_running(ended.pid, "")


def test_a_run_is_the_parent_and_the_same_for_all_of_its_workers() -> None:
    assert owner().process == os.getppid()
    assert owner().started == process_start(os.getppid())
    assert owner().id == owner().id


def test_a_machine_is_the_same_until_it_reboots_and_other_processes_see_it_so() -> None:
    code = "from ansible_collections.initech.django.plugins.module_utils.keeper import machine; print(machine())"
    command = [sys.executable, "-c", code]
    other = subprocess.run(command, capture_output=True, text=True, check=True, env=COLLECTIONS).stdout.strip()
    assert other == keeper.machine()


DETACH = """
import os, sys, time
from pathlib import Path
from ansible_collections.initech.django.plugins.module_utils.keeper import detach

def work():
    Path(sys.argv[1], "session").write_text(str(os.getsid(0)))
    Path(sys.argv[1], "open").write_text(" ".join(sorted(os.listdir("/proc/self/fd"))))
    while not Path(sys.argv[1], "end").exists():
        time.sleep(0.01)
    Path(sys.argv[1], "done").touch()

detach(work)
print("the run goes on", os.getsid(0))
"""


def test_what_was_detached_outlives_the_run_and_keeps_nobody_waiting_for_its_output(tmp_path: Path) -> None:
    # This returns only when nobody has the pipe open any more.
    command = [sys.executable, "-c", DETACH, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=COLLECTIONS)
    assert run.stdout.startswith("the run goes on")
    assert not (tmp_path / "done").exists()
    (tmp_path / "end").touch()
    deadline = time.monotonic() + 10
    while not (tmp_path / "done").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert (tmp_path / "session").read_text() != run.stdout.split()[-1]
    # The three that lead nowhere, and the one that lists them.
    assert len((tmp_path / "open").read_text().split()) == 4


def test_nothing_that_follows_is_done_twice(tmp_path: Path) -> None:
    log = tmp_path / "log"
    detach(note(log))  # type: ignore[arg-type]
    with log.open("a") as file:
        file.write("after")
    deadline = time.monotonic() + 10
    while "." not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert log.read_text().count("after") == 1
