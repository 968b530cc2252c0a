"""Make a virtualenv that holds what a requirements file says."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path

from ansible_collections.initech.django.plugins.module_utils.alone import alone
from ansible_collections.initech.django.plugins.module_utils.commands import run_or_fail
from ansible_collections.initech.django.plugins.module_utils.indexes import index_environment
from ansible_collections.initech.django.plugins.module_utils.layout import write_last
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.virtualenvs import (
    MARKER,
    fingerprint,
    is_sound,
    read_marker,
)

SEEDS = ("pip", "setuptools", "wheel")
"""What `python -m venv` puts into a virtualenv by itself."""
ANOTHER_PYTHON = re.compile(r"not satisfy Python|require a different python version|requires a different Python")
"""How uv and pip say that a package is not for the interpreter."""
NOT_BUILT = re.compile(r"gcc'|g\+\+'|cc' failed|fatal error: \S+\.h|pg_config executable")
"""How compilers and those who call them say what they lack."""


@dataclass(frozen=True)
class Source:
    """What installs packages, and where it finds them.

    Attributes:
        uv: the path of uv, where it is to be used; else pip.
        indexes: URLs; empty for the host's own configuration. They may hold passwords.
        wheels: a directory that has everything, so that no index is asked.
    """

    uv: str | None = None
    indexes: Sequence[str] = ()
    wheels: Path | None = None


@dataclass(frozen=True)
class Wanted:
    """What a virtualenv is made of.

    Attributes:
        python: the interpreter.
        version: its version.
        files: the requirements file and those that it names, by their paths in the source.
        pins: their lines, with the hashes.
    """

    python: str
    version: str
    files: Mapping[str, Path]
    pins: Sequence[str]


def virtualenv_name(python: str, version: str, requirements_sha256: str) -> str:
    """Return the name of the virtualenv for an interpreter and the content of its requirements files."""
    return sha256(f"{python}\0{version}\0{requirements_sha256}".encode()).hexdigest()[:16]


def find_place(directory: Path, name: str, used: Collection[Path] = ()) -> tuple[Path, bool]:
    """Return the virtualenv of that name that is sound, or else where to make it, and whether it is to be made.

    One that is complete and was changed afterwards is left alone, since something may run from it, and another takes
    its place under `<name>.2`.

    Args:
        directory: where virtualenvs are.
        name: from `virtualenv_name`.
        used: those that releases have, and that are not for making anew even if somebody removed their marker.
    """
    for number in count(1):
        path = directory / (name if number == 1 else f"{name}.{number}")
        if not read_marker(path) and path not in used:
            return path, True
        if is_sound(path):
            return path, False
    raise AssertionError("count() does not end")


def create(
    path: Path, python: str, requirements: Path, source: Source, *, pins: Sequence[str], lock: int | None = None
) -> None:
    """Make a virtualenv at a path where nothing complete is yet.

    Nothing is resolved: it gets what the file says, no more and no less.

    Args:
        path: its directory; what an interrupted run left there is removed.
        python: the interpreter.
        requirements: the requirements file.
        source: where packages come from.
        pins: the lines of that file and of those that it names, with their hashes.
        lock: the descriptor of a lock that is to be held as long as what we start runs.

    Raises:
        Problem: it could not be made; the message shows what the installer printed.
    """
    if path.exists():
        shutil.rmtree(path)
    failure = f"The packages of {requirements.name} cannot be installed"
    interpreter = path / "bin" / "python"
    # pip asks for the hashes of all lines by itself as soon as one has any.
    has_hashes = any("--hash" in pin for pin in pins)
    options: list[str | Path] = ["--quiet", "--no-deps", *(["--require-hashes"] if has_hashes else [])]
    if source.wheels:
        options += ["--no-index", "--find-links", source.wheels]
    options += ["--requirement", requirements]
    with index_environment(source.indexes, uses_uv=bool(source.uv)) as environment:

        def step(*command: str | Path) -> None:
            try:
                run_or_fail(command, failure, environment=environment, timeout=3600, keep=lock)
            except Problem as problem:
                raise Problem(explained(str(problem), requirements.name)) from None

        if source.uv:
            # Copies: a file that were linked into other virtualenvs would change in all of them.
            environment.update(UV_PYTHON_DOWNLOADS="never", UV_LINK_MODE="copy", UV_NO_CONFIG="1")
            step(source.uv, "venv", "--quiet", "--python", python, path)
            step(source.uv, "pip", "install", "--python", interpreter, "--compile-bytecode", *options)
        else:
            step(python, "-m", "venv", path)
            # What is there already, in the same version, is not what the hash names.
            step(interpreter, "-m", "pip", "install", "--force-reinstall", *options)
            wanted = {re.split(r"[^\w.-]", pin)[0].lower() for pin in pins}
            if unwanted := set(SEEDS) - wanted:
                step(interpreter, "-m", "pip", "uninstall", "--quiet", "--yes", *unwanted)
    # uv leaves a file that everybody may write.
    (path / ".lock").unlink(missing_ok=True)


def explained(said: str, name: str) -> str:
    """Return what an installer said, and what to do about it where that is known.

    Args:
        said: by the installer.
        name: of the file of requirements.
    """
    if ANOTHER_PYTHON.search(said):
        advice = "Set python_version to that one, or freeze it with the host's own."
        return f"{said}\n{name} was frozen for another Python. {advice}"
    if NOT_BUILT.search(said):
        advice = "Name the Debian packages that it takes above its line in requirements_to_freeze.txt, for example"
        return f"{said}\nA package is compiled on the host. {advice}: # apt: gcc libpq-dev python3-dev"
    return said


def complete(path: Path, python: str, version: str, files: Mapping[str, str]) -> None:
    """Write the marker, whole or not at all, after everything else has reached the disk.

    Args:
        path: the virtualenv.
        python: the interpreter that it was made with.
        version: its version.
        files: path and text of the requirements files, so that a virtualenv tells by itself what should be in it.
    """
    marker = {
        "python": python,
        "target": str((path / "bin" / "python").resolve()),
        "version": version,
        "requirements": dict(files),
        "fingerprint": fingerprint(path),
    }
    write_last(path / MARKER, json.dumps(marker, indent=2) + "\n")


def provide(
    directory: Path, name: str, wanted: Wanted, source: Source, used: Collection[Path] = ()
) -> tuple[Path, bool]:
    """Return a sound virtualenv, and whether it had to be made.

    Args:
        directory: where virtualenvs are.
        name: from `virtualenv_name`.
        wanted: what it is made of.
        source: where packages come from.
        used: see `find_place`.

    Raises:
        Problem: it could not be made.
    """
    path, is_new = find_place(directory, name, used)
    if not is_new:
        return path, False
    with alone(directory) as lock:
        # Another run may have made it while we waited.
        path, is_new = find_place(directory, name, used)
        if is_new:
            file = next(iter(wanted.files.values()))
            create(path, wanted.python, file, source, pins=wanted.pins, lock=lock)
            texts = {name: each.read_text(encoding="utf-8-sig") for name, each in wanted.files.items()}
            complete(path, wanted.python, wanted.version, texts)
    return path, is_new
