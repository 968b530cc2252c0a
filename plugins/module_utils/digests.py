"""Count and check the rows of a running PostgreSQL server, of the distribution's own driver."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any, NamedTuple

from ansible_collections.initech.django.plugins.module_utils.backups import Digests, Snapshot
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DATABASES = "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY datname"
TABLES = """
SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.relpersistence = 'p' AND c.relispopulated
AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY 1
"""
# The sum of all rows' hashes knows no order. No column is called like that.
DIGEST = """
SELECT count(*), coalesce(sum(hashtextextended("initech row"::text, 0)), 0)::text FROM ONLY {table} AS "initech row"
"""
OLDEST = """
SELECT format('process %s of %s in %s since %s', pid, usename, datname, xact_start)
FROM pg_stat_activity WHERE backend_xid IS NOT NULL ORDER BY xact_start LIMIT 1
"""
PATIENCE = 60
"""How many seconds a moment is looked for in which nobody writes."""


class Marked(NamedTuple):
    """A restore point, and what all tables held at it."""

    name: str
    digests: Digests


@contextmanager
def connected(port: str, database: str) -> Iterator[Any]:
    """Give a cursor on a database, as the server's administrator, over its unix socket.

    Raises:
        Problem: the server does not take us, or cannot read its tables.
    """
    psycopg2 = import_module("psycopg2")

    user = pwd.getpwnam("postgres")
    before = os.geteuid()
    # The server asks the kernel who we are when we connect, and only then.
    os.seteuid(user.pw_uid)
    try:
        connection = psycopg2.connect(host="/var/run/postgresql", port=port, dbname=database, user="postgres")
    except psycopg2.Error as error:
        raise Problem(f"Database {database} on port {port} does not take the administrator: {error}") from None
    finally:
        os.seteuid(before)
    try:
        connection.set_session(autocommit=True)
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
            cursor.execute("SET lock_timeout = '60s'; SET search_path = ''")
            # Rows are compared as text, which two servers are to write alike.
            cursor.execute("SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'")
            cursor.execute("SET bytea_output = 'hex'; SET extra_float_digits = 1; SET lc_monetary = 'C'")
            yield cursor
    except psycopg2.Error as error:
        # Of whichever connection that is open within this one it is: so the server is named, and not a database.
        raise Problem(f"The tables of PostgreSQL on port {port} cannot be read: {error}") from None
    finally:
        connection.close()


def value(cursor: Any, sql: str) -> Any:
    """Return the first value of an answer, or None."""
    cursor.execute(sql)
    row = cursor.fetchone()
    return row[0] if row else None


def digest(cursor: Any) -> dict[str, tuple[int, str]]:
    """Return how many rows each table of a database has, and a checksum of them."""
    cursor.execute(TABLES)
    found = {}
    for (table,) in cursor.fetchall():
        cursor.execute(DIGEST.format(table=table))
        found[table] = cursor.fetchone()
    return found


@contextmanager
def opened(port: str) -> Iterator[dict[str, Any]]:
    """Give a cursor on each database of a server.

    Raises:
        Problem: the server does not take us.
    """
    with ExitStack() as stack:
        with connected(port, "postgres") as cursor:
            cursor.execute(DATABASES)
            names = [name for (name,) in cursor.fetchall()]
        yield {name: stack.enter_context(connected(port, name)) for name in names}


def everything(port: str) -> Digests:
    """Return the digests of all tables of a server on which nobody writes.

    Raises:
        Problem: the server does not take us.
    """
    with opened(port) as cursors:
        return {name: digest(cursor) for name, cursor in cursors.items()}


def attempted(own: Any, cursors: Mapping[str, Any], name: str) -> Digests | None:
    """Make a restore point and return the digests at it, or None where somebody was writing just then."""
    before = Snapshot(value(own, "SELECT txid_current_snapshot()::text"))
    if not before.is_quiet:
        return None
    value(own, f"SELECT pg_create_restore_point('{name}')")
    texts = set()
    for cursor in cursors.values():
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        texts.add(value(cursor, "SELECT txid_current_snapshot()::text"))
    found = {database: digest(cursor) for database, cursor in cursors.items()} if texts == {before.text} else None
    for cursor in cursors.values():
        cursor.execute("ROLLBACK")
    return found


def marked(port: str, prefix: str) -> Marked:
    """Write a restore point into the write-ahead log of a live server, and return the digests at exactly that point.

    What a reader sees and what recovery up to a place in the log has done are the same only if no transaction was just
    committing there. So the point is made again until one was quiet: nobody was writing, neither before nor after it.

    Args:
        port: of the server.
        prefix: how the restore point's name begins. Recovery stops at the first of a name: each attempt has its own.

    Raises:
        Problem: somebody wrote all the time.
    """
    with opened(port) as cursors, connected(port, "postgres") as own:
        deadline = time.monotonic() + PATIENCE
        number = 1
        while (found := attempted(own, cursors, f"{prefix}-{number}")) is None:
            number += 1
            if time.monotonic() > deadline:
                raise Problem(
                    f"For {PATIENCE} seconds there was no moment in which nobody wrote to the database, and only such "
                    f"a moment can be compared: {value(own, OLDEST)}. Type the same again at a quieter time."
                )
        return Marked(f"{prefix}-{number}", found)
