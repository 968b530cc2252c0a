"""Read which Debian packages a project's requirements need, from comments, on the controller."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ansible_collections.initech.django.plugins.module_utils.problem import Problem

COMMENT = re.compile(r"(?:^|\s)#\s*apt:(.*)$")
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.]")
"""Source of the rule: Debian Policy, 5.6.1. With a - at the end, apt would remove the package."""


def native_packages(path: PurePosixPath | str, text: str) -> dict[str, str]:
    """Return the Debian packages that comments like `# apt: libpq-dev gcc` name, with file and line.

    Args:
        path: of requirements_to_freeze.txt, for messages.
        text: its content.

    Raises:
        Problem: a comment names none, or what is no name of a package.
    """
    packages: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        match = COMMENT.search(line)
        if not match:
            continue
        place = f"{path}, line {number}"
        names = match[1].replace(",", " ").split()
        wrong = [name for name in names if not NAME.fullmatch(name)]
        if wrong or not names:
            what = f"{wrong[0]!r} is no name of a Debian package" if wrong else "no package is named"
            raise Problem(f"{place}: {what}. Write names with blanks between them: # apt: libpq-dev gcc")
        for name in names:
            packages.setdefault(name, place)
    return packages
