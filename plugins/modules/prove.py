"""Prove that a staged release would run."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils.commands import run_or_fail
from ansible_collections.initech.django.plugins.module_utils.layout import App
from ansible_collections.initech.django.plugins.module_utils.manage import environment, manage
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
module: prove
short_description: Prove that a staged release would run
description:
  - Django's own C(check --deploy) has no errors, and gunicorn can import the WSGI application, patched by gevent, under
    the configuration that will serve it.
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
"""
RETURN = """ # """


def prove(options: dict[str, Any]) -> None:
    """Check the release.

    Raises:
        Problem: it would not run.
    """
    app = App(options["app_name"])
    release, as_environment = app.release(options["release"]), options["env_as_environment"]
    manage(release, ["check", "--deploy", "--fail-level", "ERROR"], "manage.py check --deploy failed", as_environment)
    run_or_fail(
        [release.virtualenv / "bin" / "gunicorn", "--config", app.configuration[0], "--check-config"],
        "gunicorn cannot load the WSGI application",
        user=release.app,
        cwd=release.project,
        environment=environment(release, as_environment),
    )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "env_as_environment": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        prove(module.params)
        module.exit_json(changed=False)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
