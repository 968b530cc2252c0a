"""What happened to releases is never lost, and decides what a rollback goes to and what is removed."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.initech.django.plugins.module_utils.history import (
    BEGUN,
    DRAINED,
    FAILED,
    FINISHED,
    LIVE,
    PROVED,
    STARTED,
    Event,
    chosen_target,
    failures,
    good,
    live_since,
    read,
    record,
    rollback_target,
    steps,
    to_keep,
)
from ansible_collections.initech.django.plugins.module_utils.lease import Claim
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from hypothesis import given
from hypothesis import strategies as st

A, B, C, D = "20261101T000000Z-aaaaaaaa", "20261102T000000Z-bbbbbbbb", "20261103T000000Z-cccccccc", "2027"

ids = st.sampled_from([A, B, C, D, "2026", "2028", "2029"])
complete_releases = st.sets(ids)
live_releases = st.none() | ids
histories = st.lists(st.builds(Event, release=ids, event=st.sampled_from([LIVE, FAILED]), at=st.just("")))


def events(text: str) -> list[Event]:
    """Return a history written as ``A+ B- C? …``: A went live, B failed, C was proved."""
    names = {"A": A, "B": B, "C": C, "D": D}
    return [Event(names[each[0]], {"+": LIVE, "-": FAILED, "?": PROVED}[each[1]], "") for each in text.split()]


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


CLAIM = Claim("a1", "deploy", "v1.4", "ada", "laptop", "m", 4711, "1", "2026-11-25 07:00:00 UTC", "web1", {"web1": ""})


def test_an_event_says_who_did_what_from_where_and_how_long_it_took(path: Path) -> None:
    with steps(path, A, "migrate", "migrated", CLAIM) as details:
        details.update(migrations=["pages.0003_more"], backup="20261125-070000F")
    (found,) = read(path)
    assert (found.release, found.event, found.kind, found.version) == (A, "migrated", "deploy", "v1.4")
    assert (found.owner, found.controller, found.run) == ("ada", "laptop", CLAIM.run)
    assert (list(found.migrations), found.backup) == (["pages.0003_more"], "20261125-070000F")
    assert found.seconds is not None
    assert 0 <= found.seconds < 1


def test_a_step_that_fails_leaves_its_reason_and_nothing_of_what_the_project_printed(path: Path) -> None:
    with pytest.raises(Problem, match="SECRET"), steps(path, A, "prove", PROVED, CLAIM):
        raise Problem("check --deploy failed (exit code 1):\nSECRET_KEY=...")
    (found,) = read(path)
    assert (found.event, found.step, found.message) == (FAILED, "prove", "check --deploy failed (exit code 1)")
    assert "SECRET" not in path.read_text()


def test_a_reason_is_cut_where_it_would_fill_the_screen(path: Path) -> None:
    with pytest.raises(Problem), failures(path, A, "stage", CLAIM):
        raise Problem("x" * 5000)
    assert len(read(path)[0].message) == 200


def test_a_step_that_is_called_by_itself_leaves_no_line(path: Path) -> None:
    with steps(path, A, "prove", PROVED, None):
        pass
    with pytest.raises(Problem), steps(path, A, "prove", PROVED, None):
        raise Problem("wrong")
    assert not path.exists()


def test_a_history_of_before_and_one_of_later_are_read(path: Path) -> None:
    path.write_text(
        f'{{"release": "{A}", "event": "live", "at": "2026-11-01T00:00:00+00:00"}}\n'
        f'{{"release": "{B}", "event": "live", "at": "2026-11-02T00:00:00+00:00", "mood": "good"}}\n'
    )
    assert good(read(path)) == {A, B}


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


@pytest.mark.parametrize("garbage", [b"}", b"\0\0\0}", b"\xff}", b"{}", b"[1]", b'{"release": "A"}', b"null"])
def test_a_line_that_a_crash_of_the_host_filled_with_something_else_costs_no_other(path: Path, garbage: bytes) -> None:
    record(path, A, LIVE)
    path.write_bytes(path.read_bytes() + garbage)
    record(path, B, LIVE)
    assert [event.release for event in read(path)] == [A, B]


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


@pytest.mark.parametrize("event", [BEGUN, PROVED, STARTED, DRAINED, FINISHED])
def test_no_other_event_makes_a_release_good_or_bad(event: str) -> None:
    for history, expected in (("", set()), ("A+", {A}), ("A+ A-", set())):
        assert good([*events(history), Event(A, event, "")]) == expected


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
        # An id is of the clock of who deployed, and that may have been fast (C) or slow (A).
        ({A, B, C}, B, "A+ C+ B+", C),
        ({A, B, C}, C, "A+ C+ B+", A),
        ({A, B, C}, A, "B+ C+ A+", C),
        # Where the link was lost, the newest good one.
        ({A, B, C}, None, "A+ B+ C-", B),
    ],
)
def test_a_rollback_goes_to_the_newest_good_release_before_the_live_one(
    complete: set[str], live: str | None, history: str, expected: str | None
) -> None:
    assert rollback_target(complete, live, events(history)) == expected


@pytest.mark.parametrize(("asked", "expected"), [("", B), (A, A), (B, B), (C, C)])
def test_a_rollback_goes_to_what_is_asked_for_where_that_is_good_or_live(asked: str, expected: str) -> None:
    assert chosen_target(asked, {A, B, C}, C, events("A+ B+ C+"), "Deploy.") == expected


def test_a_rollback_goes_forth_to_a_newer_release_if_that_is_asked_for() -> None:
    assert chosen_target(C, {A, B, C}, A, events("A+ B+ C+ A+"), "") == C


@pytest.mark.parametrize(
    ("asked", "complete", "history", "expected"),
    [
        ("", {C}, "C+", f"It has no good release older than the live one ({C}). Deploy."),
        (A, {B, C}, "A+ B+ C+", f"Release {A} is not here, or was never complete. Good ones are here: {B}. Deploy."),
        (A, {C}, "A+ C+", f"Release {A} is not here, or was never complete. No other good one is here. Deploy."),
        (B, {A, B, C}, "A+ B- C+", f"Release {B} is no good: it failed. Good ones are here: {A}. Deploy."),
        (B, {A, B, C}, "A+ C+", f"Release {B} is no good: it was never live. Good ones are here: {A}. Deploy."),
    ],
)
def test_a_rollback_to_what_is_bad_or_unfinished_or_not_there_is_refused_with_what_is(
    asked: str, complete: set[str], history: str, expected: str
) -> None:
    with pytest.raises(Problem) as problem:
        chosen_target(asked, complete, C, events(history), "Deploy.")
    assert str(problem.value) == expected


def test_why_a_release_is_bad_is_said() -> None:
    failed = Event(B, FAILED, "", message="it answered 500")
    with pytest.raises(Problem, match=r"is no good: it failed: it answered 500\. No other"):
        chosen_target(B, {B, C}, C, [failed, *events("C+")], "")


@given(complete=complete_releases, live=live_releases, history=histories)
def test_a_rollback_never_goes_to_what_is_not_there_or_failed_or_newer(
    complete: set[str], live: str | None, history: list[Event]
) -> None:
    target = rollback_target(complete, live, history)
    if target is not None:
        assert target in complete
        came = [event.release for event in history]
        assert live not in came or came.index(target) < came.index(live)
        assert [event.event for event in history if event.release == target][-1] == LIVE


@pytest.mark.parametrize(
    ("complete", "live", "history", "keep", "expected"),
    [
        ({A, B, C}, C, "A+ B+ C+", 2, {B, C}),
        ({A, B, C}, C, "A+ B+ C+", 5, {A, B, C}),
        ({A, B, C}, B, "C+ A+ B+", 2, {A, B}),
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


@pytest.mark.parametrize(
    ("complete", "live", "history", "keep", "expected"),
    [
        # Beside those that a rollback may go to, as many as may stay.
        ({A, B, C}, B, "A+ B+ C?", 2, {A, B, C}),
        ({A, B}, A, "A+ B?", 1, {A, B}),
        ({A}, None, "A?", 5, {A}),
        # Whatever else happens to others meanwhile, such as a rollback.
        ({A, B, C}, A, "A+ B+ C? A+", 5, {A, B, C}),
        # Until the next release is made, wherever that one gets to.
        ({A, B, C}, A, "A+ B? C?", 5, {A, C}),
        ({A, B, C}, C, "A+ B? C? C+", 5, {A, C}),
        ({A, B}, A, "A+ B? C-", 5, {A}),
        # What failed later is none, nor one that went live and back, nor one that is half-made.
        ({A, B}, A, "A+ B? B-", 5, {A}),
        ({A, B}, A, "A+ B? B+ B- A+", 5, {A}),
        ({A, B}, A, "A+ B? B+ A+", 1, {A}),
        ({A}, A, "A+ B?", 5, {A}),
    ],
)
def test_what_was_prepared_and_not_switched_to_stays_until_the_next_release_is_made(
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


def test_a_release_is_live_since_it_went_live_for_the_last_time(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    for release, event in ((A, LIVE), (B, LIVE), (A, LIVE), (A, DRAINED)):
        record(path, release, event)
    known = read(path)
    assert live_since(A, known) == datetime.fromisoformat(known[2].at)
    assert live_since(C, known) is None
