"""What a team has run around a deploy is refused before any host is touched, where it could not be run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible_collections.initech.django.plugins.action.hooks import ActionModule
from ansible_collections.initech.django.plugins.module_utils.hooks import (
    BEFORE,
    CALLBACK,
    files_and_problems,
    tasks_problem,
    words,
)


def problems(*items: dict[str, str]) -> list[str]:
    return files_and_problems({BEFORE: items})[1]


def test_a_command_is_split_as_a_shell_would_and_read_by_none() -> None:
    assert words("python manage.py say 'a b' $HOME") == ["python", "manage.py", "say", "a b", "$HOME"]


@pytest.mark.parametrize(("command", "why"), [("", "it is empty"), ("say 'a", "no closing quotation")])
def test_a_command_that_cannot_be_read_is_refused(command: str, why: str) -> None:
    assert problems({"command": command}) == [f"release_before_switch: the command {command!r} cannot be read: {why}"]


def test_a_file_that_is_named_from_nowhere_is_refused_with_what_to_write() -> None:
    (problem,) = problems({"tasks": "hooks/warm.yml"})
    assert problem.endswith('Write "{{ inventory_dir }}/hooks/warm.yml", or all of its path')


def test_files_are_told_with_the_variable_that_names_them_in_order() -> None:
    items = [{"command": "true"}, {"tasks": "/b.yml"}, {"tasks": "/a.yml"}]
    assert files_and_problems({BEFORE: items}) == ([(BEFORE, "/b.yml"), (BEFORE, "/a.yml")], [])


@pytest.mark.parametrize("content", [None, {}, [], "text", ["text"], [{"debug": {}}, "text"]])
def test_what_is_no_list_of_tasks_is_refused(content: Any) -> None:
    assert tasks_problem(BEFORE, "/a.yml", content) == "release_before_switch: /a.yml is no list of tasks"


@pytest.mark.parametrize("play", [{"hosts": "all", "tasks": []}, {"import_playbook": "x"}])
def test_a_playbook_is_refused(play: dict[str, Any]) -> None:
    assert "is a playbook" in str(tasks_problem(BEFORE, "/a.yml", [play]))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "there is no file"),
        ("- debug: {msg: 'a}", "cannot be read"),
        ("debug:\n", "is no list of tasks"),
        ("- name: Say\n  ansible.builtin.debug:\n    msg: !unsafe '{{'\n", ""),
    ],
)
def test_a_file_is_looked_at_on_the_controller(tmp_path: Path, text: str | None, why: str) -> None:
    path = tmp_path / "tasks.yml"
    if text is not None:
        path.write_text(text)
    action = ActionModule.__new__(ActionModule)
    action._loader = DataLoader()
    assert why in (action.file_problem(BEFORE, str(path)) or "")
    assert bool(why) == bool(action.file_problem(BEFORE, str(path)))


@pytest.mark.parametrize(
    ("enabled", "name", "why"),
    [
        ([CALLBACK], "tasks.yml", None),
        ([], "tasks.yml", "callbacks_enabled = initech.django.notify"),
        ([CALLBACK], "none.yml", "there is no file"),
    ],
)
def test_it_is_said_before_a_deploy_that_nobody_would_be_told_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enabled: list[str], name: str, why: str | None
) -> None:
    monkeypatch.setattr("ansible.constants.CALLBACKS_ENABLED", enabled, raising=False)
    (tmp_path / "tasks.yml").write_text("- name: Say\n  ansible.builtin.debug:\n")
    action = ActionModule.__new__(ActionModule)
    action._loader = DataLoader()
    found = action.notify_problem(str(tmp_path / name))
    assert found is None if why is None else why in (found or "")
