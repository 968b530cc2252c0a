"""Entries of workers and timers are refused with what is wrong, and no two units are called the same."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from ansible_collections.initech.django.plugins.module_utils import workers
from ansible_collections.initech.django.plugins.module_utils.inputs import APP_NAME
from ansible_collections.initech.django.plugins.module_utils.layout import App
from ansible_collections.initech.django.plugins.module_utils.processes import (
    NAME,
    Timer,
    Worker,
    connections,
    exec_start,
    problems,
    units,
    worker_templates,
)
from hypothesis import given
from hypothesis import strategies as st

OLD, NEW = "20261124T101500Z-1a2b3c4d", "20261125T090000Z-00000000"
BASE = "# Text\n[Unit]\nDescription=site\n\n[Service]\nType=notify\nExecStart=/gunicorn\nProtectSystem=strict\n"

names = st.from_regex(NAME, fullmatch=True)
apps = st.from_regex(APP_NAME, fullmatch=True)


def worker(**more: Any) -> dict[str, Any]:
    return {"name": "mail", "command": "celery -A shop worker", **more}


def timer(**more: Any) -> dict[str, Any]:
    return {"name": "tidy", "command": "manage.py clearsessions", "calendar": "daily", **more}


@pytest.mark.parametrize(
    "command",
    [
        "celery -A shop worker",
        "manage.py qcluster",
        "/bin/sh -c 'a | b'",
        "python -c 'import shop; shop.run()'",
        "celery --broker redis://127.0.0.1/0",
    ],
)
def test_a_good_entry_is_accepted(command: str) -> None:
    assert problems([worker(command=command, replicas=2, deadline=5)], [timer(command=command, timeout=5)]) == []


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("", "is empty"),
        ("a\nExecStartPre=/bin/b", "in one line"),
        ("celery 'x", "not closed"),
        ("./run.sh", "first word"),
        ("-celery", "first word"),
        ("manage.py a | cat", "/bin/sh -c"),
        ("manage.py a && manage.py b", "/bin/sh -c"),
        ("celery --broker redis://:tell-nobody@host/0", "password"),
        ("celery --broker amqp://me:tell-nobody@host//", "password"),
    ],
)
def test_a_bad_command_is_refused_with_what_to_type(command: str, message: str) -> None:
    (problem,) = problems([], [timer(command=command)])
    assert problem.startswith("processes_timers[0].command ")
    assert message in problem
    assert "tell-nobody" not in problem


@pytest.mark.parametrize("name", ["", "Mail", "a.b", "a@b", "1st", "a b", "../x", "x" * 32])
def test_a_name_that_is_none_for_a_unit_is_refused(name: str) -> None:
    (problem,) = problems([worker(name=name)], [])
    assert problem.startswith(f"processes_workers[0].name is {name!r}; use a-z")


def test_a_name_is_given_once_among_workers_and_timers() -> None:
    (problem,) = problems([worker(name="same")], [timer(name="same")])
    assert problem.startswith("processes_timers[0].name is 'same' again")


@pytest.mark.parametrize(
    ("workers_", "timers", "start"),
    [
        ([worker(replicas=0)], [], "processes_workers[0].replicas is 0"),
        ([worker(), worker(name="b", deadline=-1)], [], "processes_workers[1].deadline is -1"),
        ([], [timer(timeout=0)], "processes_timers[0].timeout is 0"),
        ([], [timer(calendar=" ")], "processes_timers[0].calendar is ' '; write for example: daily"),
        ([], [timer(calendar="daily\nUnit=sshd.service")], "processes_timers[0].calendar is"),
    ],
)
def test_other_bad_values_are_refused(workers_: list[Any], timers: list[Any], start: str) -> None:
    (problem,) = problems(workers_, timers)
    assert problem.startswith(start)


@given(app=apps, other=apps, first=names, second=names)
def test_no_unit_of_an_app_is_called_as_another_one_of_it_or_of_another_app(
    app: str, other: str, first: str, second: str
) -> None:
    made = {
        each: set(units(each, [Worker(first, "a", 2)], [Timer(f"{second}-", "a", "daily")], BASE, BASE))
        for each in (app, other)
    }
    site = {f"{each}{end}" for each in made for end in (".service", "@.service", "-pgbouncer.service")}
    assert not site & (made[app] | made[other])
    assert app == other or not made[app] & made[other]
    assert len(made[app]) == 2 + 3 + 1


@given(st.lists(st.text("ab \"'\\%;$x", max_size=8), max_size=4))
def test_what_a_command_says_reaches_the_program(words: list[str]) -> None:
    """systemd's quotation marks and backslashes are those of a shell's double quotes, and `%%` is `%`."""
    line = exec_start("shop", shlex.join(["celery", *words]))
    assert shlex.split(line.replace("%%", "%").replace("%i", OLD).replace("$", "§"))[1:] == [
        word.replace("%i", OLD).replace("$", "§") for word in words
    ]


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("celery -A shop worker", "virtualenv/bin/celery -A shop worker"),
        ("manage.py qcluster", "virtualenv/bin/python manage.py qcluster"),
    ],
)
def test_a_program_is_that_of_the_releases_virtualenv(command: str, program: str) -> None:
    assert exec_start("shop", command) == f"/srv/shop/releases/%i/{program}"
    assert exec_start("shop", "/bin/true a") == "/bin/true a"


# Following


class Host:
    """What systemctl says and is told."""

    def __init__(self, states: dict[str, str]) -> None:
        """Begin with instances and their states."""
        self.states = states
        self.told: list[tuple[str, ...]] = []
        self.bad: set[str] = set()

    def run(self, command: list[str]) -> CompletedProcess[str]:
        """Stand in for systemctl."""
        verb, *rest = command[1:]
        output, code = "", 0
        if verb == "list-units":
            wanted = next(each for each in rest if each.startswith("--state="))[len("--state=") :].split(",")
            output = "".join(f"{unit} loaded {state} x y\n" for unit, state in self.states.items() if state in wanted)
        elif verb == "show":
            is_bad = rest[-1] in self.bad
            output = (
                ("auto-restart" if is_bad else "running") if "SubState" in rest[1] else self.states.get(rest[-1], "")
            )
        elif verb in ("start", "stop"):
            self.told.append((verb, *rest))
            code = int(verb == "start" and bool(self.bad & set(rest)))
        return CompletedProcess(command, code, output, "")


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """Return an app whose NEW is live, and that has two workers."""
    monkeypatch.setattr(App, "processes", property(lambda _: tmp_path / "processes.json"))
    monkeypatch.setattr(App, "live", lambda each: each.release(NEW))
    templates = worker_templates("shop", [Worker("mail", "a", 2)])
    (tmp_path / "processes.json").write_text(json.dumps({"workers": templates}))
    return App("shop")


def test_old_workers_are_told_to_end_and_nobody_waits_and_the_lacking_ones_start(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(
        {
            f"shop.mail.1@{OLD}.service": "active",
            f"shop.mail.1@{NEW}.service": "active",
            f"shop.gone.1@{NEW}.service": "activating",
            f"shop.tidy@{OLD}.service": "activating",
        }
    )
    monkeypatch.setattr(workers, "run", host.run)
    strays, missing, failed = workers.follow(app)
    assert strays == [f"shop.mail.1@{OLD}.service", f"shop.gone.1@{NEW}.service"]
    assert missing == [f"shop.mail.2@{NEW}.service"]
    assert failed == []
    assert host.told == [("stop", "--no-block", *strays), ("start", *missing)]
    # A command that a timer began goes on, and its release stays.
    assert workers.in_use(app) == {OLD, NEW}


def test_nothing_is_told_where_all_is_as_it_should_be(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host({f"shop.mail.{number}@{NEW}.service": "active" for number in (1, 2)})
    monkeypatch.setattr(workers, "run", host.run)
    assert workers.follow(app) == ([], [], [])
    assert host.told == []


def test_one_that_still_ends_is_started_when_it_has_and_one_that_cannot_be_executed_is_named(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending, bad = f"shop.mail.1@{NEW}.service", f"shop.mail.2@{NEW}.service"
    host = Host({ending: "deactivating"})
    host.bad = {bad}
    monkeypatch.setattr(workers, "run", host.run)
    assert workers.follow(app) == ([], [ending, bad], [bad])
    assert host.told == [("start", "--no-block", ending), ("start", bad)]


def test_a_host_that_was_provisioned_with_none_has_none(tmp_path: Path) -> None:
    assert workers.listed(App(str(tmp_path))) == []


def test_of_workers_that_ended_the_first_line_says_which_and_the_rest_is_what_they_logged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The history keeps the first line alone."""
    monkeypatch.setattr(workers, "run", lambda command: CompletedProcess(command, 0, "a secret\n", ""))
    assert workers.said(["a@1", "b@1"]).split("\n") == ["a@1 and b@1 ended by itself", "a secret"]


def test_workers_count_twice_and_those_that_say_nothing_have_a_connection_for_each_core() -> None:
    entries = [worker(replicas=3, connections=5), worker(name="other"), worker(name="raw", replicas=2, connections=0)]
    assert connections(entries, [timer(), timer(name="late")], cores=4) == 2 * (3 * 5 + 4 + 2 * 4) + 2
    assert connections([], [], cores=4) == 0
