"""What Django says of a staged release, and what its process says or does not, stops the deploy with its words."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils import application, commands, manage
from ansible_collections.initech.django.plugins.module_utils.layout import App, Release
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

ID = "20261124T101500Z-1a2b3c4d"
DEPLOY = """\
System check identified some issues:

ERRORS:
shop.Order.customer: (fields.E300) Field defines a relation with model 'Customer', which is not installed.

WARNINGS:
?: (security.W004) You have not set a value for the SECURE_HSTS_SECONDS setting.
shop.Order: (models.W042) Auto-created primary key used.
"""


READS_ENVIRON = "app_env_as_environment: true"


class Answers:
    """A release whose Python prints what a test says, and ends as it says."""

    def __init__(self, release: Release) -> None:
        """Make the release."""
        self.release = release
        self.python = release.virtualenv / "bin" / "python"
        self.python.parent.mkdir(parents=True)
        release.project.mkdir(parents=True)
        (release.project / ".env").write_text("DEBUG=False\n")
        self.users: set[object] = set()

    def say(self, text: str, code: int = 0) -> Release:
        """Let it print a text on standard error, where Django's own errors go, and end."""
        said = self.python.with_name("said")
        said.write_text(text)
        self.python.write_text(f'#!/bin/sh\ncat "{said}" >&2\nexit {code}\n')
        self.python.chmod(0o755)
        return self.release


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Return a release below a directory of its own, which runs as the user of the test."""
    made = Answers(App(str(tmp_path / "app")).release(ID))

    def as_us(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, user: str, **options: Any) -> subprocess.CompletedProcess[str] | str:
            made.users.add(user)
            result: subprocess.CompletedProcess[str] | str = function(*arguments, **options)
            return result

        return run

    monkeypatch.setattr(manage, "give", lambda *_: None)
    for module in (application, manage):
        monkeypatch.setattr(module, "run_or_fail", as_us(commands.run_or_fail))
    return made


def refused(function: Callable[[], object]) -> str:
    """Return why something is refused."""
    with pytest.raises(Problem) as problem:
        function()
    return str(problem.value)


def test_an_error_of_djangos_deployment_check_is_shown() -> None:
    message = refused(lambda: application.check_warnings({"refused": True, "check": DEPLOY}))
    assert message == f"manage.py check --deploy failed:\n{DEPLOY.strip()}"


def test_warnings_of_djangos_deployment_check_are_listed() -> None:
    assert application.check_warnings({"refused": False, "check": DEPLOY}) == [
        "?: (security.W004) You have not set a value for the SECURE_HSTS_SECONDS setting.",
        "shop.Order: (models.W042) Auto-created primary key used.",
    ]


def test_an_application_that_gunicorn_cannot_load_is_shown_with_its_last_words(answers: Answers) -> None:
    release = answers.say("ModuleNotFoundError: No module named 'shop.settings.prd'\n", code=1)
    assert refused(lambda: application.load(release, env_as_environment=False)) == (
        "gunicorn cannot load the WSGI application (exit code 1):\n"
        "ModuleNotFoundError: No module named 'shop.settings.prd'"
    )
    assert answers.users == {release.app}


def test_an_application_that_ends_its_process_is_refused(answers: Answers) -> None:
    release = answers.say("")
    assert refused(lambda: application.load(release, env_as_environment=False)).startswith(
        "The WSGI application ended the process that loaded it, which printed:\n"
    )


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (1, "The project's settings cannot be loaded (exit code 1):\nThere is no tomorrow"),
        (0, "manage.py shell printed no settings, but:\n"),
    ],
)
def test_settings_that_cannot_be_read_stop_the_deploy(answers: Answers, code: int, message: str) -> None:
    release = answers.say("There is no tomorrow\n", code)
    assert refused(lambda: manage.collect_static(release)) == message


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("Error loading MySQLdb module.\nDid you install mysqlclient?", "pymysql.install_as_MySQLdb()"),
        (
            "PermissionError: [Errno 13] Permission denied: '/srv/shop/releases/1/source/shop.log'",
            "release_shared_files.",
        ),
        # What it was that failed may be further up than is shown.
        ("ValueError: Unable to configure handler 'file'", "release_shared_files."),
        ("django.core.exceptions.ImproperlyConfigured: Set the SECRET_KEY environment variable", READS_ENVIRON),
        ("django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.", READS_ENVIRON),
        ("  File '<frozen os>', line 685, in __getitem__\nKeyError: 'DJANGO_SECRET_KEY'", READS_ENVIRON),
        ("decouple.UndefinedValueError: KEY not found. Declare it as envvar or define a default value.", READS_ENVIRON),
        ('environs.exceptions.EnvNotSetError: Environment variable "KEY" not set', READS_ENVIRON),
        ("pydantic_core.ValidationError: 1 validation error for Settings\nkey\n  Field required", READS_ENVIRON),
        ("ValueError: Value 'KEY' is required to be set as the environment variable 'DJANGO_KEY'", READS_ENVIRON),
        ("OperationalError: fe_sendauth: no password supplied", READS_ENVIRON),
        ('OperationalError: FATAL:  password authentication failed for user "postgres"', READS_ENVIRON),
        ('OperationalError: could not translate host name "db" to address: Name or service not known', READS_ENVIRON),
        ("psycopg.OperationalError: failed to resolve host 'db': [Errno -2] Name or service not known", READS_ENVIRON),
        (
            "OperationalError: (2003, \"Can't connect to MySQL server on 'db' ([Errno -2] Name or service not",
            READS_ENVIRON,
        ),
        ("OperationalError: (1045, \"Access denied for user 'root'@'localhost'\")", READS_ENVIRON),
        (
            "ModuleNotFoundError: No module named 'pkg_resources'",
            "setuptools<81, and type: ansible-playbook lock.yml with the same -l",
        ),
        (
            "ModuleNotFoundError: No module named 'distutils.util'",
            "setuptools<81, and type: ansible-playbook lock.yml with the same -l",
        ),
        ("ModuleNotFoundError: No module named 'cgi'", "such as 3.11, or take newer packages."),
        ("ModuleNotFoundError: No module named 'debug_toolbar'", READS_ENVIRON),
    ],
)
def test_for_what_many_projects_fail_with_it_is_said_what_to_do(answers: Answers, said: str, advice: str) -> None:
    release = answers.say(f"{said}\n", 1)
    assert refused(lambda: manage.collect_static(release)).endswith(advice)
    assert refused(lambda: application.load(release, env_as_environment=False)).endswith(advice)


def test_a_key_that_the_projects_own_data_lacks_is_not_taken_for_one_of_the_environment(
    answers: Answers,
) -> None:
    message = refused(lambda: manage.collect_static(answers.say("KeyError: 'default'\n", 1)))
    assert message == "The project's settings cannot be loaded (exit code 1):\nKeyError: 'default'"
