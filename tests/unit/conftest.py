"""What tests of installing share: wheels made in a moment, and an installer that asks nobody but the test."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import pytest
from ansible_collections.initech.django.plugins.module_utils import indexes


@pytest.fixture(scope="session")
def wheel() -> Callable[..., str]:
    """Return a function that makes a wheel of one module in a directory, and returns the line that pins it."""

    def make(
        directory: Path,
        name: str,
        version: str = "1.0",
        requires: Sequence[str] = (),
        files: Mapping[str, str] | None = None,
    ) -> str:
        information = f"{name}-{version}.dist-info"
        description = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        description += [f"Requires-Dist: {each}" for each in requires]
        contents = {
            f"{name}.py": f"version = {version!r}\n",
            f"{information}/METADATA": "\n".join([*description, ""]),
            f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            **(files or {}),
        }
        lines = [f"{path},sha256={_digest(text)},{len(text.encode())}\n" for path, text in contents.items()]
        record = f"{information}/RECORD"
        directory.mkdir(parents=True, exist_ok=True)
        made = directory / f"{name}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(made, "w") as archive:
            for path, text in {**contents, record: "".join([*lines, f"{record},,\n"])}.items():
                archive.writestr(path, text)
        return f"{name}=={version} --hash=sha256:{sha256(made.read_bytes()).hexdigest()}"

    return make


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture(scope="session")
def pip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of a virtualenv with pip: the one that is here, since unpacking its own takes seconds."""
    path = tmp_path_factory.mktemp("pip") / "virtualenv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", path], check=True)
    source = metadata.distribution("pip").locate_file("")
    for directory in Path(str(source)).glob("pip*"):
        shutil.copytree(directory, next(path.glob("lib/python3*/site-packages")) / directory.name)
    return path / "bin" / "python"


@pytest.fixture(scope="session")
def python(pip: Path) -> str:
    """Return an interpreter whose `-m venv` makes copies of a virtualenv with pip."""
    path, made = pip.parents[2] / "python", pip.parents[1]
    path.write_text(
        f'#!/bin/sh -e\nif [ "$1 $2" = "-m venv" ]; then exec cp -a "{made}" "$3"; fi\nexec "{sys.executable}" "$@"\n'
    )
    path.chmod(0o755)
    return str(path)


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep what this machine is configured to from pip and uv, and return where they keep what they remember."""
    directory = tmp_path_factory.mktemp("offline")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("PIP_", "UV_")) or name.lower().endswith("_proxy"):
                patch.delenv(name)
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("HOME", str(directory))
        patch.setenv("XDG_CACHE_HOME", str(directory / "cache"))
        patch.setattr(indexes, "PIP_CONFIGURATION", directory / "pip.conf")
        yield directory
