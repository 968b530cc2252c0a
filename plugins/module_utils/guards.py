"""Judge a project's requirements, on the controller, before any host is touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from ansible_collections.initech.django.plugins.module_utils.lock import read_header
from ansible_collections.initech.django.plugins.module_utils.requirements import (
    FROZEN,
    LOCK,
    TO_FREEZE,
    Pin,
    Requirements,
    linux_environment,
    logical_lines,
    read_direct,
)
from packaging.utils import canonicalize_name
from packaging.version import Version

FREEZE_AGAIN = f"add it to {TO_FREEZE} and type: {LOCK}"
TOLD_BY_FILE = Version("20.1")
"""The first gunicorn whose configuration file may say what is served."""
COOPERATIVE_PSYCOPG = Version("3.1.14")
"""The first psycopg 3 that waits without blocking under gevent."""
CUTTING_ENVIRON = (0, 11)
"""The minor line of django-environ that takes # for the begin of a comment even in double quotes."""

OTHER_READERS = ("python-dotenv", "environs", "python-decouple")
"""What projects read `.env` with that do not use django-environ."""


def gevent_problems(pins: Sequence[Pin], path: str, database: str) -> list[str]:
    """Return what keeps these requirements from running under gunicorn with gevent, a line each.

    Args:
        pins: from `read_requirements`.
        path: the file, for messages.
        database: the scheme of DATABASE_URL, for example `postgres`; empty where there is none.
    """
    found = []
    pinned = {pin.name: pin for pin in pins}

    def lacks(name: str, reason: str) -> None:
        if name not in pinned:
            found.append(f"{path} lacks {name}: {reason}; {FREEZE_AGAIN}")

    lacks("gunicorn", "it serves the app; write gunicorn[gevent]")
    lacks("gevent", "gunicorn's workers are gevent's")
    gunicorn = pinned.get("gunicorn")
    if gunicorn and gunicorn.version and gunicorn.version < TOLD_BY_FILE:
        found.append(
            f"{gunicorn.place}: gunicorn {gunicorn.version} does not know wsgi_app, which says what it is to serve. "
            f"In {TO_FREEZE} write gunicorn[gevent]>={TOLD_BY_FILE}, and type: {LOCK}"
        )
    if gunicorn and gunicorn.version and gunicorn.version >= Version("26.1"):
        lacks("packaging", "gunicorn 26.1 and newer needs it with gevent; write gunicorn[gevent]")
    if database.startswith(("postgres", "psql", "pgsql", "postgis")):
        found += _postgresql_problems(pinned, path)
    elif database.startswith("mysql"):
        found += _mysql_problems(pinned, path)
    return found


def _postgresql_problems(pinned: Mapping[str, Pin], path: str) -> list[str]:
    if {"psycopg2", "psycopg2-binary"} & pinned.keys():
        if "psycogreen" in pinned:
            return []
        return [f"{path} lacks psycogreen: without it psycopg2 blocks its worker under gevent; {FREEZE_AGAIN}"]
    psycopg = pinned.get("psycopg")
    if psycopg is None:
        return [f"{path} lacks a driver for PostgreSQL: psycopg, or psycopg2 with psycogreen; {FREEZE_AGAIN}"]
    if psycopg.version and psycopg.version < COOPERATIVE_PSYCOPG:
        return [
            (
                f"{psycopg.place}: psycopg {psycopg.version} blocks its worker under gevent. "
                f"In {TO_FREEZE} write psycopg>={COOPERATIVE_PSYCOPG}, and type: {LOCK}"
            )
        ]
    return []


def _mysql_problems(pinned: Mapping[str, Pin], path: str) -> list[str]:
    if "pymysql" in pinned:
        return []
    if "mysqlclient" in pinned:
        return [
            (
                f"{pinned['mysqlclient'].place}: mysqlclient waits in C and blocks its worker under gevent. "
                f"In {TO_FREEZE} write PyMySQL instead, and type: {LOCK}"
            )
        ]
    return [f"{path} lacks PyMySQL: it is the driver for MySQL that works under gevent; {FREEZE_AGAIN}"]


def cut_problems(pins: Sequence[Pin], keys: Sequence[str]) -> list[str]:
    """Return which lines pin a django-environ that would read a part of some values only.

    Args:
        pins: from `read_requirements`.
        keys: from `dotenv.cut_keys`.
    """
    if not keys:
        return []
    return [
        (
            f"{pin.place}: {pin.name} {pin.version} cuts the values of {', '.join(keys)} at the first #, where .env is "
            f"written as systemd reads it. In {TO_FREEZE} write {pin.name}>=0.12, and type: {LOCK}; or set "
            "app_env_as_environment: false, since django-environ reads .env itself"
        )
        for pin in pins
        if pin.name == "django-environ" and pin.version and pin.version.release[:2] == CUTTING_ENVIRON
    ]


def asgi_warnings(pins: Sequence[Pin]) -> list[str]:
    """Return that a part of a project would not be served, in a line, or nothing.

    Args:
        pins: from `read_requirements`.
    """
    rest = "WebSockets, and all else that only the ASGI application knows, have to be served by something of yours"
    return [
        f"{pin.place}: what {pin.name} serves is not served here, but the WSGI application alone. {rest}"
        for pin in pins
        if pin.name == "channels"
    ]


def misread_warnings(pins: Sequence[Pin], keys: Sequence[str]) -> list[str]:
    """Return that a project would misread some values, in a line, or nothing.

    Args:
        pins: from `read_requirements`.
        keys: from `dotenv.misread_keys`.
    """
    names = {pin.name for pin in pins}
    readers = [name for name in OTHER_READERS if name in names]
    if not keys or not readers or "django-environ" in names:
        return []
    return [
        (
            f"{', '.join(readers)} would misread {', '.join(keys)} in .env, where these are quoted as django-environ "
            "alone reads them. Set app_env_as_environment: true, and the project finds all values in os.environ"
        )
    ]


def frozen_problems(requirements: Requirements, to_freeze: PurePosixPath, text: str) -> list[str]:
    """Return where requirements.txt is not what requirements_to_freeze.txt brings, a line each.

    Args:
        requirements: what `read_requirements` read.
        to_freeze: the path of requirements_to_freeze.txt.
        text: its content.
    """
    frozen = str(to_freeze.with_name(FROZEN))
    if frozen not in requirements.files:
        return []  # The user has another file deployed, which nobody froze.
    header = read_header(requirements.files[frozen])
    if header and header.is_stale(text):
        return [f"{to_freeze} was changed after {frozen} was made from it. Type: {LOCK}"]
    direct, found = read_direct(to_freeze, text)
    environment = linux_environment(header.python if header else "")
    # Of several lines for one name, the one counts that is meant for this interpreter.
    pinned = {pin.name: pin for pin in sorted(requirements.pins, key=lambda pin: pin.applies(environment))}
    for each in direct:
        marker, pin = each.requirement.marker, pinned.get(each.name)
        if marker is not None and not marker.evaluate(dict(environment)):
            continue
        if pin is None:
            # It may stand in a line that could not be read.
            if not requirements.problems:
                found.append(f"{each.place}: {each.requirement} is not in {frozen}. Type: {LOCK}")
        elif not each.is_met_by(pin):
            wish = f"{each.place} asks for {each.requirement}"
            found.append(f"{pin.place}: {pin.requirement} is pinned, and {wish}. Type: {LOCK}")
    return found


def unfrozen_advice(
    path: PurePosixPath, frozen: PurePosixPath, problems: Sequence[str], *, is_another: bool
) -> list[str]:
    """Return how requirements are frozen that nobody has frozen here yet, in a line, or nothing.

    What problems tell to put into requirements_to_freeze.txt would be all that is there.

    Args:
        path: of the requirements file.
        frozen: what would come from requirements_to_freeze.txt.
        problems: with it.
        is_another: the user has named another file than that.
    """
    if not any(TO_FREEZE in problem for problem in problems):
        return []
    lacks = f"{path} does not come from a {TO_FREEZE} yet"
    remedy = f"List there all that the project needs directly, and not only this: {LOCK} makes {frozen} of nothing else"
    setting = f", and set release_requirements_file: {frozen}" if is_another else ""
    return [f"{lacks}. {remedy}{setting}. Or pin it in {path} by hand, with all that it needs"]


def developer_problems(pins: Sequence[Pin], patterns: Sequence[str], environment: str) -> list[str]:
    """Return which packages only developers need, a line each.

    Args:
        pins: from `read_requirements`.
        patterns: names, with `*` for any end.
        environment: for the message.
    """
    # canonicalize_name would leave a star alone.
    wanted = [canonicalize_name(pattern) for pattern in patterns]
    return [
        (
            f"{pin.place}: {pin.requirement} is a developer's tool, and has no place in {environment}. Take it, or "
            f"what brings it, out of {TO_FREEZE} and type: {LOCK}; a file named after another environment may add it "
            f"there. If {environment} needs it, set release_developer_packages without it"
        )
        for pin in pins
        if any(fnmatchcase(pin.name, pattern) for pattern in wanted)
    ]


def environment_file_problems(path: PurePosixPath, text: str) -> Iterator[str]:
    """Yield what is wrong with a file that is named after an environment."""
    lines = logical_lines(text)
    if not lines or lines[0][1].replace("--requirement", "-r").replace("=", " ").split() != ["-r", FROZEN]:
        yield (
            f"{path} is named after the environment, and so its first line has to be: -r {FROZEN}. "
            "If it is something else, set release_requirements_file to the file you mean"
        )
