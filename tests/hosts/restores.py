"""What the tests of backups of both engines share."""

from __future__ import annotations

import time
from collections.abc import Callable

from demo import Demo

FLIP = """
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(-100, 2)
    (byte,) = file.read(1)
    file.seek(-100, 2)
    file.write(bytes([byte ^ 1]))
"""
"""Changes one bit of the file that is its argument."""

# All of a restore holds its lock: the module, and what it runs.
KILL = """
until ls -d {directory} > /dev/null 2>&1; do :; done
for process in /proc/[0-9]*; do
    if ls -l $process/fd 2>/dev/null | grep -q {lock}; then kill -KILL ${{process#/proc/}}; fi
done
"""


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: it did not come about in a minute.
    """
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(condition)


def kill_holders(demo: Demo, directory: str, lock: str) -> None:
    """Kill all that hold a lock, as soon as a directory is there, which is looked for on the host itself."""
    demo.host(KILL.format(directory=directory, lock=lock))
