"""A server of MariaDB has the app's database, and knows time zones by name, whatever became of an earlier load."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.initech.django.plugins.module_utils import mysql_server
from ansible_collections.initech.django.plugins.module_utils.mysql_server import Server, literal
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

# It has the databases and the names of time zones of these files, and says what it is told.
CLIENT = """#!/bin/sh -e
cd "$(dirname "$0")"
echo "$(basename "$0") $*" >> told
case "$*" in
*" mysql") [ ! -e refuses ] && grep -c INSERT > time_zones ;;
*"CREATE DATABASE"*) echo 1 > databases ;;
*) echo "$(cat databases)\t$(cat time_zones)" ;;
esac
"""
CONVERTER = """#!/bin/sh
echo "INSERT INTO time_zone_name VALUES ('Europe/Berlin', 1);"
echo "Warning: Unable to load '$1/leapseconds' as time zone. Skipping it." >&2
"""


@pytest.fixture(name="place", autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of a server that has no database yet, and no time zones."""
    for name, text in {
        "mariadb": CLIENT,
        "mariadb-tzinfo-to-sql": CONVERTER,
        "mysql": CLIENT,
        "mysql_tzinfo_to_sql": CONVERTER,
    }.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    for name in ("databases", "time_zones"):
        (tmp_path / name).write_text("0\n")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(mysql_server, "STATE", tmp_path / "loading")
    return tmp_path


def server(engine: str = "mariadb") -> Server:
    return Server(engine, "/run/mysqld/mysqld.sock")


@pytest.mark.parametrize("engine", ["mariadb", "mysql"])
def test_what_a_server_lacks_is_made_and_loaded_once(place: Path, engine: str) -> None:
    assert server(engine).lacking("shop") == (True, True)
    server(engine).make("shop")
    server(engine).load_time_zones()
    assert server(engine).lacking("shop") == (False, False)
    told = (place / "told").read_text()
    assert "CREATE DATABASE `shop` CHARACTER SET utf8mb4" in told
    assert f"{engine} --socket=/run/mysqld/mysqld.sock --default-character-set=utf8mb4 mysql\n" in told
    assert not (place / "loading").exists()


def test_a_database_that_is_there_lacks_time_zones_where_an_earlier_release_provisioned_the_server(place: Path) -> None:
    (place / "databases").write_text("1\n")
    assert server().lacking("shop") == (False, True)


def test_time_zones_of_which_a_killed_load_left_a_part_are_loaded_again(place: Path) -> None:
    (place / "databases").write_text("1\n")
    (place / "time_zones").write_text("17\n")
    (place / "loading").mkdir()
    assert server().lacking("shop") == (False, True)
    server().load_time_zones()
    assert server().lacking("shop") == (False, False)


def test_a_load_that_the_server_refuses_is_told_and_the_next_run_begins_it_again(place: Path) -> None:
    (place / "refuses").touch()
    with pytest.raises(Problem, match="The time zones cannot be loaded"):
        server().load_time_zones()
    (place / "time_zones").write_text("17\n")
    assert server().lacking("shop") == (True, True)


def test_a_name_stays_what_it_is_in_sql() -> None:
    assert literal("it's \\ x") == r"'it''s \\ x'"
