"""A virtualenv is what its requirements say, or each difference is told in a line of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pytest
from ansible_collections.initech.django.plugins.module_utils.proof import (
    Package,
    conflicts,
    differences,
    interpreter_problems,
    same_version,
)
from ansible_collections.initech.django.plugins.module_utils.requirements import Pin, linux_environment, parse_line
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

ENVIRONMENT = linux_environment("3.13.5")
SHA256 = "0" * 64


def pins(*lines: str) -> list[Pin]:
    """Return what the lines of a requirements file pin."""
    numbered = enumerate(lines, start=1)
    return [pin for number, line in numbered if (pin := parse_line(line, f"requirements.txt, line {number}"))]


def differ(lines: Sequence[str], *packages: Package) -> list[str]:
    """Return how packages differ from the lines of a requirements file."""
    return list(differences(pins(*lines), packages, ENVIRONMENT, "requirements.txt"))


def clash(lines: Sequence[str], *packages: Package) -> list[str]:
    """Return what the packages of a requirements file lack of each other."""
    return list(conflicts(pins(*lines), packages, ENVIRONMENT))


# Versions and names, and the ways to spell them.


class Release(NamedTuple):
    """A version in its parts, as PEP 440 has them; two are the same exactly when their parts are."""

    epoch: int
    numbers: tuple[int, ...]
    pre: tuple[str, int] | None
    post: int | None
    dev: int | None
    local: tuple[str | int, ...]


SPELLINGS = {"a": ("a", "alpha"), "b": ("b", "beta"), "rc": ("rc", "c", "pre", "preview")}
numbers = st.integers(0, 2)


def without_zeros(parts: list[int]) -> tuple[int, ...]:
    """Return the numbers of a release without those at its end that say nothing."""
    while len(parts) > 1 and parts[-1] == 0:
        parts = parts[:-1]
    return tuple(parts)


releases = st.builds(
    Release,
    epoch=st.sampled_from([0, 0, 0, 1]),
    numbers=st.lists(st.integers(0, 11), min_size=1, max_size=4).map(without_zeros),
    pre=st.none() | st.tuples(st.sampled_from(list(SPELLINGS)), numbers),
    post=st.none() | numbers,
    dev=st.none() | numbers,
    local=st.lists(st.sampled_from(["cpu", "a1", 1, 10]), max_size=2).map(tuple),
)


@st.composite
def spelled(draw: st.DrawFn, release: Release) -> str:
    """Return one of the ways to write a version."""

    def pick(*options: str) -> str:
        return draw(st.sampled_from(options))

    def number(value: int, *, may_be_left_out: bool = True) -> str:
        return pick(str(value), f"0{value}", *([""] if value == 0 and may_be_left_out else []))

    text = pick("", "v") + (f"{release.epoch}!" if release.epoch else pick("", "0!"))
    text += ".".join(pick(str(each), f"0{each}") for each in release.numbers) + pick("", ".0", ".0.0")
    if release.pre:
        text += pick("", ".", "-", "_") + pick(*SPELLINGS[release.pre[0]]) + pick("", ".")
        # 1a-1 is 1a1, and 1a0-1 is 1a0.post1.
        text += number(release.pre[1], may_be_left_out=release.post is None)
    if release.post is not None:
        text += pick(f"-{release.post}", pick(".", "", "-", "_") + pick("post", "rev", "r") + number(release.post))
    if release.dev is not None:
        text += pick(".", "", "-", "_") + "dev" + number(release.dev)
    if release.local:
        text += "+" + pick(".", "-", "_").join(map(str, release.local))
    return draw(st.sampled_from([text, text.upper()]))


@st.composite
def named(draw: st.DrawFn, words: Sequence[str]) -> str:
    """Return one of the ways to write a name, by PEP 503."""
    separators = st.text("-_.", min_size=1, max_size=3)
    text = words[0] + "".join(draw(separators) + word for word in words[1:])
    return "".join(draw(st.sampled_from([letter, letter.upper()])) for letter in text)


names = st.lists(st.text("ab1", min_size=1, max_size=2), min_size=1, max_size=3).map(tuple)


@given(releases.flatmap(lambda release: st.tuples(spelled(release), spelled(release))))
@example(("1.0", "1.0.0"))
@example(("1!1", "1!1.0"))
@example(("1.0RC1", "v1.0-preview.1"))
@example(("1.0+Cpu.1", "1+cpu_01"))
def test_a_version_is_the_same_however_it_is_spelled(versions: tuple[str, str]) -> None:
    installed, wanted = versions
    assert same_version(installed, *pins(f"alpha=={wanted}"))


@st.composite
def two_spelled(draw: st.DrawFn) -> tuple[str, str]:
    """Return two versions, most often of releases that differ in one part."""
    release, other = draw(releases), draw(releases)
    part = draw(st.sampled_from(Release._fields))
    near = release._replace(**{part: getattr(other, part)})
    second = draw(st.sampled_from([near, other]))
    assume(release != second)
    return draw(spelled(release)), draw(spelled(second))


@given(two_spelled())
@example(("1.0", "1.0.1"))
@example(("1.0", "1!1.0"))
@example(("1.0", "1.0rc1"))
@example(("1.0", "1.0.post0"))
@example(("1.0", "1.0.dev0"))
@example(("1.0+cpu", "1.0"))
@example(("1.0", "1.0+cpu"))
@example(("1.10", "1.1"))
def test_versions_that_are_not_the_same_are_told_apart(versions: tuple[str, str]) -> None:
    installed, wanted = versions
    assert not same_version(installed, *pins(f"alpha=={wanted}"))


@pytest.mark.parametrize(
    ("installed", "wanted", "is_same"), [("2004d", "2004d", True), ("2004D", "2004d", True), ("2004e", "2004d", False)]
)
def test_a_version_that_pep_440_does_not_know_is_compared_as_text(installed: str, wanted: str, is_same: bool) -> None:
    assert same_version(installed, *pins(f"alpha==={wanted}")) == is_same


@given(names.flatmap(lambda words: st.tuples(named(words), named(words))))
@example(("Zope.Interface", "zope-interface"))
@example(("a.-_b", "A_B"))
def test_a_name_is_the_same_however_it_is_spelled(spellings: tuple[str, str]) -> None:
    installed, wanted = spellings
    assert differ([f"{wanted}==1"], Package(installed, "1")) == []


@given(
    st.tuples(names, names).filter(lambda both: both[0] != both[1]).flatmap(lambda both: st.tuples(*map(named, both)))
)
def test_names_that_are_not_the_same_are_told_apart(spellings: tuple[str, str]) -> None:
    installed, wanted = spellings
    assert differ([f"{wanted}==1"], Package(installed, "1")) == [
        f"extra: {installed} 1 is installed, and requirements.txt does not have it",
        f"missing: {wanted}==1 (requirements.txt, line 1) is not installed",
    ]


# Sets of packages.


@st.composite
def frozen(draw: st.DrawFn) -> tuple[list[str], list[Package]]:
    """Return the lines of a requirements file, and what is installed from it: the same, in any order and spelling."""
    release_of = draw(st.dictionaries(names, releases, min_size=1, max_size=4))
    lines = [f"{draw(named(name))}=={draw(spelled(release))}" for name, release in release_of.items()]
    packages = [Package(draw(named(name)), draw(spelled(release))) for name, release in release_of.items()]
    return draw(st.permutations(lines)), draw(st.permutations(packages))


@settings(max_examples=20)
@given(frozen())
def test_what_the_file_says_and_nothing_else_is_no_difference(both: tuple[list[str], list[Package]]) -> None:
    lines, packages = both
    assert differ(lines, *packages) == []


@settings(max_examples=20)
@given(frozen(), st.data())
def test_one_package_more_is_one_line(both: tuple[list[str], list[Package]], data: st.DataObject) -> None:
    lines, packages = both
    packages.insert(data.draw(st.integers(0, len(packages))), Package("Extra_1", "1.0+x"))
    assert differ(lines, *packages) == [
        "extra: Extra_1 1.0+x is installed, and requirements.txt does not have it",
    ]


@settings(max_examples=20)
@given(frozen(), st.data())
def test_one_package_less_is_one_line(both: tuple[list[str], list[Package]], data: st.DataObject) -> None:
    lines, packages = both
    number = data.draw(st.integers(0, len(lines)))
    lines.insert(number, "Missing_1==1.0")
    assert differ(lines, *packages) == [
        f"missing: Missing_1==1.0 (requirements.txt, line {number + 1}) is not installed",
    ]


@settings(max_examples=20)
@given(frozen(), st.data(), two_spelled())
def test_one_other_version_is_one_line(
    both: tuple[list[str], list[Package]], data: st.DataObject, versions: tuple[str, str]
) -> None:
    lines, packages = both
    number = data.draw(st.integers(0, len(lines)))
    lines.insert(number, f"Changed_1=={versions[0]}")
    packages.insert(data.draw(st.integers(0, len(packages))), Package("changed.1", versions[1]))
    assert differ(lines, *packages) == [
        f"different: changed.1 is {versions[1]}, and requirements.txt, line {number + 1} says Changed_1=={versions[0]}",
    ]


def test_a_line_for_another_interpreter_is_not_missing() -> None:
    assert differ(["tomli==2.0 ; python_version < '3.11'"]) == []


def test_of_two_lines_for_a_package_the_one_for_this_interpreter_counts() -> None:
    lines = ["alpha==2 ; python_version >= '3.13'", "alpha==1 ; python_version < '3.13'"]
    assert differ(lines, Package("alpha", "1")) == [
        'different: alpha is 1, and requirements.txt, line 1 says alpha==2; python_version >= "3.13"'
    ]


def test_a_package_for_another_interpreter_is_extra() -> None:
    assert differ(["tomli==2.0 ; python_version < '3.11'"], Package("tomli", "2.0")) == [
        "extra: tomli 2.0 is installed, and requirements.txt does not have it"
    ]


def test_a_package_from_the_url_of_its_line_is_no_difference() -> None:
    line = f"alpha @ https://h/a.zip#subdirectory=x&sha256={SHA256}"
    assert differ([line], Package("alpha", "1", url="https://h/a.zip")) == []


def test_a_package_from_an_index_instead_of_a_url_is_different() -> None:
    line = f"alpha @ https://h/a.zip#sha256={SHA256}"
    assert differ([line], Package("alpha", "1")) == [
        f"different: alpha comes from an index, and requirements.txt, line 1 says {line}"
    ]


def test_a_package_from_somewhere_instead_of_an_index_is_different() -> None:
    assert differ(["alpha==1"], Package("alpha", "1", url="file:///root/alpha")) == [
        "different: alpha comes from file:///root/alpha, and requirements.txt, line 1 says alpha==1"
    ]


@pytest.mark.parametrize(
    ("count", "lines"),
    [
        (0, []),
        (1, ["changed: 1.py of alpha 1 is not what was installed"]),
        (3, [f"changed: {number}.py of alpha 1 is not what was installed" for number in (1, 2, 3)]),
        (
            5,
            [
                *[f"changed: {number}.py of alpha 1 is not what was installed" for number in (1, 2, 3)],
                "changed: and 2 more files of alpha 1",
            ],
        ),
    ],
)
def test_of_the_changed_files_of_a_package_three_are_named(count: int, lines: list[str]) -> None:
    changed = tuple(f"{number}.py" for number in range(1, count + 1))
    assert differ(["alpha==1"], Package("alpha", "1", changed=changed)) == lines


def test_a_changed_file_of_a_package_that_is_extra_is_told_too() -> None:
    assert differ([], Package("alpha", "1", changed=("alpha.py",))) == [
        "extra: alpha 1 is installed, and requirements.txt does not have it",
        "changed: alpha.py of alpha 1 is not what was installed",
    ]


# Packages that do not fit together.


@pytest.mark.parametrize(
    "requires",
    [
        "Beta",
        "beta>=1,<3",
        "beta>=1.5",
        "beta; python_version >= '3'",
        "nowhere; python_version < '3'",
        "nowhere; extra == 'more'",
        "beta[extra]>=1",
        "beta @ https://h/beta.zip",
        "what cannot be read",
    ],
)
def test_what_a_package_requires_and_gets_is_no_conflict(requires: str) -> None:
    lines = ["alpha==1", "beta==2.0rc1"]
    assert clash(lines, Package("alpha", "1", requires=(requires,)), Package("beta", "2.0rc1")) == []


def test_what_a_package_requires_and_the_file_does_not_have_is_told() -> None:
    assert clash(["alpha==1"], Package("alpha", "1", requires=("Beta>=2 ; python_version > '3'",))) == [
        "alpha 1 requires Beta>=2, which is not installed. Type: ansible-playbook lock.yml with the same -l"
    ]


def test_what_a_package_requires_and_the_file_has_in_another_version_is_told() -> None:
    packages = Package("alpha", "1", requires=("beta>=2",)), Package("beta", "1.5")
    assert clash(["alpha==1", "beta==1.5"], *packages) == [
        "alpha 1 requires beta>=2, and 1.5 is installed. Type: ansible-playbook lock.yml with the same -l"
    ]


@pytest.mark.parametrize("installed", [[], [Package("beta", "1.0")]])
def test_what_is_not_installed_as_the_file_says_is_no_fault_of_the_file(installed: list[Package]) -> None:
    assert clash(["alpha==1", "beta==2"], Package("alpha", "1", requires=("beta>=2",)), *installed) == []


# The interpreter.

MADE_WITH = {"python": "/usr/bin/python3", "version": "3.13.5", "target": "/usr/bin/python3.13"}


@pytest.mark.parametrize("asked", ["", "3.13", "3.13.5"])
def test_the_interpreter_that_was_asked_for_and_made_with_is_no_problem(asked: str) -> None:
    assert list(interpreter_problems(asked, MADE_WITH, "3.13.5", "/usr/bin/python3.13")) == []


@pytest.mark.parametrize("asked", ["3.12", "3.1", "3.13.50", "3.13.4"])
def test_an_interpreter_that_was_not_asked_for_is_told(asked: str) -> None:
    assert list(interpreter_problems(asked, MADE_WITH, "3.13.5", "/usr/bin/python3.13")) == [
        f"interpreter: it is Python 3.13.5, and python_version is {asked}"
    ]


def test_an_interpreter_that_was_upgraded_since_is_told() -> None:
    assert list(interpreter_problems("3.13", MADE_WITH, "3.13.7", "/usr/bin/python3.13")) == [
        "interpreter: it is Python 3.13.7, and the virtualenv was made with 3.13.5"
    ]


def test_a_link_to_another_interpreter_is_told() -> None:
    assert list(interpreter_problems("3.13", MADE_WITH, "3.13.5", "/opt/python")) == [
        "interpreter: it is /opt/python, and the virtualenv was made with /usr/bin/python3.13"
    ]
