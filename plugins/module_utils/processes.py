"""What an app runs beside its site: workers and timers. What they are called, and the units that run them.

A unit's name is `<app>.<name>`: no app has a dot in its name, so neither a unit of this app nor one of another app of
the machine is ever called the same.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
PROGRAM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*|/[^\s]+")
PASSWORD = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
OF_A_SHELL = frozenset(["|", "||", "&", "&&", ";", ">", ">>", "<", "2>&1"])

MARK = "# Made by the role processes of initech.django."
"""How our units begin: no others are ever removed."""

OF_GUNICORN = frozenset(
    ["Description", "Type", "ExecStart", "ExecStartPost", "RuntimeDirectory", "RestartSec", "TimeoutStopSec"]
)
"""What in gunicorn's unit is said of gunicorn alone. All else, the sandbox above all, holds for all of the app."""

OF_WHAT_GOES_ON = frozenset(["Restart", "StartLimitIntervalSec"])
"""What is said of that which is never to end."""

OF_THE_BOOT = frozenset(["Description", "After", "ExecStart", "[Install]", "WantedBy"])
"""What in the unit that starts the app at boot is said of that alone. It starts what is live, as a timer does."""

FORGOTTEN = "CollectMode=inactive-or-failed"
"""An old worker that had to be killed leaves nothing behind. That a command failed, the unit of its timer shows."""


@dataclass(frozen=True)
class Worker:
    """A process that runs as long as its release is live.

    Attributes:
        name: unique among workers and timers.
        command: its first word is a program of the virtualenv, manage.py, or an absolute path.
        replicas: how many of it run.
        gevent: whether projects of our template patch the standard library in it.
        deadline: how long it may take to finish when its release has been replaced, in seconds.
        connections: how many to the database each replica opens; 0 is one for each core, as many tasks as Celery and
            django-q2 work on at once unless told otherwise.
    """

    name: str
    command: str
    replicas: int = 1
    gevent: bool = False
    deadline: int = 60
    connections: int = 0


@dataclass(frozen=True)
class Timer:
    """A command that is run on a calendar, by what is live then.

    Attributes:
        name: unique among workers and timers.
        command: as that of a worker.
        calendar: when, in the words of systemd.time(7).
        gevent: as that of a worker.
        timeout: how long it may run, in seconds.
    """

    name: str
    command: str
    calendar: str
    gevent: bool = False
    timeout: int = 3600


def words_problem(words: Sequence[str]) -> str | None:
    """Return what is wrong with the words of a command, or None."""
    if not words:
        return "is empty; write for example: celery -A shop worker"
    if not PROGRAM.fullmatch(words[0]):
        return (
            f"begins with {words[0]!r}; its first word is a program of the virtualenv such as celery, "
            "manage.py, or an absolute path"
        )
    shell = [word for word in words if word in OF_A_SHELL]
    return f"has {shell[0]!r} in it, and no shell reads it; write: /bin/sh -c '…'" if shell else None


def command_problem(command: str) -> str | None:
    """Return what is wrong with a command, without a password that it holds, or None."""
    if CONTROL.search(command):
        return "has a line end or another control character in it; write it in one line"
    if PASSWORD.search(command):
        return (
            "has a password in it, and every user of the host can read a command; put it into release_env, "
            "and have the project read it"
        )
    try:
        return words_problem(shlex.split(command))
    except ValueError:
        return "has a quotation mark that is not closed"


def problems(workers: Sequence[Mapping[str, object]], timers: Sequence[Mapping[str, object]]) -> list[str]:
    """Return all that is wrong with the entries, a line each, that begins with the variable's name.

    Args:
        workers: as in the variable, of the types that argument_specs asks for.
        timers: likewise.
    """
    found: list[str] = []
    names: set[str] = set()
    for variable, entries in (("processes_workers", workers), ("processes_timers", timers)):
        for number, entry in enumerate(entries):
            name = str(entry.get("name", ""))
            where = f"{variable}[{number}]"
            if not NAME.fullmatch(name):
                found.append(f"{where}.name is {name!r}; use a-z, 0-9 and -, a letter first, at most 31")
            elif name in names:
                found.append(f"{where}.name is {name!r} again; each worker and each timer has a name of its own")
            names.add(name)
            wrong = command_problem(str(entry.get("command", "")))
            found += [f"{where}.command {wrong}"] if wrong else []
            calendar = str(entry.get("calendar", ""))
            if variable == "processes_timers" and (not calendar.strip() or CONTROL.search(calendar)):
                found.append(f"{where}.calendar is {calendar!r}; write for example: daily, or Mon *-*-* 04:00:00")
            for key, least in (("replicas", 1), ("deadline", 1), ("timeout", 1), ("connections", 0)):
                number_of = entry.get(key)
                if number_of is not None and int(str(number_of)) < least:
                    found.append(f"{where}.{key} is {number_of}; it is at least {least}")
    return found


def connections(workers: Sequence[Mapping[str, object]], timers: Sequence[object], cores: int) -> int:
    """Return how many connections to the database workers and timers may open together.

    Those of a release that was replaced finish their task, on each host, while the next ones work: workers count twice.

    Args:
        workers: as in the variable.
        timers: likewise.
        cores: of the host.
    """

    def number(worker: Mapping[str, object], key: str, default: int) -> int:
        return int(str(worker.get(key) or default))

    return 2 * sum(number(each, "replicas", 1) * number(each, "connections", cores) for each in workers) + len(timers)


def quoted(word: str) -> str:
    """Return a word of a command as systemd reads it; `${REPLICA}` is left for systemd to fill in."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return escaped if re.fullmatch(r"[\w@%+=:,./${}-]+", word) else f'"{escaped}"'


def exec_start(app: str, command: str) -> str:
    """Return a command as that of a unit whose instance is a release."""
    first, *rest = shlex.split(command)
    programs = f"/srv/{app}/releases/%i/virtualenv/bin"
    if first == "manage.py":
        first, rest = "python", [first, *rest]
    program = quoted(first) if first.startswith("/") else f"{programs}/{first}"
    return " ".join([program, *map(quoted, rest)])


def derived(base: str, without: frozenset[str], unit: Sequence[str], service: Sequence[str]) -> str:
    """Return a unit that is like another one, but for what it is told.

    Args:
        base: the text of that one.
        without: the names of the settings that are left out.
        unit: lines for the section Unit.
        service: lines for the section Service.
    """
    lines = [MARK, "# Its sandbox is that of the unit of the site from which it was made."]
    for line in base.splitlines():
        if line in ("[Unit]", "[Service]"):
            lines += ["", line, *(unit if line == "[Unit]" else service)]
        elif line and line[0] not in "#;" and line.partition("=")[0] not in without:
            lines.append(line)
    return "\n".join(lines) + "\n"


def worker_templates(app: str, workers: Sequence[Worker]) -> list[str]:
    """Return what the units of workers are called before the @, one for each replica."""
    return [f"{app}.{worker.name}.{number}" for worker in workers for number in range(1, worker.replicas + 1)]


def patch(gevent: bool) -> str:
    """Return the line by which projects of our template know whether to patch: it wins over what `.env` says."""
    return f"Environment=GEVENT_PATCH={'on' if gevent else 'off'}"


def worker_unit(app: str, worker: Worker, replica: int, base: str) -> str:
    """Return the unit of one replica; its instances are releases."""
    return derived(
        base,
        OF_GUNICORN,
        [f"Description={app} {worker.name} {replica}, release %i", FORGOTTEN],
        [
            "Type=exec",
            f"ExecStart={exec_start(app, worker.command)}",
            f"Environment=REPLICA={replica}",
            patch(worker.gevent),
            "RestartSec=5",
            f"TimeoutStopSec={worker.deadline}",
        ],
    )


def timer_units(app: str, timer: Timer, base: str, boot: str) -> dict[str, str]:
    """Return the units of a timer by name: when, by which release, and what it runs."""
    name = f"{app}.{timer.name}"
    # The link is read once: command, directory and environment are of one release, whatever is switched meanwhile.
    start = f'exec systemctl start "{name}@$$(basename "$$(readlink /srv/{app}/current)").service"'
    when = [
        MARK,
        "[Unit]",
        f"Description={app} {timer.name}",
        "",
        "[Timer]",
        f"OnCalendar={timer.calendar.replace('%', '%%')}",
        "# A host that was off then makes it up.",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    which = derived(
        boot,
        OF_THE_BOOT,
        [f"Description={app} {timer.name}, by whatever release is live"],
        [f"ExecStart=/bin/sh -c '{start}'"],
    )
    run = derived(
        base,
        OF_GUNICORN | OF_WHAT_GOES_ON,
        [f"Description={app} {timer.name}, release %i", FORGOTTEN],
        [
            "Type=oneshot",
            f"ExecStart={exec_start(app, timer.command)}",
            patch(timer.gevent),
            f"TimeoutStartSec={timer.timeout}",
        ],
    )
    return {
        f"{name}.timer": "\n".join(when) + "\n",
        f"{name}.service": which,
        f"{name}@.service": run,
    }


def boot_unit(app: str, templates: Sequence[str]) -> str:
    """Return what is added to `<app>.service`, which at boot starts what is live."""
    units = " ".join(f'"{template}@$$release.service"' for template in templates)
    command = f'release=$$(basename "$$(readlink /srv/{app}/current)"); exec systemctl start --no-block {units}'
    return f"{MARK}\n[Service]\nExecStart=/bin/sh -c '{command}'\n"


def units(app: str, workers: Sequence[Worker], timers: Sequence[Timer], base: str, boot: str) -> dict[str, str]:
    """Return all units by their path below /etc/systemd/system.

    Args:
        app: its name.
        workers: valid ones.
        timers: likewise.
        base: the text of the unit of gunicorn.
        boot: that of the unit that starts what is live at boot.
    """
    found: dict[str, str] = {}
    for worker in workers:
        for replica in range(1, worker.replicas + 1):
            found[f"{app}.{worker.name}.{replica}@.service"] = worker_unit(app, worker, replica, base)
    for timer in timers:
        found.update(timer_units(app, timer, base, boot))
    if workers:
        found[f"{app}.service.d/processes.conf"] = boot_unit(app, worker_templates(app, workers))
    return found
