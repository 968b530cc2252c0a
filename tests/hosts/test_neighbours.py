"""Two apps on one machine, which are two hosts of one inventory and are provisioned by one command."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from apps import App, example
from demo import Demo

NAMES = ("left", "right")
URL = "{{ lookup('initech.django.database_url') }}"


@pytest.fixture(scope="module", name="pair")
def _pair(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Write an inventory that has both; each is an app as if it were alone."""
    inventory = tmp_path_factory.mktemp("pair") / "hosts.yml"
    found = {}
    for name in NAMES:
        App(
            demo,
            inventory,
            name,
            example(demo, name, URL, database_password=f"of-{name}-alone", database_connections=20),
        )
        variables = json.loads(inventory.read_text())[name]["vars"]
        found[f"{name}-host"] = {**variables, "app_environment": "pair"}
    made = App(demo, inventory, "pair", {})
    inventory.write_text(json.dumps({"pair": {"hosts": found}}))
    yield made
    for name in NAMES:
        demo.host(f"rm -f /etc/nginx/conf.d/{name}.conf; systemctl reload nginx; systemctl stop '{name}@*'")


def test_both_are_provisioned_by_one_command_which_changes_nothing_when_it_is_repeated(pair: App) -> None:
    first = pair.playbook("provision")
    assert first.code == 0, first.output
    second = pair.playbook("provision")
    assert (second.code, second.changed) == (0, 0), second.output
    rules = pair.demo.host("cat /etc/postgresql/*/main/pg_hba.conf")
    assert [name for name in NAMES if name not in rules] == []


def test_a_change_of_who_gets_in_is_proven_once_for_both(pair: App) -> None:
    for options in (["-e", "base_ssh_logins_per_minute=61"], []):
        done = pair.playbook("provision", *options)
        assert done.code == 0, done.output
        assert ("61/minute" in pair.demo.host("nft list table inet initech")) is bool(options)


@pytest.mark.parametrize("name", NAMES)
def test_each_is_deployed_by_itself(pair: App, name: str) -> None:
    done = pair.demo.playbook("deploy", *pair._inventory_options, limit=f"{name}-host")
    assert done.code == 0, done.output
    assert "Ten slow queries" in pair.demo.get("/", f"{name}.test")
