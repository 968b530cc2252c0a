"""The action reads what the inventory, the command line, the defaults and the facts say of a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible.template import Templar
from ansible_collections.initech.django.plugins.action.connections import ActionModule, Settings, demand_of
from ansible_collections.initech.django.plugins.module_utils.connections import Demand
from ansible_collections.initech.django.plugins.module_utils.inputs import load_specs
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

FACTS = {"processor_nproc": 4}


def demand(variables: Mapping[str, Any], facts: Mapping[str, Any] = FACTS) -> Demand:
    raw = {"inventory_hostname": "web1", "database_engine": "postgresql", "ansible_facts": facts, **variables}
    return demand_of("web1", Settings(raw, Templar(loader=None, variables={}), load_specs()))


def test_what_nobody_sets_is_the_roles_default_and_each_core_has_a_worker() -> None:
    assert demand({}) == Demand("web1", 4, 0, 180, False)


@pytest.mark.parametrize(("text", "is_pooled"), [("true", True), ("false", False), ("no", False)])
def test_a_switch_from_the_command_line_is_text_and_means_what_it_says(text: str, is_pooled: bool) -> None:
    assert demand({"database_pool": text}).is_pooled == is_pooled


def test_numbers_from_the_command_line_are_text_too() -> None:
    given = {"gunicorn_workers": "2", "gunicorn_worker_connections": "50", "database_connections": "70"}
    assert demand(given) == Demand("web1", 2, 50, 70, False)


def test_the_number_that_gunicorn_or_the_pool_is_really_given_counts() -> None:
    assert demand({"gunicorn_database_connections": 300}).connections == 300
    assert demand({"pgbouncer_pool_size": 300}).connections == 180
    assert demand({"pgbouncer_pool_size": 300, "database_pool": True}).connections == 300
    assert demand({"pgbouncer_pool_size": 300, "database_pool": True, "database_engine": "mysql"}).connections == 180


def test_workers_and_timers_are_counted_with_the_cores_of_the_host() -> None:
    given = {
        "processes_workers": [{"name": "mail", "command": "celery -A shop worker", "replicas": "3"}],
        "processes_timers": [{"name": "tidy", "command": "manage.py clearsessions", "calendar": "daily"}],
    }
    assert demand(given).processes == 2 * 3 * 4 + 1


def test_a_host_that_nobody_asked_for_its_cores_is_refused_with_what_to_gather() -> None:
    with pytest.raises(Problem, match="cores of web1 are not known"):
        demand({}, {})
    assert demand({"gunicorn_workers": 3}, {}).workers == 3


# A database on a host of its own

SPLIT = {
    "app_environment": "prod",
    "database_engine": "postgresql",
    "database_host": "db1",
    "ansible_facts": FACTS,
    "database_connections": 100,
}


class Inventory(dict[str, Any]):
    """As much of hostvars as the action asks for."""

    raw_get = dict.__getitem__


def sums(hosts: Mapping[str, Mapping[str, Any]], played: list[str]) -> dict[str, int]:
    """Return what the action makes of an environment, of which some hosts are played."""
    action = ActionModule.__new__(ActionModule)
    action._templar = Templar(loader=None, variables={})
    raw = Inventory({name: {**SPLIT, "inventory_hostname": name, **own} for name, own in hosts.items()})
    return action.check(
        {"ansible_play_hosts_all": played, "hostvars": raw, "groups": {"prod": list(hosts)}}, reserved=20
    )


def test_all_hosts_of_an_app_share_the_server_of_the_host_that_has_the_database_and_no_app() -> None:
    hosts: dict[str, dict[str, Any]] = {"web1": {}, "web2": {}, "db1": {"ansible_host": "10.0.0.7"}}
    assert sums(hosts, list(hosts)) == {"10.0.0.7": 100 + 100 + 100 + 20}


def test_the_servers_of_two_machines_behind_one_address_are_two() -> None:
    own = {"database_host": "", "ansible_host": "192.0.2.1"}
    one: dict[str, dict[str, Any]] = {"web1": {**own, "ansible_port": 22}, "web2": {**own}}
    assert sums(one, list(one)) == {"192.0.2.1": 100 + 100 + 100 + 20}
    two: dict[str, dict[str, Any]] = {"web1": {**own, "ansible_port": 2201}, "web2": {**own}}
    assert sums(two, list(two)) == {"192.0.2.1:2201": 100 + 100 + 20, "192.0.2.1": 100 + 100 + 20}


@pytest.mark.parametrize(
    ("serial", "beside"), [(1, 100), ("2", 200), ("50%", 100), ([1, 3], 300), (0, 300), (None, 100)]
)
def test_on_as_many_hosts_as_switch_at_a_time_the_next_release_is_beside_the_live_one(serial: Any, beside: int) -> None:
    own = {} if serial is None else {"release_serial": serial}
    hosts = {"web1": own, "web2": own, "web3": own, "db1": {**own, "postgresql_max_connections": 900}}
    assert sums(hosts, list(hosts)) == {"db1": 300 + beside + 20}


def test_what_its_server_accepts_is_what_that_hosts_variables_say_and_no_pool_is_proposed() -> None:
    hosts = {"web1": {"postgresql_max_connections": 900}, "db1": {"postgresql_max_connections": 150}}
    with pytest.raises(Problem, match="postgresql_max_connections is 150") as caught:
        sums(hosts, list(hosts))
    assert "database_pool" not in str(caught.value)


@pytest.mark.parametrize(
    ("engine", "name"),
    [("mysql", "max-connections"), ("mysql", "max_connections"), ("postgresql", "MAX_CONNECTIONS")],
)
def test_what_the_servers_settings_say_counts_however_it_is_spelled(engine: str, name: str) -> None:
    own = {"database_engine": engine, f"{engine}_settings": {name: 150}}
    with pytest.raises(Problem, match=f"{engine}_max_connections is 150"):
        sums({"web1": own, "web2": own, "db1": own}, ["web1", "web2", "db1"])


def test_a_run_that_leaves_out_a_host_of_the_database_is_refused_with_what_to_type() -> None:
    with pytest.raises(Problem, match=r"share the database on db1, and this run leaves out web2. Type -l prod"):
        sums({"web1": {}, "web2": {}, "db1": {}}, ["web1", "db1"])
