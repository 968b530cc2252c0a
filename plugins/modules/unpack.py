"""Begin a release on the host: its source, and a virtualenv that is what its requirements say."""

from __future__ import annotations

DOCUMENTATION = """
module: unpack
short_description: Begin a release on the host, with its source and its virtualenv
description:
  - Only a run that won the lease on all its hosts comes here. From here on it holds this one, and the history begins.
  - Sends the packed source, over one connection and without a copy elsewhere, and unpacks it.
  - Makes the virtualenv of an interpreter and a requirements file. It is named by the hash of both, shared by all
    releases that have the same, and never changed again. One that an interrupted run left half-made is never used, but
    made anew. One that somebody changed afterwards is left to the release that may run from it, and another takes its
    place. It gets what the file says, no more and no less; C(pip) itself is not in it.
  - uv installs where the host has it, pip otherwise or where it is told to. Both trust what the host trusts.
  - Proves that the virtualenv is what its requirements say, as M(initech.django.virtualenv_proof) does, before anything
    of the project is loaded, since an C(ImportError) would not say which file to mend.
author: The initech.django team
extends_documentation_fragment:
  - initech.django.step
  - initech.django.virtualenv
options:
  archive:
    description: The packed source on the controller. Not needed in check mode.
    type: path
  wheels:
    description: An archive on the controller with all that the virtualenv is made from. No index is asked then.
    type: path
  asked_version:
    description: The version that was asked for. Empty is any.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Tells what would be in the virtualenv.
  diff_mode:
    support: full
    description: Shows how the packages differ from those of the live release.
"""
EXAMPLES = """
- name: Unpack it
  initech.django.unpack:
    app_name: shop
    release: 20261124T101500Z-1a2b3c4d
    archive: /tmp/1a2b3c4d.tar.gz
    python: /usr/bin/python3
    python_version: 3.13.5
    requirements: [requirements.txt]
    requirements_sha256: 9f2c...
    pins: [Django==5.2.19]
"""
RETURN = """
path:
  description: The directory of the virtualenv.
  type: path
  returned: success
packages:
  description: What is in it, or in check mode would be.
  type: list
  elements: str
  returned: success
  sample: [Django==5.2.19]
"""
