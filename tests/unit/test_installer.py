"""A virtualenv is named by what it holds, and made whole or not at all."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.initech.django.plugins.module_utils import installer
from ansible_collections.initech.django.plugins.module_utils.commands import CA_BUNDLE
from ansible_collections.initech.django.plugins.module_utils.installer import MARKER, create, uv_index, virtualenv_name
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from hypothesis import given
from hypothesis import strategies as st

parts = st.tuples(*[st.text("ab01./")] * 3)


@given(first=parts, second=parts)
def test_virtualenvs_share_a_name_exactly_when_they_are_made_of_the_same(
    first: tuple[str, str, str], second: tuple[str, str, str]
) -> None:
    assert (virtualenv_name(*first) == virtualenv_name(*second)) == (first == second)


def test_the_name_of_a_virtualenv_is_good_as_a_directory_and_stays_the_same() -> None:
    assert virtualenv_name("/usr/bin/python3", "3.13.5", "0" * 64) == "2be62c4cfa7ae658"


@pytest.mark.parametrize(
    ("configuration", "environment"),
    [
        ("", {}),
        ("[global]\n", {}),
        ("[install]\nindex-url = https://a/\n", {}),
        ("[global]\nindex-url = https://a/%40/simple\n", {"UV_DEFAULT_INDEX": "https://a/%40/simple"}),
        ("[global]\nindex_url=https://a/\n", {"UV_DEFAULT_INDEX": "https://a/"}),
        ("[global]\nIndex-URL: https://a/\n", {"UV_DEFAULT_INDEX": "https://a/"}),
        ("[global]\nextra-index-url =\n    https://a/\n    https://b/\n", {"UV_INDEX": "https://a/ https://b/"}),
        ("[global]\nfind-links = /a  /b\n", {"UV_FIND_LINKS": "/a,/b"}),
        ("[global]\ntimeout = 60\ntrusted-host = a\n", {}),
        ("[global]\nindex-url = https://a/\n[install]\nno-deps = yes\n", {"UV_DEFAULT_INDEX": "https://a/"}),
        ("index-url = https://a/\n", {}),
        ("no configuration at all", {}),
    ],
)
def test_uv_uses_the_indexes_that_pip_is_configured_for(configuration: str, environment: dict[str, str]) -> None:
    assert uv_index(configuration) == environment


@pytest.fixture
def uv(tmp_path: Path) -> Callable[[str], str]:
    """Return a function that makes a uv of which `pip install` does what a line of shell says."""

    def make(line: str) -> str:
        path = tmp_path / "uv"
        script = ["#!/bin/sh -e", f"cd {tmp_path}", "for last; do :; done"]
        path.write_text("\n".join([*script, f'if [ "$1" = venv ]; then mkdir "$last"; else {line}; fi', ""]))
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the directory of a virtualenv whose making was interrupted, if not before the marker, then worse."""
    made = tmp_path / "virtualenvs" / "x"
    made.mkdir(parents=True)
    (made / "left over").touch()
    (made / MARKER).touch()
    return made


def test_a_virtualenv_that_cannot_be_filled_is_never_marked_complete(
    path: Path, tmp_path: Path, uv: Callable[[str], str]
) -> None:
    with pytest.raises(Problem) as problem:
        create(path, sys.executable, tmp_path / "requirements.txt", uv("echo No such version >&2; exit 2"))
    assert str(problem.value) == (
        "The packages of requirements.txt cannot be installed (exit code 2):\nNo such version"
    )
    assert [each.name for each in path.iterdir()] == []


def test_the_marker_is_written_last_into_a_directory_that_began_empty(
    path: Path, tmp_path: Path, uv: Callable[[str], str]
) -> None:
    create(path, sys.executable, tmp_path / "requirements.txt", uv(f"ls -A {path} > before; touch {path}/installed"))
    assert (tmp_path / "before").read_text() == ""
    assert {each.name for each in path.iterdir()} == {"installed", MARKER}


def test_nothing_that_everybody_may_write_stays_of_uv(path: Path, tmp_path: Path, uv: Callable[[str], str]) -> None:
    create(path, sys.executable, tmp_path / "requirements.txt", uv(f"umask 0; touch {path}/.lock"))
    assert not [each for each in path.rglob("*") if each.stat().st_mode & 0o002]


def test_uv_never_brings_an_interpreter_and_trusts_what_the_host_trusts(
    path: Path, tmp_path: Path, uv: Callable[[str], str]
) -> None:
    create(path, sys.executable, tmp_path / "requirements.txt", uv("env > environment"))
    lines = (tmp_path / "environment").read_text().splitlines()
    assert {"UV_PYTHON_DOWNLOADS=never", f"SSL_CERT_FILE={CA_BUNDLE}"} <= set(lines)


def test_uv_is_told_of_the_index_that_pip_is_configured_for(
    path: Path, tmp_path: Path, uv: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installer, "PIP_CONFIGURATION", tmp_path / "pip.conf")
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://packages.example.com/\n")
    create(path, sys.executable, tmp_path / "requirements.txt", uv("env > environment"))
    lines = (tmp_path / "environment").read_text().splitlines()
    assert "UV_DEFAULT_INDEX=https://packages.example.com/" in lines


def test_without_uv_the_pip_of_the_virtualenv_installs(tmp_path: Path) -> None:
    path, python = tmp_path / "virtualenvs" / "x", tmp_path / "python"
    # Makes of itself the interpreter of the virtualenv, and there writes down what it is asked for.
    python.write_text(
        '#!/bin/sh -e\nif [ "$2" = venv ]; then mkdir -p "$3/bin"; cp "$0" "$3/bin/python"\n'
        f'else echo "$0 $* $PIP_CERT" > {tmp_path}/asked; fi\n'
    )
    python.chmod(0o755)
    create(path, str(python), tmp_path / "requirements.txt", None)
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith(f"{path}/bin/python -m pip install ")
    assert asked.endswith(f"--requirement {tmp_path}/requirements.txt {CA_BUNDLE}\n")
    assert (path / MARKER).exists()


def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"^/usr/bin/python3\.99 is not there\.$"):
        create(tmp_path / "x", "/usr/bin/python3.99", tmp_path / "requirements.txt", None)
