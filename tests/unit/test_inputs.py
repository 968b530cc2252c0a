"""Everything that is wrong with an inventory is found at once, and no line of it shows a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from ansible.template import Templar, trust_as_template
from ansible_collections.initech.django.plugins.action.inputs import ActionModule
from ansible_collections.initech.django.plugins.module_utils.inputs import (
    advice,
    at_once,
    clear_vaults,
    database_host_problem,
    evaluator,
    leaf_problem,
    leaves,
    load_specs,
    problems,
    require_lockstep,
    require_one_environment,
    roles_of,
    where,
)
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from hypothesis import given
from hypothesis import strategies as st

VAULT = "inventories/prod/group_vars/prod/vault.yml"
RELEASE = "inventories/prod/group_vars/prod/release.yml"
SPECS: Mapping[str, Mapping[str, Any]] = {
    "app_name": {"type": "str", "required": True, "description": "The name of the app."},
    "release_env": {"type": "dict", "required": True, "description": ["What .env holds.", "Secrets too."]},
    "release_keep": {"type": "int", "description": "How many stay."},
}
GOOD = {"app_name": "shop", "release_env": {"SECRET_KEY": "{{ vault_secret_key }}", "DEBUG": False}}
VALUES = {"{{ vault_secret_key }}": "S3cr3t", "{{ vault_empty }}": "", "{{ vault_fill }}": "FILL IN: fifty letters"}


def templated(value: Any) -> Any:
    """Evaluate an expression as Ansible would, of those that these tests know."""
    if isinstance(value, str) and "{{" in value:
        if value not in VALUES:
            raise Problem(f"Error while resolving value: {value.strip('{ }')!r} is undefined")
        return VALUES[value]
    return value


def found(raw: Mapping[str, Any], host: str = "web-1.example.org") -> list[str]:
    """Return what is wrong with the variables of a host of prod."""
    return problems(host, "prod", raw, SPECS, templated)


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ([{}, {}], 0),
        ([{"ansible_host": "10.0.0.1"}, {"ansible_host": "10.0.0.1"}, {}], 1),
        ([{"ansible_host": "10.0.0.1"}, {"ansible_host": "10.0.0.1", "ansible_port": 22}], 1),
        ([{"ansible_host": "10.0.0.1"}, {"ansible_host": "10.0.0.1", "ansible_port": 2201}], 0),
    ],
)
def test_names_of_one_machine_take_turns(own: Sequence[Mapping[str, Any]], expected: int) -> None:
    names = [f"web{number}" for number in range(len(own))]
    written = {"app_environment": "prod", "group_names": ["prod"]}
    hosts = {name: {**written, "inventory_hostname": name, **each} for name, each in zip(names, own, strict=True)}
    action = ActionModule.__new__(ActionModule)
    action._templar = Templar(loader=None, variables={})
    hostvars = Mock(raw_get=hosts.__getitem__)
    variables = {"ansible_play_hosts_all": names, "hostvars": hostvars, "groups": {"prod": names}}
    assert at_once(action.check(variables, is_complete=False, is_strict=True)[2]) == expected


def test_where_a_host_is_may_be_read_from_the_variables_of_another() -> None:
    templar = Templar(loader=None, variables={"hostvars": {"shop": {"ansible_host": "10.0.0.7"}}})
    templated = evaluator(templar, {"machine": "shop"})
    assert templated(trust_as_template("{{ hostvars[machine].ansible_host }}")) == "10.0.0.7"


def test_hosts_of_one_environment_are_one_run() -> None:
    assert require_one_environment({"a": "prod", "b": "prod"}) == "prod"


def test_hosts_of_two_environments_are_refused_with_what_to_type() -> None:
    with pytest.raises(Problem) as problem:
        require_one_environment({"web-1": "staging", "db": "prod", "web-2": "staging"})
    assert str(problem.value).splitlines() == [
        "This run would touch hosts of 2 environments, and one run touches exactly one:",
        "  prod: db",
        "  staging: web-1, web-2",
        "Type -l prod or -l staging",
    ]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("app_name", "app"),
        ("release_env.SECRET_KEY", "release"),
        ("release_env.HOSTS[0]", "release"),
        ("vault_secret_key", "vault"),
        ("nginx_server_names:", "nginx"),
    ],
)
def test_a_variable_belongs_in_the_file_of_its_role(name: str, file: str) -> None:
    assert where("prod", name) == f"inventories/prod/group_vars/prod/{file}.yml"


def test_leaves_are_named_by_their_path() -> None:
    value = {"A": 1, "B": ["x", {"C": None}], "D": [], "E": {}, "F": b"x"}
    assert list(leaves("v", value)) == [("v.A", 1), ("v.B[0]", "x"), ("v.B[1].C", None), ("v.F", b"x")]
    assert list(leaves("v", "text")) == [("v", "text")]


def test_a_complete_inventory_has_no_problem() -> None:
    assert found(GOOD) == []


def test_what_is_required_and_not_set_is_named_with_its_file_and_meaning() -> None:
    assert found({}) == [
        "inventories/prod/group_vars/prod/app.yml: app_name is not set: The name of the app.",
        f"{RELEASE}: release_env is not set: What .env holds. Secrets too.",
    ]


@pytest.mark.parametrize("value", ["", None])
def test_what_is_required_and_empty_is_named(value: Any) -> None:
    assert f"{RELEASE}: release_env is empty" in found({**GOOD, "release_env": value})
    assert f"{RELEASE}: release_env.OPTIONAL is empty" in found({**GOOD, "release_env": {"OPTIONAL": value}})


@pytest.mark.parametrize("value", [0, False, "0"])
def test_zero_and_false_are_not_empty(value: Any) -> None:
    assert found({**GOOD, "release_env": {"DEBUG": value}, "release_keep": value}) == []


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ("FILL IN: the URL of the repository", "release_keep is not filled in: the URL of the repository"),
        ("  FILL IN  ", "release_keep is not filled in: see the README of its role"),
        ("{{ vault_fill }}", "release_keep is not filled in: fifty letters"),
        ("do not FILL IN", None),
    ],
)
def test_what_is_still_to_fill_in_is_named_with_what_to_fill_in(raw: str, problem: str | None) -> None:
    assert leaf_problem("release_keep", raw, templated) == problem


def test_a_secret_that_the_vault_lacks_is_named_once_with_the_vaults_file() -> None:
    env = {"SECRET_KEY": "{{ vault_lost }}", "TOKENS": ["{{ vault_lost }}"]}
    assert found({**GOOD, "release_env": env}) == [f"{VAULT}: vault_lost is not set"]


def test_a_variable_that_does_not_exist_is_named_with_where_it_is_used() -> None:
    assert found({**GOOD, "release_env": {"A": "{{ gone }}"}}) == [
        f"{RELEASE}: release_env.A: Error while resolving value: 'gone' is undefined"
    ]


@pytest.mark.parametrize("key", ["SECRET_KEY", "DATABASE_URL"])
def test_a_secret_of_every_project_that_is_empty_is_named(key: str) -> None:
    assert found({**GOOD, "release_env": {key: "{{ vault_empty }}"}}) == [f"{RELEASE}: release_env.{key} is empty"]


def test_every_variable_of_the_vault_must_have_a_value() -> None:
    raw = {**GOOD, "vault_a": " ", "vault_b": "FILL IN: fifty letters", "vault_c": "S3cr3t"}
    assert found(raw) == [f"{VAULT}: vault_a is empty", f"{VAULT}: vault_b is not filled in: fifty letters"]


def test_variables_that_no_role_knows_are_left_alone() -> None:
    assert found({**GOOD, "my_own": "FILL IN", "ansible_host": ""}) == []


@pytest.mark.parametrize("name", ["shop", "s", "shop-2", "a" * 25, "docker-shop", "media", "api", "web"])
def test_a_name_that_systemd_and_the_file_system_accept_is_accepted(name: str) -> None:
    assert leaf_problem("app_name", name, templated) is None


@pytest.mark.parametrize(
    "name",
    ["Shop", "2shop", "-shop", "my_shop", "my shop", "../shop", "shop@1", "a" * 26, "ä", "shop\n", " shop", 5, None],
)
def test_a_name_that_would_break_a_path_or_a_unit_is_refused(name: Any) -> None:
    problem = leaf_problem("app_name", name, templated)
    assert problem == f"app_name is {str(name)!r}; use a-z, 0-9 and -, a letter first, at most 25"


@pytest.mark.parametrize("path", ["", None, "/", "/healthz?full=1", "/größe"])
def test_a_path_to_ask_for_that_begins_with_a_slash_or_is_empty_is_accepted(path: Any) -> None:
    assert leaf_problem("release_health_path", path, templated) is None


@pytest.mark.parametrize("path", ["healthz", "https://shop.example.com/healthz", " /healthz"])
def test_a_path_to_ask_for_that_is_none_is_refused_with_what_to_write(path: str) -> None:
    expected = f"release_health_path is {path!r}. Begin it with /"
    assert leaf_problem("release_health_path", path, templated) == expected


def test_an_example_host_is_named_with_the_file_to_write_ones_own_into() -> None:
    assert found(GOOD, "shop.example.com") == [
        "inventories/prod/hosts.yml: shop.example.com is an example; write your server's name there"
    ]


def test_everything_is_found_at_once() -> None:
    raw = {"app_name": "X", "release_env": {"SECRET_KEY": ""}, "vault_x": ""}
    assert [line.partition(": ")[2].split()[0] for line in found(raw, "a.example.com")] == [
        "a.example.com",
        "app_name",
        "release_env.SECRET_KEY",
        "vault_x",
    ]


@given(secret=st.text("abcXYZ$'\"\\#, \n", min_size=1))
def test_no_problem_shows_a_secret(secret: str) -> None:
    secret = f"<{secret}>"
    raw = {
        "app_name": "",
        "release_env": {"SECRET_KEY": secret, "B": ["{{ vault_lost }}", secret]},
        "vault_a": secret,
        "vault_b": "",
    }
    lines = found(raw)
    assert len(lines) == 3
    assert not any(secret in line for line in lines)


def test_where_a_secret_is_lacking_it_is_said_how_to_make_the_vault() -> None:
    assert advice("prod", [f"{VAULT}: vault_a is not set"]) == (
        "\nSecrets: ansible-playbook secrets.yml -l prod makes what can be made up; for the others: "
        f"ansible-vault edit {VAULT}"
    )
    assert advice("prod", [f"{RELEASE}: release_env is not set"]) == ""


@pytest.mark.parametrize("name", ["root", "www-data", "postgres", "sudo"])
def test_an_app_never_takes_over_a_user_that_the_system_needs(name: str) -> None:
    assert leaf_problem("app_name", name, templated) == (
        f"app_name is {name!r}, a user or group that the system needs for itself; choose another name"
    )


@pytest.mark.parametrize("name", ["docker", "disk", "users", "ssh", "cron", "initech-backup", "systemd-network"])
def test_an_app_takes_neither_the_rights_nor_the_place_of_what_the_system_has_unless_it_was_called_so_before(
    name: str,
) -> None:
    """Its unit would run with the group docker, which is as good as root, or be started in place of sshd's."""
    problem = str(leaf_problem("app_name", name, templated))
    assert problem.startswith(f"app_name is {name!r}, a group, user or unit of the system or of a server;")
    assert problem.endswith("goes on with check_taken_names: false")
    assert leaf_problem("app_name", name, templated, is_strict=False) is None
    assert len(found({**GOOD, "app_name": name})) == 1
    assert problems("web-1", "prod", {**GOOD, "app_name": name}, SPECS, templated, is_strict=False) == []


def test_what_was_always_refused_is_so_whatever_is_said() -> None:
    assert "needs for itself" in str(leaf_problem("app_name", "root", templated, is_strict=False))


def test_the_servers_administrator_is_never_made_the_apps_role() -> None:
    assert "the server's administrator" in str(leaf_problem("database_user", "postgres", templated))
    assert leaf_problem("database_user", "postgres_app", templated) is None


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("bücher.example", "xn--bcher-kva.example"),
        ("www.BU\u0308CHER.example", "www.xn--bcher-kva.example"),
        ("*.bücher.example", "*.xn--bcher-kva.example"),
        (".straße.example", ".xn--strae-oqa.example"),
        (r"~^www\d\.bücher\.example$", r"~^www\d\.xn--bcher-kva\.example$"),
        ("हिन्दी.example", "xn--j2bd4cyah0f.example"),
    ],
)
@pytest.mark.parametrize("path", ["nginx_server_names[0]", "tls_names[1]"])
def test_a_name_of_the_site_beyond_ascii_is_refused_with_the_one_to_write(path: str, name: str, wanted: str) -> None:
    problem = str(leaf_problem(path, name, templated))
    assert problem.startswith(f"{path} is {name!r}, and neither browsers nor certificates have it so")
    assert problem.endswith(f"; write {wanted}")
    assert leaf_problem(path, wanted, templated) is None


def test_what_is_computed_from_an_unfilled_value_is_not_listed_beside_it() -> None:
    raw = {**GOOD, "release_keep": "{{ vault_fill }}", "vault_fill": "FILL IN: fifty letters"}
    assert found(raw) == ["inventories/prod/group_vars/prod/vault.yml: vault_fill is not filled in: fifty letters"]
    assert len(found({**GOOD, "release_keep": "{{ vault_fill }}"})) == 1


def test_a_vault_that_anybody_can_read_is_told_with_what_to_type(tmp_path: Path) -> None:
    for name, text in (("prod/vault.yml", "vault_secret_key: x\n"), ("other/vault.yml", "$ANSIBLE_VAULT;1.2;AES256\n")):
        (tmp_path / "group_vars" / name).parent.mkdir(parents=True)
        (tmp_path / "group_vars" / name).write_text(text)
    file = tmp_path / "group_vars/prod/vault.yml"
    assert clear_vaults(tmp_path, "prod") == [
        (
            f"{file} is not encrypted. Type: ansible-vault encrypt --encrypt-vault-id prod {file}   "
            "If it was ever committed, its secrets are none any more: make new ones"
        )
    ]


def clear(inventories: Path) -> list[str]:
    """Return what is said of the vaults below a directory of inventories that anybody can read, each once."""
    directories = [path for path in sorted(inventories.rglob("*")) if path.is_dir()]
    found = {line.partition(" Type: ")[0]: line for path in directories for line in clear_vaults(path, path.name)}
    return list(found.values())


@pytest.mark.parametrize(
    "file",
    [
        "prod/vault.yml",
        "prod/vault.yaml",
        "prod/group_vars/prod/vault.yml",
        "prod/group_vars/all/secrets/vault.yml",
        "prod/host_vars/web-1/vault.yml",
        "eu/prod/group_vars/prod/vault.yml",
        "shared/vault.yml",
    ],
)
def test_make_check_finds_a_clear_vault_wherever_it_lies_below_the_inventories(tmp_path: Path, file: str) -> None:
    vault = tmp_path / file
    vault.parent.mkdir(parents=True)
    vault.write_text("vault_secret_key: S3cr3t\n")
    (line,) = clear(tmp_path)
    assert line.startswith(f"{vault} is not encrypted. Type: ansible-vault encrypt --encrypt-vault-id ")
    assert "S3cr3t" not in line
    vault.write_text("$ANSIBLE_VAULT;1.2;AES256;prod\n6162\n")
    assert clear(tmp_path) == []


def test_no_vault_in_this_repository_can_be_read_by_anybody() -> None:
    assert clear(Path(__file__).resolve().parents[2] / "inventories") == []


# Versions that YAML reads as numbers


def invalid(text: str) -> list[str]:
    """Return what is not of its type in a file of variables of prod."""
    return ActionModule.__new__(ActionModule).invalid("prod", yaml.safe_load(text), load_specs())


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("release_version: 1.10", "release_version is the number 1.1"),
        ("release_version: 0123456", "release_version is the number 42798"),
        ("release_version: 2026", "release_version is the number 2026"),
        ("python_version: 3.10", "python_version is the number 3.1"),
        ("lock_python_version: 3.10", "lock_python_version is the number 3.1"),
    ],
)
def test_a_version_that_yaml_reads_as_a_number_is_refused_with_what_to_write(text: str, number: str) -> None:
    file = where("prod", text)
    assert invalid(text) == [f"{file}: {number} to YAML, which may not be what is written there. Write it in quotes"]


def test_the_value_of_another_text_that_is_read_as_a_number_is_not_shown() -> None:
    (line,) = invalid("database_password: 17.50")
    assert "database_password is a number to YAML, which may not" in line
    assert "17.5" not in line


@pytest.mark.parametrize(
    "text",
    [
        'release_version: "1.10"',
        "release_version: v1.10",
        "release_version: 1.10.0",
        'python_version: "3.10"',
        "postgresql_version: 17",
        "database_password: 123",
        "postgresql_slow_query_seconds: 1.5",
        "gunicorn_timeout: 30",
    ],
)
def test_what_is_in_quotes_and_what_is_a_number_all_the_same_is_accepted(text: str) -> None:
    assert invalid(text) == []


# Lists


@pytest.mark.parametrize("text", ["shop.example.com", "shop.example.com,www.example.com", "'[shop.example.com]'"])
def test_a_text_where_a_list_should_be_is_refused_with_what_to_write(text: str) -> None:
    """A role that goes through its letters would have a name of the site for each."""
    (line,) = invalid(f"nginx_server_names: {text}")
    assert line == (
        "inventories/prod/group_vars/prod/nginx.yml: nginx_server_names is a text and no list. "
        "Write nginx_server_names: [FIRST, SECOND], or each in a line of its own behind a dash"
    )


def test_of_a_text_that_may_hold_a_password_none_is_shown() -> None:
    (line,) = invalid("python_indexes: https://shop:S3cr3t@packages.example.com/simple")
    assert "python_indexes is a text" in line
    assert "S3cr3t" not in line


@pytest.mark.parametrize("name", sorted(name for name, option in load_specs().items() if option["type"] == "list"))
def test_no_list_is_taken_as_text_but_those_that_are_typed_and_an_empty_one(name: str) -> None:
    assert bool(invalid(f"{name}: some,thing")) == (name not in ("lock_upgrade", "secrets_rotate"))
    for nothing in ("[]", "null"):
        assert invalid(f"{name}: {nothing}") == []


@pytest.mark.parametrize("text", ["nginx_server_names: ''", "lock_upgrade: all", "lock_upgrade: django,gunicorn"])
def test_a_list_is_empty_as_an_empty_text_too_and_what_is_typed_may_have_commas(text: str) -> None:
    assert invalid(text) == []


# A database on a host of its own


def test_a_host_is_of_the_app_of_the_database_or_of_both() -> None:
    assert roles_of("web1", "") == ["apps", "databases"]
    assert [roles_of(host, "db1") for host in ("web1", "db1")] == [["apps"], ["databases"]]


@pytest.mark.parametrize(
    ("hosts", "members", "wrong"),
    [
        ({"web1": "", "web2": ""}, ["web1", "web2"], None),
        ({"web1": "db1", "db1": "db1"}, ["db1", "web1"], None),
        ({"web1": "db1"}, ["db1", "web1"], None),
        ({"web1": "db1", "web2": ""}, ["db1", "web1", "web2"], "database_host is '', 'db1', by host"),
        ({"web1": "db2"}, ["db1", "web1"], "database_host is 'db2', and prod has db1, web1. Add it to hosts.yml"),
        ({"db1": "db1"}, ["db1"], "database_host is the only host of prod. Remove it"),
    ],
)
def test_the_host_of_the_database_is_one_more_of_the_environment(
    hosts: dict[str, str], members: list[str], wrong: str | None
) -> None:
    found = database_host_problem(hosts, members, "prod")
    assert (found is None) == (wrong is None)
    assert not wrong or f"inventories/prod/group_vars/prod/database.yml: {wrong}" in str(found)


@pytest.mark.parametrize("strategy", ["free", "ansible.builtin.free", "host_pinned", "mitogen_free"])
def test_a_strategy_by_which_hosts_do_not_wait_for_each_other_is_refused(strategy: str) -> None:
    with pytest.raises(Problem, match=f"strategy is {strategy}: .*Write strategy = linear"):
        require_lockstep(strategy)


@pytest.mark.parametrize("strategy", ["linear", "ansible.builtin.linear", "debug", "mitogen_linear"])
def test_hosts_that_take_each_step_together_are_let_go_on(strategy: str) -> None:
    require_lockstep(strategy)


class Hostvars(dict[str, Any]):
    """As much of hostvars as the action asks for."""

    raw_get = dict.__getitem__


@pytest.mark.parametrize("name", ["ansible_host", "database_host"])
def test_where_a_host_is_that_cannot_be_evaluated_is_told_with_its_name(name: str) -> None:
    action = ActionModule.__new__(ActionModule)
    action._templar = Templar(loader=None, variables={})
    raw = {"app_environment": "prod", "group_names": ["prod"], name: trust_as_template("{{ private_address }}")}
    variables = {"hostvars": Hostvars(web1=raw), "ansible_play_hosts_all": ["web1"], "groups": {"prod": ["web1"]}}
    with pytest.raises(Problem, match=f"^{name} of web1: 'private_address' is undefined"):
        action.check(variables, is_complete=False, is_strict=True)


def test_the_strategy_that_is_configured_is_looked_at_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ansible.constants.DEFAULT_STRATEGY", "free")
    task = Mock(async_val=0, check_mode=False, args={})
    result = ActionModule(task, Mock(), None, None, None, None).run(task_vars={})
    assert result["failed"]
    assert "strategy is free" in result["msg"]
