"""The repositories that restic keeps on a host: of what visitors uploaded, and of MariaDB."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.initech.django.plugins.module_utils import backups, servers
from ansible_collections.initech.django.plugins.module_utils.commands import DAY, run, tail
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

BLOCK = 4096
"""In how many bytes at a time a file system gives space to a file, most of them."""


@dataclass(frozen=True)
class Repository:
    """One of them.

    Attributes:
        program: the command that is restic for it, with where it is and its passphrase.
        content: what it holds, for messages.
    """

    program: Path
    content: str

    def attempt(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run restic on it, and return how that went.

        Raises:
            Problem: it is not set up.
        """
        if not self.program.exists():
            raise Problem(f"Not backed up on this host: {self.content}; {self.program} is not there. Provision again.")
        return run([self.program, *arguments], timeout=DAY)

    def run(self, *arguments: str | Path, failure: str = "") -> str:
        """Run restic on it, and return what it printed.

        Raises:
            Problem: it failed.
        """
        result = self.attempt(*arguments)
        if result.returncode != 0:
            failure = failure or f"The repository of {self.content} cannot be read"
            raise Problem(f"{failure} (exit code {result.returncode}):\n{tail(result.stdout + result.stderr)}")
        return result.stdout

    def snapshots(self, arguments: Sequence[str] = ()) -> str:
        """Return the list of all snapshots, as JSON.

        Raises:
            Problem: the repository cannot be read.
        """
        return self.run("--json", "--no-lock", "snapshots", *arguments)

    def size(self, snapshot: str) -> int:
        """Return how many bytes a snapshot takes when it is restored.

        Raises:
            Problem: the repository cannot be read.
        """
        found = json.loads(self.run("--json", "--no-lock", "stats", "--mode", "restore-size", snapshot))
        return int(found["total_size"] + BLOCK * found["total_file_count"])

    def check(self) -> None:
        """Read everything that it holds.

        Raises:
            Problem: something is damaged.
        """
        self.run("--no-lock", "check", "--read-data", failure=f"The repository of {self.content} is damaged")

    def full(self) -> str:
        """Return a line that says so if it is a directory that has no space left; else nothing."""
        match = re.search(r"^export RESTIC_REPOSITORY=(.+)$", self.program.read_text(encoding="utf-8"), re.MULTILINE)
        return servers.full(Path(*shlex.split(match[1]))) if match else ""


def uploads(app: str) -> Repository:
    """Return the repository of what was uploaded to an app."""
    return Repository(Path("/etc", app, "backup", "restic"), f"what was uploaded to {app}")


def restore_uploads(app: str, snapshot: Mapping[str, Any], target: Path) -> Path:
    """Restore what was uploaded to an app below a directory, and return where it is then.

    Args:
        app: its name.
        snapshot: which, as restic lists it.
        target: the directory.

    Raises:
        Problem: there is no space, restic failed, or had not stored what was uploaded.
    """
    servers.require_space(target.parent, uploads(app).size(snapshot["id"]))
    failure = f"What was uploaded to {app} cannot be restored"
    uploads(app).run("restore", snapshot["id"], "--target", target, "--verify", failure=failure)
    # Those that a link leads to are stored by the place where they are.
    path = snapshot["paths"][0]
    place = target / Path(path).relative_to("/")
    if place.is_symlink():
        moment = backups.utc(backups.seconds_of(snapshot["time"]))
        raise Problem(
            f"{failure}: the backup of {moment} has the link {path} alone, and no upload. Provision again, and then "
            f"type: {backups.TAKE}"
        )
    return place
