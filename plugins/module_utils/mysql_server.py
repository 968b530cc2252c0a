"""What a server of MariaDB or MySQL is to have for an app: a database, and time zones that it knows by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ansible_collections.initech.django.plugins.module_utils.alone import alone
from ansible_collections.initech.django.plugins.module_utils.commands import pipe, run_or_fail
from ansible_collections.initech.django.plugins.module_utils.mariadb_digests import quoted

STATE = Path("/var/lib/initech-mysql")
"""Is there while time zones are loaded, and while a load that was killed is to be begun again."""

TIME_ZONES = {"mariadb": "mariadb-tzinfo-to-sql", "mysql": "mysql_tzinfo_to_sql"}
"""What prints the host's time zones as SQL, by engine."""

ZONEINFO = Path("/usr/share/zoneinfo")

LACKING = """
SELECT (SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = {name}),
(SELECT COUNT(*) FROM mysql.time_zone_name)
"""


@dataclass(frozen=True)
class Server:
    """A server of this host, asked as its administrator.

    Attributes:
        engine: `mariadb` or `mysql`, which is also what its client is called.
        socket: where it listens.
    """

    engine: str
    socket: str

    @property
    def client(self) -> list[str]:
        """The command that reads SQL for it."""
        return [self.engine, f"--socket={self.socket}", "--default-character-set=utf8mb4"]

    def ask(self, sql: str) -> list[str]:
        """Return the words that it answers.

        Raises:
            Problem: it does not.
        """
        command = [*self.client, "--batch", "--skip-column-names", "--execute", sql]
        return run_or_fail(command, "The database server does not do what it is asked for").split()

    def lacking(self, database: str) -> tuple[bool, bool]:
        """Return whether a database is to be made, and whether time zones are to be loaded.

        Raises:
            Problem: the server does not answer.
        """
        databases, time_zones = self.ask(LACKING.format(name=literal(database)))
        return databases == "0", time_zones == "0" or STATE.exists()

    def make(self, database: str) -> None:
        """Make a database whose texts are utf8mb4.

        Raises:
            Problem: the server refused.
        """
        self.ask(f"CREATE DATABASE {quoted(database)} CHARACTER SET utf8mb4")

    def load_time_zones(self) -> None:
        """Load the host's time zones, where nobody else did so meanwhile: apps of one host share its server.

        They go to the binary log like all else: what is restored from a backup of before has them too.

        Raises:
            Problem: they cannot be read, or the server refused.
        """
        # Its tables know no transactions: a load that was killed leaves a part of the names.
        with alone(STATE) as keep:
            if STATE.exists():
                source: list[str | Path] = [TIME_ZONES[self.engine], ZONEINFO]
                pipe(source, [*self.client, "mysql"], "The time zones cannot be loaded", keep=keep)
                STATE.rmdir()


def literal(text: str) -> str:
    """Return a text for SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
