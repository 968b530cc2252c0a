"""Requirements files are read as pip reads them, and a pin is what it says however it is written."""

from __future__ import annotations

import platform
import re
from pathlib import PurePosixPath

import pytest
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.requirements import (
    Pin,
    Requirements,
    linux_environment,
    logical_lines,
    parse_line,
    read_direct,
    read_requirements,
)
from hypothesis import assume, given
from hypothesis import strategies as st

FREEZE = "Put it into requirements_to_freeze.txt and type: ansible-playbook lock.yml with the same -l"
HASH = "0" * 64


def read(text: str, path: str = "requirements.txt", **others: str) -> Requirements:
    """Return what a file and those that it names say; two underscores in a name stand for a slash."""
    files = {path: text, **{f"{name.replace('__', '/')}.txt": content for name, content in others.items()}}
    result = read_requirements(PurePosixPath(path), files.get)
    assert all(files[name] == content for name, content in result.files.items())
    return result


def pinned(text: str) -> dict[str, str]:
    """Return names and versions of a file without a fault."""
    result = read(text)
    assert result.problems == []
    return {pin.name: str(pin.version) for pin in result.pins}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a==1\nb==2\n", [(1, "a==1"), (2, "b==2")]),
        ("a==1\r\nb==2", [(1, "a==1"), (2, "b==2")]),
        ("a==1\rb==2", [(1, "a==1"), (2, "b==2")]),
        ("# c\n\n  \n  a==1  \n", [(4, "a==1")]),
        ("a==1 # c\nb @ https://h/b#sha256=0\n", [(1, "a==1"), (2, "b @ https://h/b#sha256=0")]),
        ("a==1 \\\n  --hash=x \\\n  --hash=y\nb==2", [(1, "a==1    --hash=x    --hash=y"), (4, "b==2")]),
        ("a==1 \\\r\n  --hash=x\r\nb==2", [(1, "a==1    --hash=x"), (3, "b==2")]),
        # A comment ends what was continued, and what ends the file is not lost.
        ("a==1 \\\n# c \\\nb==2", [(1, "a==1"), (3, "b==2")]),
        ("# c \\\na==1", [(2, "a==1")]),
        ("a==1 \\", [(1, "a==1")]),
        ("\\\n\\\na==1", [(1, "a==1")]),
    ],
)
def test_lines_are_joined_and_cut_as_pip_does(text: str, expected: list[tuple[int, str]]) -> None:
    assert logical_lines(text) == expected


@pytest.mark.parametrize(
    ("line", "name", "version"),
    [
        ("Django==5.2.19", "django", "5.2.19"),
        ("Flask_Thing.x == 1.0", "flask-thing-x", "1.0"),
        ("gunicorn[gevent]==27.0.1", "gunicorn", "27.0.1"),
        ("a==1 ; python_version < '3.12'", "a", "1"),
        ("a (==1)", "a", "1"),
        ("a==1.0+local", "a", "1.0+local"),
        ("a==1!2.0rc1.post3.dev4", "a", "1!2.0rc1.post3.dev4"),
        ("a===1.0", "a", "1.0"),
        ("a===as-you-like", "a", "None"),
        (f"a==1 --hash=sha256:{HASH}", "a", "1"),
        (f"a @ https://h/a-1.tar.gz#sha256={HASH}", "a", "None"),
        (f"a @ https://h/a-1.tar.gz#egg=a&sha256={HASH}", "a", "None"),
        (f"a@https://h/a-1.tar.gz --hash=sha256:{HASH}", "a", "None"),
    ],
)
def test_a_line_that_names_one_version_is_pinned(line: str, name: str, version: str) -> None:
    assert pinned(line) == {name: version}


@pytest.mark.parametrize(
    "hashes",
    [[f"sha256:{HASH}"], [f"sha256:{HASH}", f"sha256:{'f' * 64}"], [f"sha384:{'0' * 96}", f"sha512:{'0' * 128}"]],
)
@pytest.mark.parametrize("separator", ["=", " "])
def test_the_hashes_of_a_line_are_kept_in_order(hashes: list[str], separator: str) -> None:
    line = " \\\n    ".join(["a==1", *(f"--hash{separator}{each}" for each in hashes)])
    assert [pin.hashes for pin in read(line).pins] == [tuple(hashes)]


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://h/",
        "-i https://h/",
        "--extra-index-url=https://h/simple",
        "-f https://h/files",
        "--no-index",
        "--pre",
        "--only-binary :all:",
        "--no-binary=psycopg2",
        "--prefer-binary",
        "--require-hashes",
    ],
)
def test_options_that_leave_a_release_as_exact_are_left_to_pip(line: str) -> None:
    assert pinned(f"{line}\na==1") == {"a": "1"}


@pytest.mark.parametrize("option", ["-r base.txt", "-rbase.txt", "--requirement base.txt", "--requirement=./base.txt"])
def test_a_file_that_is_named_is_read_in_its_place(option: str) -> None:
    result = read(f"a==1\n{option}\nc==3", base="\nb==2")
    assert [(pin.name, pin.place) for pin in result.pins] == [
        ("a", "requirements.txt, line 1"),
        ("b", "base.txt, line 2"),
        ("c", "requirements.txt, line 3"),
    ]
    assert list(result.files) == ["requirements.txt", "base.txt"]


@pytest.mark.parametrize("option", ["-c base.txt", "-cbase.txt", "--constraint base.txt", "--constraint=base.txt"])
def test_a_constraint_installs_nothing_but_counts_as_content(option: str) -> None:
    result = read(f"{option}\na==1", base="b==2")
    assert [pin.name for pin in result.pins] == ["a"]
    assert list(result.files) == ["requirements.txt", "base.txt"]


def test_what_a_constraint_names_is_a_constraint_too() -> None:
    result = read("-c a.txt", a="-r b.txt\na<2", b="b<2")
    assert result.pins == []
    assert [(each.name, each.place) for each in result.constraints] == [("b", "b.txt, line 1"), ("a", "a.txt, line 2")]


@pytest.mark.parametrize("text", ["-c base.txt\n-r base.txt", "-r base.txt\n-c base.txt"])
def test_a_file_may_be_a_constraint_and_be_installed(text: str) -> None:
    result = read(text, base="b==2")
    assert ([pin.name for pin in result.pins], result.problems) == (["b"], [])


def test_files_are_named_from_the_one_that_names_them() -> None:
    result = read("-r sub/a.txt", path="x/prod.txt", x__sub__a="-r ../../base.txt", base="b==2")
    assert [pin.place for pin in result.pins] == ["base.txt, line 1"]
    assert list(result.files) == ["x/prod.txt", "x/sub/a.txt", "base.txt"]


def test_a_file_that_two_name_is_read_once() -> None:
    result = read("-r a.txt\n-r b.txt", a="-r base.txt", b="-r base.txt", base="a==1\ndjango")
    assert [pin.place for pin in result.pins] == ["base.txt, line 1"]
    assert result.problems == [f"base.txt, line 2: django is not pinned to one version. {FREEZE}"]


def test_files_that_each_name_the_next_one_twice_are_read_in_no_time() -> None:
    # Reading all of them as often as they are named would take 2 ** 99 steps.
    others = {f"f{number}": f"-r f{number + 1}.txt\n-c f{number + 1}.txt\n" * 2 for number in range(99)}
    assert [pin.name for pin in read("-r f0.txt", **others, f99="a==1").pins] == ["a"]


@pytest.mark.parametrize(
    ("text", "others", "place"),
    [
        ("-r requirements.txt", {}, "requirements.txt, line 1: requirements.txt"),
        ("\n-r a.txt", {"a": "-r requirements.txt"}, "a.txt, line 1: requirements.txt"),
        ("-r a.txt", {"a": "-r b.txt", "b": "-c ./a.txt"}, "b.txt, line 1: a.txt"),
    ],
)
def test_files_that_name_each_other_in_a_circle_are_told(text: str, others: dict[str, str], place: str) -> None:
    message = f"{place} is being read already. Take out one of the lines that name it."
    assert read(text, **others).problems == [message]


def test_a_file_that_is_not_there_is_told_with_where_it_is_named() -> None:
    assert read("a==1\n-r base.txt").problems == ["requirements.txt, line 2: the project has no base.txt."]


def test_without_the_file_itself_nothing_is_read() -> None:
    with pytest.raises(Problem, match=r"^The project has no requirements\.txt\.$"):
        read_requirements(PurePosixPath("requirements.txt"), lambda _: None)


def test_a_file_outside_the_project_is_not_read_even_if_it_is_there() -> None:
    message = "lies outside the project. Put that file into it, and name it here."
    assert read("-r ../../base.txt", path="x/prod.txt", base="b==2").problems == [
        f"x/prod.txt, line 1: x/../../base.txt {message}"
    ]
    assert read("-r /base.txt", base="b==2").problems == [f"requirements.txt, line 1: /base.txt {message}"]


def test_good_lines_are_kept_beside_faulty_ones() -> None:
    result = read("a==1\nb\nc==3\n-r d.txt\n")
    assert [pin.name for pin in result.pins] == ["a", "c"]
    assert len(result.problems) == 2


def test_the_hash_follows_names_and_contents_of_all_files() -> None:
    hashes = [
        read("a==1").sha256,
        read("a==1\n").sha256,
        read("a==1", path="prod.txt").sha256,
        read("a==1\n-c b.txt", b="b==1").sha256,
        read("a==1\n-c b.txt", b="b==2").sha256,
    ]
    assert len(set(hashes)) == len(hashes)
    assert read("a==1").sha256 == hashes[0]


@pytest.mark.parametrize(
    "text",
    [
        "a==1\na==1",
        "a==1.0\nA==1.0.0",
        "a==1\na[b]==1",
        "a==1; os_name == 'nt'\na==2; os_name != 'nt'",
        f"a==1 --hash=sha256:{HASH}\nb @ https://h/b.whl#sha256={HASH}",
    ],
)
def test_lines_that_say_the_same_agree(text: str) -> None:
    assert read(text).problems == []


def test_what_is_asked_for_directly_is_read_with_its_place() -> None:
    found, problems = read_direct("to_freeze.txt", "# all\n--pre\nGEvent\n\nDjango>=5,<6  # the LTS\na @ https://h/a\n")
    assert [(each.name, str(each.requirement.specifier), each.place) for each in found] == [
        ("gevent", "", "to_freeze.txt, line 3"),
        ("django", "<6,>=5", "to_freeze.txt, line 5"),
        ("a", "", "to_freeze.txt, line 6"),
    ]
    assert problems == []


@pytest.mark.parametrize(
    ("python", "short"), [("3.9.18", "3.9"), ("3.13.0", "3.13"), ("3.14.0rc1", "3.14"), ("3.100.1", "3.100")]
)
def test_conditions_are_judged_for_an_interpreter_on_linux(python: str, short: str) -> None:
    environment = linux_environment(python)
    assert (environment["python_version"], environment["python_full_version"]) == (short, python)
    assert (environment["sys_platform"], environment["os_name"], environment["platform_system"]) == (
        "linux",
        "posix",
        "Linux",
    )


def test_conditions_are_judged_for_this_interpreter_where_no_other_is_known() -> None:
    assert linux_environment()["python_full_version"] == platform.python_version()


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("", True),
        ("; python_version < '3.12'", True),
        ("; python_version >= '3.12'", False),
        ("; sys_platform == 'win32'", False),
        ("; extra == 'x'", False),
    ],
)
def test_a_pin_applies_where_its_condition_is_true(condition: str, expected: bool) -> None:
    assert [pin.applies(linux_environment("3.11.2")) for pin in read(f"a==1{condition}").pins] == [expected]


LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
WORDS = st.lists(st.text(LETTERS, min_size=1, max_size=6), min_size=1, max_size=4)
SEPARATORS = st.text("-_.", min_size=1, max_size=3)
BLANKS = st.sampled_from(["", " ", "  ", "\t"])
LINE_END = st.sampled_from(["\n", "\r\n"])
VERSIONS = st.from_regex(
    r"([1-9]!)?[0-9]{1,3}(\.[0-9]{1,3}){0,3}((a|b|rc)[0-9])?(\.post[0-9])?(\.dev[0-9])?", fullmatch=True
)
MARKERS = st.sampled_from(["", "python_version<'3.12'", "os_name == 'posix' and (python_version >= '3')"])
HASHES = st.lists(st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:{}".format), max_size=3)
COMMENTS = st.sampled_from(["", " # why", "\t#", "  # apt: gcc # b==2"])


@st.composite
def spellings(draw: st.DrawFn, words: list[str]) -> str:
    """Draw a way of writing the name of these words."""
    cased = ["".join(draw(st.sampled_from([letter, letter.upper()])) for letter in word) for word in words]
    return cased[0] + "".join(draw(SEPARATORS) + word for word in cased[1:])


@st.composite
def lines(draw: st.DrawFn) -> tuple[str, str, str, tuple[str, ...]]:
    """Draw a pin as somebody may write it, and its name, version and hashes."""
    words, version, marker, hashes = draw(WORDS), draw(VERSIONS), draw(MARKERS), draw(HASHES)
    extras = draw(st.sampled_from(["", "[x]", "[x,Y_z]", "[ x , y ]"]))
    requirement = [draw(spellings(words)), extras, "==", version]
    text = "".join(part + draw(BLANKS) for part in requirement)
    text += f"; {marker}" if marker else ""
    for each in hashes:
        text += draw(st.sampled_from([" ", "  ", " \\\n", " \\\r\n    "])) + f"--hash={each}"
    return draw(BLANKS) + text + draw(COMMENTS) + draw(LINE_END), "-".join(words), version, tuple(hashes)


@given(lines(), st.sampled_from(["", "\n", "# a==1\n", "  # b \\\n", "\r\n\r\n"]))
def test_a_pin_is_read_however_it_is_written(written: tuple[str, str, str, tuple[str, ...]], before: str) -> None:
    line, name, version, hashes = written
    result = read(before + line)
    assert result.problems == []
    assert [(pin.name, pin.hashes) for pin in result.pins] == [(name, hashes)]
    assert [str(pin.requirement.specifier) for pin in result.pins] == [f"=={version}"]
    assert [pin.place for pin in result.pins] == [f"requirements.txt, line {len(before.splitlines()) + 1}"]


@given(st.lists(lines(), min_size=1, max_size=5, unique_by=lambda line: line[1]))
def test_several_pins_are_read_in_order(written: list[tuple[str, str, str, tuple[str, ...]]]) -> None:
    result = read("".join(line for line, *_ in written))
    assert [(pin.name, pin.hashes) for pin in result.pins] == [(name, hashes) for _, name, _, hashes in written]


def pin(text: str) -> Pin:
    """Return the pin of a line."""
    found = parse_line(text, "requirements.txt, line 1")
    assert found is not None
    return found


@given(st.data(), WORDS)
def test_two_spellings_of_a_name_are_one_name(data: st.DataObject, words: list[str]) -> None:
    first, second = data.draw(spellings(words)), data.draw(spellings(words))
    assert pin(f"{first}==1").name == pin(f"{second}==1").name
    assert read(f"{first}==1\n{second}==1").problems == []


@given(st.data(), WORDS)
def test_two_versions_of_a_name_contradict_each_other_in_every_spelling(data: st.DataObject, words: list[str]) -> None:
    first, second = data.draw(spellings(words)), data.draw(spellings(words))
    assert read(f"{first}==1\n{second}==2").problems == [
        f"requirements.txt, line 2: {second}==2 contradicts requirements.txt, line 1: {first}==1. Take one out."
    ]


@given(st.data(), WORDS, WORDS)
def test_two_names_are_two_in_every_spelling(data: st.DataObject, one: list[str], other: list[str]) -> None:
    assume(one != other)
    first, second = data.draw(spellings(one)), data.draw(spellings(other))
    assert pin(f"{first}==1").name != pin(f"{second}==1").name
    assert read(f"{first}==1\n{second}==2").problems == []


PIECES = "-r |-c |-e |--hash=sha256:|--pre|a|a.txt|b.txt|==|1.0|https://|file:|git+|${A}|python_version|extra| in |'3'"
SNIPPETS = st.lists(st.sampled_from([*"\n\r\t\\\x0c\u2028\0\ufffd#;=<>~!@[](){},'\" 2*/", HASH, *PIECES.split("|")]))
TEXT = st.one_of(st.text(), SNIPPETS.map("".join))


@given(TEXT, TEXT, TEXT)
def test_whatever_the_files_hold_each_line_is_an_option_or_a_pin_or_a_problem(text: str, a: str, b: str) -> None:
    result = read(text, a=a, b=b)
    places = [pin.place for pin in result.pins] + [problem.partition(":")[0] for problem in result.problems]
    assert all(re.fullmatch(r"(requirements|a|b)\.txt(, line \d+| is not UTF-8 .*)", place) for place in places)
    assert set(result.files) <= {"requirements.txt", "a.txt", "b.txt"}


@given(TEXT)
def test_whatever_requirements_to_freeze_holds_each_line_is_an_option_or_read_or_a_problem(text: str) -> None:
    found, problems = read_direct("to_freeze.txt", text)
    places = [each.place for each in found] + [problem.partition(":")[0] for problem in problems]
    assert all(re.fullmatch(r"to_freeze\.txt(, line \d+| is not UTF-8 .*)", place) for place in places)
    assert len(places) <= max(1, len(logical_lines(text)))
