"""Start and end the instance of a release."""

from __future__ import annotations

import json
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import history
from ansible_collections.initech.django.plugins.module_utils.commands import run, tail
from ansible_collections.initech.django.plugins.module_utils.health import wait_until_healthy
from ansible_collections.initech.django.plugins.module_utils.layout import App, Release
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
module: instance
short_description: Start a release beside the live one, or end one that is not live
description:
  - A started release is asked over HTTP on its own socket. One that does not answer is stopped and marked as failed,
    and the end of its own log is shown.
  - A drained release has accepted what was on its way to it, finishes that, and ends.
author: The initech.django team
options:
  app_name:
    description: The app.
    type: str
    required: true
  release:
    description: The id of the release.
    type: str
    required: true
  state:
    description: What is to become of it.
    type: str
    choices: [healthy, drained]
    required: true
  path:
    description: The path that is asked for. Empty is C(/), where a 404 is an answer too.
    type: str
    default: ""
  host:
    description: The Host header. Empty is the first of the project's C(ALLOWED_HOSTS).
    type: str
    default: ""
  timeout:
    description: How long to wait for a good answer, in seconds.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: Tells whether it would start or end.
"""
EXAMPLES = """
- name: Start the release beside the live one
  initech.django.instance:
    app_name: shop
    release: 20261124T101500Z-1a2b3c4d
    state: healthy
"""
RETURN = """ # """

BACKLOG_SECONDS = 10
LOG_LINES = 40


def systemctl(*arguments: str) -> tuple[bool, str]:
    """Run systemctl; return whether it succeeded, and what it printed."""
    result = run(["systemctl", *arguments])
    return result.returncode == 0, result.stdout.strip()


def state_of(release: Release) -> tuple[bool, bool]:
    """Return whether the instance runs or is about to, and whether it ended by itself since it was started."""
    _, output = systemctl("show", "--property=ActiveState,NRestarts", release.unit)
    state = dict(line.split("=", 1) for line in output.splitlines())
    return state["ActiveState"] in ("active", "activating", "reloading"), state["NRestarts"] != "0"


def log_of(release: Release) -> str:
    """Return the end of the release's own log."""
    run(["journalctl", "--sync"])
    lines = ["journalctl", "--unit", release.unit, "--no-pager", "--output=cat", f"--lines={LOG_LINES}"]
    return tail(run(lines).stdout, LOG_LINES)


def end_at_once(release: Release) -> None:
    """End a release that no visitor has seen, and that may hang, without waiting for what it does."""
    # Stopping first: what is only killed, systemd starts again.
    systemctl("stop", "--no-block", release.unit)
    systemctl("kill", "--signal=KILL", release.unit)
    systemctl("stop", release.unit)
    systemctl("reset-failed", release.unit)


def start(app: App, release: Release, options: dict[str, Any]) -> None:
    """Start a release and wait until it answers.

    Raises:
        Problem: it does not answer; it is stopped then, and marked as failed.
    """
    host = options["host"] or json.loads(release.manifest.read_text(encoding="utf-8"))["host"]
    started, _ = systemctl("start", release.unit)
    wrong = "it did not start"
    if started:
        wrong = wait_until_healthy(
            release.socket, host, options["path"], options["timeout"], lambda: state_of(release) == (True, False)
        )
    if wrong:
        log = log_of(release)
        end_at_once(release)
        history.record(app.history, release.id, history.FAILED)
        live = app.live()
        rest = f"{live.id} is still live." if live else "Nothing is live yet."
        raise Problem(f"Release {release.id} is no good: {wrong}. It was stopped. {rest}\nIts own log:\n{log}")


def backlog(release: Release) -> int:
    """Return how many connections wait in the socket's queue to be accepted."""
    for line in run(["ss", "--listening", "--unix", "--numeric", "--no-header"]).stdout.splitlines():
        columns = line.split()
        if str(release.socket) in columns:
            return int(columns[2])
    return 0


def drain(release: Release) -> None:
    """End a release that gets no new requests, without losing one that is on its way.

    gunicorn finishes what it has accepted. What still waits in the queue would be reset, so that goes first.
    """
    deadline = time.monotonic() + BACKLOG_SECONDS
    while backlog(release) and time.monotonic() < deadline:
        time.sleep(0.02)
    systemctl("stop", release.unit)
    systemctl("reset-failed", release.unit)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["healthy", "drained"], "required": True},
            "path": {"type": "str", "default": ""},
            "host": {"type": "str", "default": ""},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    app = App(module.params["app_name"])
    release = app.release(module.params["release"])
    try:
        changed = state_of(release)[0] == (module.params["state"] == "drained")
        if module.check_mode:
            pass
        elif module.params["state"] == "healthy":
            start(app, release, module.params)
        elif release == app.live():
            raise Problem(f"{release.id} is live, and so not drained.")
        elif changed:
            drain(release)
        module.exit_json(changed=changed)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
