"""Compute the DATABASE_URL that django-environ and dj-database-url read back exactly."""

from __future__ import annotations

from urllib.parse import quote

from ansible_collections.initech.django.plugins.module_utils.problem import Problem

PORTS = {"postgres": 5432, "mysql": 3306}


def database_url(
    password: str, *, user: str, name: str, host: str = "127.0.0.1", port: int | None = None, scheme: str = "postgres"
) -> str:
    """Return the URL of a database.

    Args:
        password: may hold any character; it is percent-encoded, as is the user.
        user: the role that the app connects as.
        name: the database. Always given: a URL without a path would read `%23` as `%23`.
        host: a name, an address, or the directory of a unix socket, which begins with `/`.
        port: default: the scheme's.
        scheme: `postgres` or `mysql`.

    Raises:
        Problem: something is empty, or the scheme is unknown.
    """
    if scheme not in PORTS:
        raise Problem(f"database_url: scheme is {scheme!r}, and not one of {', '.join(PORTS)}.")
    given = {"password": password, "user": user, "name": name, "host": host}
    empty = [key for key, value in given.items() if not isinstance(value, str) or not value]
    if empty:
        raise Problem(f"database_url: {' and '.join(empty)} must be text and not empty.")
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    if host.startswith("/"):
        # django-environ's form for a socket: no host, and the directory as the first part of the path.
        return f"{scheme}://{login}@/{host}/{quote(name, safe='')}"
    address = f"[{host}]" if ":" in host else host
    return f"{scheme}://{login}@{address}:{port or PORTS[scheme]}/{quote(name, safe='')}"
