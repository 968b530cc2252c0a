"""A clone of this checkout whose demo is measured: its commits are the versions that are deployed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import ROOT

sys.path.insert(0, str(ROOT / "tests" / "hosts"))

from demo import HOST, Demo, Result, free_port

__all__ = ["CLONE", "HOST", "Demo", "cloned", "free_port", "host_names", "new_commit", "playbook", "throwaway"]

CLONE = ROOT / "build" / "bench"
PAGE = "examples/slow_sql/pages/templates/pages/home.html"
CONTROL_PATH = Path.home() / ".ansible" / "cp" / "%C"
"""Where Ansible keeps its connections: `control_path` of ansible.cfg."""


def throwaway(*arguments: str) -> None:
    """Boot or remove throwaway hosts of the clone."""
    subprocess.run([sys.executable, "molecule/throwaway.py", *arguments], cwd=CLONE, check=True)


def host_names(number: int) -> list[str]:
    """Return the names of so many hosts; the first is that of the demo."""
    return [HOST, *(f"bench-{each}" for each in range(2, number + 1))]


def remove() -> None:
    """Remove the clone, its hosts and its secrets. What is not there is no error."""
    if CLONE.exists():
        throwaway("down", *host_names(8))
        shutil.rmtree(CLONE)


@contextmanager
def cloned() -> Iterator[Demo]:
    """Do what `make demo` does in a new clone, so that every cache is warm; remove all at the end."""
    remove()
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(CLONE)], check=True)
    demo = Demo(CLONE, free_port(), Result(0, ""))
    try:
        made = demo.run(sys.executable, "molecule/demo.py", DEMO_PORT=str(demo.port))
        if made.code != 0:
            raise RuntimeError(made.output)
        yield demo
    finally:
        remove()


def playbook(demo: Demo, name: str, limit: str = "demo", **environment: str) -> str:
    """Run a playbook as its user types it, with no connection left over from the one before, and return its output.

    Raises:
        RuntimeError: it failed.
    """
    for file in (CLONE / ".throwaway" / "hosts").glob("*.conf"):
        end = ["ssh", "-F", ".throwaway/ssh_config", "-o", f"ControlPath={CONTROL_PATH}", "-O", "exit", file.stem]
        demo.run(*end)
    result = demo.run("ansible-playbook", f"{name}.yml", "-l", limit, **environment)
    if result.code != 0:
        raise RuntimeError(result.output)
    return result.output


def new_commit(demo: Demo) -> None:
    """Commit a change of code alone."""
    page = demo.path / PAGE
    page.write_text(f"{page.read_text(encoding='utf-8')}<!-- -->\n", encoding="utf-8")
    demo.commit("Change a page")
