"""Documentation of `initech.django.connections`, which is an action: it runs on the controller."""

from __future__ import annotations

DOCUMENTATION = """
module: connections
short_description: Compare the connections that may be opened to the databases with what these accept
description:
  - Adds up, for every database server of the play, what all workers of all its apps may open, twice where a release is
    switched, and what is reserved for everything else.
  - Refuses a sum that the server does not accept, shows it, and proposes numbers.
  - Needs the number of cores of every host, C(ansible_facts.processor_nproc). Runs on the controller, and needs to run
    once only.
author: The initech.django team
options:
  reserved:
    description: How many connections of each server are for everything else.
    type: int
    required: true
attributes:
  check_mode:
    support: full
    description: Never changes anything.
"""
EXAMPLES = """
- name: Add up the connections
  initech.django.connections:
    reserved: 20
  run_once: true
"""
RETURN = """
sums:
  description: How many connections may be open at once, by server.
  type: dict
  returned: success
  sample: {web1.example.com: 380}
"""
