"""Remove what no rollback needs."""

from __future__ import annotations

import shutil

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import history
from ansible_collections.initech.django.plugins.module_utils.layout import App

DOCUMENTATION = """
module: prune
short_description: Remove old, failed and half-made releases, and virtualenvs that no release uses
description:
  - Ends instances that an interrupted run left behind.
  - The live release stays, whatever else.
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
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "keep": {"type": "int", "default": 5},
        },
        supports_check_mode=True,
    )
    app = App(module.params["app_name"])
    live = app.live()
    complete = [release.id for release in app.complete()]
    events = history.read(app.history)
    keep = history.to_keep(complete, live.id if live else None, events, module.params["keep"])
    releases = [path for path in sorted(app.releases.glob("*")) if path.name not in keep]
    used = {app.release(release).virtualenv.resolve() for release in keep}
    virtualenvs = [path for path in sorted(app.virtualenvs.glob("*")) if path not in used]

    listing = ["systemctl", "list-units", "--plain", "--no-legend", "--state=active,activating", f"{app.name}@*"]
    units = [line.split()[0] for line in module.run_command(listing)[1].splitlines()]
    strays = [unit for unit in units if live is None or unit != live.unit]

    if not module.check_mode:
        if strays:
            module.run_command(["systemctl", "stop", *strays], check_rc=True)
        for path in releases + virtualenvs:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    removed = [path.name for path in releases + virtualenvs]
    module.exit_json(changed=bool(removed or strays), removed=removed, ended=strays)


if __name__ == "__main__":
    main()
