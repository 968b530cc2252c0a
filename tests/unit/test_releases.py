"""The table of a host's releases says of each run how it ended, and of each release what it is now."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.initech.django.plugins.filter.releases_report import FilterModule
from ansible_collections.initech.django.plugins.module_utils.history import Event
from ansible_collections.initech.django.plugins.module_utils.releases import (
    OnHost,
    certificate_line,
    comparison,
    report,
    rows,
    runs,
    table,
)

A, B, C, D = (f"2026110{number}T000000Z-{name * 8}" for number, name in enumerate("abcd", start=1))
SECONDS = {"proved": 1.2, "migrated": 3.0, "started": 0.5, "drained": 1.3}


def run(release: str, names: str, kind: str = "deploy", **failure: str) -> list[Event]:
    """Return the events of a run, five seconds apart."""
    found = []
    for number, name in enumerate(names.split()):
        details: dict[str, Any] = dict(failure) if name == "failed" else {}
        if name == "migrated":
            details = {"migrations": ["pages.0003_more"], "backup": "F1"}
        # What is drained is the release before.
        found.append(
            Event(
                A if name == "drained" else release,
                name,
                f"2026-11-25T07:00:{5 * number:02}.000+00:00",
                f"{kind} {release}",
                kind,
                f"v{release[7]}",
                "ada",
                "laptop",
                SECONDS.get(name),
                **details,
            )
        )
    return found


WHOLE = "begun staged proved started live drained finished"


def on_host(live: str | None = None, *, releases: str = "", under_way: str = "") -> OnHost:
    """Return a host that has complete releases."""
    there = set(releases.split())
    return OnHost(there, there, live, {under_way} - {""})


def told(events: list[Event], there: OnHost, keep: int = 5) -> dict[str, str]:
    """Return the outcome of every run by its release, of which each has one here."""
    return {row["release"]: row["outcome"] for row in rows(events, there, keep, 20)}


def states(events: list[Event], there: OnHost, keep: int = 5) -> list[tuple[str, str]]:
    return [(row["release"], row["state"]) for row in rows(events, there, keep, 20)]


def test_a_run_is_told_apart_by_its_name_and_what_has_none_stands_alone() -> None:
    old = [Event(A, "live", "2026-11-01T00:00:00+00:00"), Event(B, "live", "2026-11-02T00:00:00+00:00")]
    assert [len(each) for each in runs([*old, *run(C, WHOLE), *run(D, "begun")])] == [1, 1, 7, 1]


def test_a_deploy_that_went_well_says_how_long_each_step_took() -> None:
    (row,) = rows(run(B, "begun staged proved migrated started live drained finished"), on_host(B), 5, 20)
    assert row["outcome"] == "deployed in 35.0 s: stage 5.0, prove 1.2, migrate 3.0, start 0.5, drain 1.3"
    assert (row["release"], row["when"], row["by"], row["version"]) == (
        B,
        "2026-11-25 07:00:00",
        "ada at laptop",
        "vb"[:1] + B[7],
    )
    assert (row["migrations"], row["backup"]) == (["pages.0003_more"], "F1")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("begun", "stopped while it was staged"),
        ("begun staged", "stopped before it was proved"),
        ("begun staged proved", "stopped before it was started"),
        ("begun staged proved migrated", "stopped after it had migrated the database"),
        ("begun staged proved started", "stopped before it went live"),
        (
            "begun staged proved started live",
            "deployed in 20.0 s: stage 5.0, prove 1.2, start 0.5; stopped before its end",
        ),
    ],
)
def test_a_deploy_that_was_stopped_says_where_and_one_that_is_under_way_does_not(names: str, expected: str) -> None:
    events = run(B, names)
    assert told(events, on_host()) == {B: expected}
    assert told(events, on_host(under_way=f"deploy {B}")) == {B: f"under way: {names.rsplit(maxsplit=1)[-1]}"}


def test_a_deploy_that_was_to_end_before_the_switch_says_so() -> None:
    assert told(run(B, "begun staged proved finished"), on_host(A)) == {
        B: "ended before the switch, as asked: stage 5.0, prove 1.2"
    }


@pytest.mark.parametrize("kind", ["deploy", "rollback"])
def test_a_release_that_had_to_go_back_since_another_host_could_not_switch_says_to_what(kind: str) -> None:
    begin = "begun staged proved started live drained" if kind == "deploy" else "started live drained"
    forth = run(C, begin, kind)
    back = [Event(A, name, forth[-1].at, forth[0].run, kind) for name in ("started", "live")]
    (row,) = rows([*forth, *back, Event(C, "drained", forth[-1].at, forth[0].run, kind)], on_host(A), 5, 20)
    assert (row["release"], row["outcome"]) == (C, f"went live, and back to {A}")


def test_a_deploy_that_failed_says_at_what_and_why() -> None:
    events = run(B, "begun staged failed", step="prove", message="DEBUG is on")
    assert told(events, on_host(A)) == {B: "failed at prove: DEBUG is on"}


def test_a_rollback_has_the_version_of_the_release_that_it_went_to() -> None:
    events = [*run(A, WHOLE), *run(C, WHOLE), *run(A, "started live drained", "rollback")]
    newest, *_ = rows(events, on_host(A), 5, 20)
    # Though the run before drained it, and that had another.
    assert (newest["release"], newest["version"], newest["state"]) == (A, f"v{A[7]}", "live")
    assert newest["outcome"] == "rolled back in 10.0 s: start 0.5, drain 1.3"


def test_what_was_recorded_before_runs_had_names_is_shown() -> None:
    events = [Event(A, "live", "2026-11-01T00:00:00+00:00"), Event(B, "failed", "2026-11-02T00:00:00+00:00")]
    assert told(events, on_host(A, releases=A)) == {A: "went live", B: "failed"}


def test_a_release_is_live_previous_kept_prunable_bad_or_gone() -> None:
    events = [each for release in (A, B, C, D) for each in run(release, WHOLE)]
    assert states(events, on_host(D, releases=f"{A} {B} {C} {D}"), 3) == [
        (D, "live"),
        (C, "previous"),
        (B, "kept"),
        (A, "prunable"),
    ]
    bad = run(D, "begun staged proved failed")
    assert states([*events[:-7], *bad], on_host(C, releases=f"{B} {C}")) == [
        (D, "bad"),
        (C, "live"),
        (B, "previous"),
        (A, "gone"),
    ]
    assert states(run(B, "begun"), OnHost({B}, set(), None, set())) == [(B, "prunable")]


def test_a_release_that_was_prepared_last_is_kept() -> None:
    events = [*run(A, WHOLE), *(each for release in (B, C) for each in run(release, "begun staged proved finished"))]
    assert states(events, on_host(A, releases=f"{A} {B} {C}"), 1) == [(C, "kept"), (B, "prunable"), (A, "live")]


def test_the_state_of_a_release_is_said_once() -> None:
    events = [*run(B, WHOLE), *run(C, WHOLE), *run(B, "started live drained", "rollback")]
    assert states(events, on_host(B, releases=f"{B} {C}")) == [(B, "live"), (C, "kept"), (B, "")]


def test_only_so_many_are_shown_the_newest_first() -> None:
    events = [each for release in (A, B, C, D) for each in run(release, WHOLE)]
    assert [row["release"] for row in rows(events, on_host(D), 5, 2)] == [D, C]


def test_columns_are_aligned_and_migrations_stand_below() -> None:
    events = [*run(B, "begun staged proved migrated started live drained finished"), *run(C, "begun")]
    head, newest, deployed, migrated = table(rows(events, on_host(B, releases=B), 5, 20))
    assert head.startswith("release                    state  when (UTC)           by             version  outcome")
    assert newest.index("stopped while") == deployed.index("deployed in") == head.index("outcome")
    assert migrated == "  migrated: pages.0003_more; backup before: F1"


def test_of_hundreds_of_migrations_only_some_are_named() -> None:
    (row,) = rows(run(B, "begun staged proved migrated started live drained finished"), on_host(B, releases=B), 5, 20)
    names = [f"pages.{number:04}" for number in range(1, 41)]
    lines = table([{**row, "migrations": names, "backup": ""}])
    assert lines[-1] == f"  migrated: {', '.join(names[:10])}, and 30 more"


def test_a_host_without_a_history_says_so() -> None:
    assert table([]) == ["nothing was deployed yet"]


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        ({"web1": A}, []),
        ({"web1": A, "web2": A}, [f"All 2 hosts: {A} is live."]),
        ({"web1": "", "web2": ""}, ["All 2 hosts: nothing is live."]),
        ({"web1": A, "web2": B, "web3": B}, ["The hosts differ:", f"  web2, web3: {B}", f"  web1: {A}"]),
        ({"web1": "", "web2": B}, ["The hosts differ:", "  web1: nothing", f"  web2: {B}"]),
    ],
)
def test_of_several_hosts_it_is_said_who_differs(live: dict[str, str], expected: list[str]) -> None:
    assert comparison(live) == expected


def test_a_report_has_a_table_for_each_host_and_compares_hosts_of_one_app_alone() -> None:
    history = rows(run(B, WHOLE), on_host(B), 5, 20)
    hosts = {name: {"app": "shop", "live": B, "history": history} for name in ("web1", "web2")}
    blog = {"app": "blog", "live": "", "history": []}
    lines = report({**hosts, "web3": blog})
    assert [line for line in lines if " on web" in line] == ["shop on web1", "shop on web2", "blog on web3"]
    assert lines[-1] == f"All 2 hosts: {B} is live."
    assert report({"web3": blog}) == ["blog on web3", "nothing was deployed yet"]
    assert FilterModule().filters()["releases_report"]({"web3": blog}) == "blog on web3\nnothing was deployed yet"


@pytest.mark.parametrize("value", [{}, [], "web1"])
def test_what_is_no_mapping_of_hosts_is_refused(value: Any) -> None:
    with pytest.raises(AnsibleFilterError, match=r"initech\.django\.releases_report takes a mapping of hosts"):
        FilterModule().filters()["releases_report"](value)


def test_the_age_and_the_end_of_a_certificate_are_in_the_report() -> None:
    now = datetime(2026, 11, 26, 9, 0, tzinfo=timezone.utc)
    line = certificate_line("Nov 20 09:00:00 2026 GMT", "Feb  4 09:00:00 2027 GMT", now)
    assert line == "certificate 6 days old, ends in 70, on 2027-02-04"
    ended = certificate_line("Aug  1 09:00:00 2026 GMT", "Oct 30 09:00:00 2026 GMT", now)
    assert ended == "certificate 117 days old, ended on 2026-10-30"
    shown = report({"web1": {"app": "shop", "live": "", "history": [], "certificate": line}})
    assert shown == ["shop on web1", "nothing was deployed yet", line]
