"""What a restore does in what order, with programs that stand in for those of the host."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils import (
    clusters,
    mariadb,
    recovery_mariadb,
    recovery_postgresql,
    restic,
    servers,
)
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.modules import restore

OPTIONS = {
    "app_name": "shop",
    "engine": "postgresql",
    "name": "restored",
    "time": "",
    "over_live": "shop",
    "media": True,
}
UNITS = {"postgresql": "initech-backup@diff.service", "mysql": "initech-mysql-backup@whole.service"}


def ended(code: int = 0, output: str = "") -> subprocess.CompletedProcess[str]:
    """Return a program that ended."""
    return subprocess.CompletedProcess([], code, output, "")


# Over the live database


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., list[str]]:
    """Return a function that restores, whatever the engine, and returns what systemd was told and what was reported."""

    def play(codes: dict[str, int] | None = None, check_mode: bool = False, **options: Any) -> list[str]:
        log: list[str] = []

        def run(command: Sequence[str], **_: Any) -> subprocess.CompletedProcess[str]:
            log.append(" ".join(command[:3]))
            return ended((codes or {}).get(command[1], 0), "the disk is gone")

        monkeypatch.setattr(servers, "run", run)
        for engine, server in ((recovery_postgresql, clusters), (recovery_mariadb, mariadb)):
            monkeypatch.setattr(engine, "restore", lambda *_: ("label", ["Restored."]))
            monkeypatch.setattr(server, "LOCK", tmp_path / "lock")
        monkeypatch.setattr(clusters, "full", lambda: "")
        monkeypatch.setattr(restic.Repository, "full", lambda _: "")
        monkeypatch.setattr(restore, "restore_uploads", lambda *_: ["Uploads."])
        report = restore.restore({**OPTIONS, **options}, check_mode)[1]
        return [*log, *report]

    return play


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_after_a_restore_over_the_live_database_a_backup_is_taken_as_the_timers_do(
    told: Callable[..., list[str]], engine: str
) -> None:
    assert f"systemctl start {UNITS[engine]}" in told(engine=engine)


def test_after_one_beside_it_and_in_check_mode_none_is(told: Callable[..., list[str]]) -> None:
    assert told(over_live="") == ["Restored.", "Uploads."]
    assert told(check_mode=True) == ["Restored.", "Would restore backup label."]


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_a_backup_that_fails_then_is_told_after_all_was_restored_with_what_was(
    told: Callable[..., list[str]], engine: str
) -> None:
    with pytest.raises(Problem, match=r"(?s)^Restored\.\nUploads\.\nWhat is committed.*backup\.yml.*the disk is gone"):
        told({"start": 1}, engine=engine)


def test_a_host_that_takes_the_place_of_another_one_has_no_unit_yet_and_is_told_what_to_type(
    told: Callable[..., list[str]],
) -> None:
    """There provisioning stops at the backups of the former host, before the units, and says to restore."""
    report = told({"cat": 1})
    assert not [line for line in report if "systemctl start" in line]
    assert "provision again, and then take one with: ansible-playbook backup.yml" in "\n".join(report)
