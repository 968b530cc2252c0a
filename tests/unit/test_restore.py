"""What a restore does in what order, with programs that stand in for those of the host."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils import (
    backups,
    clusters,
    digests,
    mariadb,
    mariadb_digests,
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
        is_running: whether the live server is.
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
        self.pauses = self.is_running = False
        configuration = root / "etc" / "17" / "main"
        for path in (self.live, root / "15", root / "bin", configuration):
            path.mkdir(parents=True)
        (configuration / "postgresql.conf").write_text("port = 5432\n")
        for name in ("postgres", "pg_controldata"):
            (root / "bin" / name).touch()
        (root / "pgbackrest.conf").write_text(f"[main]\npg1-path={self.live}\n")

    def add(self, label: str, stop: int, version: int = 17, timeline: int = 1) -> None:
        """Put a backup into the repository."""
        number = 2 if version == 17 else 1
        stamps = {"timestamp": {"start": stop - 60, "stop": stop}, "info": {"size": 1000}, "database": {"id": number}}
        archive = {"start": f"{timeline:08X}0000000000000004"}
        databases = {"database-ref": [{"name": "shop"}]}
        self.backups.append({"label": label, "type": "full", "archive": archive, **databases, **stamps})

    def words(self) -> str:
        """Return with what the server ended that was restored last; empty where it did not."""
        return next((self.ends[each] for told in self.restores[-1:] for each in told if each in self.ends), "")

    def pgbackrest(self, *arguments: str) -> str:
        """Do what pgBackRest would, and return what it would print."""
        if "info" in arguments:
            db = [{"id": 1, "system-id": 1, "version": "15"}, {"id": 2, "system-id": 2, "version": "17"}]
            entry = {"name": "main", "status": {"code": 0, "message": "ok"}, "db": db, "backup": self.backups}
            return json.dumps([entry])
        if "verify" in arguments:
            return "status: ok"
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
            there = "status" in arguments and (self.is_running or (self.restores and not self.words()))
            return ended(0 if there else 3)
        if name == "pg_controldata":
            return ended(output=f"max_connections setting: {self.connections.get(arguments[-1], 100)}")
        if name == "psql" and not self.words():
            state = "paused" if self.pauses else "not paused"
            return ended(output=state if "pause_state" in arguments[-1] else "ft"[self.pauses])
        return ended()

    def run_or_fail(self, command: Sequence[str | Path], *_: Any, **__: Any) -> str:
        """Do what a program would, and return what it would print."""
        return self.run(command).stdout

    def leave(self, name: str) -> Path:
        """Leave what a killed restore does, so that there is no more space until it is removed, and return it."""
        left = self.live.with_name(name)
        left.mkdir()
        left.with_name(f"{name}.restoring").touch()
        return left

    def usage(self, _: Path) -> Any:
        """Return how much space there is."""
        names = ("restored", "drill", "main.incoming", "mysql-restored", "mysql-drill")
        return SimpleNamespace(free=0 if any(self.live.with_name(name).exists() for name in names) else 1 << 30)

    def restore(self, second: int | None = None, check_mode: bool = False, over_live: str = "") -> list[str]:
        """Restore, and return the report."""
        time = "" if second is None else backups.utc(second)
        return recovery_postgresql.restore(backups.Request("restored", time, over_live, check_mode), 0)[1]


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    """Return a host on which everything is in a directory."""
    made = Host(tmp_path)
    monkeypatch.setattr(clusters, "CONFIGURATION", tmp_path / "pgbackrest.conf")
    monkeypatch.setattr(shutil, "disk_usage", made.usage)
    monkeypatch.setattr(shutil, "chown", lambda *_: None)
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


def test_where_no_backup_was_taken_since_a_restore_over_the_live_cluster_it_is_said_to_take_one(host: Host) -> None:
    host.add("new", NOON)
    host.ends["--type=default"] = "FATAL:  requested timeline 2 is not a child of this server's history"
    with pytest.raises(Problem, match=r"Take a new one with: ansible-playbook backup\.yml"):
        host.restore()


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


# Space


@pytest.mark.parametrize(("word", "name"), [("", "restored"), ("shop", "main.incoming")])
def test_what_a_killed_restore_left_is_removed_before_the_space_is_judged(host: Host, word: str, name: str) -> None:
    host.add("new", NOON)
    host.leave(name)
    assert host.restore(over_live=word)[1].startswith("Restored")


@pytest.mark.parametrize(("word", "name"), [("", "restored"), ("shop", "main.incoming")])
def test_in_check_mode_it_stays_and_the_space_that_it_takes_refuses_nothing(host: Host, word: str, name: str) -> None:
    host.add("new", NOON)
    left = host.leave(name)
    host.restore(over_live=word, check_mode=True)
    assert left.exists()


def test_nothing_is_removed_for_a_restore_that_is_refused(host: Host) -> None:
    host.add("new", NOON)
    left = host.leave("main.incoming")
    with pytest.raises(Problem, match="name it: -e restore_over_live=shop"):
        host.restore(over_live="yes")
    assert left.exists()


def test_without_space_a_restore_is_refused(host: Host) -> None:
    host.add("new", NOON)
    host.live.with_name("drill").mkdir()
    with pytest.raises(Problem, match="has 0 MB of free space, and a restore needs 256 MB"):
        host.restore()


def marked(*_: str) -> None:
    """Stand in for what comes after the space was judged.

    Raises:
        Problem: always.
    """
    raise Problem("There was space.")


def test_what_a_killed_drill_left_is_removed_before_the_space_is_judged(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.add("new", NOON)
    host.is_running = True
    host.leave("drill")
    monkeypatch.setattr(digests, "marked", marked)
    with pytest.raises(Problem, match=r"There was space\."):
        recovery_postgresql.drill(recovery_postgresql.newest(), 0)


@pytest.fixture
def maria(host: Host, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Return a host that has MariaDB, with a backup."""
    running = SimpleNamespace(returncode=0, stdout="active")
    live = mariadb.Server("", host.live.with_name("mysql"), host.root / "socket", "mariadb.service")
    monkeypatch.setattr(mariadb, "LIVE", live)
    monkeypatch.setattr(mariadb, "run", lambda *_, **__: running)
    monkeypatch.setattr(mariadb, "run_or_fail", lambda *_, **__: "")
    for name in ("run", "check"):
        monkeypatch.setattr(restic.Repository, name, lambda *_, **__: "")
    whole = backups.Backup("whole", "full", NOON - 60, NOON, 0)
    monkeypatch.setattr(mariadb, "stored", lambda: ([whole], []))
    monkeypatch.setattr(mariadb, "bring_up_to_date", marked)
    monkeypatch.setattr(mariadb_digests, "marked", marked)
    monkeypatch.setattr(recovery_mariadb, "rebuild", marked)
    return host


def test_with_mariadb_it_is_the_same(maria: Host) -> None:
    request = backups.Request("restored", "", "", check_mode=False)
    left = maria.leave("mysql-restored")
    recovery_mariadb.restore(backups.Request("restored", "", "", check_mode=True), 0)
    assert left.exists()
    with pytest.raises(Problem, match=r"There was space\."):
        recovery_mariadb.restore(request, 0)
    shutil.rmtree(left)
    maria.leave("mysql-drill")
    with pytest.raises(Problem, match=r"There was space\."):
        recovery_mariadb.drill(mariadb.stored()[0][0], 0)
