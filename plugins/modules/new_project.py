"""Documentation of `initech.django.new_project`, which is an action: it runs on the controller."""

from __future__ import annotations

DOCUMENTATION = """
module: new_project
short_description: Make a new Django project, an inventory for it and its secrets
description:
  - Renders the project template, makes it a git repository and commits everything.
  - Makes an inventory that deploys it to the throwaway host of the demo, with a vault of new secrets. These are never
    printed, and no other program gets them.
  - Refuses everything that is in the way before anything is made. The project and its inventory are made beside where
    they will be, and put there when they are complete.
author: The initech.django team
options:
  project:
    description: The name of the project, which becomes its Python package.
    type: str
    required: true
  directory:
    description: Where the project will be. It is not there yet, or empty.
    type: path
    required: true
  database:
    description: V(postgresql) or V(mysql).
    type: str
    default: postgresql
  inventories:
    description: The directory of all inventories.
    type: path
    default: inventories
attributes:
  check_mode:
    support: full
    description: Tells what it would make.
"""
EXAMPLES = """
- name: Make the shop
  initech.django.new_project:
    project: shop
    directory: ~/src/shop
"""
RETURN = """
directory:
  description: The project.
  type: path
  returned: success
inventory:
  description: The directory of its inventory.
  type: path
  returned: success
report:
  description: What was made, and what to type next.
  type: str
  returned: success
"""
