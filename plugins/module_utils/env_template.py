"""Hold the values for `.env` against the project's own `.env.template`, on the controller."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from ansible_collections.initech.django.plugins.module_utils.dotenv import RESERVED

ASSIGNMENT = re.compile(r"(#\s?)?(?:export )?([A-Za-z_][A-Za-z_0-9]*)=")
TEMPLATE = ".env.template"
OURS = ("SECRET_KEY_FALLBACKS", "DJANGO_SETTINGS_MODULE")
"""What the inventories hand on for a rotation, whether a project reads it or not, and what Django itself reads."""


def template_keys(text: str) -> tuple[list[str], list[str]]:
    """Return the keys that a `.env.template` asks for, and those that it only offers.

    What stands in a comment, like `#ALLOWED_HOSTS=shop.example.com`, is optional.

    Args:
        text: the content of the file.
    """
    required: list[str] = []
    optional: list[str] = []
    for line in text.splitlines():
        match = ASSIGNMENT.match(line)
        if match:
            (optional if match[1] else required).append(match[2])
    return list(dict.fromkeys(required)), [key for key in dict.fromkeys(optional) if key not in required]


def missing_keys(path: PurePosixPath, text: str, given: Collection[str]) -> list[str]:
    """Return which keys have no value, but for those that the app's units set, a line each.

    Args:
        path: of the template, for messages.
        text: its content.
        given: the keys of release_env.
    """
    return [
        f"{path} asks for {key}, and release_env does not have it. Set it there, or mark it as optional: #{key}=…"
        for key in template_keys(text)[0]
        if key not in given and key not in RESERVED
    ]


def unknown_keys(path: PurePosixPath, text: str, given: Collection[str]) -> Iterator[str]:
    """Yield which keys the template does not know, a line each; arguments as of `missing_keys`."""
    required, optional = template_keys(text)
    known = [*required, *optional]
    for key in sorted(set(given) - set(known) - set(OURS)):
        near = get_close_matches(key, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        yield f"release_env has {key}, which {path} does not know.{hint}"


def is_ignored(directory: PurePosixPath, files: Mapping[str, bytes]) -> bool:
    """Tell whether a `.gitignore` keeps the `.env` of a directory out of git.

    Source of the rules: gitignore(5), as far as they are about one file: a pattern without a slash holds on every level
    below, one with a slash from where it stands; the last that fits decides; `!` takes back.

    Args:
        directory: of manage.py.
        files: the content of the tree's files by path.
    """
    target, ignored = directory / ".env", False
    for parent in reversed([directory, *directory.parents]):
        text = files.get(str(parent / ".gitignore"), b"").decode("utf-8", errors="replace")
        inside = target.relative_to(parent)
        for line in text.splitlines():
            pattern = line.strip()
            if not pattern or pattern.startswith("#") or pattern.endswith("/"):
                continue
            negated, pattern = pattern.startswith("!"), pattern.removeprefix("!").removeprefix("**/")
            if "/" in pattern:
                fits = fnmatchcase(str(inside), pattern.removeprefix("/"))
            else:
                fits = fnmatchcase(target.name, pattern)
            if fits:
                ignored = not negated
    return ignored
