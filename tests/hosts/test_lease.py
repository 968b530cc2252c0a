"""Two deploys of an app never meet: one wins, the other is told who that is or waits, and nobody has to unlock."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time

import pytest
from demo import Demo

PAGE = "examples/slow_sql/pages/templates/pages/home.html"
LEASES = "/run/initech-django/slow-sql"
HISTORY = "/srv/slow-sql/history.jsonl"
ROUNDS = int(os.environ.get("LEASE_ROUNDS", "1"))
KILLED_AT = "Compare with what is live"


def change(demo: Demo, text: str) -> None:
    """Commit something new to deploy."""
    page = demo.path / PAGE
    page.write_text(f"{page.read_text()}<!-- {text} -->\n")
    demo.commit(text)


def read_until(process: subprocess.Popen[str], text: str) -> None:
    """Read what a playbook prints up to a line. A task's name is printed when it has ended on the first host."""
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    pytest.fail(f"The run never came to {text!r}")


def claims(demo: Demo) -> list[str]:
    """Return the claims that are left on the host."""
    return demo.host(f"ls {LEASES}").split()


def wait_until_free(demo: Demo) -> None:
    """Wait until no claim is left."""
    deadline = time.monotonic() + 10
    while left := claims(demo):
        assert time.monotonic() < deadline, left
        time.sleep(0.2)


def claim_of_ada(demo: Demo, *, age: int = 0, directory: str = LEASES) -> str:
    """Put the claim of a run from another controller on the host, and return its path."""
    claim = {
        "id": "ada",
        "kind": "deploy",
        "version": "v9 (12345678)",
        "owner": "ada",
        "controller": "laptop",
        "machine": "another",
        "process": 4711,
        "started": "1",
        "since": "2026-11-25 07:00:00 UTC",
        "host": "demo-host",
        "hosts": {"demo-host": "elsewhere:"},
        "order": 1,
    }
    path = f"{directory}/ada.held"
    demo.host(
        f"mkdir -p -m 0700 {directory} && echo '{json.dumps(claim)}' > {path} && touch -d '{age} seconds ago' {path}"
    )
    return path


@pytest.mark.parametrize("number", range(ROUNDS))
def test_of_two_deploys_at_once_exactly_one_wins_and_the_other_says_who_that_is(demo: Demo, number: int) -> None:
    change(demo, f"two at once, {number}")
    runs = [demo.begin("deploy") for _ in range(2)]
    outputs = [" ".join(run.communicate()[0].split()) for run in runs]
    codes = [run.returncode for run in runs]
    assert sorted(code == 0 for code in codes) == [False, True], outputs
    lost = outputs[codes.index(0) - 1]
    winner = runs[codes.index(0)].pid
    assert re.search(rf"slow-sql is being deployed by \S+ at \S+ \(process {winner}\), HEAD \([0-9a-f]{{8}}\)", lost), (
        lost
    )
    assert "on demo-host. Nothing was changed." in lost
    assert "-e release_wait=10m" in lost
    assert f"two at once, {number}" in demo.get("/")
    wait_until_free(demo)


def test_who_waits_comes_after_the_other_and_finds_it_live(demo: Demo) -> None:
    change(demo, "one after the other")
    first, second = (demo.begin("deploy", "-e", "release_wait=10m") for _ in range(2))
    outputs = [run.communicate()[0] for run in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), outputs
    assert sum("already live, as release" in " ".join(output.split()) for output in outputs) == 1
    assert "one after the other" in demo.get("/")


def test_a_rollback_is_refused_while_a_deploy_is_under_way(demo: Demo) -> None:
    change(demo, "against a rollback")
    deploy = demo.begin("deploy")
    read_until(deploy, "Unpack the source")
    rollback = demo.playbook("rollback")
    output = deploy.communicate()[0]
    assert rollback.code != 0
    assert "slow-sql is being deployed by" in rollback.text
    assert deploy.returncode == 0, output
    assert "against a rollback" in demo.get("/")


def test_after_a_kill_of_the_controller_the_next_deploy_just_works(demo: Demo) -> None:
    change(demo, f"killed at {KILLED_AT}")
    with demo.begin("deploy") as deploy:
        read_until(deploy, KILLED_AT)
        os.killpg(deploy.pid, signal.SIGKILL)
    again = demo.playbook("deploy")
    assert again.code == 0, again.output
    assert f"killed at {KILLED_AT}" in demo.get("/")
    wait_until_free(demo)


def test_a_step_that_was_at_work_when_its_controller_was_killed_is_waited_for(demo: Demo) -> None:
    change(demo, "killed in a step")
    half_made = "ls -d /srv/slow-sql/releases/*/project | wc -l"
    before = demo.host(half_made)
    with demo.begin("deploy") as deploy:
        read_until(deploy, "Unpack the source")
        while demo.host(half_made) == before:
            assert deploy.poll() is None
        # It collects static files now, and goes on when nobody is there to tell.
        os.killpg(deploy.pid, signal.SIGKILL)
    again = demo.playbook("deploy")
    assert again.code == 0, again.output
    assert "killed in a step" in demo.get("/")
    wait_until_free(demo)


def test_a_run_that_was_killed_while_it_waited_is_in_nobodys_way(demo: Demo) -> None:
    path = claim_of_ada(demo)
    alive = demo.background(f"while test -e {path}; do touch -c {path}; sleep 1; done")
    with demo.begin("deploy", "-e", "release_wait=1h") as waits:
        read_until(waits, "another run is before this one, of ada at laptop (process 4711)")
        os.killpg(waits.pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while claims(demo) != ["ada.held"]:
        assert time.monotonic() < deadline, claims(demo)
    demo.host(f"rm {path}")
    alive.wait()


def test_a_run_that_is_stopped_by_hand_leaves_no_claim(demo: Demo) -> None:
    change(demo, "stopped by hand")
    with demo.begin("deploy") as deploy:
        read_until(deploy, "Unpack the source")
        deploy.interrupt()
    wait_until_free(demo)
    assert demo.playbook("deploy").code == 0


def test_a_run_of_another_controller_that_is_alive_is_named_and_nothing_is_changed(demo: Demo) -> None:
    path = claim_of_ada(demo)
    before = demo.state()
    alive = demo.background(f"while test -e {path}; do touch -c {path}; sleep 1; done")
    refused = demo.playbook("deploy")
    assert demo.state() == before
    assert claims(demo) == ["ada.held"]
    demo.host(f"rm {path}")
    alive.wait()
    assert refused.code != 0
    assert (
        "slow-sql is being deployed by ada at laptop (process 4711), v9 (12345678), since 2026-11-25 07:00:00 UTC, "
        "on demo-host. Nothing was changed." in refused.text
    )


def test_a_controller_that_is_gone_without_a_trace_needs_no_unlocking(demo: Demo) -> None:
    claim_of_ada(demo, age=35)
    started = time.monotonic()
    deploy = demo.playbook("deploy")
    assert deploy.code == 0, deploy.output
    # The claim is good for 45 seconds since it was renewed.
    assert time.monotonic() - started > 8
    assert claims(demo) == []


def test_a_step_that_outlived_its_run_is_waited_for(demo: Demo) -> None:
    path = claim_of_ada(demo, age=3600)
    step = demo.background(f"flock {path} sh -c 'while ! test -e /root/end; do sleep 0.1; done'; rm /root/end")
    deploy = demo.begin("deploy")
    read_until(deploy, "another run is before this one")
    with pytest.raises(subprocess.TimeoutExpired):
        deploy.wait(timeout=15)
    demo.host("touch /root/end")
    output = deploy.communicate()[0]
    step.wait()
    assert deploy.returncode == 0, output
    assert claims(demo) == []


def test_a_run_that_lost_its_lease_does_nothing_more(demo: Demo) -> None:
    change(demo, "lost")
    live = demo.live()
    ada = claim_of_ada(demo, directory="/root/claims")
    # On the host itself, while the source is unpacked: from here it could be late, when all is staged already. Ada's
    # comes first: there is no moment in which nobody has the lease.
    taken = demo.background(
        f'until tail --lines=1 {HISTORY} | grep --quiet \'"event": *"begun"\'; do sleep 0.01; done; '
        f"touch {ada}; mv {ada} {LEASES}; find {LEASES} -name '*.held' ! -name ada.held -delete"
    )
    deploy = demo.begin("deploy")
    output = " ".join(deploy.communicate()[0].split())
    assert taken.wait(timeout=60) == 0
    assert deploy.returncode != 0
    assert "The lease was lost" in output
    assert (
        "ada at laptop (process 4711), v9 (12345678), since 2026-11-25 07:00:00 UTC, on demo-host has it now" in output
    )
    assert demo.live() == live
    assert claims(demo) == ["ada.held"]
    demo.host(f"rm {LEASES}/ada.held")
    assert re.search(r" +20\S+ +prunable +.* stopped while it was staged\n", demo.playbook("releases").output)
    assert demo.playbook("deploy").code == 0


# What the host remembers


def test_releases_shows_who_deployed_what_and_how_long_it_took(demo: Demo) -> None:
    change(demo, "for the table")
    assert demo.playbook("deploy").code == 0
    shown = demo.playbook("releases")
    assert (shown.code, shown.changed) == (0, 0), shown.output
    head, newest = re.findall(r"^ +(release  .*|20.*Z-.*)$", shown.output, re.MULTILINE)[:2]
    assert head.split("  ")[0] == "release"
    assert newest.startswith(f"{demo.live()}  live")
    assert re.search(r" \S+ at \S+ +HEAD \([0-9a-f]{8}\) +deployed in [0-9.]+ s: stage [0-9.]+, prove [0-9.]+", newest)
    assert " previous " in shown.output


def test_releases_shows_a_failed_deploy_with_its_reason_as_bad(demo: Demo) -> None:
    live = demo.live()
    view = demo.path / "examples/slow_sql/pages/views.py"
    whole = view.read_text()
    view.write_text(whole.replace('    return plain_text("ok")', '    raise RuntimeError("broken on purpose")'))
    demo.commit("Spoil it")
    assert demo.playbook("deploy", "-e", "release_health_timeout=3").code != 0
    shown = demo.playbook("releases").output
    # The newest comes first; other tests have failed so before.
    failed = next(line for line in shown.splitlines() if "failed at start: it answered 500 to GET /healthz" in line)
    assert re.match(r" +20\S+ +bad +", failed)
    assert failed.split()[0] > live
    assert re.search(rf"{live} +live ", shown)
    view.write_text(whole)
    demo.commit("Mend it")
    assert demo.playbook("deploy").code == 0


def test_a_rollback_is_in_the_history(demo: Demo) -> None:
    assert demo.playbook("rollback").code == 0
    assert re.search(rf"{demo.live()} +live .* rolled back in [0-9.]+ s: start", demo.playbook("releases").output)
    wait_until_free(demo)
    # What is committed is live again for the tests that follow.
    assert demo.playbook("deploy").code == 0


@pytest.mark.parametrize("path", ["/srv/slow-sql/history.jsonl", LEASES])
def test_the_app_reads_neither_the_history_nor_the_claims(demo: Demo, path: str) -> None:
    assert demo.host(f"test -e {path} && ! runuser -u slow-sql -- cat {path} 2>&1").endswith("Permission denied")
