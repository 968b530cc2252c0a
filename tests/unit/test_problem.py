"""A full file system is told in words; what is not for the user to mend stays what it is."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.initech.django.plugins.module_utils.problem import ROOM, Problem, require_room, room

PLACE = Path("/srv/shop")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_file_system_that_takes_nothing_more_is_named(number: int) -> None:
    with pytest.raises(Problem) as problem, room(PLACE):
        raise OSError(number, "No space left on device")
    assert str(problem.value) == (
        "Nothing more can be written below /srv/shop: No space left on device. What is live goes on. Look there with "
        "df -h and df -hi, make room, and type the same again"
    )


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "no such file"), Problem("another")])
def test_anything_else_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as found, room(PLACE):
        raise error
    assert found.value is error


@pytest.mark.parametrize(
    ("blocks", "files", "files_left", "is_room"),
    [(ROOM // 4096, 9, 1, True), (ROOM // 4096 - 1, 9, 1, False), (ROOM, 9, 0, False), (ROOM, 0, 0, True)],
)
def test_too_little_room_is_met_before_anything_is_written(
    blocks: int, files: int, files_left: int, is_room: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = SimpleNamespace(f_bavail=blocks, f_frsize=4096, f_files=files, f_favail=files_left)
    monkeypatch.setattr(os, "statvfs", lambda place: found)
    if is_room:
        require_room(PLACE)
        return
    with pytest.raises(OSError, match="No space left on device") as error:
        require_room(PLACE)
    assert error.value.errno == errno.ENOSPC
