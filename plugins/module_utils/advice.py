"""What a project may fail with when it runs as the app, and what to do about it."""

from __future__ import annotations

import re

ADVICE = (
    (
        re.compile(r"Did you install mysqlclient\?"),
        "PyMySQL takes its place, in settings: import pymysql; pymysql.install_as_MySQLdb()",
    ),
    (
        re.compile(r"(?:PermissionError|Read-only file system).*/releases/|Unable to configure handler"),
        (
            "An app does not write into its release. It logs to standard error, which the journal keeps, and writes "
            "below its HOME, into MEDIA_ROOT, into what gunicorn_writable_directories names, or beside its code into "
            "release_shared_directories and release_shared_files."
        ),
    ),
    (
        # By django-environ, os.environ, python-decouple, environs, pydantic-settings, Django and django-configurations.
        re.compile(
            r"Set the \w+ environment variable|^KeyError: '(?!HTTP_|REMOTE_)[A-Z][A-Z0-9_]*'$"
            r"|not found\. Declare it as envvar"
            r'|Environment variable "\w+" not set|validation errors? for \w*Settings|SECRET_KEY setting must not be'
            r"|required to be set as the environment variable",
            re.MULTILINE,
        ),
        (
            "What the settings ask for belongs into release_env. Where it is there, they read os.environ and not the "
            ".env beside manage.py: set app_env_as_environment: true"
        ),
    ),
    (
        # By psycopg2, psycopg 3 and PyMySQL.
        re.compile(
            r"no password supplied|password authentication failed|Access denied for user|could not translate host name"
            r"|failed to resolve host|Can't connect to MySQL server on '[^']+' \(\[Errno -"
        ),
        (
            "The settings do not lead to the database of the inventory. Where they read keys of their own, such as "
            "DB_NAME and DB_HOST, set these in release_env by database_name, database_user and database_password; "
            "where they read os.environ and not .env, set app_env_as_environment: true"
        ),
    ),
    (
        re.compile(r"No module named '(?:pkg_resources|distutils)\b"),
        (
            "It comes with setuptools, which no virtualenv has by itself. In requirements_to_freeze.txt add "
            "setuptools<81, and type: ansible-playbook lock.yml with the same -l"
        ),
    ),
    (
        re.compile(r"No module named '(?:asyncore|cgi|imghdr|imp|pipes|telnetlib)'"),
        "Newer Pythons have it no more. Set python_version to one that has it, such as 3.11, or take newer packages.",
    ),
    (
        re.compile(r"No module named '(?:debug_toolbar|silk)'"),
        (
            "manage.py loads the settings of developers. Where it goes by DJANGO_SETTINGS_MODULE, set that in "
            "release_env to those of this environment, and app_env_as_environment: true"
        ),
    ),
    (
        re.compile(r"\(mail\.E001\)"),
        (
            "Django's own new projects only print mail. Name what sends it in the settings of this environment, or say "
            'that none is sent: SILENCED_SYSTEM_CHECKS = ["mail.E001"]'
        ),
    ),
)


def advised(said: str) -> str:
    """Return what a project said while it failed, with what to do about it where that is known."""
    return "\n".join([said, *(advice for words, advice in ADVICE if words.search(said))])
