"""What is said where the rows of a PostgreSQL server cannot be counted, without a server."""

from __future__ import annotations

import os
import pwd
from contextlib import nullcontext
from importlib import import_module
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
from ansible_collections.initech.django.plugins.module_utils.digests import DIGEST, everything, marked
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DRIVER = import_module("psycopg2")


class Cursor:
    """One on a database with a table that cannot be read."""

    def __init__(self, error: Exception) -> None:
        """Take what the driver raises."""
        self.error = error
        self.rows: list[tuple[str, ...]] = []

    def execute(self, sql: str) -> None:
        """Answer names of databases and tables, and of nobody who writes; and raise where rows are summed up."""
        if sql == DIGEST.format(table="public.sold"):
            raise self.error
        if "pg_database" in sql:
            self.rows = [("shop",), ("wiki",)]
        else:
            self.rows = [("7:7:",)] if "snapshot" in sql else [("public.sold",)]

    def fetchall(self) -> list[tuple[str, ...]]:
        """Return all rows."""
        return self.rows

    def fetchone(self) -> tuple[str, ...]:
        """Return the first row."""
        return self.rows[0]


@pytest.mark.parametrize("error", [DRIVER.errors.LockNotAvailable, DRIVER.errors.DataCorrupted])
def test_tables_that_cannot_be_read_are_said_and_no_connection_is_left(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    connections: list[MagicMock] = []

    def connect(**_: str) -> MagicMock:
        cursor = nullcontext(Cursor(error("invalid page in block 7")))
        connections.append(MagicMock(**{"cursor.return_value": cursor}))
        return connections[-1]

    monkeypatch.setattr(pwd, "getpwnam", lambda _: SimpleNamespace(pw_uid=os.geteuid()))
    monkeypatch.setattr(DRIVER, "connect", connect)
    for read in (lambda: everything("5433"), lambda: marked("5433", "initech-drill")):
        with pytest.raises(Problem, match=r"^The tables of PostgreSQL on port 5433 cannot be read: invalid page in"):
            read()
    assert connections
    assert all(each.close.called for each in connections)
