"""Make a release live."""

from __future__ import annotations

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import history
from ansible_collections.initech.django.plugins.module_utils.layout import App

DOCUMENTATION = """
module: switch
short_description: Make a release live, with one rename(2)
description:
  - Moves the link C(/srv/<app>/current), through which nginx finds both the socket and the static files.
author: The initech.django team
options:
  app_name:
    description: The app.
    type: str
    required: true
  release:
    description: The id of the release. It must be complete and answer.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Tells whether it would move the link.
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


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    app = App(module.params["app_name"])
    release, live = app.release(module.params["release"]), app.live()
    changed = release != live
    if not module.check_mode:
        if not release.manifest.exists():
            module.fail_json(msg=f"Release {release.id} is not complete, and so never goes live.")
        if changed:
            # Before the rename: whoever is killed between the two leaves a release that did answer to roll back to.
            history.record(app.history, release.id, history.LIVE)
            draft = app.current.with_name(".current")
            draft.unlink(missing_ok=True)
            draft.symlink_to(Path("releases", release.id))
            draft.replace(app.current)
    before = {"current": live.id if live else ""}
    module.exit_json(changed=changed, diff={"before": before, "after": {"current": release.id}})


if __name__ == "__main__":
    main()
