"""Take the lease of an app; the work is done by the action of the same name."""

from __future__ import annotations

DOCUMENTATION = """
module: lease
short_description: Let one deploy of an app at a time change a host
description:
  - Claims the app on every host of the play at once. Of two runs exactly one wins, on all of its hosts; the other is
    told who that is, or waits.
  - The claim is renewed by a process on the controller as long as the run lives, and freed when it has ended, in
    whatever way. Where nothing of the controller is left, it expires.
  - A step of a run that has ended, and that is still at work on the host, is waited for.
author: The initech.django team
options:
  app_name:
    description: The app.
    type: str
    required: true
  apps:
    description: The name of the app of each host of the run. More than one is refused.
    type: dict
    default: {}
  kind:
    description: What is going to be done, for the message that others get.
    type: str
    choices: [deploy, rollback]
    default: deploy
  version:
    description: What is deployed, for that message and the history.
    type: str
    required: true
  wait:
    description: How long to wait for another run to end, for example V(10m). Empty is not at all.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Takes no lease.
"""
EXAMPLES = """
- name: Take the lease
  initech.django.lease:
    app_name: shop
    version: v1.4
    wait: 10m
"""
RETURN = """
id:
  description: What further steps are to name, so that none of them works without the lease. Empty in check mode.
  type: str
  returned: success
"""
