"""Refuse what must not be promoted; the documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = """
module: promotion
short_description: Refuse what is live in another environment and must not be deployed to this one
description:
  - All hosts there have the same commit and the same requirements, which is proven, and has been live for long enough.
  - What was packed for this environment is that commit, with these requirements. What a file of the environment's own
    adds to them is told.
  - All on the controller. No host is asked.
author: The initech.django team
options:
  source:
    description: The environment that is promoted from, as it was typed.
    type: str
    required: true
  environment:
    description: The environment that is deployed to.
    type: str
    required: true
  after:
    description: How long it has to be live there, for example C(1h). Empty is no matter how long.
    type: str
    default: ""
  seen:
    description: What M(initech.django.promotion_source) returned of each host.
    type: list
    elements: dict
    required: true
  packed:
    description: What M(initech.django.pack) returned. Without it nothing is compared.
    type: dict
attributes:
  check_mode:
    support: full
    description: Never changes anything.
"""
EXAMPLES = """
- name: Refuse what must not be promoted
  initech.django.promotion:
    source: staging
    environment: prod
    after: 1h
    seen: "{{ looked_up.results | map(attribute='seen') }}"
"""
RETURN = """
commit:
  description: The commit that is live there.
  type: str
  returned: success
called:
  description: How people call it.
  type: str
  returned: success
  sample: v1.4 from staging
lines:
  description: What is promoted, and what differs here; empty without O(packed).
  type: list
  elements: str
  returned: success
"""
