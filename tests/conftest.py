"""What all tests share: the collection by its full name, and git repositories made in a moment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from ansible.plugins.loader import init_plugin_loader
from hypothesis import settings

# As Ansible itself finds it, so that templates have its filters too.
init_plugin_loader([str(Path(__file__).resolve().parents[1] / ".collections")])

# How long an example takes says something about the machine, and nothing about the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture
def git(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that runs git in a directory, whatever git's configuration on this machine is."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A Tester")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "tester@example.com")

    def run(directory: Path, *arguments: str) -> str:
        command = ["git", "-C", str(directory), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    return run


@pytest.fixture
def commit(git: Callable[..., str]) -> Callable[[Path, Mapping[str, str]], str]:
    """Return a function that commits files to a repository, which it makes if need be, and returns the commit."""

    def make(directory: Path, files: Mapping[str, str]) -> str:
        if not (directory / ".git").exists():
            directory.mkdir(parents=True, exist_ok=True)
            git(directory, "init", "--quiet", "--initial-branch=main")
        for name, content in files.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        git(directory, "add", "--all")
        git(directory, "commit", "--quiet", "--allow-empty", "--message=A change")
        return git(directory, "rev-parse", "HEAD")

    return make
