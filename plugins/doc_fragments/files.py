"""Files and directories as they should be."""

from __future__ import annotations


class ModuleDocFragment:
    """The option of what writes them."""

    DOCUMENTATION = """
options:
  files:
    description: What should be there, in this order.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Where.
        type: str
        required: true
      state:
        description: What it is. What is C(absent) is removed, if it is no directory.
        type: str
        choices: [file, directory, absent]
        default: file
      content:
        description: Of a file.
        type: str
        default: ""
      owner:
        description: The user whose it is.
        type: str
        default: root
      group:
        description: The group, by default the one that is called like the owner.
        type: str
        default: ""
      mode:
        description: In octal, by default C(0644), and C(0755) for a directory.
        type: str
        default: ""
      validate:
        description:
          - A command that fails where the content is no good, with C(%s) in place of a file that has it.
          - Or C(unit), to have systemd tell. A program that the unit starts need not be there yet.
          - Or C(nginx), to have nginx tell of its whole configuration, as it would be with all of these files. That
            another site has the name of one of these is no good either, although nginx only warns of it.
          - It finds directories that are named before it made, and other files as they were.
        type: str
        default: ""
"""
