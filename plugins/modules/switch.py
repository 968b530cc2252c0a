"""Make a release live."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import history, workers
from ansible_collections.initech.django.plugins.module_utils.instance import (
    FIRST,
    begin_to_drain,
    end_at_once,
    set_precedence,
    start,
    state_of,
)
from ansible_collections.initech.django.plugins.module_utils.layout import App, Release, require_manifest
from ansible_collections.initech.django.plugins.module_utils.lease import Claim, require
from ansible_collections.initech.django.plugins.module_utils.problem import Problem, require_room, room

DOCUMENTATION = """
module: switch
short_description: Make a release live, with one rename(2)
description:
  - Starts the release beside the live one, and asks it over HTTP on its own socket, each of its workers. One that does
    not answer is stopped and marked as failed, and the end of its own log is shown. The live one never noticed.
  - Moves the link C(/srv/<app>/current), through which nginx finds both the socket and the static files.
  - Tells the one that was live to end. It has accepted what was on its way to it, and finishes that. Nobody waits for
    it here, but in M(initech.django.drain).
  - Workers follow. Those of a new release start when it answers, and one that cannot be executed stops the switch.
    Those of the old one are told to end when the link has moved. Nobody waits for them, and systemd kills those that
    have not ended in their deadline.
author: The initech.django team
extends_documentation_fragment:
  - initech.django.step
options:
  release:
    description: The id of the release. It must be complete.
    type: str
    required: true
  path:
    description: The path that is asked for. Empty is C(/), where a 404 is an answer too.
    type: str
    default: ""
  host:
    description: The Host header. Empty is the first of the project's C(ALLOWED_HOSTS).
    type: str
    default: ""
  status:
    description: The status of a good answer. 0 is below 400.
    type: int
    default: 0
  text:
    description: What the page of a good answer has in it.
    type: str
    default: ""
  attempts:
    description: How often it may give an answer that is no good before that is believed.
    type: int
    default: 3
  timeout:
    description: How long to wait for a good answer, in seconds.
    type: int
    default: 60
  seconds:
    description: How long it must go on running once it has answered, before it goes live, in seconds.
    type: int
    default: 0
attributes:
  check_mode:
    support: full
    description: Tells whether it would start the release or move the link.
  diff_mode:
    support: full
    description: Shows where the link led and leads.
"""
EXAMPLES = """
- name: Switch
  initech.django.switch:
    app_name: shop
    release: 20261124T101500Z-1a2b3c4d
"""
RETURN = """ # """


def move(app: App, release: Release, claim: Claim | None) -> None:
    """Have the link lead to a release."""
    # Before the rename: whoever is killed between the two leaves a release that did answer to roll back to.
    history.record(app.history, release.id, history.LIVE, claim)
    draft = app.current.with_name(".current")
    draft.unlink(missing_ok=True)
    draft.symlink_to(Path("releases", release.id))
    draft.replace(app.current)


def switch(app: App, release: Release, options: Mapping[str, Any]) -> list[str]:
    """Start a release, move all new requests to it, and tell the one before to end.

    Returns:
        the units of workers that could not be executed.

    Raises:
        Problem: it is not complete, or does not answer; or the lease was lost.
    """
    lease = require(app.leases, options["lease"])
    claim = lease.claim if lease else None
    require_manifest(release)
    old = app.live()
    # A switch that is done and cannot be written down would look as if it had failed.
    require_room(app.root)
    try:
        start(app, release, options, claim)
        set_precedence(release, FIRST)
        if old != release:
            move(app, release, claim)
    except BaseException:
        # Whatever it is, such as a full disk: nobody has seen the new one yet.
        if app.live() != release:
            try:
                workers.end(workers.units_of(workers.listed(app), release))
            finally:
                end_at_once(release)
        raise
    _, _, failed = workers.follow(app)
    if old and old != release:
        begin_to_drain(old)
    return failed


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "path": {"type": "str", "default": ""},
            "host": {"type": "str", "default": ""},
            "status": {"type": "int", "default": 0},
            "text": {"type": "str", "default": ""},
            "attempts": {"type": "int", "default": 3},
            "timeout": {"type": "int", "default": 60},
            "seconds": {"type": "int", "default": 0},
            "lease": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    app = App(module.params["app_name"])
    release, live = app.release(module.params["release"]), app.live()
    changed = release != live or not state_of(release)[0]
    try:
        with room(app.root):
            failed = [] if module.check_mode else switch(app, release, module.params)
    except Problem as problem:
        module.fail_json(msg=str(problem))
    if failed:
        module.warn(workers.said(failed))
    before = {"current": live.id if live else ""}
    module.exit_json(changed=changed, diff={"before": before, "after": {"current": release.id}})


if __name__ == "__main__":
    main()
