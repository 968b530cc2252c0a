"""A virtualenv holds what its requirements file says, is made whole or not at all, and is left alone afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
from ansible_collections.initech.django.plugins.module_utils.alone import alone
from ansible_collections.initech.django.plugins.module_utils.commands import CA_BUNDLE
from ansible_collections.initech.django.plugins.module_utils.installer import (
    Source,
    Wanted,
    complete,
    create,
    explained,
    find_place,
    provide,
    virtualenv_name,
)
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.virtualenvs import (
    MARKER,
    listing,
    read_marker,
    read_packages,
    site_packages,
)
from hypothesis import given
from hypothesis import strategies as st

UV = str(Path(sys.executable).with_name("uv"))
COLLECTIONS = Path(__file__).resolve().parents[2] / ".collections"
NO_HASH = f"--hash=sha256:{'0' * 64}"

Wheel = Callable[..., str]
pytestmark = pytest.mark.usefixtures("offline")
parts = st.tuples(*[st.text("ab01./")] * 3)


@given(first=parts, second=parts)
def test_virtualenvs_share_a_name_exactly_when_they_are_made_of_the_same(
    first: tuple[str, str, str], second: tuple[str, str, str]
) -> None:
    assert (virtualenv_name(*first) == virtualenv_name(*second)) == (first == second)


def test_the_name_of_a_virtualenv_is_good_as_a_directory_and_stays_the_same() -> None:
    assert virtualenv_name("/usr/bin/python3", "3.13.5", "0" * 64) == "2be62c4cfa7ae658"


# What is in a virtualenv.


@pytest.fixture(scope="module", params=["uv", "pip"])
def uv(request: pytest.FixtureRequest) -> str | None:
    """Return the path of uv, or None for pip."""
    return UV if request.param == "uv" else None


# pip takes a second for what uv does at once; what makes no difference is asked of one of them.
with_uv, with_pip = (pytest.mark.parametrize("uv", [name], indirect=True) for name in ("uv", "pip"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, wheel: Wheel, python: str, uv: str | None, offline: Path) -> Path:
    """Return a virtualenv that was made where an interrupted run had left something."""
    directory = tmp_path_factory.mktemp("made")
    wheels, path, file = directory / "wheels", directory / "virtualenv", directory / "requirements.txt"
    pins = [wheel(wheels, "alpha", requires=["beta", "gamma"]), wheel(wheels, "beta", "2.0")]
    wheel(wheels, "beta", "3.0")
    wheel(wheels, "gamma")
    file.write_text("\n".join(pins))
    site = path / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    site.mkdir(parents=True)
    (site / "half.py").touch()
    # Where there are wheels, nobody asks an index; this one would not answer.
    create(path, python, file, Source(uv, ["http://127.0.0.1:1/simple"], wheels), pins=pins)
    return path


def test_a_virtualenv_holds_the_packages_of_the_file_and_no_others(made: Path) -> None:
    assert listing(made) == ["alpha==1.0", "beta==2.0"]


def test_no_file_in_a_virtualenv_belongs_to_none_of_its_packages(made: Path) -> None:
    assert read_packages(made)[1] == []


def test_what_the_installer_does_is_what_the_wheels_say(made: Path) -> None:
    assert [each["changed"] for each in read_packages(made)[0]] == [[], []]


def test_what_an_interrupted_run_left_is_gone(made: Path) -> None:
    assert sorted(path.name for path in site_packages(made).glob("*.py")) == ["alpha.py", "beta.py"]


def test_all_modules_are_compiled(made: Path) -> None:
    compiled = (site_packages(made) / "__pycache__").iterdir()
    assert sorted(path.name.partition(".")[0] for path in compiled) == ["alpha", "beta"]


def test_no_file_is_shared_with_another_virtualenv_or_a_cache(made: Path) -> None:
    assert {path.stat().st_nlink for path in site_packages(made).rglob("*") if path.is_file()} == {1}


def test_nothing_can_be_written_by_everybody(made: Path) -> None:
    assert [path for path in made.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o002] == []


def test_what_is_installed_runs(made: Path) -> None:
    command = [str(made / "bin" / "python"), "-c", "import beta; print(beta.version)"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "2.0\n"


def test_a_virtualenv_is_not_complete_before_somebody_says_so(made: Path) -> None:
    assert find_place(made.parent, made.name) == (made, True)


@pytest.fixture
def install(tmp_path: Path, python: str, uv: str | None) -> Callable[..., Path]:
    """Return a function that makes a virtualenv of the lines of a requirements file."""

    def run(*pins: str) -> Path:
        file = tmp_path / "requirements.txt"
        file.write_text("\n".join(pins))
        create(tmp_path / "virtualenv", python, file, Source(uv, wheels=tmp_path / "wheels"), pins=pins)
        return tmp_path / "virtualenv"

    return run


def refusal(install: Callable[..., Path], *pins: str) -> list[str]:
    """Return the lines that say why something cannot be installed."""
    with pytest.raises(Problem) as problem:
        install(*pins)
    return str(problem.value).splitlines()


def test_pip_setuptools_and_wheel_are_there_where_the_file_has_them(
    tmp_path: Path, wheel: Wheel, install: Callable[..., Path]
) -> None:
    seeds = {"pip": "99.1", "setuptools": "99.2", "wheel": "99.3"}
    does_nothing = {"pip.py": "raise SystemExit('This pip does nothing.')\n"}
    path = install(*[wheel(tmp_path / "wheels", name, version, files=does_nothing) for name, version in seeds.items()])
    assert listing(path) == ["pip==99.1", "setuptools==99.2", "wheel==99.3"]


@with_uv
def test_a_file_with_another_hash_is_refused(tmp_path: Path, wheel: Wheel, install: Callable[..., Path]) -> None:
    wheel(tmp_path / "wheels", "alpha")
    first, *others = refusal(install, f"alpha==1.0 {NO_HASH}")
    assert first == "The packages of requirements.txt cannot be installed (exit code 1):"
    assert "0" * 64 in "\n".join(others)


@pytest.mark.parametrize(
    "said",
    [
        "error: [Errno 2] No such file or directory: 'x86_64-linux-gnu-gcc'",
        "error: command 'cc' failed: No such file or directory",
        "psycopg_c/types.c:12:10: fatal error: Python.h: No such file or directory",
        "Error: pg_config executable not found.",
    ],
)
def test_what_cannot_be_compiled_says_how_to_name_what_it_takes(said: str) -> None:
    assert explained(said, "requirements.txt").endswith("for example: # apt: gcc libpq-dev python3-dev")


@with_pip
def test_what_python_brings_along_is_no_excuse_for_a_file_with_another_hash(
    tmp_path: Path, wheel: Wheel, install: Callable[..., Path]
) -> None:
    version = metadata.version("pip")
    wheel(tmp_path / "wheels", "pip", version)
    assert "0" * 64 in "\n".join(refusal(install, f"pip=={version} {NO_HASH}"))


@with_uv
def test_where_one_line_has_a_hash_all_need_one(tmp_path: Path, wheel: Wheel, install: Callable[..., Path]) -> None:
    pin = wheel(tmp_path / "wheels", "alpha")
    wheel(tmp_path / "wheels", "beta")
    assert "beta==1.0" in "\n".join(refusal(install, pin, "beta==1.0"))


@with_uv
def test_without_hashes_none_are_asked_for(tmp_path: Path, wheel: Wheel, install: Callable[..., Path]) -> None:
    wheel(tmp_path / "wheels", "alpha")
    assert listing(install("alpha==1.0")) == ["alpha==1.0"]


ANOTHER_PYTHON = (
    "requirements.txt was frozen for another Python. Set python_version to that one, or freeze it with the host's own."
)


@with_pip
def test_a_file_that_was_frozen_for_another_python_says_what_to_set(
    tmp_path: Path, wheel: Wheel, install: Callable[..., Path]
) -> None:
    metadata = "Metadata-Version: 2.1\nName: alpha\nVersion: 1.0\nRequires-Python: >=4\n"
    pin = wheel(tmp_path / "wheels", "alpha", files={"alpha-1.0.dist-info/METADATA": metadata})
    *_, last = refusal(install, pin)
    assert last == ANOTHER_PYTHON


@pytest.mark.parametrize(
    "said",
    [
        "Because the current Python version (3.10.12) does not satisfy Python>=3.11 and a==1 depends on Python>=3.11",
        "ERROR: Ignored the following versions that require a different python version: 1.0 Requires-Python >=3.11",
        "ERROR: Package 'a' requires a different Python: 3.10.12 not in '>=3.11'",
    ],
)
def test_so_it_does_in_the_words_of_uv_and_of_an_index(said: str) -> None:
    assert explained(said, "requirements.txt") == f"{said}\n{ANOTHER_PYTHON}"
    for other in ("error: No solution found", "no version of cmake==99.1"):
        assert explained(other, "requirements.txt") == other


@with_uv
def test_a_package_that_is_nowhere_is_named(tmp_path: Path, wheel: Wheel, install: Callable[..., Path]) -> None:
    wheel(tmp_path / "wheels", "alpha", "2.0")
    first, *others = refusal(install, "alpha==1.0")
    assert first == "The packages of requirements.txt cannot be installed (exit code 1):"
    assert "alpha==1.0" in "\n".join(others)


@with_uv
def test_a_virtualenv_that_cannot_be_filled_is_to_be_made_again(tmp_path: Path, install: Callable[..., Path]) -> None:
    (tmp_path / "wheels").mkdir()
    refusal(install, "alpha==1.0")
    assert find_place(tmp_path, "virtualenv") == (tmp_path / "virtualenv", True)


def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path, uv: str | None) -> None:
    with pytest.raises(Problem, match=r"/usr/bin/python3\.99"):
        create(tmp_path / "x", "/usr/bin/python3.99", tmp_path / "requirements.txt", Source(uv), pins=[])


def test_uv_never_brings_an_interpreter_and_trusts_what_the_host_trusts(tmp_path: Path) -> None:
    fake = tmp_path / "uv"
    fake.write_text(f"#!/bin/sh\nenv >> {tmp_path}/environment\n")
    fake.chmod(0o755)
    create(tmp_path / "x", sys.executable, tmp_path / "requirements.txt", Source(str(fake)), pins=[])
    lines = (tmp_path / "environment").read_text().splitlines()
    assert {"UV_PYTHON_DOWNLOADS=never", "UV_NO_CONFIG=1", f"SSL_CERT_FILE={CA_BUNDLE}"} <= set(lines)


def test_the_installer_holds_the_lock_of_the_directory(tmp_path: Path) -> None:
    fake, directory = tmp_path / "uv", tmp_path / "virtualenvs"
    fake.write_text(f"#!/bin/sh\nls -l /proc/$$/fd > {tmp_path}/$1\n")
    fake.chmod(0o755)
    with alone(directory) as lock:
        create(directory / "x", sys.executable, tmp_path / "requirements.txt", Source(str(fake)), pins=[], lock=lock)
    assert [str(directory) in (tmp_path / name).read_text() for name in ("venv", "pip")] == [True, True]


# Which virtualenv it is.


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return the directory of a virtualenv that is complete."""
    return fill(tmp_path / "virtualenvs" / "x")


def fill(path: Path) -> Path:
    """Make what looks like a virtualenv, complete."""
    site = path / "lib" / "python3.13" / "site-packages"
    (path / "bin").mkdir(parents=True)
    (path / "bin" / "python").symlink_to("/usr/bin/python3")
    (site / "alpha" / "__pycache__").mkdir(parents=True)
    (site / "alpha" / "__init__.py").write_text("version = 1\n")
    (site / "linked").symlink_to("alpha")
    complete(path, "/usr/bin/python3", "3.13.5", {"requirements.txt": "alpha==1\n"})
    return path


def test_a_virtualenv_that_does_not_exist_is_to_be_made(tmp_path: Path) -> None:
    assert find_place(tmp_path, "x") == (tmp_path / "x", True)


def test_a_sound_virtualenv_is_used_again(place: Path) -> None:
    assert find_place(place.parent, place.name) == (place, False)


def test_a_virtualenv_tells_what_it_was_made_of(place: Path) -> None:
    marker = read_marker(place)
    assert len(marker.pop("fingerprint")) == 64
    assert marker == {
        "python": "/usr/bin/python3",
        "target": os.path.realpath("/usr/bin/python3"),
        "version": "3.13.5",
        "requirements": {"requirements.txt": "alpha==1\n"},
    }


@pytest.mark.parametrize("marker", [None, "", '{"python": "/usr', "{}"])
def test_a_half_made_virtualenv_is_made_again_in_its_place(place: Path, marker: str | None) -> None:
    (place / MARKER).unlink()
    (place / f"{MARKER}.draft").touch()
    if marker is not None:
        (place / MARKER).write_text(marker)
    assert find_place(place.parent, place.name) == (place, True)


def redirect(link: Path, target: str) -> None:
    """Let a link lead elsewhere, and leave all else of it as it was."""
    status = link.lstat()
    link.unlink()
    link.symlink_to(target)
    os.utime(link, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file added": lambda path: (path / "lib/python3.13/site-packages/alpha/new.py").touch(),
    "a file added to the scripts": lambda path: (path / "bin" / "new").touch(),
    "a file removed": lambda path: (path / "lib/python3.13/site-packages/alpha/__init__.py").unlink(),
    "a file edited": lambda path: (path / "lib/python3.13/site-packages/alpha/__init__.py").write_text("version = 2\n"),
    "a file made writable": lambda path: (path / "lib/python3.13/site-packages/alpha/__init__.py").chmod(0o666),
    "a link to a file redirected": lambda path: redirect(path / "bin" / "python", "/usr/bin/python4"),
    "a link to a directory redirected": lambda path: redirect(path / "lib/python3.13/site-packages/linked", "../.."),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_virtualenv_that_was_changed_is_left_alone_and_another_takes_its_place(
    place: Path, change: Callable[[Path], object]
) -> None:
    change(place)
    assert find_place(place.parent, place.name) == (place.with_name("x.2"), True)


def test_what_took_the_place_is_used_again(place: Path) -> None:
    (place / "new").touch()
    other = fill(place.with_name("x.2"))
    assert find_place(place.parent, place.name) == (other, False)


def test_what_took_the_place_and_was_changed_too_is_replaced_likewise(place: Path) -> None:
    for path in (place, fill(place.with_name("x.2"))):
        (path / "new").touch()
    assert find_place(place.parent, place.name) == (place.with_name("x.3"), True)


def test_what_python_compiles_is_no_change(place: Path) -> None:
    cache = place / "lib" / "python3.13" / "site-packages" / "alpha" / "__pycache__"
    (cache / "__init__.cpython-313.pyc").touch()
    assert find_place(place.parent, place.name) == (place, False)


# The whole of it.


@pytest.fixture
def wanted(tmp_path: Path, wheel: Wheel, python: str) -> Wanted:
    """Return what a virtualenv is made of: two files, and a wheel in a directory."""
    pin = wheel(tmp_path / "wheels", "alpha")
    files = {"requirements.txt": "-r base.txt\n", "base.txt": f"{pin}\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return Wanted(python, "3.13.5", {name: tmp_path / name for name in files}, [pin])


def test_a_virtualenv_is_made_once(tmp_path: Path, wanted: Wanted) -> None:
    path = tmp_path / "virtualenvs" / "x"
    assert provide(path.parent, "x", wanted, Source(UV, wheels=tmp_path / "wheels")) == (path, True)
    # A second time nothing is run.
    assert provide(path.parent, "x", wanted, Source("/no/uv")) == (path, False)


def test_a_virtualenv_knows_the_files_that_it_was_made_from(tmp_path: Path, wanted: Wanted) -> None:
    path, _ = provide(tmp_path / "virtualenvs", "x", wanted, Source(UV, wheels=tmp_path / "wheels"))
    assert read_marker(path)["requirements"] == {name: file.read_text() for name, file in wanted.files.items()}


def test_a_virtualenv_that_could_not_be_made_is_not_complete(tmp_path: Path, wanted: Wanted) -> None:
    with pytest.raises(Problem, match=r"^The packages of requirements\.txt cannot be installed"):
        provide(tmp_path, "x", wanted, Source(UV, wheels=tmp_path))
    assert read_marker(tmp_path / "x") == {}


# One at a time.

HOLD = """
import sys
from pathlib import Path
from ansible_collections.initech.django.plugins.module_utils.commands import run
from ansible_collections.initech.django.plugins.module_utils.alone import alone
with alone(Path(sys.argv[1])) as lock:
    print("alone", flush=True)
    if sys.argv[2:]:
        run(sys.argv[2:], keep=lock)
    else:
        sys.stdin.readline()
"""


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts a process which wants to be alone, and then runs a command or reads a line."""
    started: list[subprocess.Popen[str]] = []

    def start(*command: str | Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, tmp_path / "virtualenvs", *command],
            env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: it is not so in good time.
    """
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_alone(process: subprocess.Popen[str]) -> bool:
    """Wait until a process says that it is alone."""
    assert process.stdout
    return process.stdout.readline() == "alone\n"


def waits(process: subprocess.Popen[str]) -> bool:
    """Tell whether a process waits for a lock of a file."""
    lines = Path("/proc/locks").read_text().splitlines()
    return any(line.split()[1] == "->" and str(process.pid) in line.split() for line in lines)


def test_of_two_processes_one_waits_until_the_other_has_ended(hold: Callable[..., subprocess.Popen[str]]) -> None:
    first = hold()
    assert is_alone(first)
    second = hold()
    until(lambda: waits(second))
    first.communicate("\n")
    assert is_alone(second)


def test_a_process_that_is_killed_keeps_nobody_waiting(hold: Callable[..., subprocess.Popen[str]]) -> None:
    first = hold()
    assert is_alone(first)
    second = hold()
    until(lambda: waits(second))
    first.kill()
    assert is_alone(second)


def test_an_installer_that_outlives_what_started_it_is_waited_for(
    tmp_path: Path, hold: Callable[..., subprocess.Popen[str]]
) -> None:
    pipe, pid = tmp_path / "pipe", tmp_path / "pid"
    os.mkfifo(pipe)
    first = hold("sh", "-c", 'echo $$ > "$1.draft"; mv "$1.draft" "$1"; exec cat "$2"', "sh", pid, pipe)
    until(pid.exists)
    first.kill()
    first.wait()
    second = hold()
    try:
        until(lambda: waits(second))
    finally:
        os.kill(int(pid.read_text()), signal.SIGKILL)
    assert is_alone(second)
