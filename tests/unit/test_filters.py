"""The filters check what they get, name themselves in errors, and are found by Ansible."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.initech.django.plugins.filter.database_settings import FilterModule as DatabaseSettings
from ansible_collections.initech.django.plugins.filter.directives import FilterModule as Directives
from ansible_collections.initech.django.plugins.filter.dotenv import FilterModule as Dotenv
from ansible_collections.initech.django.plugins.filter.risky_keys import FilterModule as RiskyKeys

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / ".collections"
RELEASE = ROOT / "roles" / "release"

dotenv = Dotenv().filters()["dotenv"]
risky_keys = RiskyKeys().filters()["risky_keys"]
directives = Directives().filters()["directives"]
database_settings = DatabaseSettings().filters()["database_settings"]


def template(directory: Path, text: str, **variables: Any) -> dict[str, Any]:
    """Return what Ansible itself answers to a task that says a template."""
    (directory / "variables.json").write_text(json.dumps(variables))
    command = [sys.executable, "-m", "ansible", "adhoc", "localhost", "--connection=local", "--one-line"]
    command += ["--extra-vars=@variables.json", "--module-name=ansible.builtin.debug"]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_HOME": str(directory),
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }
    result = subprocess.run(
        [*command, f"--args={json.dumps({'msg': text})}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=directory,
        env=environment,
    )
    answer: dict[str, Any] = json.loads(result.stdout.partition("=>")[2])
    return answer


def test_ansible_finds_the_filters_and_hands_on_what_an_inventory_holds(tmp_path: Path) -> None:
    answer = template(
        tmp_path,
        "{{ env | combine({'URL': lookup('initech.django.database_url')}) | initech.django.dotenv }}",
        env={"DEBUG": False, "NUMBER": 5, "SHARE": 0.5, "HOSTS": ["a", "b"], "TEXT": "a # b", "FROM": "{{ s }}"},
        s="p@ss",
        database_engine="postgresql",
        database_user="{{ database_name[0] }}",
        database_name="name",
        database_password="{{ s }}",
    )
    assert answer["msg"].splitlines() == [
        "DEBUG=False",
        "FROM=p@ss",
        "HOSTS=a,b",
        "NUMBER=5",
        "SHARE=0.5",
        "TEXT='a # b'",
        "URL=postgres://n:p%40ss@127.0.0.1:5432/name?sslmode=disable",
    ]


def test_types_are_named_as_people_know_them(tmp_path: Path) -> None:
    answer = template(tmp_path, "{{ env | initech.django.dotenv }}", env={"LOG": {"level": "S3cr3t"}})
    assert "LOG: its value is a dict; write text, a number, true, false or a list" in answer["msg"]
    answer = template(tmp_path, "{{ [5] | initech.django.dotenv }}")
    assert answer["msg"].endswith("initech.django.dotenv takes a mapping, not a list")


def test_a_mapping_becomes_an_env_file_in_either_way_of_quoting() -> None:
    assert dotenv({"B": "a b", "DEBUG": True}) == "DEBUG=True\nB='a b'\n"
    assert dotenv({"B": "a b", "DEBUG": True}, systemd=True) == 'DEBUG=True\nB="a b"\n'


@pytest.mark.parametrize(
    ("values", "name"), [(None, "NoneType"), ("A=S3cr3t", "str"), (["S3cr3t"], "list"), ([("A", "S3cr3t")], "list")]
)
def test_what_is_no_mapping_is_refused_by_its_type(values: Any, name: str) -> None:
    with pytest.raises(AnsibleFilterError, match=rf"^initech\.django\.dotenv takes a mapping, not a {name}$"):
        dotenv(values)


def test_the_keys_whose_values_hold_a_number_sign_for_systemd_are_told_without_their_values() -> None:
    values = {"SECRET_KEY": "S3cr3t#1", "DEBUG": False, "TOKENS": ["S3cr3t", "#"], "PLAIN": "S3cr3t"}
    assert risky_keys(values, systemd=True)["cut"] == ["SECRET_KEY", "TOKENS"]
    assert risky_keys(values)["cut"] == []


def test_the_project_is_packed_with_the_names_of_keys_and_none_of_their_values(tmp_path: Path) -> None:
    tasks = yaml.safe_load((RELEASE / "tasks" / "pack.yml").read_text(encoding="utf-8"))
    (task,) = (each for each in tasks if "initech.django.pack" in each)
    arguments = task["initech.django.pack"]
    role = yaml.safe_load((RELEASE / "vars" / "main.yml").read_text(encoding="utf-8"))
    url = "postgres://shop:S3cr3t@127.0.0.1:5432/shop"
    inputs = {"release_env": {"SECRET_KEY": "S3cr3t#", "DATABASE_URL": url}, "release_env_as_environment": "true"}
    text = "\n".join(arguments[name] for name in ("cut_keys", "misread_keys", "env_keys", "database"))
    answer = template(tmp_path, text, **role, **inputs)
    assert answer["msg"] == "['SECRET_KEY']\n[]\n['SECRET_KEY', 'DATABASE_URL']\npostgres"
    inputs = {"release_env": {"SECRET_KEY": "S3cr3t'", "DATABASE_URL": url}, "release_env_as_environment": "false"}
    answer = template(tmp_path, text, **role, **inputs)
    assert answer["msg"] == "[]\n['SECRET_KEY']\n['SECRET_KEY', 'DATABASE_URL']\npostgres"


def test_the_keys_whose_values_others_misread_are_told_without_their_values() -> None:
    assert risky_keys({"A": "it's S3cr3t", "B": "S3cr3t"})["misread"] == ["A"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["S3cr3t"], r"^initech\.django\.risky_keys takes a mapping, not a list$"),
        ({"A": "S3cr3t\n"}, "A: its value holds a line break"),
    ],
)
def test_keys_whose_values_no_env_file_holds_are_refused_without_showing_them(values: Any, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message) as error:
        risky_keys(values, systemd=True)
    assert "S3cr3t" not in str(error.value)


def test_a_value_that_cannot_be_written_is_refused_without_showing_it() -> None:
    with pytest.raises(AnsibleFilterError, match="A: its value holds a line break") as error:
        dotenv({"A": "S3cr3t\n"})
    assert "S3cr3t" not in str(error.value)
    assert error.value.__suppress_context__


HOST = {"memory": 7950, "cores": 4, "changed": False}
SIZED = {
    "engine": "postgresql",
    "share": "0.5",
    "connections": "400",
    "slow_query_seconds": "1",
    "seconds_for_lock": "10",
    "seconds_idle": "300",
}


def test_settings_are_computed_from_numbers_that_may_be_text() -> None:
    assert database_settings(HOST, **SIZED)["shared_buffers"] == "1024MB"
    assert database_settings(HOST, **{**SIZED, "engine": "mariadb"})["lock_wait_timeout"] == 10


@pytest.mark.parametrize(
    ("host", "wrong", "message"),
    [
        (7950, {}, r"^initech\.django\.database_settings takes what initech\.django\.database_info returns$"),
        ({"memory": 7950}, {}, r"takes what initech\.django\.database_info returns$"),
        (HOST, {"share": "2"}, r"^The share of the memory is 2\.0\. Write a number above 0"),
        (HOST, {"share": "half"}, r"could not convert string to float: 'half'"),
        (HOST, {"engine": "oracle"}, r"engine is 'oracle', and not one of"),
    ],
)
def test_a_host_or_a_number_that_is_none_is_refused(host: Any, wrong: dict[str, str], message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        database_settings(host, **{**SIZED, **wrong})


def test_settings_of_the_inventory_win_whatever_their_spelling() -> None:
    computed = database_settings(HOST, **{**SIZED, "engine": "mariadb"})
    given = {"max-connections": 7, "local_infile": 0}
    won = database_settings(HOST, **{**SIZED, "engine": "mariadb"}, given=given)
    assert won == {**computed, "max_connections": 7, "local_infile": 0}


def test_directives_are_written_as_systemd_reads_them_a_list_line_by_line() -> None:
    values = {"ProtectHome": True, "TasksMax": 4096, "CapabilityBoundingSet": "", "SystemCallFilter": ["@a", "~@b"]}
    calls = ["SystemCallFilter=@a", "SystemCallFilter=~@b"]
    assert directives(values).splitlines() == ["ProtectHome=true", "TasksMax=4096", "CapabilityBoundingSet=", *calls]


@pytest.mark.parametrize(
    ("values", "message"),
    [(["a"], "takes a mapping, not a list"), ({"User": "app\nUser=root"}, "User has more than one")],
)
def test_what_would_be_other_directives_is_refused(values: Any, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        directives(values)
