"""Whoever kills a deploy at any step leaves a site that answers, and a plain re-run finishes the work."""

from __future__ import annotations

import os
import signal

import pytest
from demo import Demo
from load import Load

README = "examples/slow_sql/README.md"
STEPS = ("Unpack the source", "Start it beside the live one", "Remove what no rollback needs")
"""`make faults PARTS=tasks` kills at every task."""


def deploy_and_kill(demo: Demo, task: str) -> None:
    """Start a deploy, and kill the controller and all its children as the task begins."""
    process = demo.begin("deploy")
    assert process.stdout is not None
    with process:
        for line in process.stdout:
            if line.startswith("TASK") and task in line:
                os.killpg(process.pid, signal.SIGKILL)
                return
    pytest.fail(f"The deploy never came to {task!r}")


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_deploy_leaves_a_site_that_answers_and_a_re_run_finishes_it(demo: Demo, step: str) -> None:
    readme = demo.path / README
    readme.write_text(f"{readme.read_text()}\nKilled at: {step}\n")
    demo.commit(f"To be killed at: {step}")
    with Load(demo.connect, connections=2, pause=0.05) as load:
        deploy_and_kill(demo, step)
        again = demo.playbook("deploy")
        third = demo.playbook("deploy")
    assert load.failures == {}
    assert again.code == 0, again.output
    assert (third.code, third.changed) == (0, 0), third.output
    assert "already live" in third.text
    assert step in demo.host("cat /srv/slow-sql/current/project/README.md")
    assert demo.host("ls -d /srv/slow-sql/releases/* | wc -l") == demo.host(
        "ls /srv/slow-sql/releases/*/manifest.json | wc -l"
    )
    assert demo.host("systemctl list-units --plain --no-legend --all 'slow-sql@*' | wc -l") == "1"
