"""Tell what a host knows of its releases."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import history, releases
from ansible_collections.initech.django.plugins.module_utils.commands import run
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
certificate:
  description: How old the certificate of the site is, and when it ends; empty where there is none.
  type: str
  returned: success
history:
  description:
    - The last twenty deploys and rollbacks, newest first. Each has C(release), C(state), C(when), C(by), C(version),
      C(outcome), C(migrations) and C(backup).
  type: list
  elements: dict
  returned: success
"""

COUNT = 20


def age(certificate: Path, now: datetime) -> str:
    """Return how old a certificate is, and when it ends. openssl is on every host, and a library for it is not."""
    said = run(["openssl", "x509", "-noout", "-dates", "-in", certificate]).stdout
    dates = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    try:
        return releases.certificate_line(dates["notBefore"], dates["notAfter"], now)
    except (KeyError, ValueError):
        return f"certificate: openssl cannot read {certificate}"


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
    on_host = releases.OnHost(
        releases={path.name for path in app.releases.glob("*")},
        complete={release.id for release in app.complete()},
        live=live.id if live else None,
        under_way=under_way(app.leases),
    )
    rows = releases.rows(history.read(app.history), on_host, module.params["keep"], COUNT)
    certificate = age(app.certificate, datetime.now(timezone.utc)) if app.certificate.exists() else ""
    module.exit_json(changed=False, app=app.name, live=on_host.live or "", certificate=certificate, history=rows)


if __name__ == "__main__":
    main()
