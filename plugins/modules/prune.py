"""Remove what no rollback needs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import history, static_files, workers
from ansible_collections.initech.django.plugins.module_utils.commands import DAY, run_or_fail
from ansible_collections.initech.django.plugins.module_utils.layout import App
from ansible_collections.initech.django.plugins.module_utils.lease import Claim, give_back, require
from ansible_collections.initech.django.plugins.module_utils.problem import Problem, room

DOCUMENTATION = """
module: prune
short_description: Remove old, failed and half-made releases, and virtualenvs that no release uses
description:
  - Ends instances that an interrupted run left behind, workers among them, and starts workers of what is live that do
    not run.
  - Warns of workers of what is live that end by themselves, with the end of their log.
  - A release stays as long as a worker of it has not ended, or a command that a timer began.
  - A release that was prepared, and that nobody switched to, stays until the next one is made.
  - The live release stays, whatever else. So do the static files of all releases that stay, and no others.
  - Gives the lease back, since it is the last step.
author: The initech.django team
options:
  app_name:
    description: The app.
    type: str
    required: true
  keep:
    description: How many releases stay, the live one among them.
    type: int
    default: 5
  lease:
    description: The id that P(initech.django.lease#module) returned. Empty for a step that is called by itself.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Tells what it would remove.
"""
EXAMPLES = """
- name: Prune
  initech.django.prune:
    app_name: shop
"""
RETURN = """
removed:
  description: The ids of the releases and the names of the virtualenvs that are gone.
  type: list
  elements: str
  returned: success
ended:
  description: The units of instances that were not live.
  type: list
  elements: str
  returned: success
started:
  description: The units of workers that were started.
  type: list
  elements: str
  returned: success
"""


def end(units: list[str]) -> None:
    """End instances that an interrupted run left behind.

    Raises:
        Problem: they do not end.
    """
    if units:
        run_or_fail(["systemctl", "stop", *units], "What an interrupted run left behind cannot be ended", timeout=DAY)


def finish(app: App, claim: Claim, events: Sequence[history.Event]) -> None:
    """Write the last line of a deploy's history, and give the lease back."""
    made = next((event.release for event in events if event.run == claim.run), None)
    if made:
        history.record(app.history, made, history.FINISHED, claim)
    give_back(app.leases, claim.id)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "keep": {"type": "int", "default": 5},
            "lease": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    app = App(module.params["app_name"])
    try:
        lease = None if module.check_mode else require(app.leases, module.params["lease"])
    except Problem as problem:
        module.fail_json(msg=str(problem))
    live = app.live()
    complete = [release.id for release in app.complete()]
    events = history.read(app.history)
    keep = history.to_keep(complete, live.id if live else None, events, module.params["keep"])
    strays, missing = workers.plan(app)
    keep = {*keep, *workers.in_use(app).intersection(complete)}
    releases = [path for path in sorted(app.releases.glob("*")) if path.name not in keep]
    used = {app.release(release).virtualenv.resolve() for release in keep}
    virtualenvs = [path for path in sorted(app.virtualenvs.glob("*")) if path not in used]

    listing = ["systemctl", "list-units", "--plain", "--no-legend", "--state=active,activating", f"{app.name}@*"]
    units = [line.split()[0] for line in module.run_command(listing)[1].splitlines()]
    instances = [unit for unit in units if live is None or unit != live.unit]

    try:
        with room(app.root):
            if not module.check_mode:
                workers.follow(app)
                end(instances)
                if releases:
                    # Before: where this is interrupted, there is still something for the next run to remove.
                    static_files.gather(app, [app.release(release) for release in keep])
                for path in releases + virtualenvs:
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            if lease:
                finish(app, lease.claim, events)
    except Problem as problem:
        module.fail_json(msg=str(problem))
    restless = workers.restless(app)
    if restless:
        module.warn(workers.said(restless))
    removed = [path.name for path in releases + virtualenvs]
    ended = instances + strays
    module.exit_json(changed=bool(removed or ended or missing), removed=removed, ended=ended, started=missing)


if __name__ == "__main__":
    main()
