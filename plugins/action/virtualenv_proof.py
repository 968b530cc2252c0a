"""The controller's half of `initech.django.virtualenv_proof`: it compares what `virtualenv_info` read."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.proof import (
    Package,
    conflicts,
    differences,
    interpreter_problems,
)
from ansible_collections.initech.django.plugins.module_utils.requirements import read_requirements


def prove(seen: dict[str, Any], asked: str) -> list[str]:
    """Return how a virtualenv is not what its requirements say, a line each.

    Args:
        seen: what the module read on the host.
        asked: python_version.
    """
    files = seen["marker"]["requirements"]
    path = PurePosixPath(next(iter(files)))
    requirements = read_requirements(path, files.get)
    packages = [
        Package(each["name"], each["version"], tuple(each["requires"]), each["url"], tuple(each["changed"]))
        for each in seen["packages"]
    ]
    environment, version = seen["environment"], seen["environment"]["python_full_version"]
    found = [f"changed: {file} of the release is not what was deployed" for file in seen["changed_files"]]
    found += interpreter_problems(asked, seen["marker"], version, seen["target"])
    found += differences(requirements.pins, packages, environment, str(path))
    found += [f"extra: {file} is in the virtualenv, and belongs to no package" for file in seen["strays"][:10]]
    found += conflicts(requirements.pins, packages, environment)
    return found


class ActionModule(ActionBase):
    """Prove that a release's virtualenv is what its requirements say."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what is installed, or fail with everything that differs."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        asked = str(self._task.args.get("python_version", ""))
        arguments = {name: value for name, value in self._task.args.items() if name != "python_version"}
        seen = self._execute_module("initech.django.virtualenv_info", arguments, task_vars=task_vars)
        if seen.get("failed"):
            result.update(seen)
            return result
        try:
            found = prove(seen, asked)
        except Problem as problem:
            found = [str(problem)]
        result.update(changed=False, release=seen["release"], python=seen["environment"]["python_full_version"])
        if not found:
            result["packages"] = [f"{each['name']}=={each['version']}" for each in seen["packages"]]
            return result
        lines = [f"The virtualenv of release {seen['release']} is not what its requirements say:", *found]
        if not arguments.get("virtualenv"):
            lines.append(
                "A deploy makes another and leaves this one alone: ansible-playbook deploy.yml with the same -l"
            )
        result.update(failed=True, msg="\n  ".join(lines))
        return result
