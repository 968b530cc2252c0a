"""Deploys and rollbacks of one host, each beside the same work by a plain shell script, and where their time goes."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from clone import CLONE, HOST, Demo, new_commit, playbook
from measure import Figure, timed

FLOOR = "bare.sh"
FIRST_ROUNDS = 2
ROUNDS = 3

PROFILED = {
    "ANSIBLE_CALLBACKS_ENABLED": "initech.django.payloads,ansible.posix.profile_tasks",
    "PROFILE_TASKS_TASK_OUTPUT_LIMIT": "all",
    "COLUMNS": "200",
}
"""Prints how long each task took."""

RESET = """
systemctl stop 'slow-sql@*'
rm -rf /srv/slow-sql/releases/* /srv/slow-sql/virtualenvs/* /srv/slow-sql/current /srv/slow-sql/history.jsonl
"""
EMPTY_DATABASE = "cd /tmp; runuser -u postgres -- psql --quiet --dbname=slow_sql --command='DROP OWNED BY slow_sql'"
ENV_OF_BARE = "install -D -m 0600 /srv/slow-sql/current/project/.env /etc/bare/env"


def bare(action: str, *hosts: str) -> None:
    """Have the plain shell script do something on the demo's host, or on others all at once.

    Raises:
        RuntimeError: it failed.
    """

    def run(host: str) -> None:
        command = ["bench/bare.sh", ".throwaway/ssh_config", host, action]
        result = subprocess.run(command, cwd=CLONE, check=False, capture_output=True, text=True)
        if result.returncode != 0:
            raise RuntimeError(f"bare.sh {action} on {host}:\n{result.stdout}{result.stderr}")

    with ThreadPoolExecutor(len(hosts) or 1) as pool:
        list(pool.map(run, hosts or (HOST,)))


def prepare_bare(demo: Demo, *hosts: str) -> None:
    """Prepare what the plain shell script deploys beside the app."""
    for host in hosts:
        demo.host(ENV_OF_BARE, host)
    bare("prepare", *hosts)


def compare(
    name: str,
    ours: Callable[[], object],
    floor: Callable[[], object],
    before: Callable[[], object] = lambda: None,
    rounds: int = ROUNDS,
    **goal: float,
) -> Figure:
    """Measure both in turn, so that whatever else the machine does slows down both.

    Args:
        name: of the figure.
        ours: what is measured.
        floor: what it is compared with.
        before: what is done before each of the two.
        rounds: how often.
        goal: of the figure.
    """
    seconds, floor_seconds = [], []
    for _ in range(rounds):
        before()
        seconds.append(timed(ours))
        # Where only a reset comes before, the other one starts from there too.
        if rounds == FIRST_ROUNDS:
            before()
        floor_seconds.append(timed(floor))
        print(f"{name}: {seconds[-1]:.1f} s, {FLOOR}: {floor_seconds[-1]:.1f} s", flush=True)
    return Figure(name, seconds, FLOOR, floor_seconds, **goal)


def figures(demo: Demo) -> list[Figure]:
    """Measure all deploys of one host."""
    prepare_bare(demo, HOST)

    def reset() -> None:
        demo.host(RESET)
        bare("reset")
        demo.host(EMPTY_DATABASE)

    def deploy() -> None:
        playbook(demo, "deploy")

    def bare_deploy() -> None:
        bare("deploy")

    first = compare("first deploy", deploy, bare_deploy, reset, FIRST_ROUNDS)
    # What is not measured: the shell script's reset took ours away.
    deploy()
    return [
        first,
        compare("code-only deploy", deploy, bare_deploy, lambda: new_commit(demo), at_most=2.5),
        compare("no-op deploy", deploy, bare_deploy, seconds_at_most=8),
        # Each goes one further back; there are as many.
        compare("rollback", lambda: playbook(demo, "rollback"), lambda: bare("rollback")),
        cut_off_rollback(demo),
    ]


def cut_off_rollback(demo: Demo) -> Figure:
    """Measure rollbacks of a host that reaches nobody but the controller, from the first task there to the last."""
    seconds, all_seconds = [], []
    for _ in range(ROUNDS):
        new_commit(demo)
        playbook(demo, "deploy")
        route = demo.host("ip route show default")
        demo.host("ip route del default")
        try:
            started = time.monotonic()
            found = tasks(playbook(demo, "rollback", **PROFILED))
            all_seconds.append(time.monotonic() - started)
        finally:
            demo.host(f"ip route add {route}")
        seconds.append(sum(taken for name, taken in found.items() if name.startswith("release : ")))
    return Figure("rollback, cut off, on the host", seconds, "all of it", all_seconds, seconds_at_most=5)


def tasks(output: str) -> dict[str, float]:
    """Return the seconds of each task, longest first, from what ansible.posix.profile_tasks printed."""
    found = re.findall(r"^(\S.*?) -+ +?([0-9.]+)s$", output, re.MULTILINE)
    return {name.removeprefix("initech.django."): float(seconds) for name, seconds in found}


def profile(demo: Demo) -> dict[str, float]:
    """Return where the time of a code-only deploy goes, task by task; what is left is Ansible's own start and end."""
    new_commit(demo)
    started = time.monotonic()
    output = playbook(demo, "deploy", **PROFILED)
    taken = time.monotonic() - started
    found = tasks(output)
    return {**found, "before the first task and after the last": taken - sum(found.values()), "all": taken}
