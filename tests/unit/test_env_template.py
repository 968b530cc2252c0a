"""What a project's .env.template asks for is there, and what it does not know is told, before any host is touched."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from ansible_collections.initech.django.plugins.module_utils.env_template import (
    OURS,
    is_ignored,
    missing_keys,
    template_keys,
    unknown_keys,
)
from ansible_collections.initech.django.tests.templates.render import ROOT

PATH = PurePosixPath("src/.env.template")
TEXT = """\
# Copy this to .env
ENVIRONMENT=demo
export DEBUG=True
SECRET_KEY=
 INDENTED=no
# Prose with an = sign.
#ALLOWED_HOSTS=shop.example.com
# SENTRY_DSN=
#DEBUG=off
no assignment
"""


def test_what_stands_in_a_comment_is_optional() -> None:
    assert template_keys(TEXT) == (["ENVIRONMENT", "DEBUG", "SECRET_KEY"], ["ALLOWED_HOSTS", "SENTRY_DSN"])


def test_all_keys_without_a_value_are_named_at_once() -> None:
    wish = "and release_env does not have it. Set it there, or mark it as optional:"
    assert missing_keys(PATH, TEXT, ["DEBUG"]) == [
        f"src/.env.template asks for ENVIRONMENT, {wish} #ENVIRONMENT=…",
        f"src/.env.template asks for SECRET_KEY, {wish} #SECRET_KEY=…",
    ]


def test_keys_that_the_apps_units_set_need_not_be_given() -> None:
    assert missing_keys(PATH, "RELEASE=\nREPLICA=\n", []) == []


def test_optional_keys_may_be_given_or_not() -> None:
    assert missing_keys(PATH, TEXT, ["ENVIRONMENT", "DEBUG", "SECRET_KEY"]) == []
    assert list(unknown_keys(PATH, TEXT, ["ENVIRONMENT", "SENTRY_DSN"])) == []


def test_a_key_that_the_template_does_not_know_is_told_with_the_nearest_name() -> None:
    assert list(unknown_keys(PATH, TEXT, ["SECRET_KEYS", "XYZ", "DEBUG", *OURS])) == [
        "release_env has SECRET_KEYS, which src/.env.template does not know. Did you mean SECRET_KEY?",
        "release_env has XYZ, which src/.env.template does not know.",
    ]


@pytest.mark.parametrize("project", ["examples/slow_sql", "templates/project"])
def test_the_example_and_the_template_ask_for_the_four_keys_that_every_project_has(project: str) -> None:
    required, _ = template_keys((ROOT / project / ".env.template").read_text(encoding="utf-8"))
    assert required == ["ENVIRONMENT", "DEBUG", "SECRET_KEY", "DATABASE_URL"]


@pytest.mark.parametrize(
    ("files", "ignored"),
    [
        ({}, False),
        ({"src/.gitignore": b".env\n"}, True),
        ({"src/.gitignore": b"/.env\r\n"}, True),
        ({".gitignore": b".env\n"}, True),
        ({".gitignore": b"/src/.env\n"}, True),
        ({".gitignore": b"**/.env\n"}, True),
        ({".gitignore": b"*.env\n"}, True),
        ({".gitignore": b".env*\n!.env.template\n"}, True),
        ({".gitignore": b"/.env\n"}, False),
        ({".gitignore": b"#.env\n.env/\n.environment\n"}, False),
        ({".gitignore": b".env\n", "src/.gitignore": b"!.env\n"}, False),
        ({"other/.gitignore": b".env\n"}, False),
    ],
)
def test_gitignore_is_read_as_git_reads_it(files: dict[str, bytes], ignored: bool) -> None:
    assert is_ignored(PurePosixPath("src"), files) is ignored
