"""Hosts without an index get the files that the requirements need, and no others."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.requirements import Pin, parse_line
from ansible_collections.initech.django.plugins.module_utils.wheels import identify, pack_wheels, select
from packaging.version import Version


def pins(*lines: str) -> list[Pin]:
    """Return what lines of a requirements file pin."""
    return [pin for line in lines if (pin := parse_line(line, "requirements.txt, line 1"))]


def make(directory: Path, *names: str) -> Path:
    """Make empty files in a directory."""
    directory.mkdir(exist_ok=True)
    for name in names:
        (directory / name).touch()
    return directory


def selected(directory: Path, *lines: str) -> list[str]:
    """Return the names of the files that are taken."""
    return [file.name for file in select(directory, pins(*lines))]


def refusal(directory: Path, *lines: str) -> str:
    """Return why no files are taken."""
    with pytest.raises(Problem) as problem:
        select(directory, pins(*lines))
    return str(problem.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Django-5.2.19-py3-none-any.whl", ("django", "5.2.19")),
        ("zope.event-5.0-py3-none-any.whl", ("zope-event", "5.0")),
        (
            "psycopg_binary-3.3.9-cp313-cp313-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
            ("psycopg-binary", "3.3.9"),
        ),
        ("alpha-1.0+local.1-2-py3-none-any.whl", ("alpha", "1.0+local.1")),
        ("alpha-1.0.tar.gz", ("alpha", "1.0")),
        ("alpha-beta-1!2.0rc1.zip", ("alpha-beta", "1!2.0rc1")),
    ],
)
def test_a_file_tells_what_it_holds_by_its_name(name: str, expected: tuple[str, str]) -> None:
    assert identify(Path(name)) == (expected[0], Version(expected[1]))


@pytest.mark.parametrize("name", ["README", "alpha.whl", "alpha-1.0.whl", "alpha-x-py3-none-any.whl", "alpha.tar.gz"])
def test_a_file_that_is_neither_wheel_nor_source_is_told_apart(name: str) -> None:
    assert identify(Path(name)) is None


def test_what_the_requirements_need_is_taken_and_nothing_else(tmp_path: Path) -> None:
    make(tmp_path, "alpha-1.0-py3-none-any.whl", "alpha-2.0-py3-none-any.whl", "beta-1.0-py3-none-any.whl", "README")
    assert selected(tmp_path, "alpha==1.0") == ["alpha-1.0-py3-none-any.whl"]


def test_all_files_of_a_version_are_taken(tmp_path: Path) -> None:
    names = [f"alpha-1.0-cp3{minor}-cp3{minor}-manylinux_2_28_x86_64.whl" for minor in (11, 13)]
    make(tmp_path, "alpha-1.0.tar.gz", *names)
    assert selected(tmp_path, "alpha==1.0") == [*names, "alpha-1.0.tar.gz"]


def test_names_and_versions_are_the_same_however_they_are_spelled(tmp_path: Path) -> None:
    make(tmp_path, "alpha_beta-1.0.0-py3-none-any.whl")
    assert selected(tmp_path, "Alpha.Beta==1.0") == ["alpha_beta-1.0.0-py3-none-any.whl"]


def test_a_local_version_is_another_version(tmp_path: Path) -> None:
    make(tmp_path, "alpha-1.0+cpu-py3-none-any.whl")
    assert "which has no file for alpha==1.0. " in refusal(tmp_path, "alpha==1.0")


def test_a_directory_that_is_not_there_is_refused_with_what_to_type(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere", "alpha==1.0") == (
        f"release_wheels is {tmp_path}/nowhere, where no files are. Fill it: pip wheel --no-deps -r requirements.txt "
        f"-w {tmp_path}/nowhere (with the interpreter and platform of the hosts)"
    )


def test_all_that_is_lacking_is_named_with_what_to_type(tmp_path: Path) -> None:
    make(tmp_path, "alpha-1.0-py3-none-any.whl", "gamma-1.0-py3-none-any.whl")
    assert refusal(tmp_path, "gamma==2.0", "alpha==1.0", "beta==1.0") == (
        f"release_wheels is {tmp_path}, which has no file for beta==1.0, gamma==2.0. Type: pip wheel --no-deps "
        f"-r requirements.txt -w {tmp_path} (with the interpreter and platform of the hosts)"
    )


def test_what_has_a_marker_may_be_lacking_since_it_may_be_for_others(tmp_path: Path) -> None:
    make(tmp_path, "alpha-1.0-py3-none-any.whl")
    lines = ["alpha==1.0", "colorama==0.4 ; sys_platform == 'win32'"]
    assert selected(tmp_path, *lines) == ["alpha-1.0-py3-none-any.whl"]


def test_what_has_a_marker_is_taken_where_it_is_there(tmp_path: Path) -> None:
    make(tmp_path, "alpha-1.0-py3-none-any.whl")
    assert selected(tmp_path, "alpha==1.0 ; python_version < '3.12'") == ["alpha-1.0-py3-none-any.whl"]


def test_what_comes_from_a_url_is_not_asked_for(tmp_path: Path) -> None:
    make(tmp_path, "alpha-1.0-py3-none-any.whl")
    lines = ["alpha==1.0", f"beta @ https://h/beta.zip#sha256={'0' * 64}"]
    assert selected(tmp_path, *lines) == ["alpha-1.0-py3-none-any.whl"]


@pytest.fixture
def pack(tmp_path: Path, wheel: Callable[..., str]) -> Callable[[], Path]:
    """Return a function that packs alpha, which lies beside what is not asked for."""
    wheel(tmp_path / "wheels", "alpha")
    wheel(tmp_path / "wheels", "beta")
    return lambda: pack_wheels(tmp_path / "wheels", pins("alpha==1.0"), tmp_path / "cache")


def test_the_files_are_packed_as_they_are_without_their_directory(tmp_path: Path, pack: Callable[[], Path]) -> None:
    name = "alpha-1.0-py3-none-any.whl"
    with tarfile.open(pack()) as archive:
        assert archive.getnames() == [name]
        file = archive.extractfile(name)
        assert file
        assert file.read() == (tmp_path / "wheels" / name).read_bytes()


def test_the_same_files_are_packed_once(pack: Callable[[], Path]) -> None:
    archive = pack()
    archive.write_bytes(b"")
    assert pack() == archive
    assert archive.read_bytes() == b""


def test_a_file_that_was_replaced_is_packed_again(tmp_path: Path, pack: Callable[[], Path]) -> None:
    archive = pack()
    with (tmp_path / "wheels" / "alpha-1.0-py3-none-any.whl").open("ab") as file:
        file.write(b"more")
    assert pack() != archive


def test_archives_that_nobody_has_used_for_long_are_removed(tmp_path: Path, pack: Callable[[], Path]) -> None:
    old = [tmp_path / "cache" / "wheels" / f"{number}.tar" for number in range(15)]
    old[0].parent.mkdir(parents=True)
    for number, archive in enumerate(old):
        archive.touch()
        os.utime(archive, (number, number))
    assert set(pack().parent.iterdir()) == {pack(), *old[-10:]}


def test_nothing_but_the_archive_is_left_and_only_its_owner_sees_it(tmp_path: Path, pack: Callable[[], Path]) -> None:
    archive = pack()
    assert list(archive.parent.iterdir()) == [archive]
    assert archive.parent.stat().st_mode & 0o777 == 0o700
