"""On a host: keep what Ansible sends along with each module, so that Python compiles it once and not every time.

Ansible sends an archive of sources, from which Python imports and which it can keep nothing compiled for: of the half
second of CPU that a module takes it is a third. The callback `payloads` puts this file into the archives that it keeps.

Nobody but root may write where they are unpacked, since all of it runs as root.
"""

from __future__ import annotations

import os
import shutil
import time
import zipfile

HOME = "/var/cache/initech-django/modules"
PACKAGES = ("ansible/", "ansible_collections/")
OLD_SECONDS = 30 * 86400


def forget_old(home: str, version: str) -> None:
    """Remove the versions that nobody has used for a month, but for one."""
    for name in os.listdir(home):
        place = os.path.join(home, name)
        if name != version and time.time() - os.stat(place).st_mtime > OLD_SECONDS:
            shutil.rmtree(place, ignore_errors=True)


def unpack(archive: str, place: str) -> None:
    """Write the sources of an archive that are not there yet; a file is there whole, or not at all.

    Raises:
        OSError: a file cannot be written.
    """
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            file = os.path.join(place, info.filename)
            # Of another size is one that a crash of the host left empty.
            if info.filename.startswith(PACKAGES) and not (
                os.path.exists(file) and os.path.getsize(file) == info.file_size
            ):
                os.makedirs(os.path.dirname(file), mode=0o700, exist_ok=True)
                draft = f"{file}.{os.getpid()}"
                with open(draft, "wb") as writer:
                    writer.write(packed.read(info))
                os.replace(draft, file)


def provide(archive: str, version: str, home: str = HOME) -> str:
    """Return the directory in which the sources of an archive are, or nothing where there can be none.

    Args:
        archive: its path.
        version: of what all archives of it have the same sources.
        home: of all versions.
    """
    place = os.path.join(home, version)
    try:
        os.makedirs(home, mode=0o700, exist_ok=True)
        status = os.stat(home)
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            return ""
        if not os.path.isdir(place):
            os.mkdir(place, 0o700)
            forget_old(home, version)
        unpack(archive, place)
        # It is in use: whoever brings another version leaves it alone.
        os.utime(place)
    except OSError:
        # Another user's, a full disk: Python imports from the archive, which takes longer and is all the same.
        return ""
    return place
