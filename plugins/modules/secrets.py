"""Documentation of `initech.django.secrets`, which is an action: it runs on the controller."""

from __future__ import annotations

DOCUMENTATION = """
module: secrets
short_description: Make the secrets of an environment that are lacking, and rotate those that are named
description:
  - Writes into the encrypted file C(group_vars/ENVIRONMENT/vault.yml) of an inventory, and leaves what else stands
    there as it is.
  - Makes each C(vault_) name that the variables of the environment's hosts refer to, that has no value, and that
    nobody else gives out. That is Django's key, and the password of a database that this collection makes.
  - Fails with a list of the others, after it has made what it could, or, where something is rotated, before it changes
    anything.
  - Prints no values, not even as a difference.
author: The initech.django team
options:
  environment:
    description: The environment, which is an inventory group.
    type: str
    required: true
  inventory:
    description: The directory of its inventory.
    type: path
    required: true
  rotate:
    description:
      - What gets another value. Keys of C(release_env), or names of the vault.
      - The former value of a key of Django's is kept, under its name with C(_fallbacks) behind it, until the next time
        that nothing is rotated.
      - The password of a database keeps its value, and gets a next one under its name with C(_next) behind it, which
        the database and the hosts have to learn first.
    type: list
    elements: str
    default: []
  step:
    description: V(swap) gives O(name) its next value, and V(end) removes that from under its own name.
    type: str
    choices: [begin, swap, end]
    default: begin
  name:
    description: A password of which the database has learnt the next value. Not for V(begin).
    type: str
attributes:
  check_mode:
    support: full
    description: Tells what it would make, by names.
"""
EXAMPLES = """
- name: Make what is missing
  initech.django.secrets:
    environment: "{{ app_environment }}"
    inventory: "{{ inventory_dir }}"
  run_once: true
"""
RETURN = """
path:
  description: The encrypted file.
  type: str
  returned: when nothing is wrong
made:
  description: The names that got their first value.
  type: list
  elements: str
  returned: when nothing is wrong
  sample: [vault_secret_key]
rotated:
  description: The names that got another value.
  type: list
  elements: str
  returned: when nothing is wrong
rotating:
  description: The name of the password that has a next value; empty if none has.
  type: str
  returned: when nothing is wrong
removed:
  description: The names of former values that are no longer kept.
  type: list
  elements: str
  returned: when nothing is wrong
lacking:
  description: The names that have no value, and that somebody else gives out.
  type: list
  elements: str
  returned: when nothing is wrong
report:
  description: All of it in words, and what to type next.
  type: str
  returned: when nothing is wrong
"""
