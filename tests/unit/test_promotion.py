"""What is promoted from one environment to another is one version, proven, old enough, and the same in both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible.template import Templar, trust_as_template
from ansible_collections.initech.django.plugins.action.promotion_hosts import ActionModule
from ansible_collections.initech.django.plugins.action.promotion_source import proven
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.promotion import (
    Seen,
    Source,
    compare,
    judge,
    members,
    refusals,
    say,
    sources,
)
from ansible_collections.initech.django.plugins.module_utils.requirements import text_hash

COMMIT, OTHER = "1a2b3c4d" * 5, "9f8e7d6c" * 5
RELEASE = "20261124T101500Z-1a2b3c4d"
GROUPS = {
    "all": ["web1", "web2", "live1"],
    "ungrouped": [],
    "apps": ["live1"],
    "staging": ["web1", "web2"],
    "prod": ["live1"],
}
FILES = {"requirements.txt": "a" * 64}


def seen(host: str = "web1", **others: Any) -> Seen:
    given: dict[str, Any] = {"version": "v1.4", "commit": COMMIT, "seconds": 7200.0, "requirements": FILES}
    given |= {"pins": ["django==5.2"], "python": "3.13.5"}
    return Seen(host, **{"live": RELEASE, **given, **others})


def packed(**others: Any) -> dict[str, Any]:
    return {
        "commit": COMMIT,
        "version": COMMIT,
        "requirements_hashes": FILES,
        "pins": ["django==5.2 --hash=sha256:0"],
        **others,
    }


def refused(*hosts: Seen, after: str = "") -> str:
    """Return why these hosts are no source of a promotion."""
    with pytest.raises(Problem) as caught:
        judge(hosts, "staging", "prod", after)
    return str(caught.value)


# Which hosts are meant


@pytest.mark.parametrize(("name", "hosts"), [("staging", ["web1", "web2"]), ("web2", ["web2"])])
def test_from_names_a_group_or_a_host(name: str, hosts: list[str]) -> None:
    assert members(name, "prod", GROUPS) == hosts


def test_from_that_is_not_given_is_asked_for_with_an_environment_that_there_is() -> None:
    with pytest.raises(Problem, match=r"Type: ansible-playbook promote\.yml -e from=staging -l prod"):
        members("", "prod", GROUPS)


def test_from_that_names_nothing_is_refused_with_what_there_is() -> None:
    with pytest.raises(Problem, match=r"from is 'stagin', and the inventory has no such group or host, but staging\."):
        members("stagin", "prod", GROUPS)


def test_a_host_that_has_the_database_and_no_app_is_left_out() -> None:
    hosts = [Source(name, "staging", "shop", database_host="db1") for name in ("web1", "db1")]
    assert [host.host for host in sources("staging", "prod", hosts)] == ["web1"]


def test_the_app_may_be_called_otherwise_there() -> None:
    (found,) = sources("staging", "prod", [Source("web1", "staging", "shop-staging")])
    assert found.app_name == "shop-staging"


@pytest.mark.parametrize(
    ("hosts", "why"),
    [
        ([Source("live1", "prod", "shop")], "-l prod names the same environment"),
        ([Source("web1", "staging", "shop"), Source("qa1", "qa", "shop")], "2 environments: qa, staging"),
        ([Source("web1", "staging", "shop"), Source("web2", "staging", "blog")], "blog on web2; shop on web1"),
        ([Source("db1", "staging", "shop", database_host="db1")], "has no host of an app"),
    ],
)
def test_from_that_names_no_single_app_of_one_other_environment_is_refused(hosts: Sequence[Source], why: str) -> None:
    with pytest.raises(Problem, match=why):
        sources("staging", "prod", hosts)


class Hostvars(dict[str, Any]):
    """As much of hostvars as the action asks for."""

    raw_get = dict.__getitem__


def test_what_the_inventory_says_of_such_a_host_is_evaluated_with_its_own_variables() -> None:
    name = trust_as_template("{{ base }}-staging")
    raw = {"app_environment": "staging", "app_name": name, "base": "shop", "python_version": "3.13"}
    action = ActionModule.__new__(ActionModule)
    action._templar = Templar(loader=None, variables={"base": "of another host"})
    assert action.source("web1", Hostvars(web1=raw)) == Source("web1", "staging", "shop-staging", "3.13", "")
    with_own = {**raw, "release_python_version": "3.12"}
    assert action.source("web1", Hostvars(web1=with_own)).python_version == "3.12"


# Whether it may be promoted


def test_what_all_hosts_have_and_is_proven_is_promoted() -> None:
    assert judge([seen(), seen("web2")], "staging", "prod", "1h").commit == COMMIT


def test_hosts_that_run_different_commits_are_refused_with_both() -> None:
    text = refused(seen(), seen("web2", commit=OTHER, version="v1.5"))
    assert "web2: commit 9f8e7d6c is live (v1.5), and web1 has 1a2b3c4d (v1.4)." in text
    assert "Type: ansible-playbook deploy.yml -l staging" in text
    assert "Nothing was changed." in text


def test_hosts_with_different_requirements_are_refused_with_the_file() -> None:
    two = {**FILES, "staging.txt": "b" * 64}
    text = refused(seen(requirements=two), seen("web2", requirements={**two, "staging.txt": "c" * 64}))
    assert "web2: staging.txt is not the same as on web1." in text


@pytest.mark.parametrize("order", [1, -1])
def test_a_host_on_which_nothing_is_live_is_named(order: int) -> None:
    nothing = Seen("web2", "")
    text = refused(*[seen(), nothing][::order])
    assert "web2: nothing is live there." in text
    assert "web1" not in text


def test_a_host_whose_live_release_lost_its_manifest_is_named() -> None:
    text = refused(seen(commit="", version=""), seen("web2"))
    assert f"web1: release {RELEASE} is live there, and is not complete. Type: ansible-playbook deploy.yml" in text
    assert "web2" not in text


def test_what_is_not_proven_is_refused_with_every_reason_and_what_mends_it() -> None:
    text = refused(seen(problems=["extra: debugpy 1.8 is installed", "missing: gevent"]))
    assert "web1: extra: debugpy 1.8 is installed" in text
    assert "web1: missing: gevent" in text
    assert "ansible-playbook deploy.yml -l staging" in text


def test_what_is_too_new_is_refused_with_when_to_come_again() -> None:
    text = refused(seen(), seen("web2", seconds=2400.0), after="1h")
    assert f"web2: {RELEASE} is live for 40 min 0 s, and release_promote_after is 1h" in text
    assert "inventories/prod/group_vars/prod/release.yml" in text
    assert "Type the same again in 20 min 0 s" in text
    assert "web1" not in text


def test_where_the_history_does_not_tell_an_age_it_counts_as_too_new_only_if_an_age_is_asked_for() -> None:
    assert refusals([seen(seconds=None)], "staging", "prod", "") == []
    assert "its history does not tell since when" in refused(seen(seconds=None), after="2d")


def test_an_age_that_is_none_is_refused_by_the_name_of_its_variable() -> None:
    assert "release_promote_after is 'soon'. Type a duration" in refused(seen(), after="soon")


# Whether it would be the same


def test_the_same_commit_with_the_same_requirements_is_the_same() -> None:
    assert compare(seen(), packed(), "staging", "prod") == []


def test_another_version_than_that_which_is_live_there_is_refused() -> None:
    (line,) = compare(seen(), packed(commit=OTHER, version="main"), "staging", "prod")
    assert line == "commit 9f8e7d6c would be deployed, and web1 has 1a2b3c4d. Leave -e release_version=main out"


def test_requirements_with_another_hash_are_refused_with_both() -> None:
    (line,) = compare(seen(), packed(requirements_hashes={"requirements.txt": "b" * 64}), "staging", "prod")
    assert line.startswith(f"requirements.txt would be installed with the hash {'b' * 16}, and web1 has {'a' * 16}; ")
    assert "inventories/staging/group_vars/staging/release.yml" in line


def test_files_that_have_none_in_common_are_refused() -> None:
    (line,) = compare(seen(), packed(requirements_hashes={"other/requirements.txt": "a" * 64}), "staging", "prod")
    assert "other/requirements.txt would be installed, and web1 has requirements.txt, which is none of these" in line


def test_what_a_file_of_the_environments_own_adds_is_allowed_and_shown() -> None:
    there = seen(requirements={"staging.txt": "b" * 64, **FILES}, pins=["django==5.2", "debugpy==1.8"])
    here = packed(
        requirements_hashes={"prod.txt": "c" * 64, **FILES}, pins=["django==5.2 --hash=sha256:0", "sentry-sdk==2.0"]
    )
    assert compare(there, here, "staging", "prod") == []
    first, *others = say([there, seen("web2", seconds=60.0)], here, "staging", "prod")
    assert first.startswith("From staging to prod: commit 1a2b3c4d (v1.4), live for 1 min 0 s on web1, web2; ")
    assert first.endswith("proven: 2 requirements, Python 3.13.5.")
    assert others == [
        f"requirements.txt: the same, {'a' * 64}.",
        "prod.txt adds here: sentry-sdk==2.0.",
        "staging.txt added there alone: debugpy==1.8.",
    ]


@pytest.mark.parametrize(("version", "called"), [("v1.4", "v1.4"), ("HEAD", "1a2b3c4d"), (COMMIT, "1a2b3c4d")])
def test_what_is_promoted_is_called_by_a_name_that_says_something(version: str, called: str) -> None:
    assert seen(version=version).called == called
    (first, _) = say([seen(version=version)], packed(), "staging", "prod")
    assert ("(v1.4)" in first) == (called == "v1.4")


def test_the_hash_of_a_file_is_that_of_its_content_on_every_system() -> None:
    assert text_hash("a==1\r\nb==2\r\n") == text_hash("a==1\nb==2\n") != text_hash("a==1\nb==3\n")


# What a host reads


def read(**others: Any) -> dict[str, Any]:
    """Return what a host reads of a virtualenv with one package."""
    environment = {"python_full_version": "3.13.5", "python_version": "3.13"}
    package = {"name": "Django", "version": "5.2", "requires": [], "url": "", "changed": []}
    text = {"staging.txt": "-r requirements.txt\n", "requirements.txt": "django==5.2\n"}
    return {
        "marker": {"requirements": text, "version": "3.13.5", "target": "/usr/bin/python3.13"},
        "target": "/usr/bin/python3.13",
        "environment": environment,
        "changed_files": [],
        "packages": [package],
        "strays": [],
        **others,
    }


def test_what_a_host_has_is_read_from_the_files_that_its_virtualenv_was_made_from() -> None:
    assert proven(read(), "3.13") == {
        "requirements": {
            "staging.txt": text_hash("-r requirements.txt\n"),
            "requirements.txt": text_hash("django==5.2\n"),
        },
        "pins": ["django==5.2"],
        "python": "3.13.5",
        "problems": [],
    }


def test_what_a_host_has_is_proven_by_the_same_rules_as_verify_has() -> None:
    (problem,) = proven(read(strays=["lib/x.py"]), "3.13")["problems"]
    assert problem == "extra: lib/x.py is in the virtualenv, and belongs to no package"
    assert "python_version is 3.12" in proven(read(), "3.12")["problems"][0]
