"""Which hosts go back where another one cannot switch, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unittest.mock import Mock

import pytest
from ansible.plugins.action import ActionBase
from ansible_collections.initech.django.plugins.action import lease, pack
from ansible_collections.initech.django.tests.templates.render import evaluate, load_tasks, variables

NEW, OLD = "20261125T101500Z-bbbbbbbb", "20261124T101500Z-aaaaaaaa"


def host(name: str, switched: Any = None, live: str = OLD) -> dict[str, Any]:
    """Return what the others know of a host, which has switched, was to, or was not reached by the play."""
    known: dict[str, Any] = {"inventory_hostname": name, "__release_info": {"live": live}}
    return known if switched is None else {**known, "__release_switched": switched}


def known_by(*hosts: dict[str, Any], go_back: bool = True, **others: Any) -> dict[str, Any]:
    """Return the variables of the role where these are the hosts of the play."""
    names = [each["inventory_hostname"] for each in hosts]
    return variables(
        "release",
        app_name="shop",
        release_go_back=go_back,
        ansible_play_hosts_all=names,
        hostvars=dict(zip(names, hosts)),
        __release_pack={"release": NEW},
        **{"ansible_play_hosts": names, **others},
    )


def said(
    *hosts: dict[str, Any], go_back: bool = True, back: Mapping[str, dict[str, Any]] | None = None
) -> tuple[list[str], str]:
    """Return who is to go back, and who runs what; of those that do not just go back, what became of them."""
    known = known_by(*hosts, go_back=go_back)
    going = evaluate(known["__release_switches"], known)["going_back"]
    known["__release_went_back"] = {
        "results": [{"__release_host": each, **(back or {}).get(each, DONE)} for each in going]
    }
    return going, "\n".join(evaluate(known["__release_switches"], known)["who_runs_what"])


DONE, SAME, SKIPPED = {"changed": True}, {"changed": False}, {"skipped": True, "changed": False}
GONE = {"unreachable": True, "changed": False, "msg": "Failed to connect"}


@pytest.mark.parametrize(
    ("hosts", "go_back", "names", "words"),
    [
        ([host("one")], True, [], ""),
        ([host("one"), host("two")], True, [], "No host had switched"),
        ([host("one", DONE), host("two"), host("three")], True, ["one"], "Went back to what they had: one"),
        ([host("one", DONE), host("two", DONE), host("three")], True, ["one", "two"], None),
        ([host("one", DONE), host("two")], False, [], f"Already at {NEW}, and left there: one"),
        # A host that had nothing live before has nothing to go back to.
        ([host("one", DONE, live=""), host("two")], True, [], "No host had switched"),
        ([host("one", SAME), host("two", SKIPPED), host("three")], True, [], "No host had switched"),
        (
            [host("one", DONE), host("two", GONE), host("three")],
            True,
            ["one"],
            "Went back to what they had: one. Could not be reached, and may be at either: two",
        ),
        ([host("one", GONE)], True, [], "Could not be reached, and may be at either: one"),
    ],
)
def test_who_has_switched_in_this_run_goes_back(
    hosts: list[dict[str, Any]], go_back: bool, names: list[str], words: str | None
) -> None:
    found, text = said(*hosts, go_back=go_back)
    assert found == names
    assert words is None or text == words


def test_a_host_that_is_lost_before_it_goes_back_is_named_with_what_to_type() -> None:
    older = "20261123T101500Z-cccccccc"
    stuck = "could not go back, and may be at either. Once it can, type: ansible-playbook rollback.yml"
    hosts = host("one", DONE), host("two", DONE, live=older), host("three", DONE), host("four")
    assert said(*hosts, back={"two": GONE, "three": GONE})[1].splitlines() == [
        "Went back to what they had: one",
        f"two {stuck} -l two -e release={older}",
        f"three {stuck} -l three -e release={OLD}",
    ]
    assert said(hosts[1], hosts[3], back={"two": GONE})[1] == f"two {stuck} -l two -e release={older}"


def test_a_host_whose_old_release_was_no_good_any_more_is_not_told_to_roll_back_to_that() -> None:
    hosts = host("one", DONE), host("two", DONE), host("three", DONE), host("four")
    answer = {"failed": True, "changed": False, "msg": "Release is no good"}
    assert said(*hosts, back={"two": answer, "three": answer})[1].splitlines() == [
        "Went back to what they had: one",
        *(
            f"{name} could not go back to {OLD}, which was no good there any more, and is left at {NEW}. "
            f"Type ansible-playbook deploy.yml -l {name} with -e release_version= one that is good"
            for name in ("two", "three")
        ),
    ]


def test_a_host_that_cannot_be_reached_any_more_keeps_nobody_from_going_back_and_from_being_named() -> None:
    (block,) = load_tasks("release", "tasks/go_back.yml")
    (switch,), (drain,) = block["block"], block["always"]
    assert (switch["register"], switch["ignore_unreachable"]) == ("__release_went_back", True)
    assert (drain["loop"], drain["ignore_unreachable"]) == ("{{ __release_switches.back }}", True)
    # Ansible ends a block there whatever is ignored, since one host has all of them go back.
    for file in ("switch", "drain"):
        tasks = load_tasks("release", f"tasks/{file}.yml")
        blocks = [each for task in tasks for each in [task, *task.get("rescue", ())] if "always" in each]
        ((include,), (say,)) = next((each["block"], each["always"]) for each in blocks)
        assert include["ansible.builtin.include_tasks"] == "go_back.yml"
        assert "__release_switches.who_runs_what" in say["ansible.builtin.fail"]["msg"]


def test_a_host_that_is_not_in_the_run_any_more_is_named() -> None:
    # The third one failed before: it was to have nothing of this.
    early = {"inventory_hostname": "three"}
    known = known_by(host("one"), host("two"), early, ansible_play_hosts=["one"])
    assert evaluate(known["__release_switches"], known)["lost"] == ["two"]
    # Where a host does not go back Ansible takes all of the play for failed, also such as have the release.
    known = known_by(host("one", DONE), host("two"), early, ansible_play_hosts=[])
    assert evaluate(known["__release_switches"], known)["lost"] == ["two"]


def test_a_host_of_which_nothing_could_be_found_out_is_lost_too() -> None:
    unreached = {"inventory_hostname": "two", "__release_info": {"unreachable": True, "changed": False}}
    known = known_by(host("one"), unreached, ansible_play_hosts=["one"])
    assert evaluate(known["__release_switches"], known)["lost"] == ["two"]


def test_why_a_command_after_the_switch_failed_is_said_in_a_line_of_its_own() -> None:
    (say,) = load_tasks("release", "tasks/finish.yml")[0]["rescue"]
    known = known_by(host("one"), ansible_failed_result={"msg": "exit code 1"})
    first, *others = evaluate(say["ansible.builtin.fail"]["msg"], known).splitlines()
    assert first.startswith(f"Release {NEW} is live, ")
    assert others == ["exit code 1"]


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "The release was not made live."),
        ({"ansible_failed_result": {"msg": "it ended"}, "__release_switched": DONE}, "it ended"),
        # What failed in a step before, to whose rescue somebody came, is not the reason.
        ({"ansible_failed_result": {"msg": "uv"}, "__release_switched": GONE}, "Failed to connect"),
    ],
)
def test_why_the_release_was_not_made_live_is_said(variables: dict[str, Any], words: str) -> None:
    known = known_by(host("one"), **variables)
    assert evaluate(known["__release_what_failed"], known) == words


def test_the_apps_of_a_run_are_those_of_its_hosts_or_that_of_the_play() -> None:
    known = known_by({**host("one"), "app_name": "blog"}, host("two"))
    assert evaluate(known["__release_apps"], known) == {"one": "blog", "two": "shop"}


@pytest.mark.parametrize(
    ("file", "action", "options"),
    [
        ("pack", pack.ActionModule, {"repository": "/no/such", "version": "main"}),
        # A rollback packs nothing.
        ("lease", lease.ActionModule, {"app_name": "shop", "version": "v1.4"}),
    ],
)
def test_a_run_with_the_hosts_of_two_apps_is_refused_where_it_packs_and_where_it_takes_the_lease(
    file: str, action: type[ActionBase], options: dict[str, str]
) -> None:
    (given,) = [
        each for task in load_tasks("release", f"tasks/{file}.yml") if (each := task.get(f"initech.django.{file}"))
    ]
    known = known_by({**host("one"), "app_name": "blog"}, host("two"))
    task = Mock(async_val=0, check_mode=False, args={**options, "apps": evaluate(given["apps"], known)})
    result = action(task, Mock(), None, None, None, None).run(task_vars={})
    assert result["failed"]
    assert result["msg"].startswith("A run is of one app, and this one has blog and shop. ")
