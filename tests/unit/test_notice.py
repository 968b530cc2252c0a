"""What others are told of a deploy that has ended says how, and holds nothing that a project printed."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils.notice import Run, command, complaint

COMMIT, RELEASE = "1a2b3c4d" * 5, "20261124T101500Z-1a2b3c4d"
ABOUT = {"app": "shop", "environment": "prod", "url": "https://shop.example.com"}
BEGUN = ("hooks", {"notify": "/webhook.yml", "about": ABOUT})
PACKED = ("pack", {"release": RELEASE, "version": "v1.4", "commit": COMMIT})
STAGED = ("stage", {"changed": True})
SWITCHED = ("switch", {"changed": True})


def run(*seen: tuple[str, dict[str, Any]], hosts: tuple[str, ...] = ("web1",)) -> Run:
    """Return what was seen of a run, each task on all hosts."""
    made = Run()
    for action, result in seen:
        for host in hosts:
            made.saw(f"initech.django.{action}", host, result)
    return made


def test_a_run_that_has_not_come_to_where_it_changes_something_tells_nobody() -> None:
    assert run(("inputs", {})).tasks == ""
    assert run(BEGUN).tasks == "/webhook.yml"


def test_a_deploy_tells_what_went_live_where_and_by_whom() -> None:
    told = run(BEGUN, PACKED, STAGED, SWITCHED, hosts=("web1", "web2")).told("ada at laptop", is_good=True)
    assert told == {
        **ABOUT,
        "outcome": "deployed",
        "kind": "deploy",
        "release": RELEASE,
        "version": "v1.4",
        "commit": COMMIT,
        "who": "ada at laptop",
        "hosts": ["web1", "web2"],
        "message": f"shop v1.4 (1a2b3c4d) is live in prod, as release {RELEASE} on web1, web2.",
    }


@pytest.mark.parametrize(
    ("seen", "outcome", "message"),
    [
        ([PACKED, ("unpack", {"changed": False})], "unchanged", "shop v1.4 (1a2b3c4d) was live in prod already."),
        ([PACKED, STAGED], "prepared", "shop v1.4 (1a2b3c4d) is prepared in prod, and not live."),
        (
            [("rollback_target", {"target": RELEASE}), SWITCHED],
            "rolled back",
            f"shop went back in prod, to release {RELEASE} on web1.",
        ),
        ([("rollback_target", {"target": RELEASE}), ("switch", {})], "unchanged", "shop was live in prod already."),
    ],
)
def test_how_it_ended_is_told_by_a_word_and_a_sentence(
    seen: list[tuple[str, dict[str, Any]]], outcome: str, message: str
) -> None:
    told = run(BEGUN, *seen).told("ada", is_good=True)
    assert (told["outcome"], told["message"]) == (outcome, message)


def test_what_was_promoted_is_called_as_people_call_it() -> None:
    told = run(("promotion", {"called": "v1.4 from staging"}), BEGUN, PACKED, STAGED, SWITCHED).told("a", is_good=True)
    assert told["version"] == "v1.4 from staging"


def test_a_failure_is_told_with_the_step_the_host_and_one_line() -> None:
    failing = run(BEGUN, PACKED, STAGED)
    message = "Release X is no good: it answers 500. It was stopped.\nIts own log:\npassword=S3cr3t"
    failing.failed(
        "initech.django.release : switch | Start it beside the live one, and ask it", "web1", {"msg": message}
    )
    told = failing.told("ada", is_good=False)
    assert told["outcome"] == "failed"
    assert told["message"].startswith(
        "The deploy of shop v1.4 (1a2b3c4d) in prod failed at switch on web1: Release X is"
    )
    assert "it answers 500. It was stopped. What is live now: ansible-playbook releases.yml -l prod" in told["message"]
    assert "S3cr3t" not in str(told)


def test_a_host_that_went_back_is_not_told_as_one_that_has_the_new_release() -> None:
    failing = run(BEGUN, PACKED, STAGED, SWITCHED, hosts=("web1", "web2"))
    loop = [{"changed": True, "__release_host": "web2"}, {"changed": False, "__release_host": "web1"}]
    failing.saw("initech.django.switch", "web3", {"changed": True, "results": loop})
    assert failing.told("ada", is_good=False)["hosts"] == ["web1"]


def test_where_one_could_not_go_back_those_that_did_are_not_told_either() -> None:
    failing = run(BEGUN, PACKED, STAGED, SWITCHED, hosts=("web1", "web2"))
    loop = [{"unreachable": True, "__release_host": "web2"}, {"changed": True, "__release_host": "web1"}]
    failing.failed("go_back | Make live again", "web3", {"unreachable": True, "changed": True, "results": loop})
    assert failing.told("ada", is_good=False)["hosts"] == ["web2"]
    failing.failed("finish | Some", "web2", {"failed": True, "results": ["what a module printed", {"changed": True}]})
    assert failing.told("ada", is_good=False)["hosts"] == ["web2"]


def test_a_failure_to_whose_rescue_somebody_came_is_none() -> None:
    rescued = run(BEGUN, PACKED, STAGED, SWITCHED)
    rescued.failed("release : some | Task", "web1", {"msg": "no"})
    assert rescued.told("ada", is_good=True)["outcome"] == "deployed"


@pytest.mark.parametrize("result", [{}, {"censored": "hidden"}, {"msg": None}, {"msg": "x" * 1000}])
def test_a_failure_that_says_nothing_or_too_much_is_told_all_the_same(result: dict[str, Any]) -> None:
    failing = run(BEGUN, PACKED)
    failing.failed("stage | Unpack", "web1", result)
    assert len(failing.told("ada", is_good=False)["message"]) < 400


def test_others_are_told_with_the_inventory_the_passwords_and_the_variables_of_the_run() -> None:
    options = {
        "inventory": ["/i/prod", "/i/staging"],
        "subset": "prod",
        "vault_ids": ["prod@client", "other@prompt"],
        "vault_password_files": ["/p"],
        "extra_vars": ("a=1", "@file"),
    }
    assert command("x.notify", options, "/told.json") == [
        *("x.notify", "-i", "/i/prod", "-i", "/i/staging", "-l", "prod", "--vault-id", "prod@client"),
        *("--vault-password-file", "/p", "-e", "a=1", "-e", "@file", "-e", "@/told.json"),
    ]
    assert command("x.notify", {}, "/told.json") == ["x.notify", "-e", "@/told.json"]


def test_of_a_notification_that_failed_what_ansible_says_of_it_is_shown_and_no_more() -> None:
    output = (
        "PLAY [x] **\n\n[ERROR]: Task failed\nfatal: [web1]: FAILED! =>\n    msg: refused\n\nPLAY RECAP **\nweb1 : ok=1"
    )
    assert complaint(output) == "fatal: [web1]: FAILED! =>\n    msg: refused"
    assert complaint("ERROR! no such file\nhint") == "ERROR! no such file\nhint"
    assert complaint("one\ntwo") == "one\ntwo"
