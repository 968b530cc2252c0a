"""Every playbook looks at the inventory before it does anything, and one types its name alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.initech.django.tests.templates.render import ROLES, ROOT, evaluate

NAMES = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
IMPORT = "initech.django."
CHECK = "initech.django.check"
WITHOUT_INVENTORY = {"new"}
"""They make one."""


def plays(path: Path) -> list[dict[str, Any]]:
    """Return what a playbook holds."""
    found: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def typed(name: str) -> str:
    """Return what a playbook is called at the top. A collection's cannot have a hyphen."""
    return name.replace("_", "-")


def first(name: str) -> dict[str, Any]:
    """Return the first play of a playbook, or of that which it imports first."""
    play = plays(ROOT / "playbooks" / f"{name}.yml")[0]
    imported = play.get("import_playbook")
    return first(imported.removeprefix(IMPORT)) if imported else play


@pytest.mark.parametrize("name", NAMES)
def test_a_playbook_is_typed_by_its_name_in_the_repository(name: str) -> None:
    (play,) = plays(ROOT / f"{typed(name)}.yml")
    assert play.keys() == {"name", "import_playbook"}
    assert play["name"][0].isupper()
    assert play["import_playbook"] == f"{IMPORT}{name}"


def test_the_repository_has_no_other_playbook() -> None:
    lists = [path for path in ROOT.glob("*.yml") if isinstance(plays(path), list)]
    assert sorted(path.stem for path in lists) == sorted(map(typed, NAMES))


@pytest.mark.parametrize("name", sorted(set(NAMES) - WITHOUT_INVENTORY))
def test_a_playbook_first_refuses_several_environments_and_clear_vaults_on_the_controller(name: str) -> None:
    play = first(name)
    assert (play["hosts"], play["gather_facts"], play["any_errors_fatal"]) == ("all", False, True)
    assert "become" not in play
    imported = [task["ansible.builtin.import_role"] for task in play.get("tasks", ())]
    assert play.get("roles") == (None if imported else [{"role": CHECK}])
    assert {each["name"] for each in imported} <= {CHECK}
    # Which groups the hosts are of follows from what was looked at.
    entry_point, *others = [each["tasks_from"] for each in imported] or ["inputs"]
    assert others in ([], ["groups"])
    (task,) = yaml.safe_load((ROLES / "check" / "tasks" / f"{entry_point}.yml").read_text(encoding="utf-8"))
    assert "initech.django.inputs" in task


@pytest.mark.parametrize("name", ["deploy", "rollback"])
def test_where_one_host_fails_no_other_goes_on_with_a_deploy_or_rollback(name: str) -> None:
    for play in plays(ROOT / "playbooks" / f"{name}.yml"):
        assert play["any_errors_fatal"] is True, play["name"]
        # With these some would go on all the same.
        assert not {"strategy", "max_fail_percentage", "ignore_errors", "ignore_unreachable"} & play.keys(), play[
            "name"
        ]


@pytest.mark.parametrize("name", ["deploy", "rollback"])
@pytest.mark.parametrize(("known", "size"), [({}, 1), ({"release_serial": "30%"}, "30%")])
def test_as_many_hosts_switch_at_a_time_as_release_serial_of_the_first_says(
    name: str, known: dict[str, str], size: int | str
) -> None:
    (serial,) = [play["serial"] for play in plays(ROOT / "playbooks" / f"{name}.yml") if "serial" in play]
    hosts = {"groups": {"apps": ["web1", "web2"]}, "hostvars": {"web1": known, "web2": {}}}
    assert evaluate(serial, hosts) == size


def test_a_certificates_check_is_told_the_names_of_the_other_hosts() -> None:
    tasks = [task for play in plays(ROOT / "playbooks" / "provision.yml") for task in play.get("tasks", ())]
    (given,) = [task["vars"] for task in tasks if "tls_names_of_others" in task.get("vars", ())]
    hosts = {
        "web1": {"nginx_server_names": ["a.test"]},
        "web2": {"nginx_server_names": ["b.test", "c.test"]},
        "web3": {},
    }
    known = {"inventory_hostname": "web1", "ansible_play_hosts_all": [*hosts], "hostvars": hosts}
    assert evaluate(given["tls_names_of_others"], known) == ["b.test", "c.test"]


def entry_points(play: dict[str, Any]) -> set[str]:
    """Return which files of tasks of roles a play runs."""
    keys = ("ansible.builtin.import_role", "ansible.builtin.include_role")
    called = [task[key] for task in play.get("tasks", ()) for key in keys if key in task]
    return {each.get("tasks_from", "main") for each in [*called, *play.get("roles", ())]}


def test_handlers_of_what_provisioning_wrote_also_run_where_something_later_fails() -> None:
    first, *others = plays(ROOT / "playbooks" / "provision.yml")
    assert first["roles"] == [{"role": CHECK}]
    writing = [play for play in others if entry_points(play) != {"check"}]
    assert writing
    assert [play["name"] for play in writing if play.get("force_handlers") is not True] == []


def test_names_of_one_machine_take_turns_where_provisioning_writes() -> None:
    writing = [play for play in plays(ROOT / "playbooks" / "provision.yml")[1:] if entry_points(play) != {"check"}]
    (throttle,) = {play["throttle"] for play in writing}
    assert evaluate(throttle, {"__check_inputs": {"at_once": 1}}) == 1
    # With --tags the check is left out.
    assert evaluate(throttle, {}) == 0
