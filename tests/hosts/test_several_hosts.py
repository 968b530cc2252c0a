"""Of several hosts one fails at the switch: it keeps what it has, and so does the environment as a whole."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from demo import HOST, Demo
from load import Load

SECOND = "demo-second"
PAGE = "examples/slow_sql/pages/templates/pages/home.html"
BROKEN = "/run/systemd/system/slow-sql@.service.d"
RUNNING = "systemctl list-units --plain --no-legend --state=active 'slow-sql@*'"


@pytest.fixture(scope="module", name="both", autouse=True)
def _both(demo: Demo) -> Iterator[None]:
    """Have the environment of a second host meanwhile."""
    inventory = demo.path / "inventories/demo/hosts.yml"
    good = demo.checked("git", "rev-parse", "HEAD").strip()
    demo.checked(sys.executable, "molecule/throwaway.py", "up", SECOND)
    inventory.write_text(f"{inventory.read_text().rstrip()}\n    {SECOND}:\n")
    demo.checked("ansible-playbook", "site.yml", "-l", "demo")
    yield
    # The inventory too, which was committed with what is deployed here.
    demo.checked("git", "reset", "--quiet", "--hard", good)
    demo.checked("ansible-playbook", "deploy.yml", "-l", "demo")
    demo.checked(sys.executable, "molecule/throwaway.py", "down", SECOND)


@contextmanager
def unable_to_start(demo: Demo) -> Iterator[None]:
    """Have the second host start no release, though each is proven there."""
    demo.host(
        f"mkdir {BROKEN} && printf '[Service]\\nExecStartPre=/bin/false\\n' > {BROKEN}/broken.conf && "
        "systemctl daemon-reload",
        SECOND,
    )
    yield
    demo.host(f"rm -r {BROKEN} && systemctl daemon-reload", SECOND)


def change(demo: Demo, text: str) -> None:
    """Commit something new to deploy."""
    page = demo.path / PAGE
    page.write_text(f"{page.read_text()}<!-- {text} -->\n")
    demo.commit(text)


def state(demo: Demo, name: str) -> tuple[str, list[str]]:
    """Return what is live on a host, and the instances that run there."""
    units = [line.split()[0] for line in demo.host(RUNNING, name).splitlines()]
    return demo.host("basename $(readlink /srv/slow-sql/current)", name), units


def commit(release: str) -> str:
    """Return of which commit a release is, in short: a host that has it already keeps its own release."""
    return release.rpartition("-")[2]


@pytest.mark.parametrize("batch", [1, 2])
def test_where_one_host_fails_at_the_switch_those_that_had_switched_go_back(demo: Demo, batch: int) -> None:
    before = state(demo, HOST), state(demo, SECOND)
    assert [units for _, units in before] == [[f"slow-sql@{live}.service"] for live, _ in before]
    change(demo, f"Not for the second host, in a batch of {batch}")
    with Load(demo.connect, connections=2, pause=0.05) as load, unable_to_start(demo):
        failed = demo.playbook("deploy", "-e", f"release_serial={batch}")
    assert load.failures == {}
    assert failed.code != 0, failed.output
    assert "is no good: it did not start" in failed.text
    assert f"Went back to what they had: {HOST}" in failed.text
    assert (state(demo, HOST), state(demo, SECOND)) == before


CUT = """\
- name: Cut the network
  ansible.builtin.command:
    cmd: {python} molecule/throwaway.py run {name} -- sh -c 'systemctl stop ssh; pkill sshd'
    chdir: {path}
  delegate_to: localhost
  become: false
  changed_when: true
  when: inventory_hostname == '{by}'
"""
PING = """
- name: Do something there
  ansible.builtin.ping:
"""
FAIL = f"""
- name: Fail on the second host
  ansible.builtin.fail:
    msg: It is not in the mood.
  when: inventory_hostname == '{SECOND}'
"""


@pytest.mark.parametrize("name", [HOST, SECOND])
@pytest.mark.parametrize("more", ["", PING], ids=["at the switch", "in a hook"])
def test_where_one_host_is_lost_at_the_switch_nobody_is_at_the_new_release(
    demo: Demo, tmp_path: Path, name: str, more: str
) -> None:
    before = state(demo, HOST), state(demo, SECOND)
    change(demo, f"Not without {name}: {more}")
    hook = tmp_path / "hook.yml"
    hook.write_text(f"---\n{CUT.format(python=sys.executable, name=name, by=name, path=demo.path)}{more}")
    failed = demo.playbook("deploy", "-e", json.dumps({"release_before_switch": [{"tasks": str(hook)}]}))
    demo.host("systemctl start ssh", name)
    assert failed.code != 0, failed.output
    assert (state(demo, HOST), state(demo, SECOND)) == before
    gone_ahead = "No host had switched" if name == HOST else f"Went back to what they had: {HOST}"
    assert gone_ahead in failed.text
    lost = "Lost on the way, before its release was made live" if more else "Could not be reached, and may be at either"
    assert f"{lost}: {name}" in failed.text
    # What is left of the lease on the host that was lost frees itself.
    again = demo.playbook("deploy", "-e", "release_wait=2m")
    assert again.code == 0, again.output


def test_a_host_that_cannot_go_back_is_named_with_what_to_type_which_brings_it_back(demo: Demo, tmp_path: Path) -> None:
    before = state(demo, HOST), state(demo, SECOND)
    change(demo, "Not for the second host, and the first one is lost meanwhile")
    hook = tmp_path / "hook.yml"
    hook.write_text(f"---\n{CUT.format(python=sys.executable, name=HOST, by=SECOND, path=demo.path)}{FAIL}")
    failed = demo.playbook("deploy", "-e", json.dumps({"release_before_switch": [{"tasks": str(hook)}]}))
    demo.host("systemctl start ssh")
    assert failed.code != 0, failed.output
    command = f"ansible-playbook rollback.yml -l {HOST} -e release={before[0][0]}"
    assert f"{HOST} could not go back, and may be at either. Once it can, type: {command}" in failed.text
    assert state(demo, HOST)[0] != before[0][0]
    demo.checked(*command.split(), "-e", "release_wait=2m")
    assert (state(demo, HOST), state(demo, SECOND)) == before


def test_those_that_had_switched_stay_where_they_are_when_that_is_asked_for(demo: Demo) -> None:
    live, _ = state(demo, SECOND)
    change(demo, "For the first host")
    with unable_to_start(demo):
        failed = demo.playbook("deploy", "-e", "release_go_back=false")
    assert failed.code != 0, failed.output
    new, units = state(demo, HOST)
    assert new != live
    # The run ended before anyone waited for the old one, which was told to end all the same.
    assert f"slow-sql@{new}.service" in units
    assert f"Already at {new}, and left there: {HOST}" in failed.text
    assert state(demo, SECOND) == (live, [f"slow-sql@{live}.service"])

    again = demo.playbook("deploy")
    assert again.code == 0, again.output
    third = demo.playbook("deploy")
    assert (third.code, third.changed) == (0, 0), third.output
    after = state(demo, HOST), state(demo, SECOND)
    assert [units for _, units in after] == [[f"slow-sql@{live}.service"] for live, _ in after]
    assert after[0][0] == new
    assert commit(after[1][0]) == commit(new)
