"""What a virtualenv is made of."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of what makes one."""

    DOCUMENTATION = """
options:
  python:
    description: The path of the interpreter.
    type: path
    required: true
  python_version:
    description: Its version.
    type: str
    required: true
  requirements:
    description: The paths of the requirements file and of those that it names, in the source.
    type: list
    elements: str
    required: true
  requirements_sha256:
    description: The hash of these files.
    type: str
    required: true
  pins:
    description: The lines of these files, with their hashes.
    type: list
    elements: str
    required: true
  installer:
    description: What fills it. Where V(uv) is not on the host, V(pip) serves.
    type: str
    choices: [uv, pip]
    default: uv
  indexes:
    description: URLs of package indexes, the first instead of the default one. Empty is what the host is configured to.
    type: list
    elements: str
    default: []
"""
