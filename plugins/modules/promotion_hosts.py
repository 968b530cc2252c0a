"""Tell which hosts are promoted from; the documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = """
module: promotion_hosts
short_description: Tell which hosts of another environment a promotion looks at
description:
  - Those of a group, or one host, that have the app. They need not be among the hosts of the run, and may call the app
    otherwise.
  - All on the controller. No host is asked.
author: The initech.django team
options:
  source:
    description: The environment that is promoted from, or a group or a host of it.
    type: str
    required: true
  environment:
    description: The environment that is deployed to.
    type: str
    required: true
attributes:
  check_mode:
    support: full
    description: Never changes anything.
"""
EXAMPLES = """
- name: See which hosts are meant
  initech.django.promotion_hosts:
    source: staging
    environment: prod
"""
RETURN = """
hosts:
  description: The hosts, each with C(host), C(app_name) and C(python_version).
  type: list
  elements: dict
  returned: success
"""
