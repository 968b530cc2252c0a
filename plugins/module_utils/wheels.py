"""Gather the files that hosts without a package index install from, on the controller."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from ansible_collections.initech.django.plugins.module_utils import archives
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.requirements import Pin
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version


def identify(file: Path) -> tuple[str, Version] | None:
    """Return name and version of a wheel or source archive from its name, or None if it is neither."""
    try:
        if file.suffix == ".whl":
            name, version, *_ = parse_wheel_filename(file.name)
        else:
            name, version = parse_sdist_filename(file.name)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None
    return canonicalize_name(name), version


def select(directory: Path, pins: Sequence[Pin]) -> list[Path]:
    """Return the files of a directory that the pins may be installed from.

    Raises:
        Problem: there are none for one of them.
    """
    files = [(file, identify(file)) for file in sorted(directory.glob("*")) if file.is_file()]
    if not files:
        raise Problem(f"release_wheels is {directory}, where no files are. Fill it: {_download(directory)}")
    wanted = {(pin.name, pin.version): pin for pin in pins if pin.version}
    # A line with a marker may be meant for other hosts: what these need of them, the installer there will tell.
    lacking = {key for key, pin in wanted.items() if not pin.requirement.marker} - {key for _, key in files}
    if lacking:
        listing = ", ".join(str(wanted[key].requirement) for key in sorted(lacking, key=lambda each: each[0]))
        raise Problem(f"release_wheels is {directory}, which has no file for {listing}. Type: {_download(directory)}")
    return [file for file, key in files if key in wanted]


def _download(directory: Path) -> str:
    return f"pip wheel --no-deps -r requirements.txt -w {directory} (with the interpreter and platform of the hosts)"


def _entries(files: Sequence[Path]) -> Iterator[bytes]:
    for file in files:
        status = file.stat()
        yield f"{file}\0{status.st_size}\0{status.st_mtime_ns}\0".encode()


def pack_wheels(directory: Path, pins: Sequence[Pin], cache: Path) -> Path:
    """Return an archive of the files that the pins may be installed from, made once for the same files.

    Raises:
        Problem: see `select`.
    """
    files = select(directory, pins)
    name = sha256(b"".join(_entries(files))).hexdigest()[:16]

    def write(path: Path, _: int) -> None:
        with tarfile.open(path, "w") as tar:
            for file in files:
                tar.add(file, arcname=file.name)

    return archives.provide(cache / "wheels" / f"{name}.tar", write)
