"""The workers of an app on a host: which run, and that it is those of what is live."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.initech.django.plugins.module_utils.commands import run, tail
from ansible_collections.initech.django.plugins.module_utils.layout import App, Release

LOG_LINES = 20


def listed(app: App) -> list[str]:
    """Return what the units of workers are called before the @, as provisioning left it; empty if it left none."""
    try:
        found: list[str] = json.loads(app.processes.read_text(encoding="utf-8"))["workers"]
    except FileNotFoundError:
        return []
    return found


def units_of(templates: Sequence[str], release: Release | None) -> list[str]:
    """Return the units of workers of a release."""
    return [f"{template}@{release.id}.service" for template in templates] if release else []


def running(app: App, *states: str) -> list[str]:
    """Return the instances of workers and timers that are in one of the states of systemd."""
    command = ["systemctl", "list-units", "--all", "--plain", "--no-legend", f"--state={','.join(states)}"]
    return [line.split()[0] for line in run([*command, f"{app.name}.*@*.service"]).stdout.splitlines()]


def workers_among(units: Sequence[str]) -> list[str]:
    """Return those that are workers': `shop.mail.1@<release>.service`; a timer's have no number."""
    return [unit for unit in units if unit.partition("@")[0].count(".") == 2]


def plan(app: App) -> tuple[list[str], list[str]]:
    """Return which workers are to be ended, since they are not of what is live, and which are to be started."""
    wanted = units_of(listed(app), app.live())
    found = workers_among(running(app, "active", "activating", "reloading"))
    return [unit for unit in found if unit not in wanted], [unit for unit in wanted if unit not in found]


def in_use(app: App) -> set[str]:
    """Return the ids of the releases whose workers and commands have not ended yet."""
    found = running(app, "active", "activating", "reloading", "deactivating")
    return {unit.partition("@")[2][: -len(".service")] for unit in found}


def begin(units: Sequence[str]) -> list[str]:
    """Start workers and return those that could not be executed.

    One that was told to end, and has not yet, is started when it has: nobody waits for that.
    """
    if not units:
        return []
    run(["systemctl", "reset-failed", *units])
    show = ["systemctl", "show", "--value", "--property=ActiveState"]
    ending = [unit for unit in units if run([*show, unit]).stdout.strip() == "deactivating"]
    if ending:
        run(["systemctl", "start", "--no-block", *ending])
    others = [unit for unit in units if unit not in ending]
    # All at once; which of them failed is then asked.
    if not others or run(["systemctl", "start", *others]).returncode == 0:
        return []
    return [unit for unit in others if has_ended(unit)]


def has_ended(unit: str) -> bool:
    """Return whether a worker that was started ended by itself, and does not run again yet."""
    return run(["systemctl", "show", "--value", "--property=SubState", unit]).stdout.strip() in (
        "failed",
        "auto-restart",
    )


def end(units: Sequence[str]) -> None:
    """Tell workers to end. systemd kills those that have not in their deadline, whether or not we still live."""
    if units:
        run(["systemctl", "stop", "--no-block", *units])


def follow(app: App) -> tuple[list[str], list[str], list[str]]:
    """Have the workers of what is live run, and no others.

    Returns:
        the units that were told to end, those that were started, and those among these that could not be executed.
    """
    strays, missing = plan(app)
    # Told first: no old worker takes one more task while new ones begin.
    end(strays)
    return strays, missing, begin(missing)


def restless(app: App) -> list[str]:
    """Return the workers of what is live that have ended by themselves, and wait to be started again."""
    return [unit for unit in units_of(listed(app), app.live()) if has_ended(unit)]


def said(units: Sequence[str]) -> str:
    """Return in a line that workers ended by themselves, and below it the end of what the first of them logged."""
    run(["journalctl", "--sync"])
    lines = ["journalctl", "--unit", units[0], "--no-pager", "--output=cat", f"--lines={LOG_LINES}"]
    return f"{' and '.join(units)} ended by itself\n{tail(run(lines).stdout, LOG_LINES)}"


def place(unit: str) -> Path:
    """Return the file of a unit."""
    return Path("/etc/systemd/system", unit)
