"""Keeps what Ansible packs of this collection's modules from one run to the next.

Ansible makes an archive of every module and of all that it imports, in a directory that is gone with the run; of the
time of a deploy that changes code alone it is a quarter. The archive follows from the sources, so it is kept below a
name that is the digest of them. What does not fit is packed anew, as without this.

What is kept unpacks itself on the hosts: see `unpacked`.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Iterable
from hashlib import sha256
from io import BytesIO
from pathlib import Path

COLLECTION = "ansible_collections.initech.django."
HOOK = """
import sys
import initech_unpacked
_place = initech_unpacked.provide(sys.path[0], {version!r})
if _place:
    sys.path.insert(0, _place)
    __path__ = [_place + "/ansible"]
"""
"""What the first package of an archive that is imported does more: all else comes from where it was unpacked."""

KEPT = 8
"""Of how many versions, more than anybody goes back and forth between."""


def digest(directories: Iterable[Path]) -> str:
    """Return what the Python sources below some directories are known by: where they are, and what is in them.

    Raises:
        OSError: one cannot be read.
    """
    total = sha256()
    for directory in directories:
        for file in sorted(directory.rglob("*.py")):
            content = file.read_bytes()
            total.update(f"{file}\0{len(content)}\0".encode())
            total.update(content)
    return total.hexdigest()[:32]


def unpacking(archive: bytes, version: str) -> bytes:
    """Return an archive of a module that unpacks itself on the host, before anything else is imported from it.

    Args:
        archive: as Ansible packs it.
        version: of what all archives of it have the same sources.
    """
    result = BytesIO()
    with zipfile.ZipFile(BytesIO(archive)) as old, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            content = old.read(info)
            hook = HOOK.format(version=version).encode() if info.filename == "ansible/__init__.py" else b""
            new.writestr(info, content + hook)
        # Under a name of its own, since no collection can be imported yet.
        new.writestr("initech_unpacked.py", Path(__file__).with_name("unpacked.py").read_bytes())
    return result.getvalue()


class Store:
    """The archives of all versions. Nobody else may write to their directory: what is in it runs on hosts as root."""

    def __init__(self, directory: Path, sources: Iterable[Path]) -> None:
        """Make the directory, if need be.

        Args:
            directory: of the store.
            sources: the directories of what archives are made from.

        Raises:
            OSError: it cannot be made, or a source cannot be read.
            PermissionError: somebody else could have put something into it.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = directory.stat()
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise PermissionError(f"{directory} can be written to by others")
        self._directory = directory
        self._sources = tuple(sources)
        self._version = directory / digest(self._sources)

    def lend(self, run: Path) -> None:
        """Link the archives of this version into the directory where a run looks for them.

        Raises:
            OSError: a link cannot be made, for example to another file system.
        """
        if self._version.exists():
            os.utime(self._version)
            run.mkdir(parents=True, exist_ok=True)
            for archive in archives(self._version):
                os.link(archive, run / archive.name)

    def keep(self, run: Path, change: Callable[[bytes, str], bytes] = lambda content, _: content) -> None:
        """Take what a run has packed, and forget the versions that were not used for longest.

        Args:
            run: the directory of the run.
            change: makes of a file and the version what is kept.

        Raises:
            OSError: it cannot be written.
        """
        new = [archive for archive in archives(run) if not (self._version / archive.name).exists()]
        # Packed from what, nobody knows where a source has changed meanwhile.
        if not new or digest(self._sources) != self._version.name:
            return
        self._version.mkdir(exist_ok=True)
        for archive in new:
            # Another run may be doing the same: a file is there whole, or it is not.
            draft = self._version / f"{archive.name}.{os.getpid()}"
            draft.write_bytes(change(archive.read_bytes(), self._version.name))
            draft.replace(self._version / archive.name)
        by_use = sorted(self._directory.iterdir(), key=lambda version: version.stat().st_mtime, reverse=True)
        for version in by_use[KEPT:]:
            shutil.rmtree(version, ignore_errors=True)


def archives(directory: Path) -> list[Path]:
    """Return the whole archives of this collection's modules. A file in the making has a further suffix."""
    return [file for file in directory.glob(f"{COLLECTION}*-none") if file.is_file()]
