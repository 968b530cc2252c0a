"""Pack one version of a project, on the controller."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import (
    env_template,
    git,
    guards,
    native,
    project,
    requirements,
)
from ansible_collections.initech.django.plugins.module_utils.layout import new_release_id
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.wheels import pack_wheels

DOCUMENTATION = """
module: pack
short_description: Resolve, check and pack one version of a Django project
description:
  - Runs on the controller. Hosts need no access to git.
  - Refuses a project that could not run, with what to do, before any host is touched.
  - The packed tree is kept in the cache and made once for every tree.
author: The initech.django team
options:
  repository:
    description: A URL that git understands, or the path of a repository.
    type: str
    required: true
  version:
    description: A branch, a tag or a commit.
    type: str
    required: true
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
    description: Those of them whose values django-environ 0.11 would cut, from P(initech.django.cut_keys#filter).
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
  delegate_to: localhost
  become: false
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


def judge(
    tree: project.Tree, path: PurePosixPath, parameters: dict[str, Any]
) -> tuple[requirements.Requirements, dict[str, str]]:
    """Return the project's requirements, and the Debian packages that they need.

    Raises:
        Problem: they are no good; the message lists everything.
    """
    read = requirements.read_requirements(path, tree.read)
    found = list(read.problems)
    environment = parameters["environment"]
    if path.stem == environment and not parameters["requirements_file"]:
        found += guards.environment_file_problems(path, read.files[str(path)])
    to_freeze = path.with_name(requirements.TO_FREEZE)
    text = tree.read(str(to_freeze))
    packages: dict[str, str] = {}
    if text is not None:
        found += guards.frozen_problems(read, to_freeze, text)
        try:
            packages = native.native_packages(to_freeze, text)
        except Problem as problem:
            found.append(str(problem))
    found += guards.developer_problems(read.pins, parameters["developer_packages"], environment)
    if not read.problems:
        found += guards.gevent_problems(read.pins, str(path), parameters["database"])
        found += guards.cut_problems(read.pins, parameters["cut_keys"])
    if found:
        raise Problem(f"{tree.name} cannot be deployed:\n" + "\n".join(f"  {problem}" for problem in found))
    return read, packages


def pack(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the module's result.

    Raises:
        Problem: the version does not exist, or the project could not run.
    """
    cache = Path(parameters["cache"])
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    source = git.resolve(parameters["repository"], parameters["version"], parameters["subdirectory"], cache)
    archive = git.pack(source, cache)
    tree = project.Tree(git.read_files(archive), source.name)

    directory = project.find_project(tree, parameters["project_directory"])
    dotenv = str(directory / ".env")
    if dotenv in tree.files:
        raise Problem(
            f"{tree.name} has {dotenv} in git, where no secret may be. Type: git rm --cached {dotenv} && git commit"
        )
    template = directory / env_template.TEMPLATE
    text = tree.read(str(template))
    missing = env_template.missing_keys(template, text, parameters["env_keys"]) if text is not None else []
    if missing:
        raise Problem(f"{tree.name} cannot be deployed:\n" + "\n".join(f"  {line}" for line in missing))
    warnings = list(env_template.unknown_keys(template, text, parameters["env_keys"])) if text is not None else []
    if not env_template.is_ignored(directory, tree.files):
        warnings.append(
            f"No .gitignore of {tree.name} has {dotenv}: a developer's secrets are one git add away from git"
        )
    wsgi = project.find_wsgi(tree, directory, parameters["wsgi"])
    file = project.find_requirements(tree, directory, parameters["requirements_file"], parameters["environment"])
    read, packages = judge(tree, file, parameters)
    return {
        "release": new_release_id(source.commit, datetime.now(timezone.utc)),
        "version": source.version,
        "commit": source.commit,
        "tree": source.tree,
        "archive": str(archive),
        "project": str(directory),
        "requirements": list(read.files),
        "requirements_sha256": read.sha256,
        "pins": [" ".join([str(pin.requirement), *(f"--hash={each}" for each in pin.hashes)]) for pin in read.pins],
        "native": packages,
        "wheels": str(pack_wheels(Path(parameters["wheels"]), read.pins, cache)) if parameters["wheels"] else "",
        "wsgi": wsgi,
        "advice": warnings,
    }


def main() -> None:
    """Run the module."""
    options = ("subdirectory", "project_directory", "requirements_file", "environment", "wsgi", "database")
    module = AnsibleModule(
        argument_spec={
            "repository": {"type": "str", "required": True},
            "version": {"type": "str", "required": True},
            "cache": {"type": "path", "default": "~/.cache/initech-django"},
            "env_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "cut_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "developer_packages": {"type": "list", "elements": "str", "default": []},
            "wheels": {"type": "path"},
            **{option: {"type": "str", "default": ""} for option in options},
        },
        supports_check_mode=True,
    )
    try:
        result = pack(module.params)
        for warning in result["advice"]:
            module.warn(warning)
        module.exit_json(changed=False, **result)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
