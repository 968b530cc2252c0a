"""What can be restored, from where, and whether two servers hold the same: judged without a server."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from ansible.parsing.splitter import parse_kv
from ansible_collections.initech.django.plugins.module_utils.backups import (
    Backup,
    Snapshot,
    check_name,
    check_version,
    check_word,
    choose,
    controlled,
    differences,
    duration,
    has_checksums,
    listing,
    newest_snapshot,
    read_info,
    read_set,
    read_system,
    read_time,
    system_of,
    timeline_at,
    totals,
    unreached,
    utc,
    verify_problems,
)
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from hypothesis import given
from hypothesis import strategies as st

NOON = 1795521600  # 2026-11-24 12:00:00+00
FIRST = Backup("20261124-115500F", "full", NOON - 300, NOON - 240, 1000, "17", archive="17-2")
SECOND = Backup(
    "20261124-115500F_20261124-115800D", "diff", NOON - 120, NOON - 60, 1200, "17", archive="17-2", timeline=10
)
OLD = Backup("20261124-114500F", "full", NOON - 900, NOON - 840, 900, "15", is_current=False, archive="15-1")


def entry(backup: Backup, **more: Any) -> dict[str, Any]:
    """Return a backup as pgBackRest lists it."""
    stamps = {"start": backup.start, "stop": backup.stop}
    numbers = {"timestamp": stamps, "info": {"size": backup.size}, "database": {"id": 1 + backup.is_current}}
    archive = {"archive": {"start": f"{backup.timeline:08X}0000000000000004"}}
    return {"label": backup.label, "type": backup.kind, **numbers, **archive, **more}


def info(*backups: dict[str, Any], code: int = 0, name: str = "main") -> str:
    status = {"code": code, "message": "it broke"}
    db = [{"id": 1, "system-id": 7001, "version": "15"}, {"id": 2, "system-id": 7002, "version": "17"}]
    return json.dumps([{"name": name, "status": status, "db": db, "backup": list(backups)}])


# The repository


def test_backups_are_listed_by_age_and_such_with_errors_are_none() -> None:
    broken = entry(SECOND, error=True, label="broken")
    assert read_info(info(entry(SECOND), broken, entry(FIRST)), "main") == [FIRST, SECOND]


def test_a_backup_that_somebody_took_by_hand_of_a_server_that_was_down_is_listed() -> None:
    assert read_info(info(entry(FIRST, archive={"start": None, "stop": None})), "main") == [FIRST]


def test_backups_from_before_an_upgrade_are_known_as_such_and_replace_nothing() -> None:
    assert read_info(info(entry(FIRST), entry(OLD)), "main") == [OLD, FIRST]
    check_version(FIRST, "17")
    for version in ("15", "17"):
        with pytest.raises(Problem, match=r"is of PostgreSQL 15, from before an upgrade.*without restore_over_live"):
            check_version(OLD, version)


def test_a_repository_belongs_to_the_cluster_whose_identifier_it_has_last() -> None:
    assert read_system(info(), "main") == system_of("Database system identifier:           7002\n") == "7002"
    assert read_system(info(), "other") == system_of("pg_control version number: 1700") == ""


def test_a_repository_without_a_backup_is_no_error_and_one_that_cannot_be_read_is() -> None:
    assert read_info(info(code=2), "main") == []
    assert read_info(info(entry(FIRST), name="other"), "main") == []
    with pytest.raises(Problem, match="it broke"):
        read_info(info(code=99), "main")


def test_a_backup_tells_its_databases_and_tablespaces() -> None:
    references = {"database-ref": [{"name": "shop", "oid": 1}, {"name": "postgres", "oid": 5}]}
    assert read_set(info(entry(FIRST, **references, tablespace=None))) == (["postgres", "shop"], [])
    assert read_set(info(entry(FIRST, tablespace=[{"name": "fast", "oid": 7}]))) == ([], ["fast"])


VERIFIED = """\
stanza: main
status: {status}
  archiveId: 17-1, total WAL checked: 3, total valid WAL: 3
    missing: {missing}, checksum invalid: 0, size invalid: 0, other: 0
  backup: 20261124-152120F, status: {backup}, total files checked: 1269, total valid files: 1269
    missing: 0, checksum invalid: {invalid}, size invalid: 0, other: 0
"""


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"missing": 2, "status": "error"}, ["archiveId: 17-1, missing: 2"]),
        (
            {"invalid": 1, "backup": "invalid", "status": "error"},
            ["backup: 20261124-152120F is invalid", "backup: 20261124-152120F, checksum invalid: 1"],
        ),
        ({"status": "error"}, ["pgbackrest verify did not say that all is well: missing: 0, checksum invalid: 0, "]),
    ],
)
def test_what_verify_finds_is_read_from_its_text(values: dict[str, Any], expected: list[str]) -> None:
    text = VERIFIED.format(**{"status": "ok", "backup": "valid", "missing": 0, "invalid": 0, **values})
    found = verify_problems(text)
    assert len(found) == len(expected)
    assert all(line.startswith(start) for line, start in zip(found, expected))


def test_a_verify_that_says_nothing_proves_nothing() -> None:
    assert verify_problems("") == ["pgbackrest verify did not say that all is well: it printed nothing"]


# Time


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24 12:00:00+00",
        "2026-11-24T12:00:00Z",
        "2026-11-24 13:00:00+01:00",
        "2026-11-24 06:30:00-0530",
        " 2026-11-24 12:00:00 +00 ",
    ],
)
def test_a_second_is_read_with_its_zone(text: str) -> None:
    assert read_time(text) == NOON


def test_parts_of_a_second_count() -> None:
    assert read_time("2026-11-24 12:00:00.25+00") == NOON + 0.25


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24 12:00:00",
        "yesterday",
        "2026-11-24",
        "2026-13-24 12:00:00+00",
        "2026-11-24 25:00:00+00",
        # In UTC these are in the years 0 and 10000, which there are not.
        "0001-01-01T00:00:00+05",
        "9999-12-31T23:59:59-05",
        "9999-12-31T23:59:59.999999+00",
    ],
)
def test_what_is_no_second_or_lacks_its_zone_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Problem, match=r"Type for example -e restore_time=2026-11-24T10:00:00\+00"):
        read_time(text)


def test_the_example_can_be_typed_in_a_shell_as_it_is_said() -> None:
    """The shell removes quotes, and then Ansible cuts at blanks."""
    with pytest.raises(Problem) as refused:
        read_time("yesterday")
    (_, variable) = shlex.split(str(refused.value).partition("for example ")[2])
    assert read_time(parse_kv(variable)["restore_time"]) == NOON - 7200


@given(st.integers(min_value=0, max_value=4_000_000_000))
def test_a_second_that_is_written_is_read_as_the_same(seconds: int) -> None:
    assert read_time(utc(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (61, "1 min 1 s"), (7200, "2 h 0 s"), (90061, "1 d 1 h"), (86400, "1 d 0 s")],
)
def test_a_duration_is_told_in_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


# What is restored


def test_a_restore_starts_from_the_newest_backup_that_ended_before_the_second() -> None:
    assert choose([FIRST, SECOND], None, NOON) == SECOND
    assert choose([FIRST, SECOND], NOON - 1, NOON) == SECOND
    assert choose([FIRST, SECOND], SECOND.stop, NOON) == FIRST


@pytest.mark.parametrize(
    ("backups", "target", "message"),
    [
        ([], None, "The first is taken with: ansible-playbook backup.yml"),
        ([FIRST], NOON + 1, "is in the future"),
        ([FIRST], FIRST.stop, r"The earliest is 2026-11-24T11:56:01\+00"),
    ],
)
def test_what_cannot_be_restored_is_refused(backups: list[Backup], target: float | None, message: str) -> None:
    with pytest.raises(Problem, match=message):
        choose(backups, target, NOON)


ARCHIVE = {
    "0000000A00000000": {"type": "path"},
    "00000002.history": {"type": "file", "size": 80, "time": NOON - 100},
    "0000000A.history": {"type": "file", "size": 120, "time": NOON - 50},
}


def test_a_timeline_is_that_of_the_server_from_when_its_history_was_stored() -> None:
    archive = json.dumps(ARCHIVE)
    seconds = [NOON - 101, NOON - 99.5, NOON - 99, NOON - 50, NOON]
    assert [timeline_at(archive, second) for second in seconds] == [1, 1, 2, 2, 10]
    assert timeline_at('{".": {"type": "path"}}', NOON) == 1


def test_where_a_backup_does_not_lead_to_a_second_it_is_said_which_ones_can_be_restored() -> None:
    text = unreached(FIRST, [FIRST, SECOND], SECOND.stop - 1)
    assert (
        "From backup 20261124-115500F the write-ahead log does not lead to restore_time, 2026-11-24T11:58:59+00" in text
    )
    assert "Choose an earlier second, or one from 2026-11-24T11:59:01+00 on." in text
    assert "Choose an earlier second. For the newest" in unreached(SECOND, [FIRST, SECOND], NOON)


@pytest.mark.parametrize("word", ["shop,wiki", " wiki , shop "])
def test_the_live_database_is_replaced_by_who_names_everything_that_it_holds(word: str) -> None:
    check_word(word, ["postgres", "shop", "wiki"])


@pytest.mark.parametrize("word", ["shop", "yes", "true", "shop,wiki,other", ""])
def test_it_is_not_replaced_by_who_names_less_or_more(word: str) -> None:
    with pytest.raises(Problem, match="-e restore_over_live=shop,wiki\n"):
        check_word(word, ["postgres", "wiki", "shop"])


def test_a_restored_cluster_has_a_good_name_that_is_not_the_live_ones() -> None:
    check_name("before_sale", "main")
    for name in ("main", "drill", "", "a-b", "A", "../main", "main.before"):
        with pytest.raises(Problem, match="restore_name is"):
            check_name(name, "main")


# What is compared


@pytest.mark.parametrize(
    ("text", "quiet"), [("750:750:", True), ("750:751:750", False), ("750:752:", False), ("750:752:750,751", False)]
)
def test_a_moment_is_quiet_if_no_transaction_is_under_way(text: str, quiet: bool) -> None:
    assert Snapshot(text).is_quiet == quiet


LIVE = {"shop": {"public.sold": (2, "77"), "public.user": (0, "0")}}


def test_servers_that_hold_the_same_do_not_differ() -> None:
    assert (
        differences(
            LIVE,
            json.loads(
                json.dumps(LIVE),
                object_hook=lambda each: {
                    name: tuple(value) if isinstance(value, list) else value for name, value in each.items()
                },
            ),
        )
        == []
    )
    assert totals(LIVE) == (2, 2)


@pytest.mark.parametrize(
    ("restored", "line"),
    [
        ({}, "database shop is not in the backup"),
        ({**LIVE, "wiki": {}}, "database wiki is only in the backup"),
        ({"shop": {"public.sold": (2, "77")}}, "shop: public.user is not in the backup"),
        ({"shop": {**LIVE["shop"], "public.more": (1, "5")}}, "shop: public.more is only in the backup"),
        ({"shop": {**LIVE["shop"], "public.sold": (1, "70")}}, "shop: public.sold has 2 rows, and 1 in the backup"),
        (
            {"shop": {**LIVE["shop"], "public.sold": (2, "78")}},
            "shop: public.sold has other content in the backup, in as many rows: 2",
        ),
    ],
)
def test_every_difference_is_named(restored: dict[str, dict[str, tuple[int, str]]], line: str) -> None:
    assert differences(LIVE, restored) == [line]


CONTROL = """\
wal_level setting:                    replica
max_connections setting:              400
max_worker_processes setting:         8
max_prepared_xacts setting:           0
max_locks_per_xact setting:           64
Data page checksum version:           {version}
"""


def test_a_server_in_recovery_gets_the_settings_that_it_needs_at_least() -> None:
    assert controlled(CONTROL) == {
        "max_connections": 400,
        "max_worker_processes": 8,
        "max_prepared_transactions": 0,
        "max_locks_per_transaction": 64,
    }


def test_of_several_clusters_each_setting_is_the_highest_as_the_log_may_come_to_it() -> None:
    later = CONTROL.replace("400", "1000").replace("64", "32")
    assert controlled(CONTROL, later, "") == {
        "max_connections": 1000,
        "max_worker_processes": 8,
        "max_prepared_transactions": 0,
        "max_locks_per_transaction": 64,
    }


def test_page_checksums_are_seen() -> None:
    assert has_checksums(CONTROL.format(version=1))
    assert not has_checksums(CONTROL.format(version=0))
    assert not has_checksums("")


def test_the_newest_snapshot_of_uploads_until_a_second_is_found_whatever_its_zone() -> None:
    snapshots = [
        {"id": "b", "time": "2026-11-24T13:00:00.123456789+01:00"},
        {"id": "a", "time": "2026-11-24T11:00:00Z"},
        {"id": "c", "time": "2026-11-24T12:30:00.5Z"},
    ]
    text = json.dumps(snapshots)
    chosen = [newest_snapshot(text, target) for target in (None, NOON, NOON - 1, 0)]
    assert [each and each["id"] for each in chosen] == ["c", "b", "a", None]
    assert newest_snapshot("null") is None


def test_a_long_list_is_cut_for_a_message() -> None:
    assert listing(["a", "b"]) == "\n  a\n  b"
    assert listing(["a", "b", "c"], most=2) == "\n  a\n  b\n  and 1 more"
