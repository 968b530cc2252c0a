"""Render a `.env` that django-environ reads back exactly.

The grammar is django-environ's, read in the source of 0.8 to 0.14: an assignment is one line, one outer pair of single
quotes is stripped, then one of double quotes, and then a backslash stands for the character behind it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.initech.django.plugins.module_utils.problem import Problem

FIRST = ("ENVIRONMENT", "DEBUG", "SECRET_KEY", "DATABASE_URL")
RESERVED = ("RELEASE", "REPLICA")
"""What the app's units tell their processes: with another RELEASE gunicorn does not start, and else `.env` loses."""
KEY = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=~?&*-]*")
LITERAL = re.compile(r"""[^"'\\][^'\\]*""")
"""What stands for itself between single quotes."""


def type_name(value: Any) -> str:
    """Return the name of a value's type as people know it: Ansible's own types stand for those of Python."""
    return next(each.__name__ for each in type(value).__mro__ if not each.__name__.startswith("_"))


def scalar(value: Any) -> str:
    """Return the text of a value as django-environ's casts read it: True and False, lists with commas.

    Raises:
        ValueError: the value cannot be written; the message does not hold it.
    """
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (bool, int, float)):
        text = repr(value)
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError("is a number that is not finite, which django-environ cannot read")
        if "e" in text and not isinstance(value, bool):
            raise ValueError("is a number with an exponent, which django-environ misreads; write it as a string")
        return text
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        items = [scalar(item) for item in value]
        if any(not item or "," in item for item in items):
            raise ValueError("is a list with an empty item or one with a comma, which django-environ cannot read")
        return ",".join(items)
    raise ValueError(f"is a {type_name(value)}; write text, a number, true, false or a list")


def quote(text: str, systemd: bool) -> str:
    """Quote a value, only where it must be.

    Args:
        text: the value.
        systemd: choose the quotes that systemd's EnvironmentFile= and django-environ's default mode read alike. Else
            those that every version and mode of django-environ reads, also the one in which `#` begins a comment.

    Raises:
        ValueError: the value cannot be written; the message does not hold it.
    """
    if len(f"{text}x".splitlines()) > 1:
        raise ValueError("holds a line break, which a .env cannot; store it base64-encoded and decode it in settings")
    if "\0" in text:
        raise ValueError("holds a NUL character, which a .env cannot")
    if text.startswith("$"):
        raise ValueError("begins with $, which django-environ takes for the name of another variable; choose another")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("is not valid Unicode") from None
    if PLAIN.fullmatch(text):
        return text
    doubled = '"{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"'))
    if systemd:
        return doubled
    # Single quotes alone mean the same to python-dotenv, environs and python-decouple, which strip no second pair.
    return f"'{text}'" if LITERAL.fullmatch(text) else f"'{doubled}'"


def render(values: Mapping[str, Any], systemd: bool = False) -> str:
    """Return the content of a `.env`, a line per key: what every project has first, then the others sorted.

    Args:
        values: keys and values; see `scalar` for what a value may be.
        systemd: see `quote`.

    Raises:
        Problem: every key that cannot be written, with the reason and without its value.
    """
    lines, problems = [], []
    rank = {key: number for number, key in enumerate(FIRST)}
    for key in sorted(values, key=lambda key: (rank.get(key, len(FIRST)), str(key))):
        if not isinstance(key, str) or not KEY.fullmatch(key):
            problems.append(f"{key}: is no name for a key; use A-Z, 0-9 and _, a letter first")
            continue
        if key in RESERVED:
            problems.append(
                f"{key}: is set by the app's units themselves; take it out, or let the project read another name"
            )
            continue
        try:
            lines.append(f"{key}={quote(scalar(values[key]), systemd)}\n")
        except ValueError as error:
            problems.append(f"{key}: its value {error}")
    if problems:
        raise Problem("These keys cannot be written to .env:\n" + "\n".join(f"  {problem}" for problem in problems))
    return "".join(lines)


def cut_keys(values: Mapping[str, Any], systemd: bool = False) -> list[str]:
    """Return the keys whose values django-environ 0.11 would cut at a `#`, in the order of the file.

    What is written as systemd reads it stands in double quotes, and they do not protect it there.

    Args:
        values: see `render`.
        systemd: see `quote`.

    Raises:
        Problem: see `render`.
    """
    pairs = (line.partition("=") for line in render(values, systemd).splitlines())
    return [key for key, _, value in pairs if "#" in value and value[:1] != "'"]


def misread_keys(values: Mapping[str, Any], systemd: bool = False) -> list[str]:
    """Return the keys whose values python-dotenv, environs or python-decouple would misread, in the order of the file.

    They strip one pair of quotes and not two, and the first two take `${` for the begin of a variable's name. Where
    systemd reads the file, its values are in the environment, which all of them prefer.

    Args:
        values: see `render`.
        systemd: see `quote`.

    Raises:
        Problem: see `render`.
    """
    pairs = [line.partition("=") for line in render(values, systemd).splitlines()]
    return [key for key, _, value in pairs if not systemd and (value[:2] == "'\"" or "${" in value)]


def parse(text: str) -> dict[str, str]:
    """Read back what `render` wrote, in either way of quoting."""
    values = {}
    for line in text.splitlines():
        key, _, value = line.partition("=")
        value = value[1:-1] if value[:1] == "'" else value
        values[key] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value[:1] == '"' else value
    return values
