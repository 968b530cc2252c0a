"""What the steps of a deploy have in common."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of a step, those of one that runs the project, and those of what releases share."""

    DOCUMENTATION = """
options:
  app_name:
    description: The app.
    type: str
    required: true
  release:
    description: The id of the release.
    type: str
    required: true
  lease:
    description: The id that P(initech.django.lease#module) returned. Empty for a step that is called by itself.
    type: str
    default: ""
"""

    PROJECT = """
options:
  env_as_environment:
    description: The project reads the environment and knows nothing of C(.env).
    type: bool
    default: false
"""

    SHARED = """
options:
  shared_directories:
    description: Directories of the project, relative to manage.py, that the app writes into and all releases share.
    type: list
    elements: str
    default: []
  shared_files:
    description: Files of that kind.
    type: list
    elements: str
    default: []
"""
