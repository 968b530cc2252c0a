"""On the controller: who runs there, and a process that keeps a lease as long as the run lives.

The run is the process `ansible-playbook`. Nothing of it is left to act when it is killed, so a process of its own looks
after it, and needs nothing of it. Where that is killed too, the lease expires.
"""

from __future__ import annotations

import getpass
import multiprocessing
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

RENEW_SECONDS = 5
"""How often a lease is renewed."""

TRY_SECONDS = 20
"""How long one attempt may take: a network that was cut keeps it hanging."""

LOOK_SECONDS = 0.2
GONE = 3
"""What `renew` returns where there is no such claim any more."""


@dataclass(frozen=True)
class Owner:
    """A run, as others may see it."""

    name: str
    controller: str
    machine: str
    process: int
    started: str

    @property
    def id(self) -> str:
        """What tells this run from all others."""
        return sha256(f"{self.machine} {self.process} {self.started}".encode()).hexdigest()[:16]


def process_start(process: int, proc: Path = Path("/proc")) -> str:
    """Return what tells a process from another that has its number later; empty where it does not run any more."""
    if (proc / "self").exists():
        try:
            # The command's name is in parentheses, and may hold anything.
            fields = (
                (proc / str(process) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            )
        except (FileNotFoundError, ProcessLookupError):
            return ""
        state, started = fields[0], fields[19]
        # One that was killed stays in the list until its parent has looked.
        return "" if state in "ZX" else started
    command = ["ps", "-o", "lstart=", "-p", str(process)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def machine() -> str:
    """Return what tells this machine, as processes here see it, from all others, until it reboots."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        # In a container process numbers mean something else.
        return f"{boot} {Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return f"{socket.gethostname()} {os.getuid()}"


def owner() -> Owner:
    """Return who runs this: from a worker of Ansible's, the process whose worker it is."""
    parent = multiprocessing.parent_process()
    process = parent.pid if parent and parent.pid else os.getppid()
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return Owner(name, socket.gethostname(), machine(), process, process_start(process))


def is_running(process: int, started: str) -> bool:
    """Tell whether a process of this machine is there, that one and no later one.

    Args:
        process: its number.
        started: from `process_start`; empty where it had ended before somebody looked.
    """
    return bool(started) and process_start(process) == started


def _try(attempt: Callable[[], int]) -> int:
    """Begin an attempt as a process of its own, which may hang, and return its number."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            os.setpgid(0, 0)
            code = attempt()
        finally:
            os._exit(code)
    return process


def _ended(process: int) -> int | None:
    """Return the exit code of an attempt, or None as long as it goes on."""
    done, status = os.waitpid(process, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def _finish(process: int, deadline: float, is_needed: Callable[[], bool]) -> int:
    """Wait for an attempt, and kill it with all that it started when it is late or not needed any more."""
    while (code := _ended(process)) is None:
        if time.monotonic() > deadline or not is_needed():
            for kill in (os.killpg, os.kill):
                try:
                    kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            os.waitpid(process, 0)
            return 1
        time.sleep(LOOK_SECONDS)
    return code


def keep(is_needed: Callable[[], bool], renew: Callable[[], int], give_back: Callable[[], int]) -> None:
    """Renew a lease until the run has ended, and give it back then; or until it is gone.

    Args:
        is_needed: tells whether the run is there.
        renew: returns 0, or `GONE`, or another exit code where it should be tried again.
        give_back: returns an exit code.
    """
    while is_needed():
        if _finish(_try(renew), time.monotonic() + TRY_SECONDS, is_needed) == GONE:
            return
        pause = time.monotonic() + RENEW_SECONDS
        while time.monotonic() < pause and is_needed():
            time.sleep(LOOK_SECONDS)
    _finish(_try(give_back), time.monotonic() + TRY_SECONDS, lambda: True)


def detach(work: Callable[[], None]) -> None:
    """Do something in a process of its own, of which nobody here will hear again.

    It has no descriptors of ours: whoever reads what the run prints would else wait for it to end.
    """
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, os.sysconf("SC_OPEN_MAX"))
            for descriptor in range(3):
                os.open(os.devnull, os.O_RDWR)
                os.set_inheritable(descriptor, True)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            os.chdir("/")
            work()
    finally:
        # Neither this process nor its parent may clean up after Ansible, whose copies they are.
        os._exit(0)
