"""Look up and prove what is live on a host; the documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = """
module: promotion_source
short_description: Look up what is live on a host that is promoted from, since when, and whether it is proven
description:
  - Proves it as M(initech.django.virtualenv_proof) does, and returns what is wrong instead of failing, so that all of
    it can be told at once.
author: The initech.django team
options:
  host:
    description: The name of the host, for messages.
    type: str
    required: true
  app_name:
    description: The app, as that host calls it.
    type: str
    required: true
  python_version:
    description: The version of Python that was asked for there. Empty is any.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Never changes anything.
"""
EXAMPLES = """
- name: Look up what is live
  initech.django.promotion_source:
    host: staging.example.com
    app_name: shop
  delegate_to: staging.example.com
"""
RETURN = """
seen:
  description: What is live, for M(initech.django.promotion).
  type: dict
  returned: success
"""
