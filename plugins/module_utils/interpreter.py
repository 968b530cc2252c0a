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


def choose(version: str, found: Iterable[Interpreter]) -> Interpreter | None:
    """Return the first interpreter that serves, or None.

    Args:
        version: what is asked for; `3.13` is met by every `3.13.x`; empty: by the first found.
        found: what the host has, the distribution's own first.

    Raises:
        Problem: that is no version.
    """
    check_version(version)
    serves = (each for each in found if not version or f"{each.version}.".startswith(f"{version}."))
    return next(serves, None)


def none_serves(version: str, found: Iterable[Interpreter], remedy: str) -> Problem:
    """Return what to say where none serves: what there is, and what to do.

    Args:
        version: what is asked for.
        found: what the host has.
        remedy: why there is no other, or what to type.
    """
    listing = ", ".join(f"{each.version} ({each.path})" for each in found) or "no Python 3"
    separator = "" if remedy.endswith("\n") else " "
    return Problem(
        f"python_version is {version!r}, and this host has {listing}. {remedy}{separator}"
        "Or set python_version to one of these, or leave it empty for the distribution's own."
    )
