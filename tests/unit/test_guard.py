"""What lets people in is taken back where nobody proves that he gets in, and where it could not be put in force."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils import guard
from ansible_collections.initech.django.plugins.module_utils.files import Entry
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

OWNER, GROUP = Path(__file__).owner(), Path(__file__).group()
STARTED = f"systemctl start {guard.UNIT}.service"


class Systemd:
    """What the guard asks of systemd, with a timer whose time never comes by itself."""

    def __init__(self, failing: str = "") -> None:
        self.failing = failing
        self.script = ""
        self.said: list[str] = []

    def run(self, command: Any) -> subprocess.CompletedProcess[str]:
        line = " ".join(map(str, command))
        code = 0
        if line.startswith("cp "):
            return subprocess.run(command, check=True, text=True, capture_output=True)
        self.said.append(line)
        if line.startswith("systemctl is-active"):
            code = 0 if self.script else 3
        elif line.startswith("systemd-run"):
            self.script = line.rpartition(" ")[2]
        elif line == STARTED:
            subprocess.run(["sh", self.script], check=False)
        elif line == f"systemctl stop {guard.UNIT}.timer":
            self.script = ""
        elif line == self.failing:
            code = 1
        return subprocess.CompletedProcess(command, code, "", "it said why\n" if code else "")


@pytest.fixture(name="systemd")
def _systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemd:
    systemd = Systemd()
    monkeypatch.setattr(guard, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(guard, "run", systemd.run)
    return systemd


@pytest.fixture(name="entry")
def _entry(tmp_path: Path) -> Callable[..., Entry]:
    return lambda name, **options: Entry(tmp_path / name, owner=OWNER, group=GROUP, **options)


def test_nothing_is_guarded_where_nothing_changes(systemd: Systemd, entry: Callable[..., Entry]) -> None:
    (entry("a").path).write_text("x")
    assert guard.change([entry("a", content="x")], ["reload it"], ["reload it"], 60) == []
    assert systemd.said == [f"systemctl is-active --quiet {guard.UNIT}.timer"]


def test_a_change_is_in_force_and_nobody_has_proven_it(systemd: Systemd, entry: Callable[..., Entry]) -> None:
    (entry("a").path).write_text("old")
    changes = guard.change([entry("a", content="new"), entry("b", content="b")], ["reload it"], ["put back"], 45)
    assert [change["after"] for change in changes] == ["new", "b"]
    assert (entry("a").path.read_text(), entry("b").path.read_text()) == ("new", "b")
    timer, applied = systemd.said[1:]
    assert f"--unit={guard.UNIT}" in timer
    assert "--on-active=45" in timer
    assert applied == "reload it"


def test_what_nobody_has_proven_is_put_back_before_anything_else(
    systemd: Systemd, entry: Callable[..., Entry], tmp_path: Path
) -> None:
    first, second = entry("a").path, entry("b").path
    first.write_text("old")
    first.chmod(0o640)
    told = tmp_path / "told"
    guard.change([entry("a", content="new"), entry("b", content="b")], [], [f"touch {told}"], 60)
    guard.take_back()
    assert told.exists()
    assert (first.read_text(), first.stat().st_mode & 0o777, second.exists()) == ("old", 0o640, False)
    # And only once.
    first.write_text("mine")
    guard.take_back()
    assert first.read_text() == "mine"


def test_what_cannot_be_in_force_is_put_back_at_once(systemd: Systemd, entry: Callable[..., Entry]) -> None:
    entry("a").path.write_text("old")
    systemd.failing = "reload it"
    with pytest.raises(Problem, match="reload it: exit code 1\nit said why"):
        guard.change([entry("a", content="new")], ["reload it"], [], 60)
    assert entry("a").path.read_text() == "old"
    assert systemd.said[-1] == f"systemctl stop {guard.UNIT}.timer"


def test_what_would_not_be_in_force_is_put_back_before_anything_is_applied(
    systemd: Systemd, entry: Callable[..., Entry]
) -> None:
    path = entry("a").path
    path.write_text("old")

    def verify() -> None:
        raise Problem(f"not in force: {path.read_text()}")

    with pytest.raises(Problem, match="not in force: new"):
        guard.change([entry("a", content="new")], ["reload it"], [], 60, verify)
    assert path.read_text() == "old"
    assert "reload it" not in systemd.said
    assert systemd.said[-1] == f"systemctl stop {guard.UNIT}.timer"
    # Others may have changed theirs, where ours are as they were.
    with pytest.raises(Problem, match="not in force: old"):
        guard.change([entry("a", content="old")], [], [], 60, verify)


def test_what_was_proven_stays_for_each_name_of_the_machine(systemd: Systemd, entry: Callable[..., Entry]) -> None:
    """Of two apps on one machine each has it changed, and the first one that has proven it stops the only guard."""
    entries = [entry("a", content="new")]
    for _ in range(2):
        assert guard.change(entries, ["reload it"], [], 60) != []
    assert guard.let_stay(entries)
    assert not guard.let_stay(entries)
    assert systemd.script == ""
    assert entry("a").path.read_text() == "new"


def test_what_the_host_took_back_before_it_was_proven_is_told(systemd: Systemd, entry: Callable[..., Entry]) -> None:
    entries = [entry("a", content="new")]
    guard.change(entries, [], [], 60)
    guard.take_back()
    with pytest.raises(Problem, match=r"was taken back.*Type the same again"):
        guard.let_stay(entries)


def test_a_file_that_is_to_go_comes_back_and_so_does_one_with_a_strange_name(
    systemd: Systemd, entry: Callable[..., Entry]
) -> None:
    strange = entry("it's a $(name)").path
    for path in (entry("a").path, strange):
        path.write_text("old")
    guard.change([entry("a", state="absent"), entry(strange.name, content="new")], [], [], 60)
    assert not entry("a").path.exists()
    guard.take_back()
    assert (entry("a").path.read_text(), strange.read_text()) == ("old", "old")


def test_a_run_in_check_mode_says_what_would_change(systemd: Systemd, entry: Callable[..., Entry]) -> None:
    assert [change["after"] for change in guard.foreseen([entry("a", content="new")])] == ["new"]
    assert not entry("a").path.exists()
    assert systemd.said == []
