"""A clone of this checkout with its demo, as the tests see it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, partial
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from urllib.error import HTTPError

from load import SafeConnection

HOST = "demo-host"
AUTHORITY = "/etc/ssl/initech/authority.crt"
"""Of a host, which certifies its own sites."""


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


class Running(subprocess.Popen[str]):
    """A playbook that was begun; used in a with statement, which nothing of it outlives should the test fail."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for its end."""
        if error is not None and self.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        super().__exit__(kind, error, trace)

    def interrupt(self) -> str:
        """Type Ctrl-C, and once more where the first changed nothing; return what it printed last.

        A worker of ansible-core 2.19 may die of the first with the lock of the results' queue in its hands. The run
        then waits for that lock for ever, and the second Ctrl-C ends it.

        Raises:
            subprocess.TimeoutExpired: it outlived both.
        """
        for _ in range(2):
            os.killpg(self.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                return self.communicate(timeout=60)[0]
        raise subprocess.TimeoutExpired(self.args, 120)


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

    def checked(self, *command: str) -> str:
        """Run a command in the clone that is to succeed, and return what it printed."""
        result = self.run(*command)
        if result.code != 0:
            raise RuntimeError(result.output)
        return result.output

    def playbook(self, name: str, *arguments: str, limit: str = "demo") -> Result:
        """Run one of the clone's playbooks."""
        return self.run("ansible-playbook", f"{name}.yml", "-l", limit, *arguments)

    def host(self, command: str, name: str = HOST) -> str:
        """Run a shell command on the host, or on another one, as root, and return what it printed."""
        return self.checked(sys.executable, "molecule/throwaway.py", "run", name, "--", "sh", "-c", command).strip()

    def unpack(self, archive: bytes, directory: str) -> None:
        """Unpack an archive, tar and gzip, in a directory of the host, which is made."""
        command = ["sh", "-c", f"mkdir -p {directory} && tar -xz -C {directory}"]
        run = [sys.executable, "molecule/throwaway.py", "run", HOST, "--", *command]
        subprocess.run(run, cwd=self.path, input=archive, check=True)

    def background(self, command: str) -> subprocess.Popen[str]:
        """Begin to run a shell command on the host as root."""
        run = [sys.executable, "molecule/throwaway.py", "run", HOST, "--", "sh", "-c", command]
        return subprocess.Popen(run, cwd=self.path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    @contextmanager
    def running(self, name: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run one of the clone's playbooks meanwhile; what has not ended then is killed."""
        process = subprocess.Popen(
            ["ansible-playbook", f"{name}.yml", *arguments],
            cwd=self.path,
            env={**os.environ, "PATH": f"{self.path}/.venv/bin:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def begin(self, name: str, *arguments: str) -> Running:
        """Begin to run one of the clone's playbooks, as a group of processes that can be killed, and print at once."""
        return Running(
            [self.path / ".venv/bin/ansible-playbook", f"{name}.yml", "-l", "demo", *arguments],
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    def live(self) -> str:
        """Return the id of the live release."""
        return self.host("basename $(readlink /srv/slow-sql/current)")

    def state(self) -> str:
        """Return what a refused run must leave as it is: releases, what is live, its process, provisioned files."""
        return self.host(
            "ls /srv/slow-sql/releases /srv/slow-sql/virtualenvs && readlink /srv/slow-sql/current && "
            "systemctl show --property Id,ActiveState,MainPID 'slow-sql@*' && dpkg --get-selections | sha256sum && "
            "cat /etc/slow-sql/* /etc/systemd/system/slow-sql* /etc/nginx/conf.d/* | sha256sum"
        )

    @cached_property
    def trusting(self) -> ssl.SSLContext:
        """A client that trusts the host's own authority alone."""
        return ssl.create_default_context(cafile=self.path / ".demo/authority.crt")

    def connect(self, name: str = "127.0.0.1") -> SafeConnection:
        """Return a connection to a site of the host through nginx, from outside the host, by HTTPS."""
        return SafeConnection(("127.0.0.1", self.port), name, self.trusting)

    def get(self, path: str, name: str = "127.0.0.1") -> str:
        """Return what a site of the host answers.

        Raises:
            HTTPError: with another status than 200.
        """
        with closing(self.connect(name)) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            if response.status != HTTPStatus.OK:
                raise HTTPError(path, response.status, response.reason, response.headers, None)
            return response.read().decode()

    def commit(self, message: str) -> None:
        """Commit everything in the clone."""
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.com")
        self.checked("git", *identity, "commit", "--quiet", "--all", "--message", message)


def visitor(demo: Demo, name: str, port: int) -> Callable[[], SafeConnection]:
    """Return what connects to a host's site, and trusts that host's authority."""
    trusting = ssl.create_default_context(cadata=demo.host(f"cat {AUTHORITY}", name))
    return partial(SafeConnection, ("127.0.0.1", port), "127.0.0.1", trusting)


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def cloned(checkout: Path, path: Path, venv: Path | None = None) -> Iterator[Demo]:
    """Do what a newcomer does: clone, make demo. At a path that the next run finds, should this one be killed.

    Args:
        checkout: what to clone.
        path: where to.
        venv: the virtualenv of a checkout, to use it and make none.

    Raises:
        RuntimeError: it failed.
    """
    if path.exists():
        subprocess.run(["make", "demo-down"], cwd=path, check=True)
        shutil.rmtree(path)
    path.parent.mkdir(exist_ok=True)
    subprocess.run(["git", "clone", "--quiet", str(checkout), str(path)], check=True)
    if venv:
        (path / ".venv").symlink_to(venv)
        # For make it is newer than what it is made from.
        (venv / "ready").touch()
    port = free_port()
    made = Demo(path, port, Result(0, "")).run("make", "demo", DEMO_PORT=str(port))
    if made.code != 0:
        raise RuntimeError(made.output)
    yield Demo(path, port, made)
    subprocess.run(["make", "demo-down"], cwd=path, check=True)
    shutil.rmtree(path)
