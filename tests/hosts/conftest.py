"""A fresh clone of this checkout, and the demo that was made from it, for the tests that need a real host."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo import Demo, Result

CHECKOUT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    """Do what a newcomer does: clone, make demo. At a path that the next run finds, should this one be killed."""
    path = CHECKOUT / "build" / "clone"
    if path.exists():
        subprocess.run(["make", "demo-down"], cwd=path, check=True)
        shutil.rmtree(path)
    path.parent.mkdir(exist_ok=True)
    subprocess.run(["git", "clone", "--quiet", str(CHECKOUT), str(path)], check=True)
    port = free_port()
    made = Demo(path, port, Result(0, "")).run("make", "demo", DEMO_PORT=str(port))
    assert made.code == 0, made.output
    yield Demo(path, port, made)
    subprocess.run(["make", "demo-down"], cwd=path, check=True)
    shutil.rmtree(path)
