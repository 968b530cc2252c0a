"""Resolve, check and pack one version of a project, on the controller."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import Any

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


def require_one_app(apps: Mapping[str, str]) -> None:
    """Require that all hosts of a run have the same app: one project is packed, and one host has the others go back.

    Args:
        apps: the name of the app of each host.

    Raises:
        Problem: there are several.
    """
    hosts: dict[str, list[str]] = {}
    for host, app in apps.items():
        hosts.setdefault(app, []).append(host)
    if len(hosts) > 1:
        raise Problem(
            f"A run is of one app, and this one has {' and '.join(hosts)}. Type the same for each of them, with "
            + " and with ".join(f"-l {','.join(names)}" for names in hosts.values())
        )


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
    frozen = path.with_name(requirements.FROZEN)
    is_another = bool(parameters["requirements_file"]) and str(frozen) not in read.files
    if text is None or is_another:
        found += guards.unfrozen_advice(path, frozen, found, is_another=is_another)
    if found:
        raise Problem(f"{tree.name} cannot be deployed:\n" + "\n".join(f"  {problem}" for problem in found))
    return read, packages


def pack(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of a version, and where it is packed.

    Args:
        parameters: the options of the action `pack`, all of them.

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
    problems = git.unreadable(tree.files)
    problems += env_template.missing_keys(template, text, parameters["env_keys"]) if text is not None else []
    problems += project.shared_problems(tree, directory, parameters["shared_directories"], parameters["shared_files"])
    if problems:
        raise Problem(f"{tree.name} cannot be deployed:\n" + "\n".join(f"  {line}" for line in problems))
    warnings = list(env_template.unknown_keys(template, text, parameters["env_keys"])) if text is not None else []
    if not env_template.is_ignored(directory, tree.files):
        warnings.append(
            f"No .gitignore of {tree.name} has {dotenv}: a developer's secrets are one git add away from git"
        )
    warnings += [*git.left_out(source), *git.unfiltered(tree.files)]
    warnings += [] if parameters["compiles_messages"] else project.untranslated(tree)
    wsgi = project.find_wsgi(tree, directory, parameters["wsgi"], parameters["python_path"])
    file = project.find_requirements(tree, directory, parameters["requirements_file"], parameters["environment"])
    read, packages = judge(tree, file, parameters)
    warnings += [*guards.misread_warnings(read.pins, parameters["misread_keys"]), *guards.asgi_warnings(read.pins)]
    return {
        "release": new_release_id(source.commit, datetime.now(timezone.utc)),
        "version": source.version,
        "commit": source.commit,
        "tree": source.tree,
        "archive": str(archive),
        "project": str(directory),
        "requirements": list(read.files),
        "requirements_sha256": read.sha256,
        "requirements_hashes": {file: requirements.text_hash(text) for file, text in read.files.items()},
        "pins": [" ".join([str(pin.requirement), *(f"--hash={each}" for each in pin.hashes)]) for pin in read.pins],
        "native": packages,
        "wheels": str(pack_wheels(Path(parameters["wheels"]), read.pins, cache)) if parameters["wheels"] else "",
        "wsgi": wsgi,
        "advice": warnings,
    }
