"""Comments name the Debian packages that requirements need."""

from __future__ import annotations

import pytest
from ansible_collections.initech.django.plugins.module_utils.native import native_packages
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from hypothesis import given
from hypothesis import strategies as st

EXAMPLE = "Write names with blanks between them: # apt: libpq-dev gcc"


def names(text: str) -> list[str]:
    """Return the packages that a file names."""
    return list(native_packages("requirements_to_freeze.txt", text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("psycopg2\n", []),
        ("# apt: libpq-dev gcc\npsycopg2\n", ["libpq-dev", "gcc"]),
        ("psycopg2  # apt: libpq-dev gcc\n", ["libpq-dev", "gcc"]),
        ("# apt: gcc\r\npsycopg2  # apt: libpq-dev\r\n", ["gcc", "libpq-dev"]),
        ("  #apt:libpq-dev,gcc", ["libpq-dev", "gcc"]),
        ("#\tapt:\tlibpq-dev ,\tgcc  ", ["libpq-dev", "gcc"]),
        ("psycopg2>=2.9 # for the database # apt: libpq-dev\n", ["libpq-dev"]),
        ("# apt: g++ libstdc++-13-dev python3.13-dev 7zip\n", ["g++", "libstdc++-13-dev", "python3.13-dev", "7zip"]),
    ],
)
def test_packages_are_named_above_a_requirement_or_behind_it(text: str, expected: list[str]) -> None:
    assert names(text) == expected


def test_a_package_that_is_named_twice_has_the_first_place() -> None:
    text = "# apt: gcc\nlxml  # apt: libxml2-dev gcc\n"
    assert native_packages("src/requirements_to_freeze.txt", text) == {
        "gcc": "src/requirements_to_freeze.txt, line 1",
        "libxml2-dev": "src/requirements_to_freeze.txt, line 2",
    }


@pytest.mark.parametrize(
    "text",
    [
        "# apt libpq-dev\n",
        "# see apt: libpq-dev\n",
        "# on macOS: brew install libpq; apt: libpq-dev\n",
        "a @ https://example.com/a.whl#apt:libpq-dev\n",
        "apt: libpq-dev\n",
    ],
)
def test_other_comments_name_none(text: str) -> None:
    assert names(text) == []


@pytest.mark.parametrize(
    ("comment", "name"),
    [
        ("# apt: Libpq-dev", "Libpq-dev"),
        ("# apt: libpq_dev", "libpq_dev"),
        ("# apt: libpq-dev=16.1", "libpq-dev=16.1"),
        ("# apt: libpq-dev:amd64", "libpq-dev:amd64"),
        ("# apt: libpq-dev/stable", "libpq-dev/stable"),
        ("# apt: ./libpq-dev.deb", "./libpq-dev.deb"),
        ("# apt: gcc; reboot", "gcc;"),
        ("# apt: gcc $(reboot)", "$(reboot)"),
        ("# apt: gcc --purge", "--purge"),
        ("# apt: lib*", "lib*"),
        ("# apt: c", "c"),
        ("# apt: libpq-dev # for psycopg2", "#"),
        # This would have apt remove it.
        ("# apt: gcc-", "gcc-"),
        ("# apt: gcc -", "-"),
        ("# apt: gcc\u00a0é", "é"),
    ],
)
def test_what_is_no_name_of_a_package_is_refused_with_its_line(comment: str, name: str) -> None:
    with pytest.raises(Problem) as problem:
        names(f"django\n{comment}\n")
    assert str(problem.value) == (
        f"requirements_to_freeze.txt, line 2: {name!r} is no name of a Debian package. {EXAMPLE}"
    )


@pytest.mark.parametrize("comment", ["# apt:", "#apt:   ", "psycopg2  # apt: ,"])
def test_a_comment_that_names_no_package_is_refused_with_its_line(comment: str) -> None:
    with pytest.raises(Problem) as problem:
        names(f"\n{comment}\n")
    assert str(problem.value) == f"requirements_to_freeze.txt, line 2: no package is named. {EXAMPLE}"


@given(st.lists(st.from_regex(r"[a-z0-9][a-z0-9+.-]{0,10}[a-z0-9+.]", fullmatch=True), min_size=1, unique=True))
def test_every_name_that_debian_allows_is_read(packages: list[str]) -> None:
    assert names(f"a  # apt: {' '.join(packages)}\n") == packages


@given(st.text("ab0+-., \n#é$;/"))
def test_whatever_a_comment_holds_nothing_else_is_handed_to_apt(text: str) -> None:
    try:
        found = names(f"# apt: {text}")
    except Problem:
        return
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789+.-") and name[0] not in "+.-" for name in found)
