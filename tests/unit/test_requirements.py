"""requirements.txt is read as pip reads it, and judged before any host is touched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

import pytest
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.requirements import (
    Pin,
    logical_lines,
    problems,
    read_pins,
)

FREEZE_AGAIN = "add it to requirements_to_freeze.txt and freeze again"
HASH = "0" * 64
PACKAGING = (
    "requirements.txt lacks packaging: gunicorn 26.1 and newer needs it with gevent; write gunicorn[gevent]; "
    "add it to requirements_to_freeze.txt and freeze again"
)
WEB = ["gunicorn==23.0.0", "gevent==26.9.0"]


def read(text: str, path: str = "requirements.txt", **others: str) -> tuple[list[Pin], list[str]]:
    """Return the pins of a file, and the paths of all files read; two underscores in a name stand for a slash."""
    files: Mapping[str, str] = {path: text, **{f"{k.replace('__', '/')}.txt": v for k, v in others.items()}}
    pins, read_files = read_pins(PurePosixPath(path), files.get)
    assert all(files[name] == content for name, content in read_files)
    return pins, [name for name, _ in read_files]


def pinned(text: str) -> dict[str, str]:
    """Return names and versions."""
    return {pin.name: str(pin.version) for pin in read(text)[0]}


def judge(*lines: str, database: str = "") -> list[str]:
    """Return what is wrong with a requirements.txt."""
    return problems(read("\n".join(lines))[0], "requirements.txt", database)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a==1\nb==2\n", [(1, "a==1"), (2, "b==2")]),
        ("a==1\r\nb==2", [(1, "a==1"), (2, "b==2")]),
        ("# c\n\n  \n  a==1  \n", [(4, "a==1")]),
        ("a==1 # c\nb @ https://h/b#sha256=0\n", [(1, "a==1"), (2, "b @ https://h/b#sha256=0")]),
        ("a==1 \\\n  --hash=x \\\n  --hash=y\nb==2", [(1, "a==1    --hash=x    --hash=y"), (4, "b==2")]),
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
        ("a==1.0+local", "a", "1.0+local"),
        ("a===1.0", "a", "1.0"),
        ("a===as-you-like", "a", "None"),
        (f"a==1 --hash=sha256:{HASH}", "a", "1"),
        (f"a @ https://h/a-1.tar.gz#sha256={HASH}", "a", "None"),
    ],
)
def test_a_line_that_names_one_version_is_pinned(line: str, name: str, version: str) -> None:
    assert pinned(line) == {name: version}


@pytest.mark.parametrize(
    "line",
    [
        "gunicorn",
        "gunicorn>=23",
        "gunicorn~=23.0",
        "gunicorn==23.*",
        "gunicorn==23,!=24",
        "gunicorn<24,>=23",
        "gunicorn[gevent]",
        "gunicorn @ https://h/gunicorn.tar.gz",
        "gunicorn @ git+https://h/gunicorn@main",
        "gunicorn @ git+https://h/gunicorn@main#egg=gunicorn",
    ],
)
def test_a_line_that_may_mean_another_version_tomorrow_is_told_with_its_place(line: str) -> None:
    assert judge("# frozen", line, "gevent==26.9.0")[0] == (
        f"requirements.txt, line 2: {line} is not pinned to one version. Put it into requirements_to_freeze.txt and "
        "freeze again, so that name==version stands here"
    )


@pytest.mark.parametrize(
    "line",
    [
        "./vendor/a.whl",
        "https://h/a.whl",
        "git+https://h/a@main#egg=a",
        "a=1",
        "a==",
        "a 1",
        "==1",
        "a[b==1",
        "<<<<<<< HEAD",
        "a==1, b==2",
        "Collecting a",
        "a==1; python_versoin < '3'",
    ],
)
def test_a_line_that_is_no_requirement_is_refused_with_its_place(line: str) -> None:
    with pytest.raises(Problem) as problem:
        read(f"a==1\n\n{line}\n")
    assert str(problem.value) == (
        f"requirements.txt, line 3: {line!r} is not a requirement with a version. Write it as name==version."
    )


@pytest.mark.parametrize(
    "line", ["-e .", "-e.", "--editable ./a", "--editable=a", "-e git+https://h/a", "-egit+https://h/a"]
)
def test_an_editable_requirement_is_refused_with_its_place(line: str) -> None:
    with pytest.raises(Problem) as problem:
        read(f"a==1\n{line}\n")
    assert str(problem.value) == (
        f"requirements.txt, line 2: {line!r} is editable, and so not an exact version. Pin a version with ==."
    )


@pytest.mark.parametrize("line", ["--index-url https://h/", "-i https://h/", "--extra-index-url=x", "--require-hashes"])
def test_other_options_of_pip_are_left_to_pip(line: str) -> None:
    assert pinned(f"{line}\na==1") == {"a": "1"}


@pytest.mark.parametrize("option", ["-r base.txt", "-rbase.txt", "--requirement base.txt", "--requirement=./base.txt"])
def test_a_file_that_is_named_is_read_in_its_place(option: str) -> None:
    pins, files = read(f"a==1\n{option}\nc==3", base="\nb==2")
    assert [(pin.name, pin.place) for pin in pins] == [
        ("a", "requirements.txt, line 1"),
        ("b", "base.txt, line 2"),
        ("c", "requirements.txt, line 3"),
    ]
    assert files == ["requirements.txt", "base.txt"]


@pytest.mark.parametrize("option", ["-c base.txt", "--constraint=base.txt"])
def test_a_constraint_installs_nothing_but_counts_as_content(option: str) -> None:
    pins, files = read(f"{option}\na==1", base="b==2")
    assert [pin.name for pin in pins] == ["a"]
    assert files == ["requirements.txt", "base.txt"]


@pytest.mark.parametrize("text", ["-c base.txt\n-r base.txt", "-r base.txt\n-c base.txt"])
def test_a_file_may_be_a_constraint_and_be_installed(text: str) -> None:
    assert [pin.name for pin in read(text, base="b==2")[0]] == ["b"]


def test_files_are_named_from_the_one_that_names_them() -> None:
    pins, files = read("-r sub/a.txt", path="x/prod.txt", x__sub__a="-r ../../base.txt", base="b==2")
    assert [pin.place for pin in pins] == ["base.txt, line 1"]
    assert files == ["x/prod.txt", "x/sub/a.txt", "base.txt"]


def test_a_file_that_two_name_is_told_once() -> None:
    pins, _ = read("-r a.txt\n-r b.txt", a="-r base.txt", b="-r base.txt", base="django")
    found = problems(pins, "requirements.txt", "")
    assert [line.partition(": ")[0] for line in found if "not pinned" in line] == ["base.txt, line 1"]


@pytest.mark.parametrize(
    ("text", "others", "place"),
    [
        ("-r requirements.txt", {}, "requirements.txt, line 1: requirements.txt"),
        ("\n-r a.txt", {"a": "-r requirements.txt"}, "a.txt, line 1: requirements.txt"),
        ("-r a.txt", {"a": "-r b.txt", "b": "-c ./a.txt"}, "b.txt, line 1: a.txt"),
    ],
)
def test_files_that_name_each_other_in_a_circle_are_refused(text: str, others: dict[str, str], place: str) -> None:
    with pytest.raises(Problem) as problem:
        read(text, **others)
    assert str(problem.value) == f"{place} is being read already. Take out one of the lines that name it."


def test_a_file_that_is_not_there_is_refused_with_where_it_is_named() -> None:
    with pytest.raises(Problem, match=r"^requirements\.txt, line 2: the project has no base\.txt\.$"):
        read("a==1\n-r base.txt")
    with pytest.raises(Problem, match=r"^The project has no requirements\.txt\.$"):
        read_pins(PurePosixPath("requirements.txt"), lambda _: None)


def test_a_file_outside_the_project_is_refused() -> None:
    with pytest.raises(Problem, match=r"^x/prod\.txt, line 1: x/\.\./\.\./base\.txt lies outside the project\.$"):
        read("-r ../../base.txt", path="x/prod.txt")
    with pytest.raises(Problem, match=r"^requirements\.txt, line 1: /base\.txt lies outside the project\.$"):
        read("-r /base.txt", base="b==2")


def test_requirements_with_all_that_they_need_have_no_problem() -> None:
    assert judge(*WEB) == []


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (WEB[1:], f"requirements.txt lacks gunicorn: it serves the app; {FREEZE_AGAIN}"),
        (WEB[:1], f"requirements.txt lacks gevent: gunicorn's workers are gevent's; {FREEZE_AGAIN}"),
        (
            ["gunicorn==26.1.0", "gevent==26.9.0"],
            PACKAGING,
        ),
    ],
)
def test_what_every_app_needs_is_missed(lines: list[str], problem: str) -> None:
    assert judge(*lines) == [problem]


@pytest.mark.parametrize(
    "lines",
    [
        ["gunicorn==26.0.9", "gevent==26.9.0"],
        ["gunicorn==27.0.1", "gevent==26.9.0", "packaging==26.3"],
        ["gunicorn===as-you-like", "gevent==26.9.0"],
    ],
)
def test_packaging_is_missed_only_where_gunicorn_needs_it(lines: list[str]) -> None:
    assert judge(*lines) == []


DRIVERLESS = f"requirements.txt lacks a driver for PostgreSQL: psycopg, or psycopg2 with psycogreen; {FREEZE_AGAIN}"
BLOCKING = f"requirements.txt lacks psycogreen: without it psycopg2 blocks its worker under gevent; {FREEZE_AGAIN}"
OLD = (
    "requirements.txt, line 3: psycopg 3.1.13 blocks its worker under gevent. "
    "In requirements_to_freeze.txt write psycopg>=3.1.14, and freeze again"
)
IN_C = (
    "requirements.txt, line 3: mysqlclient waits in C and blocks its worker under gevent. "
    "In requirements_to_freeze.txt write PyMySQL instead, and freeze again"
)


@pytest.mark.parametrize("database", ["postgres", "postgresql", "psql", "pgsql", "postgis"])
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], [DRIVERLESS]),
        (["PyMySQL==1.2.4"], [DRIVERLESS]),
        (["psycogreen==1.0.2"], [DRIVERLESS]),
        (["psycopg2==2.9.13"], [BLOCKING]),
        (["psycopg2-binary==2.9.13"], [BLOCKING]),
        (["psycopg2_binary==2.9.13", "psycogreen==1.0.2"], []),
        (["psycopg2==2.9.13", "psycogreen==1.0.2"], []),
        (["psycopg==3.1.13"], [OLD]),
        (["psycopg[binary]==3.1.14"], []),
        (["psycopg==3.3.9"], []),
    ],
)
def test_postgresql_needs_a_driver_that_does_not_block(database: str, lines: list[str], expected: list[str]) -> None:
    assert judge(*WEB, *lines, database=database) == expected


@pytest.mark.parametrize("database", ["mysql", "mysql2", "mysqlgis"])
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            ["psycopg==3.3.9"],
            [f"requirements.txt lacks PyMySQL: it is the driver for MySQL that works under gevent; {FREEZE_AGAIN}"],
        ),
        (["mysqlclient==2.2.7"], [IN_C]),
        (["PyMySQL==1.2.4"], []),
        (["mysqlclient==2.2.7", "pymysql==1.2.4"], []),
    ],
)
def test_mysql_needs_a_driver_that_does_not_block(database: str, lines: list[str], expected: list[str]) -> None:
    assert judge(*WEB, *lines, database=database) == expected


@pytest.mark.parametrize("database", ["", "sqlite", "oracle"])
def test_other_databases_need_no_driver_that_is_known_here(database: str) -> None:
    assert judge(*WEB, database=database) == []


def test_all_problems_are_told_at_once() -> None:
    assert len(judge("django", "gunicorn==27.0.1", database="postgres")) == 4
