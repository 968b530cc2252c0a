"""What happened to releases is never lost, and decides what a rollback goes to and what is removed."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.initech.django.plugins.module_utils.history import (
    FAILED,
    LIVE,
    Event,
    good,
    read,
    record,
    rollback_target,
    to_keep,
)
from hypothesis import given
from hypothesis import strategies as st

A, B, C, D = "20261101T000000Z-aaaaaaaa", "20261102T000000Z-bbbbbbbb", "20261103T000000Z-cccccccc", "2027"

ids = st.sampled_from([A, B, C, D, "2026", "2028", "2029"])
complete_releases = st.sets(ids)
live_releases = st.none() | ids
histories = st.lists(st.builds(Event, release=ids, event=st.sampled_from([LIVE, FAILED]), at=st.just("")))


def events(text: str) -> list[Event]:
    """Return a history written as ``A+ B- …``: A went live, B failed."""
    names = {"A": A, "B": B, "C": C, "D": D}
    return [Event(names[each[0]], LIVE if each[1] == "+" else FAILED, "") for each in text.split()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a history may be written."""
    return tmp_path / "history.jsonl"


def test_what_was_recorded_is_read_in_the_same_order(path: Path) -> None:
    before = datetime.now(timezone.utc).replace(microsecond=0)
    for release, event in ((B, LIVE), (A, FAILED), (B, LIVE)):
        record(path, release, event)
    found = read(path)
    assert [(each.release, each.event) for each in found] == [(B, LIVE), (A, FAILED), (B, LIVE)]
    assert len(path.read_text().splitlines()) == len(found)
    assert before <= datetime.fromisoformat(found[0].at) <= datetime.now(timezone.utc)


def test_nothing_happened_where_there_is_no_history(path: Path) -> None:
    assert read(path) == []


def test_the_history_is_for_root_alone(path: Path) -> None:
    record(path, A, LIVE)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("cut", [1, 20, 70])
def test_a_line_that_a_full_disk_cut_off_costs_no_other(path: Path, cut: int) -> None:
    record(path, A, LIVE)
    record(path, B, LIVE)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2 + cut])
    assert [event.release for event in read(path)] == [A]
    record(path, C, LIVE)
    record(path, D, LIVE)
    assert [event.release for event in read(path)] == [A, C, D]


def test_an_event_whose_line_lacks_only_its_end_is_not_lost(path: Path) -> None:
    record(path, A, LIVE)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    record(path, B, LIVE)
    assert [event.release for event in read(path)] == [A, B]


@pytest.mark.parametrize(
    ("history", "expected"),
    [("", set()), ("A+", {A}), ("A-", set()), ("A+ A-", set()), ("A- A+", {A}), ("A+ B- C+ B+ C-", {A, B})],
)
def test_a_release_is_good_when_it_was_live_and_has_not_failed_since(history: str, expected: set[str]) -> None:
    assert good(events(history)) == expected


@pytest.mark.parametrize(
    ("complete", "live", "history", "expected"),
    [
        ({A, B, C}, C, "A+ B+ C+", B),
        # After a rollback the next one goes further back, and not forth again.
        ({A, B, C}, B, "A+ B+ C+ B+", A),
        # One that failed, or never was live, or was removed, is none to go back to.
        ({A, B, C}, C, "A+ B+ B- C+", A),
        ({A, B, C}, C, "A+ C+", A),
        ({A, C}, C, "A+ B+ C+", A),
        ({A}, A, "A+", None),
        ({A, B}, A, "A+ B+", None),
        (set(), None, "", None),
        # Where the link was lost, the newest good one.
        ({A, B, C}, None, "A+ B+ C-", B),
    ],
)
def test_a_rollback_goes_to_the_newest_good_release_before_the_live_one(
    complete: set[str], live: str | None, history: str, expected: str | None
) -> None:
    assert rollback_target(complete, live, events(history)) == expected


@given(complete=complete_releases, live=live_releases, history=histories)
def test_a_rollback_never_goes_to_what_is_not_there_or_failed_or_newer(
    complete: set[str], live: str | None, history: list[Event]
) -> None:
    target = rollback_target(complete, live, history)
    if target is not None:
        assert target in complete
        assert live is None or target < live
        assert [event.event for event in history if event.release == target][-1] == LIVE


@pytest.mark.parametrize(
    ("complete", "live", "history", "keep", "expected"),
    [
        ({A, B, C}, C, "A+ B+ C+", 2, {B, C}),
        ({A, B, C}, C, "A+ B+ C+", 5, {A, B, C}),
        # The live one stays, whatever else, and counts.
        ({A, B, C}, A, "A+ B+ C+ A+", 2, {A, C}),
        ({A, B, C}, C, "A+ B+ C+", 0, {C}),
        ({A, B}, C, "A+ B+", 1, {C}),
        # Failed ones and those that were never live go first.
        ({A, B, C}, C, "A+ B- C+", 3, {A, C}),
        ({A, B, C}, C, "C+", 3, {C}),
        ({A, B}, None, "A+ B+", 1, {B}),
        (set(), None, "", 5, set()),
    ],
)
def test_the_live_release_and_the_newest_good_ones_stay(
    complete: set[str], live: str | None, history: str, keep: int, expected: set[str]
) -> None:
    assert to_keep(complete, live, events(history), keep) == expected


@given(complete=complete_releases, live=live_releases, history=histories, keep=st.integers(-1, 8))
def test_what_is_live_is_never_removed_and_no_more_is_kept_than_was_asked_for(
    complete: set[str], live: str | None, history: list[Event], keep: int
) -> None:
    kept = to_keep(complete, live, history, keep)
    assert live is None or live in kept
    assert kept - {live} <= complete & good(history)
    assert len(kept) <= max(keep, 1 if live else 0)
