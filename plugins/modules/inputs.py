"""Documentation of `initech.django.inputs`, which is an action: it runs on the controller."""

from __future__ import annotations

DOCUMENTATION = """
module: inputs
short_description: Check the variables of every host of the play at once
description:
  - Refuses a run that would touch hosts of two environments.
  - Lists everything that the roles need and the inventory lacks, with the file to mend, before any host is touched.
    A value is lacking when it is not set, empty where it must not be, still says C(FILL IN), or cannot be evaluated.
  - Runs on the controller, and needs to run once only.
author: The initech.django team
options:
  complete:
    description: Whether every variable has to be there; else only that the run touches one environment.
    type: bool
    default: true
  taken_names:
    description: Whether an app may not have a name that a group, user or unit of the system or of a server may have.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: Never changes anything.
"""
EXAMPLES = """
- name: Check the inventory
  initech.django.inputs:
  run_once: true
"""
RETURN = """
environment:
  description: The environment of this run.
  type: str
  returned: success
  sample: prod
roles:
  description: Of which groups each host of the play is, C(apps), C(databases) or both.
  type: dict
  returned: success
  sample: {web1: [apps], db1: [databases]}
at_once:
  description: >-
    How many hosts may be made ready at once, for C(throttle). Names of one machine take turns, since they share files
    there; else it is 0, which is all.
  type: int
  returned: success
  sample: 0
"""
