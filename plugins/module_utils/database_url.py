"""Compute the DATABASE_URL that django-environ reads back exactly, and read where one leads to."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import quote

from ansible_collections.initech.django.plugins.module_utils.problem import Problem

SCHEMES = {"postgresql": "postgres", "mysql": "mysql"}
"""How the URL of each engine begins."""

PORTS = {"postgresql": 5432, "mysql": 3306}
TLS = {
    "postgresql": "sslmode=verify-full&sslrootcert={}",
    "mysql": "ssl_ca={}&ssl_verify_cert=true&ssl_verify_identity=true",
}
"""How psycopg and PyMySQL are told to take no other server for the database: the file is filled in."""

WITHOUT_TLS = {"postgresql": "sslmode=disable", "mysql": "ssl_disabled=1"}
"""How they are told that a server of the host itself is reached over nothing that anybody could listen to.

Both would else encrypt if the server can, at every connect, and so every request. Measured: psycopg2 takes 18 ms to
connect in place of 12, and PyMySQL 30 in place of 3, since it also reads all certificates that the host trusts.
"""

SOCKETS = "/run/postgresql"
"""Where PostgreSQL's sockets are on Debian and Ubuntu."""

LOCAL = frozenset(["", "localhost", "127.0.0.1", "::1"])
"""Where a host looks for a database of its own; empty for a unix socket, or where nothing is said."""

HOST = re.compile(r"[A-Za-z0-9._,-]+")


def database_url(
    password: str,
    *,
    user: str,
    name: str,
    host: str = "127.0.0.1",
    port: int | None = None,
    engine: str = "postgresql",
    pool: bool = False,
    certificate: str = "",
) -> str:
    """Return the URL of a database.

    Args:
        password: may hold any character; it is percent-encoded, as is the user.
        user: the role that the app connects as.
        name: the database. Always given: a URL without a path would read `%23` as `%23`.
        host: a name, an address, or for postgresql the directory of a unix socket, which begins with `/`. That form is
            django-environ's; dj-database-url has another.
        port: default: the engine's.
        engine: `postgresql` or `mysql`.
        pool: PgBouncer stands before PostgreSQL. Then the host is the directory of the server's socket, where the app
            finds PgBouncer, and everybody else the server; and Django keeps nothing in a connection that the next
            transaction would look for. MySQL has its pool in the server, and its URL stays the same.
        certificate: the file on the app's host by which it recognises a server elsewhere. Empty is what the driver
            does by itself, and no TLS where the server is the host's own.

    Raises:
        Problem: something is empty, the engine is unknown, what is given would be read back as something else, or
            a pool stands before a server elsewhere.
    """
    if engine not in PORTS:
        raise Problem(f"database_url: engine is {engine!r}, and not one of {', '.join(PORTS)}.")
    if pool and engine == "postgresql":
        if certificate:
            raise Problem("PgBouncer is not set up for a database on a host of its own. Set database_pool to false.")
        url = database_url(password, user=user, name=name, host=SOCKETS)
        return f"{url}?CONN_MAX_AGE=0&DISABLE_SERVER_SIDE_CURSORS=True"
    given = {"password": password, "user": user, "name": name, "host": host}
    empty = [key for key, value in given.items() if not isinstance(value, str) or not value]
    if empty:
        raise Problem(f"database_url: {' and '.join(empty)} must be text and not empty.")
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    if name.startswith("/"):
        raise Problem("database_url: name begins with /, which is read as a directory. Choose another.")
    if host.startswith("/"):
        if engine != "postgresql":
            raise Problem(f"database_url: {engine} has no form for a unix socket. Leave out host, for 127.0.0.1.")
        if "/" in name:
            raise Problem("database_url: name holds a /, which beside a unix socket is read as a directory.")
        # django-environ's form for a socket: no host, and the directory as the first part of the path.
        return f"{SCHEMES[engine]}://{login}@/{quote(host)}/{quote(name, safe='')}"
    url = f"{SCHEMES[engine]}://{login}@{_address(host)}:{port or PORTS[engine]}/{quote(name, safe='')}"
    if certificate:
        return f"{url}?{TLS[engine].format(quote(certificate, safe='/'))}"
    return f"{url}?{WITHOUT_TLS[engine]}" if host in LOCAL else url


def certificate_path(app: str) -> str:
    """Return the file on the app's host that holds the certificate of its database on a host of its own.

    Raises:
        Problem: the app has no name.
    """
    if not app:
        raise Problem("database_url: app must be text and not empty, since the database is on a host of its own.")
    return f"/etc/{app}/database.crt"


def _address(host: str) -> str:
    try:
        return f"[{IPv6Address(host)}]"
    except AddressValueError:
        if not HOST.fullmatch(host):
            raise Problem(
                f"database_url: host is {host!r}; write a name or an address there, and the port as port."
            ) from None
        return host


def database_server(url: str) -> dict[str, str | bool]:
    """Return where a URL leads to, without what is secret in it.

    Args:
        url: DATABASE_URL, as anybody may have written it; empty where there is none.

    Returns:
        `scheme`, for example `postgres`, and empty where there is none; `is_local`, whether every host has a database
        of its own, as far as the URL tells.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return {"scheme": "", "is_local": True}
    # Where server and login end, as urllib reads it, which django-environ does too.
    server = re.split("[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    host = server[1:].partition("]")[0] if server.startswith("[") else server.partition(":")[0]
    return {"scheme": scheme, "is_local": host.lower() in LOCAL}
