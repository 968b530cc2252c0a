"""Data of another version is never left behind by an empty cluster, and what an upgrade begins with is certain."""

from __future__ import annotations

import pytest
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.versions import (
    Cluster,
    check_version,
    parse,
    require_fit,
    upgraded_from,
    version_of,
)

LISTING = """[
 {"version":"15","cluster":"main","port":"5432","running":1,"start":"auto"},
 {"version":"17","cluster":"reports","port":"5433","running":0,"start":"manual"}]"""
OLD = Cluster("15", "main", 5432, True)
NEW = Cluster("17", "main", 5432, True)
KEPT = Cluster("15", "main", 5433, False)
HALF = Cluster("17", "main", 5433, True)
FOREIGN = Cluster("15", "reports", 5433, True)


def refusal(version: str, *clusters: Cluster) -> str:
    with pytest.raises(Problem) as problem:
        require_fit(version, clusters, "prod")
    return str(problem.value)


def test_clusters_are_read_as_debians_tool_lists_them() -> None:
    assert parse(LISTING) == [OLD, Cluster("17", "reports", 5433, False)]
    assert parse("") == []


def test_the_version_that_is_asked_for_counts_and_else_that_of_the_distribution() -> None:
    assert [version_of("", "bookworm"), version_of("18", "trixie"), version_of("16", "unknown")] == ["15", "18", "16"]


@pytest.mark.parametrize(("release", "named"), [("sid", "sid"), ("", "a host whose facts were not gathered")])
def test_a_release_whose_version_is_not_known_is_refused_with_what_to_set(release: str, named: str) -> None:
    with pytest.raises(Problem) as problem:
        version_of("", release)
    assert str(problem.value) == (
        f"Which PostgreSQL {named} has is not known, but for bookworm, trixie, jammy, noble, resolute. "
        'Set postgresql_version, as "17".'
    )


@pytest.mark.parametrize("version", ["14", "18", "20"])
def test_a_major_version_is_accepted(version: str) -> None:
    check_version(version)


@pytest.mark.parametrize("version", ["17.5", "9.6", "9", "latest", "017", "17\n", ""])
def test_what_is_no_major_version_is_refused_with_an_example(version: str) -> None:
    with pytest.raises(Problem) as problem:
        check_version(version)
    assert str(problem.value) == f'postgresql_version is {version!r}. Write a major version in quotes, as "17".'


@pytest.mark.parametrize("clusters", [(), (NEW,), (NEW, KEPT), (FOREIGN,), (FOREIGN, NEW)])
def test_a_new_host_and_one_with_this_version_fit(clusters: tuple[Cluster, ...]) -> None:
    require_fit("17", clusters, "prod")


def test_data_of_an_older_version_is_refused_with_what_is_there_and_both_ways_out() -> None:
    assert refusal("17", OLD, FOREIGN) == (
        "This host has the data of PostgreSQL 15, in the cluster 15/main, and version 17 is asked for, which would "
        "begin with an empty cluster. Nothing was changed. To upgrade it type: "
        'ansible-playbook upgrade-database.yml -l prod   To stay with it set postgresql_version: "15".'
    )


def test_data_of_a_stopped_cluster_or_one_with_another_port_is_data_too() -> None:
    assert "in the cluster 15/main" in refusal("17", KEPT)


def test_data_of_a_newer_version_is_refused_and_no_upgrade_is_proposed() -> None:
    message = refusal("15", NEW)
    assert "upgrade-database" not in message
    assert message.endswith('No data goes back to an older version: set postgresql_version: "17".')


def test_a_cluster_where_the_app_would_not_find_it_is_refused() -> None:
    message = refusal("17", OLD, HALF)
    assert message.startswith("The cluster 17/main of this host has the port 5433, and not 5432")
    assert "pg_conftool 17 main set port 5432; systemctl restart postgresql@17-main" in message
    assert message.endswith("set postgresql_version to its version. Nothing was changed.")


def test_a_port_that_a_foreign_cluster_has_is_refused() -> None:
    message = refusal("17", Cluster("15", "reports", 5432, True))
    assert message.startswith("The cluster 15/reports of this host has the port 5432, which 17/main needs.")


# Upgrades


def test_the_cluster_that_the_app_uses_is_upgraded() -> None:
    assert upgraded_from("17", [OLD]) == OLD
    assert upgraded_from("17", [Cluster("14", "main", 5434, False), OLD, FOREIGN]) == OLD


def test_an_upgrade_that_was_killed_is_begun_again_and_not_provisioned_over() -> None:
    # The port goes from the old cluster to the new one at the end of all.
    assert upgraded_from("17", [OLD, HALF], is_draft=True) == OLD
    assert upgraded_from("17", [KEPT, HALF], is_draft=True) == KEPT
    with pytest.raises(Problem, match=r"ansible-playbook upgrade-database\.yml -l prod"):
        require_fit("17", [OLD, HALF], "prod", is_draft=True)


def test_an_upgrade_that_was_killed_when_all_was_done_is_not_begun_again() -> None:
    assert upgraded_from("17", [KEPT, NEW], is_draft=True) is None
    require_fit("17", [KEPT, NEW], "prod", is_draft=True)


@pytest.mark.parametrize("clusters", [(), (NEW,), (NEW, KEPT), (FOREIGN,)])
def test_there_is_nothing_to_upgrade_on_a_new_host_and_where_it_was_done(clusters: tuple[Cluster, ...]) -> None:
    assert upgraded_from("17", clusters) is None


@pytest.mark.parametrize(
    ("version", "clusters", "message"),
    [
        ("17", (OLD, HALF), "has both 15/main, with the port 5432, and 17/main, which no upgrade made"),
        ("17", (OLD, HALF), "pg_dropcluster --stop 17 main   Then type the same again"),
        ("17", (KEPT,), "None of the clusters of this host has the port 5432: 15/main with port 5433"),
        ("15", (NEW,), 'no data goes back to 15. Set postgresql_version: "17"'),
        ("17", (HALF,), "17/main of this host has the port 5433"),
        ("x", (OLD,), "postgresql_version is 'x'"),
    ],
)
def test_an_upgrade_that_could_go_wrong_is_refused_with_what_to_type(
    version: str, clusters: tuple[Cluster, ...], message: str
) -> None:
    with pytest.raises(Problem) as problem:
        upgraded_from(version, clusters)
    assert message in str(problem.value)
