"""Prove that a staged release would run."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import application
from ansible_collections.initech.django.plugins.module_utils.commands import run, tail
from ansible_collections.initech.django.plugins.module_utils.dotenv import parse
from ansible_collections.initech.django.plugins.module_utils.layout import App, Release
from ansible_collections.initech.django.plugins.module_utils.manage import environment
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
module: prove
short_description: Prove that a staged release would run
description:
  - Django's own C(check --deploy) has no errors; its warnings are shown.
  - manage.py and the WSGI application load the settings that ENVIRONMENT in C(.env) names, C(.env) was read, and DEBUG
    is off outside demo.
  - The WSGI application is loaded as gunicorn loads it, and then the standard library and the database driver are
    patched by gevent, and ten waits in the database take one wait.
  - All as the app's user, and without a word to the live release.
author: The initech.django team
options:
  app_name:
    description: The app.
    type: str
    required: true
  release:
    description: The id of the release.
    type: str
    required: true
  environment:
    description: The name of the environment.
    type: str
    required: true
  env_as_environment:
    description: The project reads the environment and knows nothing of C(.env).
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Never changes anything.
"""
EXAMPLES = """
- name: Prove the release
  initech.django.prove:
    app_name: shop
    release: 20261124T101500Z-1a2b3c4d
    environment: prod
"""
RETURN = """
django_warnings:
  description: The warnings of C(check --deploy).
  type: list
  elements: str
  returned: success
"""


WARNING = re.compile(r"^\S+: \(\S+\.W\d+\) .*", re.MULTILINE)
"""How Django's check framework prints a warning."""


def check_deploy(release: Release, as_environment: bool) -> list[str]:
    """Run Django's own checks, and return the warnings.

    Raises:
        Problem: one of them is an error.
    """
    result = run(
        [release.virtualenv / "bin" / "python", "manage.py", "check", "--deploy", "--no-color"],
        user=release.app,
        cwd=release.project,
        environment=environment(release, as_environment),
    )
    output = result.stdout + result.stderr
    if result.returncode != 0:
        raise Problem(f"manage.py check --deploy failed (exit code {result.returncode}):\n{tail(output)}")
    return WARNING.findall(output)


def prove(options: dict[str, Any]) -> list[str]:
    """Check the release, and return Django's warnings.

    Raises:
        Problem: it would not run, or not as it should.
    """
    release, as_environment = App(options["app_name"]).release(options["release"]), options["env_as_environment"]
    warnings = check_deploy(release, as_environment)
    manifest = json.loads(release.manifest.read_text(encoding="utf-8"))
    dotenv = parse((release.project / ".env").read_text(encoding="utf-8"))
    answer = application.load(release, as_environment)
    module = manifest["wsgi"].partition(":")[0]
    loaded, wanted = manifest["settings"], dotenv.get("ENVIRONMENT", "")
    found = [
        *application.settings_problems(answer, loaded, wanted, options["environment"], module),
        *application.gevent_problems(answer, module),
    ]
    if found:
        raise Problem(f"Release {release.id} would not run as it should:\n" + "\n".join(f"  {line}" for line in found))
    return warnings


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "environment": {"type": "str", "required": True},
            "env_as_environment": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        warnings = prove(module.params)
        for warning in warnings:
            module.warn(f"manage.py check --deploy: {warning}")
        module.exit_json(changed=False, django_warnings=warnings)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
