"""The interpreter that an app asks for is chosen among those that a host has."""

from __future__ import annotations

import pytest
from ansible_collections.initech.django.plugins.module_utils.interpreter import Interpreter, check_version, choose
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

OWN = Interpreter("/usr/bin/python3", "3.11.2")
FOUND = [
    OWN,
    Interpreter("/usr/bin/python3.13", "3.13.5"),
    Interpreter("/usr/local/bin/python3.13", "3.13.7"),
    Interpreter("/usr/local/bin/python3.14", "3.14.0rc1"),
]


@pytest.mark.parametrize("version", ["", "3.13", "3.9", "3.13.5", "3.100.0"])
def test_a_version_of_python_is_accepted(version: str) -> None:
    check_version(version)


@pytest.mark.parametrize("version", ["3", "2.7", "3.13.5.1", "3.", "3.x", "python3.13", "3.13\n", " 3.13", "3.14.0rc1"])
def test_what_is_no_version_is_refused_with_an_example(version: str) -> None:
    with pytest.raises(Problem, match=r'Write it in quotes, as "3\.13" or "3\.13\.5"\.$') as problem:
        choose(version, FOUND)
    assert str(problem.value).startswith(f"python_version is {version!r}.")


@pytest.mark.parametrize(
    ("version", "path"),
    [
        ("", "/usr/bin/python3"),
        ("3.11", "/usr/bin/python3"),
        ("3.13", "/usr/bin/python3.13"),
        ("3.13.5", "/usr/bin/python3.13"),
        ("3.13.7", "/usr/local/bin/python3.13"),
        ("3.14", "/usr/local/bin/python3.14"),
    ],
)
def test_the_first_that_serves_is_chosen(version: str, path: str) -> None:
    assert choose(version, iter(FOUND)).path == path


# 3.1 is what YAML makes of 3.10 without quotes.
@pytest.mark.parametrize("version", ["3.1", "3.12", "3.13.6", "3.13.50"])
def test_a_version_that_no_interpreter_has_is_refused_with_what_there_is(version: str) -> None:
    with pytest.raises(Problem) as problem:
        choose(version, FOUND)
    assert str(problem.value).startswith(
        f"python_version is {version!r}, and this host has 3.11.2 (/usr/bin/python3), 3.13.5 (/usr/bin/python3.13), "
    )


@pytest.mark.parametrize("version", ["", "3.13"])
def test_a_host_without_python_is_told_so(version: str) -> None:
    with pytest.raises(Problem, match="this host has no Python 3"):
        choose(version, [])
