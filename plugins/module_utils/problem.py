"""The one exception for everything that a user can mend."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""No space or no inodes are left, for anybody or for this user; or nothing may be written at all."""

ROOM = 1024 * 1024
"""How many bytes have to be free before what cannot be stopped half way is begun."""


class Problem(Exception):
    """What is wrong, where, and what to type, in words for the person at the terminal. Never holds a secret."""


@contextmanager
def room(place: Path) -> Iterator[None]:
    """Say in words that a file system takes nothing more.

    Args:
        place: a directory on it.

    Raises:
        Problem: it does not.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise Problem(
            f"Nothing more can be written below {place}: {error.strerror}. What is live goes on. Look there with "
            "df -h and df -hi, make room, and type the same again"
        ) from None


def require_room(place: Path) -> None:
    """Require that a file system takes a little more, before something is begun that has to be written down.

    Args:
        place: a directory on it.

    Raises:
        OSError: it does not, as one that wrote would have met it.
    """
    found = os.statvfs(place)
    # Some file systems have no fixed number of inodes, and say 0 of all.
    if found.f_bavail * found.f_frsize < ROOM or (found.f_files and not found.f_favail):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
