"""Read and judge a project's requirements.txt, on the controller."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

TO_FREEZE = "requirements_to_freeze.txt"
FREEZE_AGAIN = f"add it to {TO_FREEZE} and freeze again"
COOPERATIVE_PSYCOPG = Version("3.1.14")
"""The first psycopg 3 that waits without blocking under gevent."""


@dataclass(frozen=True)
class Pin:
    """A line of a requirements file: a distribution, and the version it is pinned to, if it is."""

    name: str
    version: Version | None
    place: str
    text: str


def logical_lines(text: str) -> list[tuple[int, str]]:
    """Return pip's lines with their numbers: continued ones joined, comments cut off, empty ones left out."""
    lines, start, pending = [], 0, ""
    physical = text.splitlines()
    for number, line in enumerate(physical, start=1):
        start = start if pending else number
        # A line that is all comment ends what was continued, and is not continued itself.
        is_comment = line.lstrip().startswith("#")
        is_continued = line.endswith("\\") and not is_comment
        pending += line.rstrip("\\") + " " if is_continued else line
        if is_continued and number < len(physical):
            continue
        content = re.sub(r"(^|\s)#.*$", "", pending).strip()
        if content:
            lines.append((start, content))
        pending = ""
    return lines


def read_pins(
    path: PurePosixPath, read: Callable[[str], str | None], place: str = "", above: Sequence[PurePosixPath] = ()
) -> tuple[list[Pin], list[tuple[str, str]]]:
    """Read a requirements file and those that it names with -r.

    Args:
        path: the file, inside the project.
        read: returns the text of a file of the project, or None where there is none.
        place: the line that names the file, if one does.
        above: the files that are being read already.

    Returns:
        The pins, and path and text of every file read, in order.

    Raises:
        Problem: a file is missing, or leads back to itself, or a line cannot be read.
    """
    text = read(str(path))
    if text is None:
        raise Problem(f"{place}: the project has no {path}." if place else f"The project has no {path}.")
    if path in above:
        raise Problem(f"{place}: {path} is being read already. Take out one of the lines that name it.")
    pins: list[Pin] = []
    files = [(str(path), text)]
    for number, line in logical_lines(text):
        place = f"{path}, line {number}"
        option = re.match(r"(-r|--requirement|-c|--constraint)[\s=]*(\S+)$", line)
        if option:
            other = PurePosixPath(*_normal(path.parent / option[2], place))
            more_pins, more_files = read_pins(other, read, place, (*above, path))
            pins += more_pins if option[1] in ("-r", "--requirement") else []
            files += more_files
        elif re.match(r"-e|--editable\b", line):
            raise Problem(f"{place}: {line!r} is editable, and so not an exact version. Pin a version with ==.")
        elif not line.startswith("-"):
            pins.append(_pin(re.split(r"\s--", line)[0].strip(), place))
    return pins, files


def _normal(path: PurePosixPath, place: str) -> list[str]:
    parts: list[str] = []
    for part in path.parts:
        if part == "/" or (part == ".." and not parts):
            raise Problem(f"{place}: {path} lies outside the project.")
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return parts


def _pin(text: str, place: str) -> Pin:
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        raise Problem(f"{place}: {text!r} is not a requirement with a version. Write it as name==version.") from None
    name = canonicalize_name(requirement.name)
    specifiers = list(requirement.specifier)
    if requirement.url:
        return Pin(name, None, place, text) if "#sha256=" in requirement.url else _unpinned(place, text)
    if len(specifiers) != 1 or specifiers[0].operator not in ("==", "===") or specifiers[0].version.endswith("*"):
        return _unpinned(place, text)
    try:
        return Pin(name, Version(specifiers[0].version), place, text)
    except InvalidVersion:
        return Pin(name, None, place, text)


def _unpinned(place: str, text: str) -> Pin:
    return Pin("", None, place, text)


def problems(pins: Sequence[Pin], path: str, database: str) -> list[str]:
    """Return what keeps these requirements from running under gunicorn with gevent, a line each.

    Args:
        pins: from `read_pins`.
        path: the file, for messages.
        database: the scheme of DATABASE_URL, for example `postgres`; empty where there is none.
    """
    found = [
        f"{pin.place}: {pin.text} is not pinned to one version. Put it into {TO_FREEZE} and freeze again, "
        f"so that name==version stands here"
        for pin in dict.fromkeys(pins)  # a file may have been read twice
        if not pin.name
    ]
    pinned = {pin.name: pin for pin in pins if pin.name}

    def lacks(name: str, reason: str) -> None:
        if name not in pinned:
            found.append(f"{path} lacks {name}: {reason}; {FREEZE_AGAIN}")

    lacks("gunicorn", "it serves the app")
    lacks("gevent", "gunicorn's workers are gevent's")
    gunicorn = pinned.get("gunicorn")
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
                f"In {TO_FREEZE} write psycopg>={COOPERATIVE_PSYCOPG}, and freeze again"
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
                f"In {TO_FREEZE} write PyMySQL instead, and freeze again"
            )
        ]
    return [f"{path} lacks PyMySQL: it is the driver for MySQL that works under gevent; {FREEZE_AGAIN}"]
