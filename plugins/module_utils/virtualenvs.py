"""Read what a virtualenv on this host holds, without running any of it."""

from __future__ import annotations

import base64
import csv
import json
import os
import re
from collections.abc import Iterator, Mapping
from email.message import Message
from email.parser import HeaderParser
from hashlib import sha256, sha384, sha512
from importlib.metadata import Distribution
from itertools import chain
from pathlib import Path
from typing import Any

from ansible_collections.initech.django.plugins.module_utils.commands import run_or_fail
from ansible_collections.initech.django.plugins.module_utils.layout import Release
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

MARKER = ".complete"
DIGESTS = {"sha256": sha256, "sha384": sha384, "sha512": sha512}
"""What a record of installed files may have its hashes by: the specification asks for sha256 or better."""

IDENTIFY = """
import json, os, platform, sys
version = sys.implementation.version
kind = "" if version.releaselevel == "final" else version.releaselevel[0] + str(version.serial)
print(json.dumps({
    "implementation_name": sys.implementation.name,
    "implementation_version": "%d.%d.%d" % version[:3] + kind,
    "os_name": os.name,
    "platform_machine": platform.machine(),
    "platform_python_implementation": platform.python_implementation(),
    "platform_release": platform.release(),
    "platform_system": platform.system(),
    "platform_version": platform.version(),
    "python_full_version": platform.python_version(),
    "python_version": ".".join(platform.python_version_tuple()[:2]),
    "sys_platform": sys.platform,
}))
"""
"""What the markers of PEP 508 are judged by."""


def site_packages(path: Path) -> Path:
    """Return the directory of a virtualenv's packages; of one that has none, where nothing is."""
    return next(iter(sorted(path.glob("lib/python3*/site-packages"))), path / "lib" / "site-packages")


def identify(interpreter: Path, user: str | None = None) -> dict[str, str]:
    """Return what an interpreter says of itself, by the names of PEP 508's markers.

    It runs with the rights of a user and without its packages, so that none of them has a say.

    Raises:
        Problem: it cannot be run.
    """
    answer: dict[str, str] = json.loads(
        run_or_fail([interpreter, "-I", "-S", "-c", IDENTIFY], f"{interpreter} cannot be run", user=user)
    )
    return answer


def fingerprint(path: Path) -> str:
    """Return a hash that changes with every file of a virtualenv, in a moment, from names, sizes and times alone."""
    entries = []
    pending = [str(path)]
    while pending:
        directory = pending.pop()
        with os.scandir(directory) as found:
            for entry in found:
                if entry.name == "__pycache__" and entry.is_dir():
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif directory != str(path) or entry.name not in (MARKER, f"{MARKER}.draft"):
                    status = entry.stat(follow_symlinks=False)
                    target = os.readlink(entry.path) if entry.is_symlink() else ""
                    name = entry.path[len(str(path)) :]
                    entries.append(f"{name}\0{status.st_mode}\0{status.st_size}\0{status.st_mtime_ns}\0{target}")
    return sha256("\n".join(sorted(entries)).encode("utf-8", "surrogateescape")).hexdigest()


def read_marker(path: Path) -> dict[str, Any]:
    """Return what a virtualenv was made of; empty where it is not complete."""
    try:
        marker: dict[str, Any] = json.loads((path / MARKER).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return marker


def is_sound(path: Path) -> bool:
    """Tell whether a virtualenv is complete, and has been left alone since."""
    marker = read_marker(path)
    return bool(marker) and marker.get("fingerprint") == fingerprint(path)


def changed_files(source: Path, marker: Mapping[str, Any]) -> list[str]:
    """Return the requirements files in a source that are not what a virtualenv was made from.

    Args:
        source: the directory of the source.
        marker: from `read_marker`.
    """

    def is_same(file: str, text: str) -> bool:
        try:
            return (source / file).read_text(encoding="utf-8-sig") == text
        except (OSError, ValueError):
            return False

    return [file for file, text in marker.get("requirements", {}).items() if not is_same(file, text)]


def _records(distribution: Distribution, site: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files of a distribution, and their hashes as its record has them; empty where it has none.

    Source of the format: the specification "Recording installed projects". `distribution.files` would do, but leaves
    out files that are gone.
    """
    for row in filter(None, csv.reader((distribution.read_text("RECORD") or "").splitlines())):
        yield Path(os.path.normpath(site / row[0])), row[1] if len(row) > 1 else ""


def _is_changed(file: Path, digest: str) -> bool:
    mode, _, expected = digest.partition("=")
    if file.suffix == ".pyc" or mode not in ("", *DIGESTS):
        return False
    try:
        content = file.read_bytes()
    except OSError:
        return True
    if not mode:
        return False
    found = DIGESTS[mode](content)
    return expected.rstrip("=") not in (
        base64.urlsafe_b64encode(found.digest()).rstrip(b"=").decode(),
        # As uv_build wrote it before 0.8.13, into packages that are in use: https://github.com/astral-sh/uv/issues/15398
        found.hexdigest(),
    )


def _installed(site: Path) -> list[tuple[str, str, Distribution, Message]]:
    """Return name, version, distribution and metadata of what is installed, by name."""
    found = []
    for directory in (*site.glob("*.dist-info"), *site.glob("*.egg-info")):
        distribution = Distribution.at(directory)
        # Where METADATA is gone, this is all that tells what is damaged.
        name, version = (*directory.stem.split("-"), "")[:2]
        metadata = HeaderParser().parsestr(
            distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
        )
        found.append((metadata["Name"] or name, metadata["Version"] or version, distribution, metadata))
    return sorted(found, key=lambda each: re.sub(r"[-_.]+", "-", each[0]).lower())


def listing(path: Path) -> list[str]:
    """Return the packages of a virtualenv as `name==version`, without a look at their files."""
    return [f"{name}=={version}" for name, version, *_ in _installed(site_packages(path))]


def read_packages(path: Path, *, files: bool = True) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the packages of a virtualenv, and files in it that belong to none of them.

    Each has `name`, `version`, `requires`, `url` (empty if an index had it) and `changed`, the files that are not what
    was installed.

    Args:
        path: of the virtualenv.
        files: look at every file; else none is found changed or without a package.
    """
    packages: list[dict[str, Any]] = []
    site = site_packages(path)
    installed = _installed(site)
    records = [list(_records(distribution, site)) if files else [] for _, _, distribution, _ in installed]
    # Of several packages that have the same file, it is that of the one which was installed last.
    digests: dict[Path, list[str]] = {}
    for file, digest in chain.from_iterable(records):
        digests.setdefault(file, []).append(digest)
    for (name, version, distribution, metadata), recorded in zip(installed, records):
        direct = json.loads(distribution.read_text("direct_url.json") or "{}")
        packages.append(
            {
                "name": name,
                "version": version,
                "requires": metadata.get_all("Requires-Dist") or [],
                "url": direct.get("url", ""),
                "changed": sorted(
                    os.path.relpath(file, path)
                    for file, _ in recorded
                    if all(_is_changed(file, digest) for digest in digests[file])
                ),
            }
        )
    strays = _files(site) if files else ()
    return packages, sorted(str(file.relative_to(path)) for file in strays if file not in digests)


def _files(directory: Path) -> Iterator[Path]:
    """Yield the files below a directory but those that Python compiles."""
    for parent, directories, files in os.walk(directory):
        directories[:] = [name for name in directories if name != "__pycache__"]
        links = [name for name in directories if Path(parent, name).is_symlink()]
        yield from (Path(parent, name) for name in files + links)


def look(release: Release, path: Path, *, files: bool = True) -> dict[str, Any]:
    """Return what a release's virtualenv is, for the controller to compare. Only its interpreter is run, as the app.

    Args:
        release: whose.
        path: of the virtualenv.
        files: look at every file; one that is used again had that before.

    Raises:
        Problem: it is not complete.
    """
    marker = read_marker(path)
    if not marker:
        raise Problem(f"The virtualenv of release {release.id} is gone or half-made: {path}. Deploy again.")
    packages, strays = read_packages(path, files=files)
    interpreter = path / "bin" / "python"
    return {
        "release": release.id,
        "marker": marker,
        "changed_files": changed_files(release.source, marker),
        "environment": identify(interpreter, user=release.app),
        "target": os.path.realpath(interpreter),
        "packages": packages,
        "strays": strays,
    }
