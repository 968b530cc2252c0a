"""Run other programs."""

from __future__ import annotations

import os
import pwd
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from ansible_collections.initech.django.plugins.module_utils.problem import Problem

CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
"""What Debian's ca-certificates makes; pip and uv else trust only what they bring along."""
DAY = 86400
"""What takes as long as it takes is not given up before, in seconds: it has its own deadline, or none."""


def tail(text: str, lines: int = 30) -> str:
    """Return the last lines of what a program printed."""
    return "\n".join(text.strip().splitlines()[-lines:])


def run(
    command: Sequence[str | Path],
    *,
    user: str | None = None,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float = 600,
    keep: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program and return what it printed; its exit code is the caller's to judge.

    Args:
        command: the program and its arguments, which any user of the host can read: never a secret.
        user: whose rights it gets; default: ours.
        cwd: where it runs.
        environment: its whole environment, but for PATH and the locale; default: ours.
        timeout: seconds after which it is killed.
        keep: a descriptor that it inherits.

    Raises:
        Problem: it is not there, cannot be run, or did not end in time.
    """
    environ = dict(os.environ if environment is None else {"PATH": os.defpath, **environment})
    environ.setdefault("LANG", "C.UTF-8")
    entry = None if user is None else pwd.getpwnam(user)
    try:
        return subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd=cwd,
            env=environ,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            user=None if entry is None else entry.pw_uid,
            group=None if entry is None else entry.pw_gid,
            extra_groups=None if entry is None else [],
            # A hardened host's own may keep the app from reading what root makes for it.
            umask=0o022,
            pass_fds=() if keep is None else (keep,),
        )
    except FileNotFoundError as error:
        raise Problem(f"{error.filename} is not there.") from None
    except OSError as error:
        raise Problem(f"{error.filename} cannot be run: {error.strerror}.") from None
    except subprocess.TimeoutExpired:
        raise Problem(f"Not finished after {timeout:.0f} s: {shlex.join(str(part) for part in command)}") from None


def run_or_fail(
    command: Sequence[str | Path],
    failure: str,
    *,
    user: str | None = None,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float = 600,
    keep: int | None = None,
) -> str:
    """Run a program and return its standard output.

    Args:
        failure: what a failure means, for the message, which then shows what the program printed.

    Raises:
        Problem: as `run`, and when the exit code is not 0.
    """
    result = run(command, user=user, cwd=cwd, environment=environment, timeout=timeout, keep=keep)
    if result.returncode != 0:
        raise Problem(f"{failure} (exit code {result.returncode}):\n{tail(result.stdout + result.stderr)}")
    return result.stdout


def pipe(
    source: Sequence[str | Path],
    target: Sequence[str | Path],
    failure: str,
    *,
    keep: int,
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Have a program read what another one prints.

    Args:
        source: what prints, with our rights.
        target: what reads.
        failure: what a failure of either means, for the message, which then shows what that program said.
        keep: a descriptor that both inherit.
        user: whose rights the reader gets; default: ours.
        environment: what is added to that of both.

    Raises:
        Problem: one of them is not there, or its exit code is not 0.
    """
    entry = None if user is None else pwd.getpwnam(user)
    environ = {**os.environ, "LANG": "C.UTF-8", **(environment or {})}
    with ExitStack() as stack:
        errors = [stack.enter_context(tempfile.TemporaryFile()) for _ in (source, target)]
        try:
            first = subprocess.Popen(
                [str(part) for part in source],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors[0],
                env=environ,
                pass_fds=(keep,),
            )
            second = subprocess.Popen(
                [str(part) for part in target],
                stdin=first.stdout,
                stdout=subprocess.DEVNULL,
                stderr=errors[1],
                env=environ,
                pass_fds=(keep,),
                cwd="/",
                user=None if entry is None else entry.pw_uid,
                group=None if entry is None else entry.pw_gid,
                extra_groups=None if entry is None else [],
            )
        except FileNotFoundError as error:
            raise Problem(f"{error.filename} is not there.") from None
        # Whoever reads ends first where the other one has still something to print: that one is then told.
        if first.stdout:
            first.stdout.close()
        codes = [second.wait(), first.wait()][::-1]
        # A reader that gives up may say that all is well, and then only who printed knows.
        if any(codes):
            said = []
            for file in errors:
                file.seek(0)
                said.append(tail(file.read().decode(errors="replace")))
            words = "\n".join(filter(None, said))
            raise Problem(f"{failure} (exit codes {codes[0]} and {codes[1]}):\n{words}")
