"""What `render` writes, the real django-environ reads back exactly."""

from __future__ import annotations

import io
import logging
import re
from typing import Any

import environ
import pytest
from ansible_collections.initech.django.plugins.module_utils.dotenv import (
    FIRST,
    KEY,
    RESERVED,
    cut_keys,
    misread_keys,
    parse,
    render,
)
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from hypothesis import given
from hypothesis import strategies as st

LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
WAYS = [
    pytest.param(False, False, id="default"),
    pytest.param(False, True, id="with comments"),
    pytest.param(True, False, id="for systemd too"),
]
MARKER = "S3cr3t"

keys = st.from_regex(KEY, fullmatch=True).filter(lambda key: key not in RESERVED)
# Half of the values consist of what has a meaning in one of the grammars.
writable = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters=f"{LINE_ENDS}\0")), st.text("'\"\\#$ =,;`!{}nrt\tx&%~")
).filter(lambda text: not text.startswith("$"))


def read(text: str, parse_comments: bool = False) -> Any:
    """Return django-environ's view of a .env, in an environment that had nothing before."""
    reader: Any = type("Fresh", (environ.Env,), {"ENVIRON": {}})
    reader.read_env(io.StringIO(text), parse_comments=parse_comments)
    return reader()


def refusal(values: dict[Any, Any], systemd: bool = False) -> str:
    """Return why values are refused."""
    with pytest.raises(Problem) as problem:
        render(values, systemd)
    return str(problem.value)


@pytest.mark.parametrize(("systemd", "parse_comments"), WAYS)
@given(values=st.dictionaries(keys, writable))
def test_django_environ_reads_back_exactly_what_was_written(
    systemd: bool, parse_comments: bool, values: dict[str, str]
) -> None:
    env = read(render(values, systemd), parse_comments)
    assert env.ENVIRON.keys() == values.keys()
    assert {key: env.str(key) for key in values} == values


@given(values=st.dictionaries(keys, writable), systemd=st.booleans())
def test_what_was_written_is_parsed_to_the_same_values(values: dict[str, str], systemd: bool) -> None:
    assert parse(render(values, systemd)) == values


@given(key=keys, before=st.text(), bad=st.sampled_from(f"{LINE_ENDS}\0\ud800"), after=st.text(), systemd=st.booleans())
def test_a_value_that_no_env_file_holds_is_refused_by_the_name_of_its_key(
    key: str, before: str, bad: str, after: str, systemd: bool
) -> None:
    message = refusal({key: f"{before}{MARKER}{bad}{after}"}, systemd)
    assert f"  {key}: its value " in message
    assert MARKER not in message


@given(key=keys, rest=st.text(), systemd=st.booleans())
def test_a_value_that_django_environ_would_look_up_elsewhere_is_refused(key: str, rest: str, systemd: bool) -> None:
    message = refusal({key: f"${MARKER}{rest}"}, systemd)
    assert f"  {key}: its value " in message
    assert MARKER not in message


@given(values=st.dictionaries(keys, writable))
def test_the_keys_are_told_whose_values_are_cut_where_every_number_sign_begins_a_comment(
    values: dict[str, str],
) -> None:
    env = read(render(values, systemd=True), parse_comments=True)
    cut = cut_keys(values, systemd=True)
    assert sorted(cut) == sorted(key for key in values if env.str(key) != values[key])
    assert cut_keys(values) == []


def test_the_keys_that_are_cut_are_told_in_the_order_of_the_file_and_without_their_values() -> None:
    values = {"B": ["x", f"{MARKER}#1"], "SECRET_KEY": f"{MARKER}#2", "PLAIN": MARKER, "A": "#"}
    assert cut_keys(values, systemd=True) == ["SECRET_KEY", "A", "B"]


def test_the_keys_are_told_whose_values_other_readers_misread_unless_systemd_hands_them_on() -> None:
    values = {"PLAIN": "a", "SPACED": "a #1", "D": 'say "x"', "A": "it's", "B": "a\\b", "C": "{x}", "E": "a${b}"}
    assert misread_keys(values) == ["A", "B", "E"]
    assert misread_keys(values, systemd=True) == []


def test_the_keys_of_every_project_come_first_and_the_others_sorted() -> None:
    values = dict.fromkeys(["ZONE", "DATABASE_URL", "ALLOWED_HOSTS", "SECRET_KEY", "DEBUG", "ENVIRONMENT"], "x")
    assert [line.partition("=")[0] for line in render(values).splitlines()] == [*FIRST, "ALLOWED_HOSTS", "ZONE"]


def test_no_line_that_is_written_is_dropped_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        read(render({"A": "# no comment", "B": "", "C": " blanks ", "D": "export X"}))
        assert not caplog.records
        read("D : such a line is\n")
        assert caplog.records


@pytest.mark.parametrize(
    ("value", "default", "systemd"),
    [
        ("", "", ""),
        ("prod", "prod", "prod"),
        ("postgres://u:p%40@127.0.0.1:5432/n", "postgres://u:p%40@127.0.0.1:5432/n", None),
        ("a b", "'a b'", '"a b"'),
        ("a#b", "'a#b'", '"a#b"'),
        ("it's", "'\"it's\"'", '"it\'s"'),
        ('say "x"', "'say \"x\"'", '"say \\"x\\""'),
        ('"x" said', '\'"\\"x\\" said"\'', '"\\"x\\" said"'),
        ("C:\\new", "'\"C:\\\\new\"'", '"C:\\\\new"'),
        ("ü", "'ü'", '"ü"'),
    ],
)
def test_a_value_is_quoted_only_where_it_must_be(value: str, default: str, systemd: str | None) -> None:
    assert render({"K": value}) == f"K={default}\n"
    assert render({"K": value}, systemd=True) == f"K={default if systemd is None else systemd}\n"


@given(value=st.booleans())
def test_a_boolean_is_read_back_by_its_cast(value: bool) -> None:
    assert read(render({"K": value})).bool("K") is value


@given(value=st.integers())
def test_an_integer_is_read_back_by_its_cast(value: int) -> None:
    assert read(render({"K": value})).int("K") == value


@given(value=st.floats(allow_nan=False, allow_infinity=False).filter(lambda value: "e" not in repr(value)))
def test_a_float_is_read_back_by_its_cast(value: float) -> None:
    assert read(render({"K": value})).float("K") == value


@given(value=st.floats().filter(lambda value: re.search("[ain]|e", repr(value))))
def test_a_float_that_its_cast_misreads_is_refused(value: float) -> None:
    assert "K: its value is a number" in refusal({"K": value})


@given(value=st.lists(writable.filter(lambda item: item and "," not in item)))
def test_a_list_is_read_back_by_its_cast(value: list[str]) -> None:
    assert read(render({"K": value})).list("K") == value


def test_a_list_may_hold_numbers_and_booleans() -> None:
    assert render({"K": [1, True, "a", 0.5], "L": (2, 3)}) == "K=1,True,a,0.5\nL=2,3\n"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "is a NoneType; write text, a number, true, false or a list"),
        ({"password": MARKER}, "is a dict"),
        (MARKER.encode(), "is a bytes"),
        ([MARKER, ""], "is a list with an empty item"),
        ([f"{MARKER},b"], "or one with a comma"),
        ([[MARKER, "b"]], "or one with a comma"),
        ([{"a": MARKER}], "is a dict"),
        ([f"${MARKER}"], "begins with $"),
        (1e30, "is a number with an exponent"),
        (float("inf"), "is a number that is not finite"),
        ([float("nan")], "is a number that is not finite"),
    ],
)
def test_a_value_that_no_cast_reads_back_is_refused_without_showing_it(value: Any, reason: str) -> None:
    message = refusal({"TOKEN": value})
    assert reason in message.partition("  TOKEN: its value ")[2]
    assert MARKER not in message


@pytest.mark.parametrize("key", ["", "1A", "A B", "A-B", "A.B", "Ä", "A\n", "export A", "A=", "#A", 5])
def test_a_key_that_django_environ_would_drop_is_refused(key: Any) -> None:
    assert f"  {key}: is no name for a key" in refusal({key: MARKER})


@pytest.mark.parametrize("systemd", [False, True])
@pytest.mark.parametrize("key", ["RELEASE", "REPLICA"])
def test_a_key_by_which_the_units_tell_processes_what_they_are_is_refused_with_what_to_do(
    key: str, systemd: bool
) -> None:
    assert refusal({"DEBUG": False, key: MARKER}, systemd).splitlines()[1:] == [
        f"  {key}: is set by the app's units themselves; take it out, or let the project read another name"
    ]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    lines = refusal({"B": "a\nb", "A": None, "1": "x", "FINE": "x"}).splitlines()
    assert lines[0] == "These keys cannot be written to .env:"
    assert [line.strip().partition(":")[0] for line in lines[1:]] == ["1", "A", "B"]
