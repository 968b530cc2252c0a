"""Tell what a host knows of its releases."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import history, releases
from ansible_collections.initech.django.plugins.module_utils.layout import App
from ansible_collections.initech.django.plugins.module_utils.lease import under_way

DOCUMENTATION = """
module: releases_info
short_description: Tell what was deployed to a host, when, by whom, and how it ended
description:
  - Reads the history that deploys and rollbacks write, and looks at what is left of their releases.
author: The initech.django team
options:
  app_name:
    description: The app.
    type: str
    required: true
  keep:
    description: How many releases a deploy keeps, for what the next one would remove.
    type: int
    default: 5
  count:
    description: How many deploys and rollbacks to tell of, counted from the newest.
    type: int
    default: 20
attributes:
  check_mode:
    support: full
    description: Never changes anything.
"""
EXAMPLES = """
- name: Look up what was deployed
  initech.django.releases_info:
    app_name: shop
"""
RETURN = """
app:
  description: The app.
  type: str
  returned: success
live:
  description: The id of the live release; empty where nothing is.
  type: str
  returned: success
history:
  description:
    - The deploys and rollbacks, newest first. Each has C(release), C(state), C(when), C(by), C(version), C(outcome),
      C(migrations) and C(backup).
  type: list
  elements: dict
  returned: success
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "keep": {"type": "int", "default": 5},
            "count": {"type": "int", "default": 20},
        },
        supports_check_mode=True,
    )
    app = App(module.params["app_name"])
    live = app.live()
    on_host = releases.OnHost(
        releases={path.name for path in app.releases.glob("*")},
        complete={release.id for release in app.complete()},
        live=live.id if live else None,
        under_way=under_way(app.leases),
    )
    rows = releases.rows(history.read(app.history), on_host, module.params["keep"], module.params["count"])
    module.exit_json(changed=False, app=app.name, live=on_host.live or "", history=rows)


if __name__ == "__main__":
    main()
