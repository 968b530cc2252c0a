"""What a team has run to complete a release, and before and after it goes live, and whether it can be run at all."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePath

BEFORE_STATIC = "release_before_static"
AFTER_STATIC = "release_after_static"
BEFORE = "release_before_switch"
AFTER = "release_after_switch"
NOTIFY = "release_notify"
CALLBACK = "initech.django.notify"
"""What tells others, where ansible.cfg enables it."""


def words(command: str) -> list[str]:
    """Return a command's program and arguments. No shell reads it.

    Raises:
        ValueError: its quotes do not match, or it is empty.
    """
    found = shlex.split(command)
    if not found:
        raise ValueError("it is empty")
    return found


def command_problem(name: str, command: str) -> str | None:
    """Return why a command cannot be run, or None.

    Args:
        name: the variable that it stands in.
        command: as written.
    """
    try:
        words(command)
    except ValueError as error:
        return f"{name}: the command {command!r} cannot be read: {str(error).lower()}"
    return None


def path_problem(name: str, path: str) -> str | None:
    """Return why the path of a file of tasks is no good, whether or not the file is there, or None.

    Args:
        name: the variable that it stands in.
        path: as written.
    """
    if PurePath(path).is_absolute():
        return None
    return f'{name}: {path!r} does not say from where. Write "{{{{ inventory_dir }}}}/{path}", or all of its path'


def files_and_problems(hooks: Mapping[str, Sequence[Mapping[str, str]]]) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the files of tasks, each with the variable that names it, and what is wrong before one looks at them.

    Args:
        hooks: by variable, its items, each with `command` or `tasks`.
    """
    files, found = [], []
    for name, items in hooks.items():
        for item in items:
            if item.get("tasks"):
                problem = path_problem(name, item["tasks"])
                files += [] if problem else [(name, item["tasks"])]
            else:
                problem = command_problem(name, item.get("command") or "")
            found += [problem] if problem else []
    return files, found


def tasks_problem(name: str, path: str, content: object) -> str | None:
    """Return why the content of a file is none of a file of tasks, or None.

    Args:
        name: the variable that names it.
        path: of the file.
        content: what YAML makes of it.
    """
    if not isinstance(content, list) or not content or not all(isinstance(task, dict) for task in content):
        return f"{name}: {path} is no list of tasks"
    if any("hosts" in task or "import_playbook" in task for task in content):
        return f"{name}: {path} is a playbook. Leave the plays out, and write their tasks alone"
    return None
