"""Make a virtualenv that holds what a requirements file says."""

from __future__ import annotations

import configparser
import os
import shutil
from hashlib import sha256
from pathlib import Path

from ansible_collections.initech.django.plugins.module_utils.commands import CA_BUNDLE, run_or_fail

MARKER = ".complete"
PIP_CONFIGURATION = Path("/etc/pip.conf")


def virtualenv_name(python: str, version: str, requirements_sha256: str) -> str:
    """Return the name of the virtualenv for an interpreter and the content of its requirements files."""
    return sha256(f"{python}\0{version}\0{requirements_sha256}".encode()).hexdigest()[:16]


class _PipConfiguration(configparser.RawConfigParser):
    """Knows an option by the names that pip knows it by: index_url is index-url."""

    def optionxform(self, optionstr: str) -> str:
        return optionstr.lower().replace("_", "-")


def uv_index(pip_configuration: str) -> dict[str, str]:
    """Return uv's environment for the indexes that pip's configuration names: uv does not read it."""
    parser = _PipConfiguration()
    try:
        parser.read_string(pip_configuration)
    except configparser.Error:
        return {}
    names = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "find-links": "UV_FIND_LINKS"}
    return {
        variable: ("," if option == "find-links" else " ").join(parser.get("global", option).split())
        for option, variable in names.items()
        if parser.has_option("global", option)
    }


def create(path: Path, python: str, requirements: Path, uv: str | None) -> None:
    """Make a virtualenv at a path where nothing complete is yet.

    Args:
        path: its directory; what an interrupted run left there is removed.
        python: the interpreter.
        requirements: the requirements file.
        uv: the path of uv, where it is to be used; else pip.

    Raises:
        Problem: it could not be made; the message shows what the installer printed.
    """
    if path.exists():
        shutil.rmtree(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "PIP_CERT": CA_BUNDLE, "SSL_CERT_FILE": CA_BUNDLE}
    failure = f"The packages of {requirements.name} cannot be installed"
    interpreter = path / "bin" / "python"
    install: list[str | Path]
    if uv:
        configuration = PIP_CONFIGURATION.read_text(encoding="utf-8") if PIP_CONFIGURATION.exists() else ""
        environment.update(uv_index(configuration))
        environment["UV_PYTHON_DOWNLOADS"] = "never"
        run_or_fail([uv, "venv", "--quiet", "--python", python, path], failure, environment=environment)
        install = [uv, "pip", "install", "--quiet", "--python", interpreter, "--requirement", requirements]
        run_or_fail([*install, "--compile-bytecode"], failure, environment=environment, timeout=3600)
    else:
        run_or_fail([python, "-m", "venv", path], failure, environment=environment)
        install = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run_or_fail([*install, "--requirement", requirements], failure, environment=environment, timeout=3600)
    # uv leaves a file that everybody may write.
    (path / ".lock").unlink(missing_ok=True)
    (path / MARKER).touch()
