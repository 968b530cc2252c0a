"""The backups of what visitors uploaded, which restic takes."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.initech.django.plugins.module_utils.commands import run, tail
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DAY = 86400
"""No backup, restore or check of uploads is given up before, in seconds."""


def program(app: str) -> Path:
    """Return the command that is restic for the app's repository."""
    return Path("/etc", app, "backup", "restic")


def attempt(app: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run restic on the repository of an app's uploads, and return how that went.

    Raises:
        Problem: uploads are not backed up.
    """
    command = program(app)
    if not command.exists():
        raise Problem(f"Uploads of {app} are not backed up on this host: {command} is not there. Provision again.")
    return run([command, *arguments], timeout=DAY)


def restic(app: str, *arguments: str | Path, failure: str) -> str:
    """Run restic on the repository of an app's uploads, and return what it printed.

    Raises:
        Problem: it failed.
    """
    result = attempt(app, *arguments)
    if result.returncode != 0:
        raise Problem(f"{failure} (exit code {result.returncode}):\n{tail(result.stdout + result.stderr)}")
    return result.stdout


def snapshots(app: str, arguments: Sequence[str] = ()) -> str:
    """Return the list of all snapshots, as JSON.

    Raises:
        Problem: the repository cannot be read.
    """
    failure = f"The repository of what was uploaded to {app} cannot be read"
    return restic(app, "--json", "--no-lock", "snapshots", *arguments, failure=failure)
