"""From which snapshots MariaDB is restored to a second: judged without a repository."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils.backups import Backup, entries
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.snapshots import (
    FILE,
    Log,
    damages,
    needed,
    plan,
    position,
    read,
)

NOW = 1795521600  # 2026-11-24 12:00:00+00


def whole(label: str, stop: int, data: str = "1-1") -> Backup:
    return Backup(label, "full", stop - 10, stop, 0, data=data)


def snapshot(label: str, *tags: str) -> dict[str, Any]:
    return {"short_id": label, "time": "2026-11-24T12:00:00.123456789Z", "tags": list(tags)}


A, B, C = whole("a", 1000), whole("b", 2000), whole("c", 3000, "2-2")
LOGS = [Log("l1", 1300, "1-1"), Log("l2", 1600, "1-1"), Log("l3", 2500, "1-1"), Log("l4", 3300, "2-2")]


def test_only_what_was_completed_is_listed_the_oldest_first() -> None:
    text = json.dumps(
        [
            snapshot("b", "base", "data=1-1", "stop=2000"),
            snapshot("half", "draft", "draft-7"),
            snapshot("l", "log", "data=1-1", "until=1500"),
            {"short_id": "bare", "time": "2026-11-24T12:00:00Z"},
            snapshot("a", "base", "data=1-1", "stop=1000"),
        ]
    )
    wholes, logs = read(text)
    assert [(each.label, each.stop, each.data, each.start) for each in wholes] == [
        ("a", 1000, "1-1", NOW),
        ("b", 2000, "1-1", NOW),
    ]
    assert logs == [Log("l", 1500, "1-1")]
    assert read("null") == ([], [])


@pytest.mark.parametrize(
    ("target", "backup", "log"),
    [
        (1200, "a", "l1"),
        (1300, "a", "l1"),
        (1301, "a", "l2"),
        # Everything of that second and of no later one is in what was stored after it.
        (1300.5, "a", "l2"),
        (1700, "a", "l3"),
        (2100, "b", "l3"),
        # Nothing was stored since, and the server got no other data yet.
        (2600, "b", "l3"),
        (3100, "c", "l4"),
        (9000, "c", "l4"),
        (None, "c", "l4"),
    ],
)
def test_a_second_is_restored_from_the_backup_before_it_and_the_log_that_goes_beyond_it(
    target: float | None, backup: str, log: str
) -> None:
    found = plan([A, B, C], LOGS, target, NOW)
    assert (found.backup.label, found.log and found.log.label) == (backup, log)


@pytest.mark.parametrize("target", [None, 2600])
def test_a_log_from_before_the_backup_is_not_needed(target: float | None) -> None:
    assert plan([A, B], LOGS[:2], target, NOW).log is None


def test_a_second_after_a_restore_and_before_its_first_backup_is_refused_with_what_can_be() -> None:
    logs = [*LOGS[:3], Log("new", 2700, "2-2")]
    with pytest.raises(Problem, match="after the server got other data") as refused:
        plan([A, B, C], logs, 2800, NOW)
    assert "until 1970-01-01T00:41:40+00" in str(refused.value)
    assert "The next second that can be restored is 1970-01-01T00:50:01+00" in str(refused.value)


def test_a_second_before_everything_is_refused() -> None:
    with pytest.raises(Problem, match="is before everything that can be restored"):
        plan([A], LOGS, 900, NOW)


def test_a_backup_says_where_the_log_goes_on() -> None:
    assert position("binlog.000004\t1337\t0-1-5\n") == ("binlog.000004", 1337)


@pytest.mark.parametrize("text", ["", "\t\t\n", "binlog.000001"])
def test_a_backup_without_a_log_is_refused(text: str) -> None:
    with pytest.raises(Problem, match="the server wrote none then"):
        position(text)


def test_the_files_of_a_log_are_in_the_order_of_their_numbers() -> None:
    names = ["binlog.1000000", "binlog.999999", "binlog.999998", "binlog.1000001"]
    assert needed(names, "binlog.999999") == ["binlog.999999", "binlog.1000000", "binlog.1000001"]
    assert needed(names, "binlog.999998", "binlog.1000000")[-1] == "binlog.1000000"
    # The one that the server just writes is not stored.
    assert needed(names, "binlog.999998", "binlog.1000002")[-1] == "binlog.1000001"


def test_a_log_that_lacks_where_to_begin_is_refused() -> None:
    with pytest.raises(Problem, match=r"lacks binlog\.000001"):
        needed(["binlog.000002"], "binlog.000001")


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("binlog.000001", True), ("binlog.1000000", True), ("binlog.000001.idx", False), ("binlog.index", False)],
)
def test_what_is_a_file_of_the_log(name: str, is_one: bool) -> None:
    assert bool(FILE.fullmatch(name)) == is_one


def test_a_damaged_table_is_named_and_a_view_is_none() -> None:
    text = (
        "mysql.slow_log\nnote     : The storage engine for the table doesn't support check\n"
        "shop.orders                OK\nshop.sold\nWarning  : InnoDB: Index 'note' is corrupt\n"
        "error    : Corrupt\nshop.view    OK\n"
    )
    assert damages(text) == ["shop.sold: InnoDB: Index 'note' is corrupt", "shop.sold: Corrupt"]
    assert damages("shop.orders                OK\n") == []


def test_the_files_of_a_snapshot_are_listed_with_their_sizes() -> None:
    lines = [
        {"struct_type": "snapshot", "paths": ["/base.mbstream"]},
        {"struct_type": "node", "type": "dir", "path": "/var"},
        {"struct_type": "node", "type": "file", "path": "/base.mbstream", "size": 12},
    ]
    assert entries("\n".join(map(json.dumps, lines)) + "\n") == {"/base.mbstream": 12}
