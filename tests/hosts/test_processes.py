"""Workers and timers run the code of what is live, and end with it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from demo import Demo

FINISH = "/var/lib/slow-sql/finish"
STEADY = (
    f'trap told=1 TERM; echo begun ${{REPLICA}}; until [ "$$told" ] && [ -e {FINISH} ]; do sleep 0.05; done; '
    "echo finished ${RELEASE}"
)
TIDY = 'import os; print("tidied", os.environ["RELEASE"], os.environ["GEVENT_PATCH"], os.getcwd())'
ENTRIES = json.dumps(
    {
        "processes_workers": [
            {"name": "steady", "command": f"/bin/sh -c '{STEADY}'", "replicas": 2},
            {"name": "deaf", "command": "/bin/sh -c 'trap \"\" TERM; while :; do sleep 1; done'", "deadline": 1},
        ],
        "processes_timers": [
            {"name": "tidy", "command": f"manage.py shell -c '{TIDY}'", "calendar": "2099-01-01"},
        ],
    }
)
PLAY = """---
- name: The role alone
  hosts: all
  become: true
  gather_facts: false
  roles:
    - role: initech.django.processes
"""
WORKERS = ("steady.1", "steady.2", "deaf.1")


@pytest.fixture(autouse=True)
def _none(demo: Demo) -> Iterator[None]:
    """Afterwards the demo is what it was."""
    good = demo.checked("git", "rev-parse", "HEAD").strip()
    play = demo.path / "only-processes.yml"
    play.write_text(PLAY)
    yield
    demo.host(f"touch {FINISH}")
    assert demo.playbook("only-processes").code == 0
    play.unlink()
    assert demo.host("grep -rl 'Made by the role processes' /etc/systemd/system || true") == ""
    assert states(demo) == {}
    demo.host(f"rm {FINISH}")
    demo.checked("git", "reset", "--quiet", "--hard", good)
    assert demo.playbook("deploy").code == 0


def states(demo: Demo) -> dict[str, str]:
    """Return the instances of workers that have not ended, with their state, by `<name>.<number>@<release>`."""
    command = "systemctl list-units --plain --no-legend --state=active,activating,deactivating 'slow-sql.*@*'"
    lines = [line.split() for line in demo.host(command).splitlines()]
    return {line[0][len("slow-sql.") : -len(".service")]: line[2] for line in lines}


def wait_for(demo: Demo, expected: dict[str, str]) -> None:
    deadline = time.monotonic() + 20
    while (found := states(demo)) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def log(demo: Demo, unit: str) -> list[str]:
    return demo.host(f"journalctl --sync; journalctl --output=cat --unit '{unit}'").splitlines()


def test_workers_follow_the_switch_and_finish_within_their_deadline_and_timers_run_what_is_live(demo: Demo) -> None:
    old = demo.live()
    result = demo.playbook("only-processes", "-e", ENTRIES)
    assert result.code == 0, result.output
    of_old = {f"{name}@{old}": "active" for name in WORKERS}
    assert states(demo) == of_old
    assert demo.playbook("only-processes", "-e", ENTRIES).changed == 0

    readme = demo.path / "examples/slow_sql/README.md"
    readme.write_text(f"{readme.read_text()}\nWith workers\n")
    demo.commit("With workers")
    result = demo.playbook("deploy")
    assert result.code == 0, result.output
    new = demo.live()
    assert new != old
    # Whoever is deaf was killed at its deadline; the others still are in their task, beside the new ones.
    of_new = {f"{name}@{new}": "active" for name in WORKERS}
    wait_for(demo, {**of_new, f"steady.1@{old}": "deactivating", f"steady.2@{old}": "deactivating"})
    demo.host(f"touch {FINISH}")
    wait_for(demo, of_new)
    assert demo.host("systemctl list-units --plain --no-legend --state=failed 'slow-sql*'") == ""
    assert f"finished {old}" in log(demo, f"slow-sql.steady.1@{old}.service")
    assert "begun 2" in log(demo, f"slow-sql.steady.2@{new}.service")

    demo.host("systemctl start slow-sql.tidy.service")
    tidied = [line for line in log(demo, f"slow-sql.tidy@{new}.service") if line.startswith("tidied")]
    assert len(tidied) == 1
    assert tidied[0].startswith(f"tidied {new} off /srv/slow-sql/releases/{new}/")
