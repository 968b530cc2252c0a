"""Pack one version of a project; the documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = """
module: pack
short_description: Resolve, check and pack one version of a Django project
description:
  - Runs on the controller. Hosts need no access to git.
  - Refuses a project that could not run, with what to do, before any host is touched.
  - The packed tree is kept in the cache and made once for every tree.
author: The initech.django team
extends_documentation_fragment: [initech.django.step.shared]
options:
  repository:
    description: A URL that git understands, or the path of a repository.
    type: str
    required: true
  version:
    description: A branch, a tag or a commit.
    type: str
    required: true
  apps:
    description: The name of the app of each host of the run. More than one is refused.
    type: dict
    default: {}
  subdirectory:
    description: The directory of the repository that holds the project. Empty is all of it.
    type: str
    default: ""
  project_directory:
    description: The directory of manage.py below O(subdirectory). Empty is the one nearest to it.
    type: str
    default: ""
  requirements_file:
    description: The requirements file below O(subdirectory). Empty is requirements.txt beside manage.py or above it.
    type: str
    default: ""
  wsgi:
    description: The WSGI application. Empty is what the project's settings say.
    type: str
    default: ""
  python_path:
    description: PYTHONPATH in the environment of the release, relative to the directory of manage.py.
    type: str
    default: ""
  compiles_messages:
    description: Hosts compile translations, so that nobody is to be warned of those that are not compiled.
    type: bool
    default: false
  environment:
    description: The name of the environment. Where the project has a requirements file of that name, it is taken.
    type: str
    default: ""
  developer_packages:
    description: Names of packages that are refused, with C(*) for any end.
    type: list
    elements: str
    default: []
  wheels:
    description: A directory on this machine that has a file for every requirement, for hosts that reach no index.
    type: path
  env_keys:
    description: The keys that C(.env) will have, for C(.env.template) to be held against. Never the values.
    type: list
    elements: str
    default: []
  cut_keys:
    description: Those of them whose values django-environ 0.11 would cut, from P(initech.django.risky_keys#filter).
    type: list
    elements: str
    default: []
  misread_keys:
    description: Those whose values only django-environ reads, from P(initech.django.risky_keys#filter).
    type: list
    elements: str
    default: []
  database:
    description: The scheme of DATABASE_URL, to see that its driver is there. Never the URL, which is a secret.
    type: str
    default: ""
  cache:
    description: Where repositories and packed trees are kept.
    type: path
    default: ~/.cache/initech-django
attributes:
  check_mode:
    support: full
    description: Fills its cache in check mode too, and changes nothing else.
"""
EXAMPLES = """
- name: Pack the project
  initech.django.pack:
    repository: git@git.example.com:shop.git
    version: v1.4
  run_once: true
"""
RETURN = """
release:
  description: The id for the release that this run makes, the same on all hosts.
  type: str
  returned: success
  sample: 20261124T101500Z-1a2b3c4d
version:
  description: What was asked for.
  type: str
  returned: success
commit:
  description: What it means now.
  type: str
  returned: success
tree:
  description: The content, whatever commit it stands in.
  type: str
  returned: success
archive:
  description: The packed tree.
  type: path
  returned: success
project:
  description: The directory of manage.py in it.
  type: str
  returned: success
requirements:
  description: The requirements file in it, and those that it names.
  type: list
  elements: str
  returned: success
requirements_sha256:
  description: The hash of these files.
  type: str
  returned: success
requirements_hashes:
  description: The hash of each of them, by its path.
  type: dict
  returned: success
pins:
  description: The lines of these files, with their hashes.
  type: list
  elements: str
  returned: success
native:
  description: The Debian packages that comments in requirements_to_freeze.txt name, with file and line.
  type: dict
  returned: success
wheels:
  description: The archive of the files of O(wheels) that the requirements need; empty without O(wheels).
  type: path
  returned: success
advice:
  description: What is no error, and shown as a warning.
  type: list
  elements: str
  returned: success
wsgi:
  description: The WSGI application.
  type: str
  returned: success
  sample: shop.wsgi:application
"""
