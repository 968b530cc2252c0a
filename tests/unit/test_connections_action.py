"""The action reads what the inventory, the command line, the defaults and the facts say of a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from ansible.template import Templar
from ansible_collections.initech.django.plugins.action.connections import Settings, demand_of
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


def test_a_host_that_nobody_asked_for_its_cores_is_refused_with_what_to_gather() -> None:
    with pytest.raises(Problem, match="cores of web1 are not known"):
        demand({}, {})
    assert demand({"gunicorn_workers": 3}, {}).workers == 3
