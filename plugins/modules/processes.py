"""Install the units of an app's workers and timers."""

from __future__ import annotations

import json
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import workers
from ansible_collections.initech.django.plugins.module_utils.commands import DAY, run_or_fail
from ansible_collections.initech.django.plugins.module_utils.layout import App
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.processes import (
    MARK,
    Timer,
    Worker,
    problems,
    units,
    worker_templates,
)

DOCUMENTATION = """
module: processes
short_description: Install what an app runs beside its site, workers and timers
description:
  - Makes their units from that of the site, so that they run in the same sandbox, and removes those that are asked for
    no longer.
  - Has the workers of the live release run as they are asked for. One whose unit changed finishes its task first,
    within its deadline.
author: The initech.django team
options:
  app_name:
    description: The app.
    type: str
    required: true
  workers:
    description: Processes that run as long as their release is live.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Unique among workers and timers, of C(a-z), C(0-9) and C(-).
        type: str
        required: true
      command:
        description: Its first word is a program of the virtualenv, C(manage.py), or an absolute path.
        type: str
        required: true
      replicas:
        description: How many of it run.
        type: int
        default: 1
      gevent:
        description: Whether projects of our template patch the standard library in it.
        type: bool
        default: false
      deadline:
        description: How long it may take to finish when its release has been replaced, in seconds.
        type: int
        default: 60
      connections:
        description: How many connections to the database each replica opens, for the sum when it is provisioned.
        type: int
        default: 0
  timers:
    description: Commands that are run on a calendar, by what is live then.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Unique among workers and timers, of C(a-z), C(0-9) and C(-).
        type: str
        required: true
      command:
        description: As that of a worker.
        type: str
        required: true
      calendar:
        description: When, in the words of systemd.time(7).
        type: str
        required: true
      gevent:
        description: As that of a worker.
        type: bool
        default: false
      timeout:
        description: How long it may run, in seconds.
        type: int
        default: 3600
attributes:
  check_mode:
    support: full
    description: Tells which units it would change.
  diff_mode:
    support: full
    description: Shows the units.
"""
EXAMPLES = """
- name: Run a worker of celery beside the shop
  initech.django.processes:
    app_name: shop
    workers:
      - name: mail
        command: celery -A shop worker
"""
RETURN = """
units:
  description: The units that were written, changed or removed.
  type: list
  elements: str
  returned: success
ended:
  description: The instances of workers that were ended.
  type: list
  elements: str
  returned: success
started:
  description: The instances of workers that were started.
  type: list
  elements: str
  returned: success
"""


def ours(app: App) -> dict[str, str]:
    """Return the units of this role on the host, with their texts."""
    directory = workers.place("")
    paths = [*directory.glob(f"{app.name}.*"), *directory.glob(f"{app.name}.service.d/processes.conf")]
    texts = {str(path.relative_to(directory)): path.read_text(encoding="utf-8") for path in paths if path.is_file()}
    return {name: text for name, text in texts.items() if text.startswith(MARK)}


def write(path: Path, text: str) -> None:
    """Write a file for everybody to read, whole or not at all."""
    path.parent.mkdir(mode=0o755, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.chmod(0o644)
    draft.replace(path)


def end(app: App, changed: list[str]) -> list[str]:
    """End the workers whose unit goes or changes, as the old one says, and timers that go; return the workers."""
    found = workers.running(app, "active", "activating", "reloading", "deactivating")
    ended = [unit for unit in workers.workers_among(found) if f"{unit.partition('@')[0]}@.service" in changed]
    timers = [name for name in changed if name.endswith(".timer")]
    if timers:
        run_or_fail(["systemctl", "disable", "--now", *timers], "The timers cannot be stopped")
    if ended:
        run_or_fail(["systemctl", "stop", *ended], "The workers cannot be ended", timeout=DAY)
    return ended


def install(app: App, old: dict[str, str], new: dict[str, str], state: str) -> list[str]:
    """Have the units in force, and return the workers that were ended for it."""
    ended = end(app, [name for name in old if old[name] != new.get(name)])
    for name in old.keys() - new.keys():
        workers.place(name).unlink()
        if "/" in name:
            # The directory of drop-ins, unless there are others in it.
            with suppress(OSError):
                workers.place(name).parent.rmdir()
    for name, text in new.items():
        if old.get(name) != text:
            write(workers.place(name), text)
    run_or_fail(["systemctl", "daemon-reload"], "systemd does not read the units")
    timers = [name for name in new if name.endswith(".timer")]
    if timers:
        run_or_fail(["systemctl", "enable", "--now", *timers], "The timers cannot be started")
    # Last: what a killed run left is in force only when this says so.
    write(app.processes, state)
    return ended


def specification() -> dict[str, Any]:
    """Return the module's options."""
    required = {"type": "str", "required": True}

    def number(default: int) -> dict[str, Any]:
        return {"type": "int", "default": default}

    def entries(**more: dict[str, Any]) -> dict[str, Any]:
        options = {"name": required, "command": required, "gevent": {"type": "bool", "default": False}, **more}
        return {"type": "list", "elements": "dict", "default": [], "options": options}

    return {
        "app_name": required,
        "workers": entries(replicas=number(1), deadline=number(60), connections=number(0)),
        "timers": entries(calendar=required, timeout=number(3600)),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=specification(), supports_check_mode=True)
    app = App(module.params["app_name"])
    wrong = problems(module.params["workers"], module.params["timers"])
    if wrong:
        module.fail_json(msg="\n".join(wrong))
    asked = [Worker(**each) for each in module.params["workers"]]
    timers = [Timer(**each) for each in module.params["timers"]]
    try:
        for timer in timers:
            failure = (
                f"processes_timers: the calendar of {timer.name} is {timer.calendar!r}, and systemd cannot read it"
            )
            run_or_fail(["systemd-analyze", "calendar", timer.calendar], failure)
        base = app.configuration[1]
        boot = base.with_name(f"{app.name}.service")
        if base.exists() and boot.exists():
            texts = (path.read_text(encoding="utf-8") for path in (base, boot))
            new = units(app.name, asked, timers, *texts)
        elif module.check_mode or not (asked or timers):
            module.exit_json(changed=bool(asked or timers), units=[], ended=[], started=[])
        else:
            raise Problem(f"{base} is not there, from which the units are made: the role gunicorn comes first.")
        old = ours(app)
        content = {"workers": worker_templates(app.name, asked), "units": {}}
        content["units"] = {name: sha256(text.encode()).hexdigest() for name, text in sorted(new.items())}
        state = json.dumps(content, indent=2) + "\n"
        before = app.processes.read_text(encoding="utf-8") if app.processes.exists() else ""
        changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        is_new = bool(changed) or (before != state and bool(before or new))
        ended: list[str] = []
        if is_new and not module.check_mode:
            ended = install(app, old, new, state)
        strays, missing = workers.plan(app)
        if not module.check_mode:
            _, _, failed = workers.follow(app)
            if failed:
                module.warn(f"{workers.said(failed)}\nIf the live release does not know it yet, deploy one that does.")
    except Problem as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(
        changed=is_new or bool(strays or missing),
        units=changed,
        ended=ended + strays,
        started=missing,
        diff=[
            {"before_header": name, "after_header": name, "before": old.get(name, ""), "after": new.get(name, "")}
            for name in changed
        ],
    )


if __name__ == "__main__":
    main()
