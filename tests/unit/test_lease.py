"""Of runs that want the same host one wins, on all of its hosts, and what a run left behind stands in nobody's way."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.initech.django.plugins.module_utils import lease
from ansible_collections.initech.django.plugins.module_utils.lease import (
    EXPIRY_SECONDS,
    Claim,
    claims,
    duration,
    give_back,
    hold,
    judge,
    refusal,
    require,
    take,
    under_way,
)
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from hypothesis import given, settings
from hypothesis import strategies as st

SINCE = "2026-11-25 07:00:00 UTC"


def claim(name: str, host: str = "web1", hosts: Sequence[str] = ("web1",), **others: str) -> Claim:
    """Return the claim of a run on one of its hosts."""
    addresses = {each: f"{each}.example.com:" for each in hosts}
    return Claim(
        name, "deploy", "v1.4", "ada", "laptop", others.get("machine", name), 4711, "1", SINCE, host, addresses
    )


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return where the claims of one host may be."""
    return tmp_path / "initech-django" / "shop"


def names(directory: Path) -> list[str]:
    return sorted(found.claim.id for found in claims(directory))


def age(directory: Path, name: str, seconds: float) -> None:
    """Have a claim be renewed so long ago."""
    then = time.time() - seconds
    for path in directory.glob(f"{name}.*"):
        os.utime(path, (then, then))


@contextmanager
def step(directory: Path, name: str) -> Iterator[None]:
    """Have a step of a run at work."""
    taken = require(directory, name)
    assert taken is not None
    try:
        yield
    finally:
        os.close(taken.descriptor)


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 0), ("0", 0), ("90", 90), ("90s", 90), ("10m", 600), (" 1h ", 3600), ("2d", 172800)]
)
def test_a_duration_is_read_as_people_type_it(text: str, seconds: int) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["ten", "10 m", "-1", "1w", "1.5h", "m"])
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(Problem, match=r"release_wait is .* for example 90s, 10m or 1h"):
        duration(text)


def test_the_first_claim_on_a_host_wins_and_the_second_learns_whose_it_is(directory: Path) -> None:
    assert take(directory, claim("a")) == []
    (first,) = take(directory, claim("b"))
    assert (first.claim.id, first.claim.owner, first.claim.process) == ("a", "ada", 4711)
    # And again, however often somebody looks.
    assert take(directory, claim("a")) == []
    assert [found.claim.id for found in take(directory, claim("b"))] == ["a"]


def test_only_root_reads_the_claims(directory: Path) -> None:
    take(directory, claim("a"))
    assert [path.stat().st_mode & 0o777 for path in (directory, directory.parent)] == [0o700, 0o700]


def test_who_waits_is_served_in_the_order_of_the_claims(directory: Path) -> None:
    for name in ("a", "c", "b"):
        take(directory, claim(name))
    give_back(directory, "a")
    assert take(directory, claim("c")) == []
    assert [found.claim.id for found in take(directory, claim("b"))] == ["c"]


def test_who_lost_gives_back_its_own_claim_and_no_other(directory: Path) -> None:
    take(directory, claim("a"))
    take(directory, claim("b"))
    give_back(directory, "b")
    assert names(directory) == ["a"]


def test_two_apps_never_stand_in_each_others_way(directory: Path) -> None:
    assert take(directory, claim("a")) == []
    assert take(directory.with_name("blog"), claim("b")) == []


def test_a_claim_that_nobody_renews_is_void(directory: Path) -> None:
    take(directory, claim("a"))
    age(directory, "a", EXPIRY_SECONDS - 5)
    assert take(directory, claim("b"))
    age(directory, "a", EXPIRY_SECONDS + 1)
    assert take(directory, claim("b")) == []
    assert names(directory) == ["b"]


def test_the_claim_of_a_run_that_is_known_to_be_gone_is_void_at_once(directory: Path) -> None:
    take(directory, claim("a"))
    assert take(directory, claim("b"), gone=["a"]) == []


def test_a_claim_that_is_looked_after_by_asking_again_does_not_expire(directory: Path) -> None:
    take(directory, claim("a"))
    age(directory, "a", EXPIRY_SECONDS - 5)
    take(directory, claim("a"))
    (found,) = claims(directory)
    assert time.time() - found.renewed < 5


@pytest.mark.parametrize("gone", [(), ("a",)])
def test_no_claim_is_void_while_a_step_of_its_run_is_at_work(directory: Path, gone: tuple[str, ...]) -> None:
    take(directory, claim("a"))
    hold(directory, "a")
    with step(directory, "a"):
        age(directory, "a", 10 * EXPIRY_SECONDS)
        assert [found.is_busy for found in take(directory, claim("b"), gone)] == [True]
    assert take(directory, claim("b"), gone) == []


def test_a_program_that_a_step_started_counts_as_at_work_when_the_step_was_killed(directory: Path) -> None:
    take(directory, claim("a"))
    taken = require(directory, "a")
    assert taken is not None
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(taken.descriptor,)) as program:
        os.close(taken.descriptor)
        assert take(directory, claim("b"), ["a"])
        assert program.stdin is not None
        program.stdin.close()
        program.wait()
    assert take(directory, claim("b"), ["a"]) == []


def test_a_claim_that_was_cut_off_while_it_was_written_does_not_count(directory: Path) -> None:
    take(directory, claim("a"))
    (directory / "b.asked").write_text('{"id": "b"')
    (directory / "c.asked").write_text('{"id": "c"}')
    assert take(directory, claim("a")) == []


# Steps


def test_a_step_works_under_the_claim_that_was_taken(directory: Path) -> None:
    take(directory, claim("a"))
    for is_held in (False, True):
        if is_held:
            hold(directory, "a")
        taken = require(directory, "a")
        assert taken is not None
        assert taken.claim == claims(directory)[0].claim
        os.close(taken.descriptor)


def test_a_step_that_is_called_by_itself_needs_none(directory: Path) -> None:
    assert require(directory, "") is None


def test_a_step_whose_lease_was_lost_is_refused_and_told_who_has_it(directory: Path) -> None:
    take(directory, claim("a"))
    take(directory, claim("b"), gone=["a"])
    hold(directory, "b")
    steps: list[Callable[[Path, str], object]] = [require, hold]
    for refused in steps:
        with pytest.raises(
            Problem, match=r"The lease was lost.*ada at laptop \(process 4711\), v1.4, since 2026.*has it now"
        ):
            refused(directory, "a")


def test_a_step_is_refused_where_the_claim_was_removed_while_it_waited_for_the_lock(directory: Path) -> None:
    take(directory, claim("a"))
    path = directory / "a.asked"
    descriptor = os.open(path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    found: list[str] = []

    def work() -> None:
        try:
            require(directory, "a")
        except Problem as problem:
            found.append(str(problem))

    worker = threading.Thread(target=work)
    worker.start()
    path.unlink()
    os.close(descriptor)
    worker.join()
    assert len(found) == 1


def test_who_has_won_waits_for_who_has_just_finished_elsewhere(directory: Path) -> None:
    take(directory, claim("b", "web2", ["web1", "web2"]))
    take(directory, claim("a", "web2", ["web1", "web2"]))
    hold(directory, "a")
    timer = threading.Timer(0.3, give_back, (directory, "a"))
    timer.start()
    hold(directory, "b")
    assert names(directory) == ["b"]


def test_who_has_won_does_not_wait_for_ever(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "PATIENCE_SECONDS", 0.2)
    take(directory, claim("b", "web2", ["web1", "web2"]))
    take(directory, claim("a", "web2", ["web1", "web2"]))
    hold(directory, "a")
    with pytest.raises(Problem, match="still held by ada at laptop"):
        hold(directory, "b")


# Several hosts

HOSTS = ("web1", "web2", "web3")
host_sets = st.sets(st.sampled_from(HOSTS), min_size=1).map(sorted)


def compete(wanted: dict[str, list[str]], order: Sequence[tuple[str, str]]) -> set[str]:
    """Return the runs that win on all of their hosts, which they claim in a certain order."""
    with tempfile.TemporaryDirectory() as root:
        lost = set()
        for name, host in order:
            if take(Path(root, host, "shop"), claim(name, host, wanted[name])):
                lost.add(name)
        return set(wanted) - lost


@st.composite
def competitions(draw: st.DrawFn, runs: str) -> tuple[dict[str, list[str]], list[tuple[str, str]]]:
    """Return what runs want, and an order in which their claims reach the hosts."""
    wanted = {name: draw(host_sets) for name in runs}
    attempts = [(name, host) for name in runs for host in wanted[name]]
    return wanted, draw(st.permutations(attempts))


@given(competitions("ab"))
@settings(deadline=None)
def test_of_two_runs_that_share_a_host_exactly_one_wins_whoever_comes_first_where(
    competition: tuple[dict[str, list[str]], list[tuple[str, str]]],
) -> None:
    wanted, order = competition
    share = set(wanted["a"]) & set(wanted["b"])
    assert len(compete(wanted, order)) == (1 if share else 2)


@given(competitions("abc"))
@settings(deadline=None)
def test_of_three_runs_no_two_win_that_share_a_host(
    competition: tuple[dict[str, list[str]], list[tuple[str, str]]],
) -> None:
    wanted, order = competition
    hosts = [host for name in compete(wanted, order) for host in wanted[name]]
    assert len(hosts) == len(set(hosts))


def test_a_run_that_holds_a_host_keeps_it_also_where_another_host_decides(directory: Path) -> None:
    """The other host was rebooted, and has forgotten the claim."""
    take(directory, claim("a", "web2", HOSTS))
    assert take(directory, claim("b", "web2", HOSTS)) == []
    hold(directory, "a")
    assert [found.claim.id for found in take(directory, claim("b", "web2", HOSTS))] == ["a"]


@pytest.mark.parametrize(
    ("host", "hosts"),
    [
        # The same machine by another name, in another inventory.
        ("app2", ["app1", "app2"]),
        ("app2", ["web1", "app2"]),
        # By the same name, beside others that are not shared.
        ("web2", ["web2", "app1"]),
    ],
)
def test_where_two_runs_do_not_know_of_a_host_that_decides_each_does(
    directory: Path, host: str, hosts: list[str]
) -> None:
    take(directory, claim("a", "web2", HOSTS))
    assert take(directory, claim("b", host, hosts))


# What is told


def test_a_refusal_says_who_where_what_since_when_on_which_hosts_and_what_to_type() -> None:
    assert refusal("shop", claim("a", hosts=["web1", "web2"]), is_alive=True) == (
        f"shop is being deployed by ada at laptop (process 4711), v1.4, since {SINCE}, on web1, web2. "
        "Nothing was changed. To wait for it, type the same again with -e release_wait=10m"
    )
    assert "but a step of it is still at work" in refusal("shop", claim("a"), is_alive=False)


def test_who_is_alive_is_known_of_runs_here_by_their_process_and_of_others_by_their_renewing() -> None:
    def blocker(name: str, machine: str) -> dict[str, object]:
        return {"id": name, "machine": machine, "renewed": 1.0}

    blockers = [blocker("runs", "here"), blocker("ended", "here"), blocker("far", "there")]
    running = {"runs": True, "ended": False}
    assert judge(blockers, "here", running, {}) == (["ended"], ["runs"])
    assert judge(blockers, "here", running, {"far": 1.0, "ended": 0.5}) == (["ended"], ["runs"])
    assert judge(blockers, "here", running, {"far": 0.5}) == (["ended"], ["runs", "far"])


def test_what_is_under_way_is_what_is_renewed_or_at_work(directory: Path) -> None:
    assert under_way(directory) == set()
    take(directory, claim("a"))
    assert under_way(directory) == {f"a-{SINCE}"}
    age(directory, "a", EXPIRY_SECONDS + 1)
    assert under_way(directory) == set()
    with step(directory, "a"):
        assert under_way(directory) == {f"a-{SINCE}"}


def test_of_many_that_come_at_the_same_moment_one_wins(directory: Path) -> None:
    with ThreadPoolExecutor(max_workers=8) as pool:
        before = [len(blockers) for blockers in pool.map(lambda name: take(directory, claim(name)), "abcdefgh")]
    assert sorted(before) == list(range(8))
