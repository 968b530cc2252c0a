"""How much faster uv makes a virtualenv of the example's requirements than pip does, both with warm caches.

Both are measured side by side in one run, by the code that a deploy runs and with the distribution's own Python, as on
a host; what counts is their ratio. They write to memory, so that it is not the disk that is measured: both byte-compile
all packages, and that is most of what uv has to do.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from measure import ROOT, Figure, timed

sys.path.insert(0, str(ROOT / ".collections"))

from ansible_collections.initech.django.plugins.module_utils.installer import Source, create

REQUIREMENTS = ROOT / "examples/slow_sql/requirements.txt"
PYTHON = "/usr/bin/python3"
ROUNDS = 5
MEMORY = os.environ.get("BENCH_MEMORY")


def measure(directory: Path, source: Source) -> float:
    """Make a virtualenv, and return how many seconds that took."""
    # Removed at the end, all together: what is being removed would slow down what is being made.
    virtualenv = Path(tempfile.mkdtemp(dir=directory), "virtualenv")
    os.sync()
    return timed(lambda: create(virtualenv, PYTHON, REQUIREMENTS, source, pins=[]))


def figures() -> list[Figure]:
    """Measure both.

    Raises:
        RuntimeError: uv is not here.
    """
    uv = shutil.which("uv")
    if uv is None:
        raise RuntimeError("uv is not here. Type: make bench")
    sources = {"pip": Source(), "uv": Source(uv)}
    seconds: dict[str, list[float]] = {name: [] for name in sources}
    with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        for number in range(ROUNDS + 1):
            for name, source in sources.items():
                taken = measure(Path(directory), source)
                # The first round fills the caches.
                if number:
                    seconds[name].append(taken)
    return [Figure("a virtualenv by pip", seconds["pip"], "by uv", seconds["uv"])]
