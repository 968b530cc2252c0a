"""Refuse hooks that could not run; the documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = """
module: hooks
short_description: Refuse what a team wants run around a deploy and what could not be run
description:
  - Looks at files of tasks and at commands on the controller, before any host is touched. A file that is not there
    would else be missed when the database is migrated already.
author: The initech.django team
options:
  before_static:
    description: What is run in a release before its static files are collected.
    type: list
    elements: dict
    default: []
  after_static:
    description: What is run in it after that.
    type: list
    elements: dict
    default: []
  before:
    description: What is run before a release goes live.
    type: list
    elements: dict
    default: []
  after:
    description: What is run after that.
    type: list
    elements: dict
    default: []
  notify:
    description: The file of tasks that tells others how the run has ended. What is wrong with it is a warning.
    type: path
    default: ""
  about:
    description: What they are told beside that, for the callback P(initech.django.notify#callback).
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
    description: Never changes anything.
"""
EXAMPLES = """
- name: Refuse hooks that could not run
  initech.django.hooks:
    before:
      - command: python manage.py warm_cache
"""
RETURN = """
notify:
  description: The file of tasks that tells others; empty where it could not be run.
  type: path
  returned: success
about:
  description: What was given.
  type: dict
  returned: success
"""
