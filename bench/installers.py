#!/usr/bin/env python3
"""How much faster uv makes a virtualenv of the example's requirements than pip does, both with warm caches.

Both are measured side by side in one run, by the code that a deploy runs and with the distribution's own Python, as on
a host; what counts is their ratio. `make bench` has them write to memory, so that it is not the disk that is measured:
both byte-compile all packages, and that is most of what uv has to do.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.initech.django.plugins.module_utils.installer import Source, create

REQUIREMENTS = ROOT / "examples/slow_sql/requirements.txt"
PYTHON = "/usr/bin/python3"
ROUNDS = 5


def measure(directory: Path, source: Source) -> float:
    """Make a virtualenv, and return how many seconds that took."""
    # Removed at the end, all together: what is being removed would slow down what is being made.
    virtualenv = Path(tempfile.mkdtemp(dir=directory), "virtualenv")
    os.sync()
    started = time.monotonic()
    create(virtualenv, PYTHON, REQUIREMENTS, source, pins=[])
    return time.monotonic() - started


def main() -> int:
    """Measure and print."""
    uv = shutil.which("uv")
    if uv is None:
        print("uv is not here. Type: make bench", file=sys.stderr)
        return 1
    sources = {"uv": Source(uv), "pip": Source()}
    seconds: dict[str, list[float]] = {name: [] for name in sources}
    with tempfile.TemporaryDirectory() as directory:
        for number in range(ROUNDS + 1):
            for name, source in sources.items():
                taken = measure(Path(directory), source)
                # The first round fills the caches.
                if number:
                    seconds[name].append(taken)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    for name, each in seconds.items():
        print(f"{name:>3}: {medians[name]:.2f} s   ({', '.join(f'{one:.2f}' for one in each)})")
    print(f"ratio, pip to uv: {medians['pip'] / medians['uv']:.1f}   ({os.cpu_count()} cores)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
