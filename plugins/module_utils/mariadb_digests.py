"""Count and check the rows of a running MariaDB server, of the distribution's own driver."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

from ansible_collections.initech.django.plugins.module_utils.backups import Digests
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

TABLES = """
SELECT table_schema, table_name, engine
FROM information_schema.tables
WHERE table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')
AND table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')
ORDER BY 1, 2
"""
COLUMNS = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position
"""
# A row's hash is that of its values' hashes, of which NULL has none; 60 bits of it are summed up, which knows no order.
VALUE = "IFNULL(MD5(CAST({column} AS BINARY)), '-')"
DIGEST = """
SELECT COUNT(*), CAST(COALESCE(SUM(CAST(CONV(LEFT(MD5(CONCAT({values})), 15), 16, 10) AS UNSIGNED)), 0) AS CHAR)
FROM {table}
"""


CHANGED = (1054, 1146, 1412)
"""What the server says of a column or a table that is no longer there, and of one that was altered."""

ATTEMPTS = 5


class Marked(NamedTuple):
    """What all tables held at one place of the binary log.

    Attributes:
        place: the file, and the place in it.
        digests: by database and table.
        notes: what was not compared, a line each.
    """

    place: tuple[str, int]
    digests: Digests
    notes: list[str]


@contextmanager
def connected(socket: str) -> Iterator[Any]:
    """Give a cursor, as the server's administrator, over its unix socket.

    Raises:
        Problem: the server does not take us.
    """
    driver = import_module("pymysql")
    try:
        connection = driver.connect(unix_socket=socket, user="root", charset="utf8mb4", read_timeout=86400)
    except driver.Error as error:
        raise Problem(f"MariaDB at {socket} does not take the administrator: {error}") from None
    try:
        with connection.cursor() as cursor:
            # Points in time are compared as text, which two servers are to write alike.
            cursor.execute("SET SESSION max_statement_time = 0, lock_wait_timeout = 60, time_zone = '+00:00'")
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield cursor
    except driver.Error as error:
        raise Problem(f"The tables of MariaDB at {socket} cannot be read: {error}") from None
    finally:
        connection.close()


def quoted(name: str) -> str:
    """Return a name for SQL."""
    return "`" + name.replace("`", "``") + "`"


def tables(cursor: Any) -> tuple[list[tuple[str, str, list[str]]], list[str]]:
    """Return the database, the name and the columns of each table, and the tables that are left out.

    Tables without transactions are left out: what they hold at one place of the log nobody can say.
    """
    cursor.execute(TABLES)
    listed = cursor.fetchall()
    found = []
    for database, table, engine in listed:
        if engine == "InnoDB":
            cursor.execute(COLUMNS, (database, table))
            found.append((database, table, [column for (column,) in cursor.fetchall()]))
    return found, [f"{database}.{table} ({engine})" for database, table, engine in listed if engine != "InnoDB"]


def digest(cursor: Any, listed: Iterable[tuple[str, str, list[str]]]) -> Digests:
    """Return how many rows each table has and a checksum of them."""
    found: dict[str, dict[str, tuple[int, str]]] = {}
    for database, table, columns in listed:
        values = ", ".join(VALUE.format(column=quoted(column)) for column in columns)
        cursor.execute(DIGEST.format(values=values, table=f"{quoted(database)}.{quoted(table)}"))
        found.setdefault(database, {})[table] = cursor.fetchone()
    return found


def everything(socket: str) -> Digests:
    """Return the digests of all tables of a server on which nobody writes.

    Raises:
        Problem: the server does not take us.
    """
    with connected(socket) as cursor:
        return digest(cursor, tables(cursor)[0])


def attempted(cursor: Any, guard: Any) -> Marked | None:
    """Return what a live server holds as of one place, or None where somebody altered tables meanwhile."""
    driver = import_module("pymysql")
    # The list of tables knows no transactions: nobody alters one between it and the place.
    guard.execute("BACKUP STAGE START")
    guard.execute("BACKUP STAGE BLOCK_DDL")
    try:
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        cursor.execute("SHOW STATUS LIKE 'binlog_snapshot_%'")
        places = {name.lower(): text for name, text in cursor.fetchall()}
        listed, others = tables(cursor)
    finally:
        guard.execute("BACKUP STAGE END")
    try:
        digests = digest(cursor, listed)
    except driver.Error as error:
        if error.args[0] not in CHANGED:
            raise
        return None
    finally:
        cursor.execute("ROLLBACK")
    notes = [f"Not compared, since they know no transactions: {', '.join(others)}."] if others else []
    return Marked((places["binlog_snapshot_file"], int(places["binlog_snapshot_position"])), digests, notes)


def marked(socket: str) -> Marked:
    """Return the digests of a live server, all as of one place of its binary log, whoever writes meanwhile.

    Source of the rule: MariaDB's documentation, "START TRANSACTION WITH CONSISTENT SNAPSHOT": the status variables
    binlog_snapshot_file and binlog_snapshot_position then say to what the snapshot corresponds.

    Raises:
        Problem: the server does not take us.
    """
    with connected(socket) as cursor, connected(socket) as guard:
        for _ in range(ATTEMPTS):
            found = attempted(cursor, guard)
            if found:
                return found
    raise Problem(
        f"Tables were created, altered or dropped while they were read, {ATTEMPTS} times. Type the same again later."
    )
