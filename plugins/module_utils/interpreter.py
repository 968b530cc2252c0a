"""Find the interpreter that an app asks for among those that a host has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.initech.django.plugins.module_utils.problem import Problem

VERSION = re.compile(r"3(\.[0-9]+){1,2}")


@dataclass(frozen=True)
class Interpreter:
    """A Python on a host."""

    path: str
    version: str


def check_version(version: str) -> None:
    """Refuse what is no version of Python.

    Args:
        version: as `3.13` or `3.13.5`, or empty for whatever is the distribution's own.

    Raises:
        Problem: it is none.
    """
    if version and not VERSION.fullmatch(version):
        raise Problem(f'python_version is {version!r}. Write it in quotes, as "3.13" or "3.13.5".')


def choose(version: str, found: Iterable[Interpreter]) -> Interpreter:
    """Return the first interpreter that serves.

    Args:
        version: what is asked for; `3.13` is met by every `3.13.x`; empty: by the first found.
        found: what the host has, the distribution's own first.

    Raises:
        Problem: none serves; the message lists what there is.
    """
    check_version(version)
    found = list(found)
    for interpreter in found:
        if not version or f"{interpreter.version}.".startswith(f"{version}."):
            return interpreter
    listing = ", ".join(f"{each.version} ({each.path})" for each in found) or "no Python 3"
    raise Problem(
        f"python_version is {version!r}, and this host has {listing}. "
        "Set python_version to one of these, or leave it empty for the distribution's own."
    )
