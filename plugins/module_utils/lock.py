"""Make requirements.txt out of what pip froze, and tell what moved. On the controller."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path

from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.requirements import (
    FROZEN,
    TO_FREEZE,
    Pin,
    logical_lines,
    parse_line,
)
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

DEPTH = 3
HEADER = (
    "# Not edited by hand: ansible-playbook lock.yml makes it from {to_freeze},",
    "# frozen {when} with {interpreter} in a new, empty virtualenv.",
    "# sha256 of {to_freeze}: {sha256}",
)
INTERPRETER = re.compile(r"^# frozen \S+ with (\w+) (\d+\.\d+\.\d+\w*) on ", re.MULTILINE)
HASH = re.compile(r"^# sha256 of \S+: ([0-9a-f]{64})$", re.MULTILINE)


@dataclass(frozen=True)
class Header:
    """The first lines of requirements.txt."""

    python: str
    sha256: str

    def is_stale(self, text: str) -> bool:
        """Tell whether requirements_to_freeze.txt, with this text now, is another than was frozen."""
        return input_hash(text) != self.sha256


def input_hash(text: str) -> str:
    """Return the hash of requirements_to_freeze.txt, whatever line ends git gave it in this checkout."""
    return sha256(text.replace("\r\n", "\n").encode()).hexdigest()


def read_header(text: str) -> Header | None:
    """Return the header of a requirements.txt, or None if it has none: somebody else made it."""
    comments = "\n".join(line for line in text.splitlines()[: len(HEADER) + 1] if line.startswith("#"))
    interpreter, digest = INTERPRETER.search(comments), HASH.search(comments)
    return Header(interpreter[2] if interpreter else "", digest[1]) if digest else None


def find_input(directory: Path) -> Path:
    """Return the requirements_to_freeze.txt of a checkout.

    Raises:
        Problem: there is none, or there are several as near.
    """
    directory = directory.resolve()
    if not directory.is_dir():
        raise Problem(f"{directory} is no directory on this machine. Set lock_directory to a checkout of the project.")
    for depth in range(DEPTH + 1):
        found = sorted(directory.glob("*/" * depth + TO_FREEZE))
        if len(found) == 1:
            return found[0]
        if found:
            listing = ", ".join(str(path.parent) for path in found)
            raise Problem(f"{TO_FREEZE} is in {listing}. Set lock_directory to the one you mean.")
    raise Problem(
        f"{directory} has no {TO_FREEZE}. Write one that lists what the project needs directly, a name a line, "
        "or set lock_directory to a checkout of the project."
    )


def old_pins(text: str) -> list[Pin]:
    """Return what an earlier requirements.txt pins; whatever cannot be read pins nothing."""
    pins = []
    for number, line in logical_lines(text):
        try:
            pin = parse_line(line, f"{FROZEN}, line {number}")
        except Problem:
            continue
        pins += [pin] if pin else []
    return pins


def preferences(pins: Iterable[Pin], upgrade: Sequence[str]) -> str:
    """Return the pins that are to stay where nothing speaks against it, as a requirements file.

    Args:
        pins: of the requirements.txt that there was.
        upgrade: the names that may move, or `all`.

    Raises:
        Problem: a name is none of them.
    """
    pins = list(pins)
    names = {canonicalize_name(name) for name in upgrade if name}
    unknown = sorted(names - {pin.name for pin in pins} - {"all"})
    if unknown and pins:
        near = get_close_matches(unknown[0], [pin.name for pin in pins], n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise Problem(f"lock_upgrade names {unknown[0]}, which {FROZEN} does not have.{hint}")
    if "all" in names:
        return ""
    # What stands behind a marker may be there in several versions, and a URL is asked for as it is.
    stay = [pin for pin in pins if pin.version and not pin.requirement.marker and pin.name not in names]
    return "".join(f"{pin.requirement.name}=={pin.version}\n" for pin in stay)


def compose(text: str, frozen: str, resolved: str, facts: Mapping[str, str], *, when: str, hashes: bool) -> str:
    """Return a requirements.txt.

    Args:
        text: of requirements_to_freeze.txt.
        frozen: what `pip freeze -r` printed.
        resolved: the same versions as uv resolved them, with the hashes of their files.
        facts: `interpreter` (CPython), `version` and `platform`.
        when: the time, for people.
        hashes: write the hashes too.
    """
    by_name = {pin.name: pin.hashes for pin in old_pins(resolved)}
    interpreter = f"{facts['interpreter']} {facts['version']} on {facts['platform']}"
    values = {"to_freeze": TO_FREEZE, "when": when, "interpreter": interpreter}
    header = [line.format(sha256=input_hash(text), **values) for line in HEADER]
    body = [_with_hashes(line, by_name, hashes) for line in frozen.strip().splitlines()]
    return "\n".join([*header, "", *body]) + "\n"


def _with_hashes(line: str, hashes: Mapping[str, Sequence[str]], wanted: bool) -> str:
    """Return a line of `pip freeze` with its hashes: behind a URL always, since it may hold another file tomorrow."""
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return line
    known = hashes.get(canonicalize_name(requirement.name), ())
    if requirement.url:
        digest = next((each.replace(":", "=") for each in known if each.startswith("sha256:")), None)
        _, separator, fragment = requirement.url.partition("#")
        if digest is None or "sha256=" in fragment:
            return line
        return f"{line}{'&' if separator else '#'}{digest}"
    return " \\\n    ".join([line, *(f"--hash={each}" for each in known)]) if wanted else line


def is_same(old: str, new: str) -> bool:
    """Tell whether two requirements.txt differ in nothing but the time that they were made."""
    return _without_time(old) == _without_time(new)


def _without_time(text: str) -> str:
    return re.sub(r"^# frozen \S+", "# frozen", text, count=1, flags=re.MULTILINE)


def moves(old: Iterable[Pin], new: Iterable[Pin]) -> dict[str, list[str]]:
    """Return what a new requirements.txt added, removed and moved, in words."""
    before, after = ({pin.name: pin for pin in pins} for pins in (old, new))
    names = sorted(before.keys() | after.keys())
    return {
        "added": [str(after[name].requirement) for name in names if name not in before],
        "removed": [str(before[name].requirement) for name in names if name not in after],
        "moved": [
            f"{after[name].requirement.name} {_version(before[name])} -> {_version(after[name])}"
            for name in names
            if name in before and name in after and _version(before[name]) != _version(after[name])
        ],
    }


def _version(pin: Pin) -> Version | str:
    return pin.version or pin.requirement.url or str(pin.requirement.specifier)
