"""Documentation of `initech.django.apt`, which is an action around `ansible.builtin.apt`."""

from __future__ import annotations

DOCUMENTATION = """
module: apt
short_description: Install Debian packages, with a check mode that passes on a new host
description:
  - Does what M(ansible.builtin.apt) does, with the options of that module.
  - Where something has to be installed and the lists of packages are older than an hour, they are fetched first.
  - In check mode that module fails on a host that has neither C(python3-apt) nor package lists yet. This says there
    what it would install.
author: The initech.django team
options:
  named_at:
    description: Packages, and where somebody named them, for the message where apt does not know one.
    type: dict
    default: {}
  repository_is_new:
    description: Whether packages come from a repository that check mode did not add. Then it passes with such, too.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Tells what it would install.
"""
EXAMPLES = """
- name: Install nginx
  initech.django.apt:
    name: nginx
"""
RETURN = """ # """
