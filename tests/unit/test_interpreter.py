"""The interpreter that an app asks for is chosen among those that a host has, or uv installs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils import interpreter
from ansible_collections.initech.django.plugins.module_utils.interpreter import (
    Interpreter,
    candidates,
    check_version,
    choose,
    find,
    none_serves,
    provide,
)
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

OWN = Interpreter("/usr/bin/python3", "3.11.2")
FOUND = [
    OWN,
    Interpreter("/usr/bin/python3.13", "3.13.5"),
    Interpreter("/usr/local/bin/python3.13", "3.13.7"),
    Interpreter("/usr/local/bin/python3.14", "3.14.0rc1"),
]
ELSE = "Or set python_version to one of these, or leave it empty for the distribution's own."


@pytest.mark.parametrize("version", ["", "3.13", "3.9", "3.13.5", "3.100.0"])
def test_a_version_of_python_is_accepted(version: str) -> None:
    check_version(version)


@pytest.mark.parametrize("version", ["3", "2.7", "3.13.5.1", "3.", "3.x", "python3.13", "3.13\n", " 3.13", "3.14.0rc1"])
def test_what_is_no_version_is_refused_with_an_example(version: str) -> None:
    with pytest.raises(Problem) as problem:
        choose(version, FOUND)
    assert str(problem.value) == f'python_version is {version!r}. Write it in quotes, as "3.13" or "3.13.5".'


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
    assert choose(version, iter(FOUND)) == next(each for each in FOUND if each.path == path)


# 3.1 is what YAML makes of 3.10 without quotes.
@pytest.mark.parametrize("version", ["3.1", "3.12", "3.13.6", "3.13.50"])
def test_no_other_version_is_chosen_instead(version: str) -> None:
    assert choose(version, FOUND) is None


def test_interpreters_behind_the_first_that_serves_are_not_asked() -> None:
    def found() -> Iterator[Interpreter]:
        yield OWN
        raise AssertionError

    assert choose("3.11", found()) == OWN


def test_where_none_serves_the_message_lists_what_there_is_and_what_to_do() -> None:
    assert str(none_serves("3.12", FOUND[:2], "Type this.")) == (
        "python_version is '3.12', and this host has 3.11.2 (/usr/bin/python3), 3.13.5 (/usr/bin/python3.13). "
        f"Type this. {ELSE}"
    )


def test_what_a_program_said_stands_in_lines_of_its_own() -> None:
    assert str(none_serves("3.12", [OWN], "uv says:\nno\n")).splitlines() == [
        "python_version is '3.12', and this host has 3.11.2 (/usr/bin/python3). uv says:",
        "no",
        ELSE,
    ]


def test_a_host_without_python_is_told_so() -> None:
    assert "and this host has no Python 3. " in str(none_serves("3.12", [], "Type this."))


# Where they are looked for.


@pytest.fixture
def managed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where uv installs interpreters, and let nothing else be in the path."""
    directory = tmp_path / "managed"
    monkeypatch.setattr(interpreter, "MANAGED", directory)
    monkeypatch.setenv("PATH", "/nowhere")
    return directory


def make(path: Path, version: str = "") -> Path:
    """Make an interpreter that says of itself that it is of a version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho \'{{"python_full_version": "{version}"}}\'\n' if version else "")
    path.chmod(0o755)
    return path


def beyond(paths: list[str]) -> list[str]:
    """Return candidates behind those that the distribution has."""
    return [str(path) for path in candidates(paths) if path.parent != Path("/usr/bin")]


def test_the_distributions_own_comes_first(managed: Path) -> None:
    assert next(candidates(["/opt/python"])) == Path("/usr/bin/python3")


def test_the_distributions_others_come_before_those_that_the_user_names(managed: Path) -> None:
    *own, last = candidates(["/opt/python"])
    assert {path.parent for path in own} == {Path("/usr/bin")}
    assert last == Path("/opt/python")


def test_those_that_the_user_names_come_before_the_path_and_that_before_what_uv_installed(
    managed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (make(tmp_path / name / "python3.99") for name in ("first", "second"))
    installed = make(managed / "cpython-3.99.0-linux-x86_64-gnu" / "bin" / "python3.99")
    monkeypatch.setenv("PATH", f"{second.parent}:{first.parent}")
    assert beyond(["/opt/b", "/opt/a"]) == ["/opt/b", "/opt/a", str(second), str(first), str(installed)]


def test_of_what_uv_installed_the_newest_comes_first(managed: Path) -> None:
    names = [f"cpython-3.{version}-linux-x86_64-gnu" for version in ("13.10", "13.9", "9.20")]
    paths = [str(make(managed / name / "bin" / "python3.13")) for name in names]
    assert beyond([]) == paths


def test_a_link_that_uv_lets_lead_elsewhere_one_day_is_not_taken(managed: Path) -> None:
    path = make(managed / "cpython-3.13.5-linux-x86_64-gnu" / "bin" / "python3.13")
    (managed / "cpython-3.13-linux-x86_64-gnu").symlink_to("cpython-3.13.5-linux-x86_64-gnu")
    assert beyond([]) == [str(path)]


@pytest.mark.parametrize("name", ["python3", "python", "python3.99-config", "python3.99t", "python3.99m", "python2.7"])
def test_what_is_named_otherwise_is_no_interpreter(
    name: str, managed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(make(tmp_path / "bin" / name).parent))
    assert beyond([]) == []


@pytest.mark.parametrize("path", ["", ":/nowhere", "/nowhere:"])
def test_an_empty_part_of_the_path_is_not_the_directory_where_we_are(
    path: str, managed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "python3.99")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", path)
    assert beyond([]) == []


# Which of them run.


def versions(*paths: Path) -> dict[str, str]:
    """Return the versions of interpreters in other places, of those that run."""
    found = {each.path: each.version for each in find([str(path) for path in paths])}
    return {path: version for path, version in found.items() if not path.startswith("/usr/bin/")}


def test_interpreters_are_asked_for_their_versions(managed: Path, tmp_path: Path) -> None:
    path = make(tmp_path / "python", "3.99.1")
    assert versions(path) == {str(path): "3.99.1"}


def test_an_interpreter_of_two_names_is_found_once(managed: Path, tmp_path: Path) -> None:
    path, other = make(tmp_path / "python", "3.99.1"), tmp_path / "other"
    other.symlink_to(path)
    assert versions(other, path) == {str(other): "3.99.1"}


@pytest.mark.parametrize("script", ["exit 1", "echo Python 2.7.18", "echo '{}'", None])
def test_what_does_not_answer_is_no_interpreter(script: str | None, managed: Path, tmp_path: Path) -> None:
    broken, good = tmp_path / "broken", make(tmp_path / "python", "3.99.1")
    if script is not None:
        make(broken).write_text(f"#!/bin/sh\n{script}\n")
    assert versions(broken, good) == {str(good): "3.99.1"}


# What is done where none serves.


@pytest.fixture
def uv(tmp_path: Path, managed: Path) -> Callable[..., str]:
    """Return a function that makes a uv which knows some versions, and installs them or prints why not."""

    def make_uv(*known: str, error: str = "", installs: str = "") -> str:
        lines = [f'case "$2 $last" in "list {version}") echo cpython-{version};; esac' for version in known]
        lines += [f"echo {error} >&2; exit 1"] if error else []
        for version in known:
            target = managed / f"cpython-{version}" / "bin" / f"python{version.rpartition('.')[0]}"
            answer = f'{{\\"python_full_version\\": \\"{installs or version}\\"}}'
            install = (
                f"mkdir -p {target.parent}; printf \"#!/bin/sh\\necho '{answer}'\\n\" > {target}; chmod 755 {target}"
            )
            lines.append(f'case "$2 $last" in "install {version}") {install}; : > {managed}/.lock;; esac')
        path = tmp_path / "uv"
        path.write_text("\n".join(["#!/bin/sh", "PATH=/usr/bin:/bin", "for last; do :; done", *lines, ""]))
        path.chmod(0o755)
        return str(path)

    return make_uv


def provided(uv: str | None = None, *, check_mode: bool = False, **given: Any) -> dict[str, Any]:
    """Return what the module answers about 3.99.1, unless told otherwise."""
    options = {"version": "3.99.1", "paths": [], "state": "present", "managed": True, "mirror": "", "downloads": ""}
    return provide({**options, **given}, uv, check_mode)


def refusal(uv: str | None = None, **given: Any) -> str:
    """Return why the module fails, from where it tells what to do."""
    with pytest.raises(Problem) as problem:
        provided(uv, **given)
    first, _, remedy = str(problem.value).partition("). ")
    assert first.startswith("python_version is '3.99.1', and this host has 3.")
    assert remedy.endswith(ELSE)
    return remedy.removesuffix(ELSE)


@pytest.mark.parametrize("state", ["found", "possible", "present"])
def test_what_the_host_has_is_taken_and_nothing_changes(state: str, managed: Path, tmp_path: Path) -> None:
    path = str(make(tmp_path / "python", "3.99.1"))
    assert provided(paths=[path], state=state) == {"changed": False, "path": path, "version": "3.99.1"}


def test_what_the_host_does_not_have_uv_installs(managed: Path, uv: Callable[..., str]) -> None:
    path = managed / "cpython-3.99.1" / "bin" / "python3.99"
    assert provided(uv("3.99.1")) == {"changed": True, "path": str(path), "version": "3.99.1"}


def test_what_uv_installed_is_not_installed_again(managed: Path, uv: Callable[..., str]) -> None:
    provided(uv("3.99.1"))
    assert not provided(uv("3.99.1"))["changed"]


def test_no_file_of_uv_stays_that_everybody_may_write(managed: Path, uv: Callable[..., str]) -> None:
    provided(uv("3.99.1"))
    assert [path.name for path in managed.iterdir()] == ["cpython-3.99.1"]


@pytest.mark.parametrize(("state", "changed"), [("present", True), ("possible", False)])
def test_in_check_mode_uv_is_only_asked(state: str, changed: bool, managed: Path, uv: Callable[..., str]) -> None:
    assert provided(uv("3.99.1"), check_mode=True, state=state) == {"changed": changed, "path": "", "version": ""}
    assert not managed.exists()


def test_where_it_only_has_to_be_possible_uv_is_only_asked(managed: Path, uv: Callable[..., str]) -> None:
    assert provided(uv("3.99.1"), state="possible") == {"changed": False, "path": "", "version": ""}
    assert not managed.exists()


def test_what_uv_does_not_know_is_told(managed: Path, uv: Callable[..., str]) -> None:
    assert refusal(uv("3.98.1"), state="possible") == "uv knows no download of it. "


def test_what_uv_says_where_it_cannot_install_is_told(managed: Path, uv: Callable[..., str]) -> None:
    assert refusal(uv("3.99.1", error="no network")) == "uv cannot install it:\nno network\n"


def test_what_uv_installed_and_is_another_version_is_told(managed: Path, uv: Callable[..., str]) -> None:
    assert refusal(uv("3.99.1", installs="3.99.2")) == "What uv installed does not run. "


def test_where_it_has_to_be_found_the_message_says_how_to_install_it(managed: Path) -> None:
    assert refusal(state="found") == "On a host, ansible-playbook provision.yml has uv install it. "


def test_where_uv_may_install_none_the_message_says_so(managed: Path, uv: Callable[..., str]) -> None:
    assert refusal(uv("3.99.1"), managed=False) == "python_managed is false, so that uv installs none. "


def test_where_uv_is_not_there_the_message_says_so(managed: Path) -> None:
    assert refusal() == "uv, which could install it, is not there. "


@pytest.mark.parametrize(
    ("option", "variable"),
    [("mirror", "UV_PYTHON_INSTALL_MIRROR"), ("downloads", "UV_PYTHON_DOWNLOADS_JSON_URL")],
)
def test_uv_looks_where_it_is_told_to(option: str, variable: str, managed: Path, tmp_path: Path) -> None:
    fake = tmp_path / "uv"
    fake.write_text(f"#!/bin/sh\n/usr/bin/env > {tmp_path}/environment; echo found\n")
    fake.chmod(0o755)
    given: dict[str, Any] = {option: "file:///srv/python"}
    provided(str(fake), state="possible", **given)
    assert f"{variable}=file:///srv/python" in (tmp_path / "environment").read_text().splitlines()
