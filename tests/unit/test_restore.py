"""What a restore does in what order, with programs that stand in for those of the host."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils import (
    backups,
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


# PostgreSQL


class Host:
    """Stands in for a host with a live cluster of version 17, and for its programs.

    Attributes:
        backups: what the repository has.
        restores: with which options pgBackRest was told to restore.
        ends: by these options of a restore, whose server then ends while it recovers, what it says.
        histories: when those of timelines were stored.
        connections: the max_connections of a cluster, by its data directory.
        pauses: whether the restored server pauses while it recovers.
    """

    def __init__(self, root: Path) -> None:
        """Make the directories below that one."""
        self.root = root
        self.live = root / "17" / "main"
        self.backups: list[dict[str, Any]] = []
        self.restores: list[list[str]] = []
        self.ends: dict[str, str] = {}
        self.histories: dict[str, int] = {}
        self.connections: dict[str, int] = {}
        self.pauses = False
        for path in (self.live, root / "15", root / "bin"):
            path.mkdir(parents=True)
        for name in ("postgres", "pg_controldata"):
            (root / "bin" / name).touch()
        (root / "pgbackrest.conf").write_text(f"[main]\npg1-path={self.live}\n")

    def add(self, label: str, stop: int, version: int = 17, timeline: int = 1) -> None:
        """Put a backup into the repository."""
        number = 2 if version == 17 else 1
        stamps = {"timestamp": {"start": stop - 60, "stop": stop}, "info": {"size": 1000}, "database": {"id": number}}
        archive = {"start": f"{timeline:08X}0000000000000004"}
        self.backups.append({"label": label, "type": "full", "archive": archive, **stamps})

    def words(self) -> str:
        """Return with what the server ended that was restored last; empty where it did not."""
        return next((self.ends[each] for each in self.restores[-1] if each in self.ends), "")

    def pgbackrest(self, *arguments: str) -> str:
        """Do what pgBackRest would, and return what it would print."""
        if "info" in arguments:
            db = [{"id": 1, "system-id": 1, "version": "15"}, {"id": 2, "system-id": 2, "version": "17"}]
            entry = {"name": "main", "status": {"code": 0, "message": "ok"}, "db": db, "backup": self.backups}
            return json.dumps([entry])
        if "archive/main/17-2" in arguments:
            return json.dumps({name: {"type": "file", "time": time} for name, time in self.histories.items()})
        if "archive/main/15-1" in arguments:
            return "{}"
        if "restore" in arguments:
            self.restores.append([*arguments])
            data = next(Path(each.partition("=")[2]) for each in arguments if each.startswith("--pg1-path="))
            data.mkdir()
            (data / "postgresql.auto.conf").touch()
        return ""

    def run(self, command: Sequence[str | Path], *_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
        """Do what a program would."""
        name, arguments = Path(command[0]).name, [str(each) for each in command[1:]]
        if name == "pgbackrest":
            return ended(output=self.pgbackrest(*arguments))
        if name == "pg_createcluster":
            configuration = self.root / "etc" / arguments[-2] / arguments[-1]
            configuration.mkdir(parents=True)
            shutil.copy2(self.root / arguments[-2] / arguments[-1] / "postgresql.conf", configuration)
            with (configuration / "postgresql.conf").open("a") as file:
                file.write("port = 5433\n")
        if name == "pg_ctl":
            return ended(0 if "status" in arguments and self.restores and not self.words() else 3)
        if name == "pg_controldata":
            return ended(output=f"max_connections setting: {self.connections.get(arguments[-1], 100)}")
        if name == "psql" and not self.words():
            state = "paused" if self.pauses else "not paused"
            return ended(output=state if "pause_state" in arguments[-1] else "ft"[self.pauses])
        return ended()

    def run_or_fail(self, command: Sequence[str | Path], *_: Any, **__: Any) -> str:
        """Do what a program would, and return what it would print."""
        return self.run(command).stdout

    def restore(self, second: int | None = None, check_mode: bool = False, over_live: str = "") -> list[str]:
        """Restore, and return the report."""
        time = "" if second is None else backups.utc(second)
        return recovery_postgresql.restore(backups.Request("restored", time, over_live, check_mode), 0)[1]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    """Return a host on which everything is in a directory."""
    made = Host(tmp_path)
    monkeypatch.setattr(clusters, "CONFIGURATION", tmp_path / "pgbackrest.conf")
    monkeypatch.setattr(clusters, "run", made.run)
    monkeypatch.setattr(clusters, "run_or_fail", made.run_or_fail)
    cluster = clusters.Cluster
    monkeypatch.setattr(cluster, "configuration", property(lambda self: tmp_path / "etc" / self.version / self.name))
    monkeypatch.setattr(cluster, "program", lambda _, name: tmp_path / "bin" / name)
    monkeypatch.setattr(cluster, "log", property(lambda _: tmp_path / "log"))
    monkeypatch.setattr(cluster, "last_words", lambda _: made.words())
    return made


NOON = 1795521600
ENDED = "FATAL:  recovery ended before configured recovery target was reached"


def test_a_second_after_the_end_of_a_log_from_before_an_upgrade_is_the_end_of_it_also_where_that_is_seen_late(
    host: Host,
) -> None:
    """The server starts as soon as it is consistent, and comes to the end of a long log after that."""
    host.add("old", NOON - 900, version=15)
    host.add("new", NOON)
    host.ends["--type=time"] = ENDED
    host.restore(NOON - 300)
    assert [[each for each in told if each.startswith("--type")] for told in host.restores] == [
        ["--type=time"],
        ["--type=default"],
    ]
    assert (host.root / "15" / "restored" / "restored").exists()


@pytest.mark.parametrize("words", [ENDED, "FATAL:  requested timeline 2 is not a child of this server's history"])
def test_where_the_log_of_the_live_cluster_does_not_lead_to_a_second_it_is_said_which_can_be_restored(
    host: Host, words: str
) -> None:
    host.add("new", NOON - 900)
    host.add("newer", NOON - 60)
    host.ends["--type=time"] = words
    with pytest.raises(Problem, match=r"(?s)ended while it recovered.*or one from 2026-11-24T11:59:01\+00 on"):
        host.restore(NOON - 300)
    assert len(host.restores) == 1


@pytest.mark.parametrize(
    ("second", "label", "timeline"),
    [
        # Before the restore, the line that it undid; from the same backup after it, the one that it began.
        (NOON - 700, "first", "current"),
        (NOON - 500, "second", "current"),
        (NOON - 300, "second", "2"),
        (NOON - 100, "third", "current"),
        (None, "third", "latest"),
    ],
)
def test_a_second_is_recovered_along_the_timeline_that_the_live_cluster_was_on_then(
    host: Host, second: int | None, label: str, timeline: str
) -> None:
    host.add("first", NOON - 900)
    host.add("second", NOON - 600)
    host.add("third", NOON - 200, timeline=2)
    host.histories["00000002.history"] = NOON - 400
    host.restore(second)
    assert host.restores[0][3:5] == [f"--set={label}", f"--target-timeline={timeline}"]


def settings(host: Host) -> list[str]:
    """Return the settings of the restored cluster."""
    return (host.root / "etc" / "17" / "restored" / "postgresql.conf").read_text().splitlines()


@pytest.mark.parametrize(("live", "before", "highest"), [(500, 100, 500), (100, 300, 300), (50, 50, 100)])
def test_a_restored_server_has_what_was_raised_since_its_backup_since_the_log_comes_to_it(
    host: Host, live: int, before: int, highest: int
) -> None:
    host.add("new", NOON)
    (host.root / "15" / "main").mkdir()
    host.connections = {str(host.live): live, str(host.root / "15" / "main"): before}
    host.restore()
    assert f"max_connections = {highest}" in settings(host)


def test_a_server_that_pauses_while_it_recovers_is_not_waited_for(host: Host) -> None:
    host.add("new", NOON)
    host.pauses = True
    with pytest.raises(Problem, match=r"17/restored paused while it recovered(.|\n)*has to be raised for the live"):
        host.restore()
