"""Find the interpreter that an app asks for among those that a host has."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.initech.django.plugins.module_utils.commands import CA_BUNDLE, run, tail
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.virtualenvs import identify

VERSION = re.compile(r"3(\.[0-9]+){1,2}")
NAME = re.compile(r"python3\.[0-9]+")
MANAGED = Path("/opt/initech-django/python")
"""Where uv installs interpreters."""


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


# --- On the host ----------------------------------------------------------------------------------------------------


def _numbers(path: Path) -> list[int]:
    """Return the numbers in a name, so that 3.13.10 comes after 3.13.9."""
    return [int(number) for number in re.findall(r"[0-9]+", path.name)]


def candidates(paths: Sequence[str]) -> Iterator[Path]:
    """Yield where interpreters may be, in the order in which they are taken."""
    search = [Path(each) for each in ("/usr/bin", *os.environ.get("PATH", "").split(":")) if each]
    # uv also makes links without the last part of the version; they lead elsewhere one day.
    managed = [path / "bin" for path in sorted(MANAGED.glob("*"), key=_numbers, reverse=True) if not path.is_symlink()]
    yield Path("/usr/bin/python3")
    for directory in search[:1]:
        yield from (path for path in sorted(directory.glob("python3.*")) if NAME.fullmatch(path.name))
    yield from map(Path, paths)
    for directory in search[1:] + managed:
        yield from (path for path in sorted(directory.glob("python3.*")) if NAME.fullmatch(path.name))


def find(paths: Sequence[str]) -> Iterator[Interpreter]:
    """Yield the interpreters of this host."""
    seen = set()
    for path in candidates(paths):
        target = path.resolve()
        if target in seen or not target.is_file():
            continue
        seen.add(target)
        try:
            yield Interpreter(str(path), identify(path)["python_full_version"])
        except (Problem, ValueError, KeyError):
            continue


def install(uv: str, options: Mapping[str, Any], *, only_ask: bool) -> str:
    """Have uv install the version, or ask whether it could; return what it said if not."""
    environment = {**os.environ, "UV_NO_CONFIG": "1", "SSL_CERT_FILE": CA_BUNDLE}
    if options["mirror"]:
        environment["UV_PYTHON_INSTALL_MIRROR"] = options["mirror"]
    if options["downloads"]:
        environment["UV_PYTHON_DOWNLOADS_JSON_URL"] = options["downloads"]
    if only_ask:
        command = [uv, "python", "list", "--only-downloads", "--all-versions", options["version"]]
        answer = run(command, environment=environment)
        return "" if answer.stdout.strip() else tail(answer.stderr) or "uv knows no download of it."
    command = [uv, "python", "install", "--no-progress", "--no-bin", "--install-dir", str(MANAGED), options["version"]]
    answer = run(command, environment=environment, timeout=3600)
    # uv leaves a file that everybody may write.
    (MANAGED / ".lock").unlink(missing_ok=True)
    return "" if answer.returncode == 0 else f"uv cannot install it:\n{tail(answer.stderr)}\n"


def provide(options: Mapping[str, Any], uv: str | None, check_mode: bool) -> dict[str, Any]:
    """Find an interpreter, or have uv install it; return `path` and `version`, and whether it was installed.

    Args:
        options: as those of the module `interpreter`.
        uv: its path, where the host has it.
        check_mode: nothing is to be changed.

    Raises:
        Problem: none serves.
    """
    version, paths, state = options["version"], options["paths"], options["state"]
    chosen = choose(version, find(paths))
    if chosen:
        return {"changed": False, "path": chosen.path, "version": chosen.version}
    refusal = ""
    if state == "found" or not options["managed"]:
        refusal = "On a host, ansible-playbook provision.yml has uv install it."
        refusal = refusal if options["managed"] else "python_managed is false, so that uv installs none."
    elif uv is None and state == "present" and not check_mode:
        refusal = "uv, which could install it, is not there."
    elif uv:
        refusal = install(uv, options, only_ask=state == "possible" or check_mode)
    if refusal:
        raise none_serves(version, find(paths), refusal)
    if state == "present" and not check_mode:
        chosen = choose(version, find(paths))
        if not chosen:
            raise none_serves(version, find(paths), "What uv installed does not run.")
        return {"changed": True, "path": chosen.path, "version": chosen.version}
    return {"changed": state == "present", "path": "", "version": ""}
