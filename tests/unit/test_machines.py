"""Two names of one machine are told from two machines, wherever that is asked."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils.machines import Machine, machine_of


@pytest.mark.parametrize(
    ("variables", "expected", "text"),
    [
        ({}, Machine("web1", "22"), "web1"),
        ({"ansible_host": "", "ansible_port": None}, Machine("web1", "22"), "web1"),
        ({"ansible_host": "192.0.2.1", "ansible_port": 22}, Machine("192.0.2.1", "22"), "192.0.2.1"),
        ({"ansible_host": "192.0.2.1", "ansible_port": "2201"}, Machine("192.0.2.1", "2201"), "192.0.2.1:2201"),
    ],
)
def test_a_machine_is_an_address_and_a_port(variables: dict[str, Any], expected: Machine, text: str) -> None:
    machine = machine_of({"inventory_hostname": "web1", **variables})
    assert (machine, str(machine)) == (expected, text)


def test_a_name_without_an_address_is_the_machine_that_another_name_has_as_its_address() -> None:
    shop, blog = {"inventory_hostname": "web1"}, {"inventory_hostname": "blog", "ansible_host": "web1"}
    assert machine_of(shop) == machine_of(blog)


def test_variables_as_they_are_written_are_evaluated() -> None:
    raw = {"inventory_hostname": "web1", "ansible_host": "{{ address }}", "ansible_port": "{{ port }}"}
    values = {"{{ address }}": "192.0.2.1", "{{ port }}": 2201}
    assert machine_of(raw, values.__getitem__) == Machine("192.0.2.1", "2201")
