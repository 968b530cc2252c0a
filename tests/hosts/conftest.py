"""A fresh clone of this checkout, and the demo that was made from it, for the tests that need a real host.

Two workers share the machine's two cores, each with a clone of its own. A test that measures time is marked `alone`.
"""

from __future__ import annotations

import fcntl
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from demo import Demo, cloned

CHECKOUT = Path(__file__).resolve().parents[2]
BUILD = CHECKOUT / "build"


@pytest.fixture(scope="session")
def demo(worker_id: str) -> Iterator[Demo]:
    """Do what a newcomer does. One worker makes a virtualenv for it; the others spare themselves that."""
    venv = None if worker_id in ("master", "gw0") else CHECKOUT / ".venv"
    with cloned(CHECKOUT, BUILD / f"clone-{worker_id}", venv) as made:
        yield made


@contextmanager
def turn(*, alone: bool) -> Iterator[None]:
    """Wait until this test may run: beside one of another worker, or beside none."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "turnstile").open("w") as turnstile, (BUILD / "machine").open("w") as machine:
        # One by one, so that nobody overtakes who waits to be alone. What is closed is free, also where it was killed.
        with turnstile:
            fcntl.flock(turnstile, fcntl.LOCK_EX)
            fcntl.flock(machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test, with the set-up that it needs, when it is its turn."""
    with turn(alone=item.get_closest_marker("alone") is not None):
        return (yield)
