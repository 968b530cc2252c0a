"""A fresh clone of this checkout, and the demo that was made from it, for the tests that need a real host."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
HOST = "demo-host"


@dataclass(frozen=True)
class Result:
    """What a playbook printed, and how it ended."""

    code: int
    output: str

    @property
    def changed(self) -> int:
        """How many tasks changed something, on all hosts."""
        return sum(int(number) for number in re.findall(r" changed=([0-9]+) ", self.output))

    @property
    def text(self) -> str:
        """What was printed, with every run of blanks and line ends made one blank: messages are wrapped."""
        return " ".join(self.output.split())


@dataclass(frozen=True)
class Demo:
    """A clone of this checkout and its demo."""

    path: Path
    port: int
    made: Result

    def run(self, *command: str, **environment: str) -> Result:
        """Run a command in the clone, without whatever virtualenv these tests run in."""
        path = f"{self.path}/.venv/bin:{os.environ['PATH']}"
        result = subprocess.run(
            command,
            cwd=self.path,
            env={**os.environ, "PATH": path, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        return Result(result.returncode, result.stdout)

    def playbook(self, name: str, *arguments: str, limit: str = "demo") -> Result:
        """Run one of the clone's playbooks."""
        return self.run("ansible-playbook", f"{name}.yml", "-l", limit, *arguments)

    def host(self, command: str) -> str:
        """Run a shell command on the host as root, and return what it printed."""
        result = self.run(sys.executable, "molecule/throwaway.py", "run", HOST, "--", "sh", "-c", command)
        assert result.code == 0, result.output
        return result.output.strip()

    def live(self) -> str:
        """Return the id of the live release."""
        return self.host("basename $(readlink /srv/slow-sql/current)")

    def state(self) -> tuple[str, ...]:
        """Return what a refused run must leave as it is: releases, what is live, its process, provisioned files."""
        return (
            self.host("ls /srv/slow-sql/releases /srv/slow-sql/virtualenvs"),
            self.live(),
            self.host("systemctl list-units --plain --no-legend 'slow-sql@*'"),
            self.host("systemctl show --property MainPID 'slow-sql@*'"),
            self.host("cat /etc/slow-sql/* /etc/systemd/system/slow-sql* /etc/nginx/conf.d/* | sha256sum"),
            self.host("dpkg --get-selections | sha256sum"),
        )

    def get(self, path: str) -> str:
        """Return what the site answers through nginx, from outside the host."""
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as response:
            return str(response.read().decode())

    def commit(self, message: str) -> None:
        """Commit everything in the clone."""
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.com")
        result = self.run("git", *identity, "commit", "--quiet", "--all", "--message", message)
        assert result.code == 0, result.output


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
