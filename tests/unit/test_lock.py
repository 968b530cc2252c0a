"""requirements.txt is frozen from requirements_to_freeze.txt, and tells what it was made of."""

from __future__ import annotations

import platform
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from ansible.errors import AnsibleLookupError
from ansible_collections.initech.django.plugins.lookup.native_packages import LookupModule
from ansible_collections.initech.django.plugins.module_utils.lock import (
    Header,
    compose,
    find_input,
    is_same,
    moves,
    old_pins,
    preferences,
    read_header,
)
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.requirements import read_requirements
from ansible_collections.initech.django.plugins.modules.freeze import freeze

UV = str(Path(sys.executable).with_name("uv"))
FACTS = {"interpreter": "CPython", "version": "3.13.5", "platform": "Linux x86_64 (Debian 13)"}
WHEN = "2026-11-24T10:15:00Z"
TO_FREEZE = "# Why.\nDjango<6\n"
A, B = "a" * 64, "b" * 64
PINS = "Django==5.2.19\nasgiref==3.8.1\nzope.interface==7.0\n"

Wheel = Callable[..., str]


# What may move.


@pytest.mark.parametrize(
    ("upgrade", "expected"),
    [
        ([], PINS),
        ([""], PINS),
        (["django"], "asgiref==3.8.1\nzope.interface==7.0\n"),
        (["Zope_Interface", "asgiref"], "Django==5.2.19\n"),
        (["all"], ""),
        (["django", "all"], ""),
    ],
)
def test_what_is_not_named_stays_where_it_is(upgrade: Sequence[str], expected: str) -> None:
    assert preferences(old_pins(PINS), upgrade) == expected


@pytest.mark.parametrize(
    ("name", "hint"),
    [("djagno", " Did you mean django?"), ("Zope-Interfaces", " Did you mean zope-interface?"), ("q", "")],
)
@pytest.mark.parametrize("others", [[], ["all"], ["asgiref"]])
def test_a_name_that_is_none_is_refused_with_the_nearest(name: str, hint: str, others: Sequence[str]) -> None:
    with pytest.raises(Problem) as problem:
        preferences(old_pins(PINS), [name, *others])
    assert str(problem.value) == f"lock_upgrade names {name.lower()}, which requirements.txt does not have.{hint}"


def test_where_nothing_was_frozen_before_any_name_will_do() -> None:
    assert preferences([], ["django"]) == ""


@pytest.mark.parametrize(
    "line", ["beta==1 ; python_version < '3'", f"beta @ https://h/beta.zip#sha256={A}", "beta===x"]
)
def test_a_line_that_says_more_than_a_version_is_no_preference(line: str) -> None:
    assert preferences(old_pins(f"alpha==1\n{line}\n"), []) == "alpha==1\n"


@pytest.mark.parametrize(
    "line", ["beta==1 ; python_version < '3'", f"beta @ https://h/beta.zip#sha256={A}", "beta===x"]
)
def test_a_line_that_says_more_than_a_version_may_be_named(line: str) -> None:
    assert preferences(old_pins(f"alpha==1\n{line}\n"), ["beta"]) == "alpha==1\n"


def test_whatever_cannot_be_read_in_an_earlier_file_pins_nothing() -> None:
    text = "<<<<<<< HEAD\nalpha==1\n=======\nbeta>=2\n-r other.txt\n--no-index\n-e .\nbeta==2 --hash=sha256:x\n"
    assert [str(pin.requirement) for pin in old_pins(text)] == ["alpha==1"]


# What is written.


def composed(frozen: str, resolved: str = "", *, hashes: bool = False, text: str = TO_FREEZE) -> str:
    """Return a requirements.txt."""
    return compose(text, frozen, resolved, FACTS, when=WHEN, hashes=hashes)


def body(frozen: str, resolved: str = "", *, hashes: bool = False) -> str:
    """Return a requirements.txt without its header."""
    return composed(frozen, resolved, hashes=hashes).split("\n\n", 1)[1]


def test_a_requirements_txt_tells_what_it_was_made_of() -> None:
    assert composed("Django==5.2.19\n") == (
        "# Not edited by hand: ansible-playbook lock.yml makes it from requirements_to_freeze.txt,\n"
        "# frozen 2026-11-24T10:15:00Z with CPython 3.13.5 on Linux x86_64 (Debian 13) in a new, empty virtualenv.\n"
        f"# sha256 of requirements_to_freeze.txt: {sha256(TO_FREEZE.encode()).hexdigest()}\n"
        "\n"
        "Django==5.2.19\n"
    )


def test_comments_options_and_order_stay() -> None:
    frozen = (
        "# Why.\n--no-index\n\nDjango==5.2.19\n## The following requirements were added by pip freeze:\nasgiref==3\n"
    )
    assert body(frozen) == frozen


RESOLVED = f"""\
asgiref==3.8.1 \\
    --hash=sha256:{A} \\
    --hash=sha256:{B}
django==5.2.19 \\
    --hash=sha256:{B}
"""


def test_hashes_are_written_where_they_are_wanted() -> None:
    assert body("Django==5.2.19\n# Why.\nasgiref==3.8.1\n", RESOLVED, hashes=True) == (
        f"Django==5.2.19 \\\n    --hash=sha256:{B}\n# Why.\n"
        f"asgiref==3.8.1 \\\n    --hash=sha256:{A} \\\n    --hash=sha256:{B}\n"
    )


def test_hashes_are_left_out_where_they_are_not_wanted() -> None:
    assert body("Django==5.2.19\nasgiref==3.8.1\n", RESOLVED) == "Django==5.2.19\nasgiref==3.8.1\n"


@pytest.mark.parametrize("hashes", [True, False])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("alpha @ https://h/a.zip", f"alpha @ https://h/a.zip#sha256={A}"),
        ("Alpha @ https://h/a.zip#subdirectory=x", f"Alpha @ https://h/a.zip#subdirectory=x&sha256={A}"),
        (f"alpha @ https://h/a.zip#sha256={B}", f"alpha @ https://h/a.zip#sha256={B}"),
        (f"alpha @ https://h/a.zip#subdirectory=x&sha256={B}", f"alpha @ https://h/a.zip#subdirectory=x&sha256={B}"),
        ("beta @ https://h/b.zip", "beta @ https://h/b.zip"),
    ],
)
def test_a_url_always_gets_the_hash_of_its_file(line: str, expected: str, hashes: bool) -> None:
    resolved = f"alpha @ https://h/a.zip \\\n    --hash=sha512:{A}{A} \\\n    --hash=sha256:{A}\n"
    assert body(f"{line}\n", resolved, hashes=hashes) == f"{expected}\n"


# What is read again.


def test_a_header_is_read_as_it_was_written() -> None:
    header = read_header(composed("Django==5.2.19\n"))
    assert header == Header("3.13.5", sha256(TO_FREEZE.encode()).hexdigest())


@pytest.mark.parametrize("version", ["3.14.0rc1", "3.9.25", "3.100.0a12"])
def test_a_header_names_every_version_of_python(version: str) -> None:
    text = compose(TO_FREEZE, "", "", {**FACTS, "version": version}, when=WHEN, hashes=False)
    assert (read_header(text) or Header("", "")).python == version


@pytest.mark.parametrize(("text", "is_stale"), [(TO_FREEZE, False), (f"{TO_FREEZE}\n", True), ("", True)])
def test_a_header_tells_whether_the_file_has_changed_since(text: str, is_stale: bool) -> None:
    header = read_header(composed("Django==5.2.19\n"))
    assert header
    assert header.is_stale(text) == is_stale


def test_the_line_ends_that_git_gave_a_file_do_not_count() -> None:
    windows = composed("Django==5.2.19\n", text=TO_FREEZE.replace("\n", "\r\n"))
    assert windows == composed("Django==5.2.19\n")
    header = read_header(windows)
    assert header
    assert not header.is_stale(TO_FREEZE.replace("\n", "\r\n"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Django==5.2.19\n",
        "# Made by somebody.\nDjango==5.2.19\n",
        f"# sha256 of requirements_to_freeze.txt: {A[:-1]}\n",
        # It is not at the top.
        f"a==1\nb==1\nc==1\nd==1\n# sha256 of requirements_to_freeze.txt: {A}\n",
    ],
)
def test_what_somebody_else_made_has_no_header(text: str) -> None:
    assert read_header(text) is None


def test_a_header_without_an_interpreter_still_tells_the_hash() -> None:
    assert read_header(f"# sha256 of requirements_to_freeze.txt: {A}\n") == Header("", A)


def test_two_files_that_differ_in_nothing_but_their_time_are_the_same() -> None:
    old = composed("Django==5.2.19\n")
    assert is_same(old, old.replace(WHEN, "2027-01-01T00:00:00Z"))


@pytest.mark.parametrize(
    ("part", "other"),
    [("3.13.5", "3.13.6"), ("Debian 13", "Debian 12"), ("Django==5.2.19", "Django==5.2.20"), ("\n\n", "\n\n# Why.\n")],
)
def test_two_files_that_differ_in_anything_else_are_not_the_same(part: str, other: str) -> None:
    old = composed("Django==5.2.19\n")
    assert not is_same(old, old.replace(part, other))


def test_a_file_that_is_new_is_not_the_same() -> None:
    assert not is_same("", composed("Django==5.2.19\n"))


def moved(old: str, new: str) -> dict[str, list[str]]:
    """Return what is not empty of what moved."""
    return {name: lines for name, lines in moves(old_pins(old), old_pins(new)).items() if lines}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a==1\n", "a==1\n", {}),
        ("A.b==1\n", "a_b==1.0\n", {}),
        ("a==1\n", "a==2\nb==1\n", {"added": ["b==1"], "moved": ["a 1 -> 2"]}),
        ("b==1\nA==1\n", "", {"removed": ["A==1", "b==1"]}),
        ("a===x\n", "a===y\n", {"moved": ["a ===x -> ===y"]}),
        (
            f"a @ https://h/1.zip#sha256={A}\n",
            f"a @ https://h/2.zip#sha256={A}\n",
            {"moved": [f"a https://h/1.zip#sha256={A} -> https://h/2.zip#sha256={A}"]},
        ),
        ("a==1\n", f"a @ https://h/1.zip#sha256={A}\n", {"moved": [f"a 1 -> https://h/1.zip#sha256={A}"]}),
    ],
)
def test_what_moved_is_told_in_order(old: str, new: str, expected: dict[str, list[str]]) -> None:
    assert moved(old, new) == expected


# Where the input is.


def place(directory: Path, *names: str) -> list[Path]:
    """Make a requirements_to_freeze.txt in each of some directories."""
    paths = [directory / name / "requirements_to_freeze.txt" for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


@pytest.mark.parametrize("name", [".", "a", "a/b", "a/b/c"])
def test_the_input_may_lie_below(name: str, tmp_path: Path) -> None:
    (path,) = place(tmp_path, name)
    assert find_input(tmp_path) == path.resolve()


def test_of_several_the_nearest_counts(tmp_path: Path) -> None:
    nearest, *_ = place(tmp_path, "z", "a/b", "a/c", "a/b/c")
    assert find_input(tmp_path) == nearest


def test_several_as_near_are_refused_with_where_they_are(tmp_path: Path) -> None:
    place(tmp_path, "b", "a", "a/b")
    with pytest.raises(Problem) as problem:
        find_input(tmp_path)
    assert str(problem.value) == (
        f"requirements_to_freeze.txt is in {tmp_path}/a, {tmp_path}/b. Set lock_directory to the one you mean."
    )


@pytest.mark.parametrize("name", [None, "a/b/c/d"])
def test_a_checkout_without_one_or_with_one_far_below_is_refused_with_what_to_do(
    name: str | None, tmp_path: Path
) -> None:
    place(tmp_path, *([name] if name else []))
    with pytest.raises(Problem) as problem:
        find_input(tmp_path)
    assert str(problem.value) == (
        f"{tmp_path} has no requirements_to_freeze.txt. Write one that lists what the project needs directly, a name a "
        "line, or set lock_directory to a checkout of the project."
    )


@pytest.mark.parametrize("name", ["nowhere", "requirements_to_freeze.txt"])
def test_what_is_no_directory_is_refused_with_what_to_do(name: str, tmp_path: Path) -> None:
    place(tmp_path, ".")
    with pytest.raises(Problem) as problem:
        find_input(tmp_path / name)
    assert str(problem.value) == (
        f"{tmp_path}/{name} is no directory on this machine. Set lock_directory to a checkout of the project."
    )


def test_the_debian_packages_of_each_checkout_are_looked_up(tmp_path: Path) -> None:
    for path, text in zip(place(tmp_path, "a", "b"), ["# apt: libpq-dev gcc\npsycopg\n", "Django\n"], strict=True):
        path.write_text(text)
    assert LookupModule().run([str(tmp_path / "a"), str(tmp_path / "b")]) == [
        {"libpq-dev": "requirements_to_freeze.txt, line 1", "gcc": "requirements_to_freeze.txt, line 1"},
        {},
    ]


def test_a_checkout_is_looked_up_in_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (path,) = place(tmp_path, "shop")
    path.write_text("\ufeff# apt: gcc\n")
    assert LookupModule().run(["~/shop"]) == [{"gcc": "requirements_to_freeze.txt, line 1"}]


def test_a_lookup_that_fails_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(AnsibleLookupError, match=f"^{tmp_path} has no requirements_to_freeze.txt"):
        LookupModule().run([str(tmp_path)])


def test_a_lookup_that_finds_no_name_says_so(tmp_path: Path) -> None:
    (path,) = place(tmp_path, ".")
    path.write_text("# apt: libpq_dev\n")
    with pytest.raises(AnsibleLookupError, match=r"^requirements_to_freeze\.txt, line 1: 'libpq_dev' is no name"):
        LookupModule().run([str(tmp_path)])


# A real run.


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Be silent."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, wheel: Wheel) -> Iterator[tuple[str, Path]]:
    """Return the URL of a directory with wheels, and the directory."""
    directory = tmp_path_factory.mktemp("wheels")
    for version in ("1.0", "1.5", "2.0"):
        wheel(directory, "alpha", version, requires=["beta", "pip"])
    # What pip freeze leaves out unless it is told not to.
    wheel(directory, "pip", "99.1")
    wheel(directory, "beta", "1.0")
    wheel(directory, "beta", "2.0")
    wheel(directory, "gamma")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(directory))) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", directory
        server.shutdown()


def lock_text(served: tuple[str, Path]) -> str:
    """Return a requirements_to_freeze.txt with one of everything."""
    url, directory = served
    lines = ["# From nowhere else.", "--no-index", f"--find-links {directory}", "# The one.", "Alpha<2"]
    return "\n".join([*lines, f"gamma @ {url}/gamma-1.0-py3-none-any.whl", ""])


@pytest.fixture(scope="module")
def answer(
    served: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory, python: str, offline: Path
) -> dict[str, Any]:
    """Return what freezing it brings where beta was 1.0 before."""
    options = {"requirements": lock_text(served), "preferences": "beta==1.0\n", "python": python, "indexes": []}
    return freeze(options, UV, tmp_path_factory.mktemp("freeze"))


def test_what_fits_together_is_frozen_below_its_comments(served: tuple[str, Path], answer: dict[str, Any]) -> None:
    url, directory = served
    assert answer["frozen"].splitlines() == [
        "# From nowhere else.",
        "--no-index",
        f"--find-links {directory}",
        "# The one.",
        "alpha==1.5",
        f"gamma @ {url}/gamma-1.0-py3-none-any.whl",
        "## The following requirements were added by pip freeze:",
        "beta==1.0",
        "pip==99.1",
    ]


def test_what_was_resolved_has_the_hashes_of_the_files(served: tuple[str, Path], answer: dict[str, Any]) -> None:
    hashes = {pin.name: pin.hashes for pin in old_pins(answer["resolved"])}
    names = {"alpha": "alpha-1.5", "beta": "beta-1.0", "gamma": "gamma-1.0", "pip": "pip-99.1"}
    files = {name: served[1] / f"{file}-py3-none-any.whl" for name, file in names.items()}
    assert hashes == {name: (f"sha256:{sha256(file.read_bytes()).hexdigest()}",) for name, file in files.items()}


def test_the_facts_are_those_of_the_interpreter(answer: dict[str, Any]) -> None:
    facts = dict(answer["facts"])
    assert facts.pop("platform").startswith(f"Linux {platform.machine()}")
    assert facts == {"interpreter": platform.python_implementation(), "version": platform.python_version()}


@pytest.mark.parametrize("hashes", [True, False])
def test_what_was_frozen_is_a_requirements_txt_that_can_be_deployed(
    hashes: bool, served: tuple[str, Path], answer: dict[str, Any]
) -> None:
    text = compose(lock_text(served), answer["frozen"], answer["resolved"], answer["facts"], when=WHEN, hashes=hashes)
    read = read_requirements(PurePosixPath("requirements.txt"), {"requirements.txt": text}.get)
    assert read.problems == []
    assert [(pin.name, bool(pin.hashes)) for pin in read.pins] == [
        ("alpha", hashes),
        ("gamma", False),
        ("beta", hashes),
        ("pip", hashes),
    ]


def freeze_refused(tmp_path: Path, served: tuple[str, Path], python: str, *lines: str) -> str:
    """Return why requirements are not frozen."""
    text = "\n".join(["--no-index", f"--find-links {served[1]}", *lines])
    options = {"requirements": text, "preferences": "", "python": python, "indexes": []}
    with pytest.raises(Problem) as problem:
        freeze(options, UV, tmp_path)
    return str(problem.value)


@pytest.mark.usefixtures("offline")
def test_requirements_that_contradict_each_other_are_refused_with_what_uv_says(
    tmp_path: Path, served: tuple[str, Path], python: str
) -> None:
    message = freeze_refused(tmp_path, served, python, "alpha<2", "alpha>1.5")
    assert message.startswith("requirements_to_freeze.txt cannot be resolved (exit code 1):\n")
    assert "alpha" in message


@pytest.mark.usefixtures("offline")
def test_an_interpreter_that_is_not_there_is_told(tmp_path: Path, served: tuple[str, Path]) -> None:
    message = freeze_refused(tmp_path, served, "/usr/bin/python3.99", "alpha")
    assert message.startswith("requirements_to_freeze.txt cannot be resolved")
    assert "/usr/bin/python3.99" in message
