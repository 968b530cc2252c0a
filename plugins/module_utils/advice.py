"""What a project may fail with when it runs as the app, and what to do about it."""

from __future__ import annotations

import re

ADVICE = (
    (
        re.compile(r"Did you install mysqlclient\?"),
        "PyMySQL takes its place, in settings: import pymysql; pymysql.install_as_MySQLdb()",
    ),
    (
        re.compile(r"\(mail\.E001\)"),
        (
            "Django's own new projects only print mail. Name what sends it in the settings of this environment, or say "
            'that none is sent: SILENCED_SYSTEM_CHECKS = ["mail.E001"]'
        ),
    ),
    (
        re.compile(r"(?:PermissionError|Read-only file system).*/releases/"),
        (
            "An app does not write into its release. It logs to standard error, which the journal keeps, and writes "
            "below its HOME, into MEDIA_ROOT, into what gunicorn_writable_directories names, or beside its code into "
            "release_shared_directories and release_shared_files."
        ),
    ),
)


def advised(said: str) -> str:
    """Return what a project said while it failed, with what to do about it where that is known."""
    return "\n".join([said, *(advice for words, advice in ADVICE if words.search(said))])
