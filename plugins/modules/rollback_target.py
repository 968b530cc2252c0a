"""Tell what a rollback goes to."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import history
from ansible_collections.initech.django.plugins.module_utils.layout import App, Release, require_manifest
from ansible_collections.initech.django.plugins.module_utils.manage import unknown_migrations
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
module: rollback_target
short_description: Tell what a rollback goes to, or why it must not
description:
  - The newest good release that is older than the live one, or the one that is asked for. One that failed, or was never
    live, or is not complete, is none to go back to.
  - What is older is told by the history of the host, and not by ids, which have the clocks of controllers.
  - The database keeps its migrations. A release that does not know all those that the live one knows is refused, unless
    told otherwise.
author: The initech.django team
options:
  app_name:
    description: The app.
    type: str
    required: true
  environment:
    description: The name of the environment, for what to type.
    type: str
    required: true
  release:
    description: The id of the release to go to. Empty is the newest good one before the live one.
    type: str
    default: ""
  despite_migrations:
    description: Whether to go to a release that does not know all migrations of the database.
    type: bool
    default: false
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
- name: Look up where to
  initech.django.rollback_target:
    app_name: shop
    environment: prod
"""
RETURN = """
live:
  description: The id of the live release; empty where nothing is.
  type: str
  returned: success
target:
  description: The id of the release to go to. It can be the live one, if that was asked for.
  type: str
  returned: success
"""


def has_database(release: Release) -> bool:
    """Tell whether the project of a release has a database."""
    return bool(require_manifest(release)["has_database"])


def later_migrations(target: Release, live: Release | None, as_environment: bool) -> list[str]:
    """Return the migrations of the database that the live release knows, and the one to go to does not.

    What neither knows is left from apps that are gone, and stood in nobody's way yet. What was squashed is in the
    database by its old names too, and these count.
    """
    unknown = unknown_migrations(target, as_environment)[0] if has_database(target) else []
    if not unknown or live is None:
        return unknown
    return sorted(set(unknown).difference(*unknown_migrations(live, as_environment)))


def look_up(app: App, options: dict[str, Any]) -> tuple[str, str]:
    """Return the live release and the one to go to.

    Raises:
        Problem: there is none, or its code does not know the database.
    """
    live = app.live()
    complete = [release.id for release in app.complete()]
    again = (
        "To deploy the version that you want, type: "
        f"ansible-playbook deploy.yml -l {options['environment']} -e release_version=NAME"
    )
    target = history.chosen_target(
        options["release"], complete, live.id if live else None, history.read(app.history), again
    )
    if not options["despite_migrations"] and app.release(target) != live:
        later = later_migrations(app.release(target), live, options["env_as_environment"])
        if later:
            raise Problem(
                f"Release {target} does not know {len(later)} of the database's migrations, which came after it:\n"
                + "\n".join(f"  {name}" for name in later)
                + "\nA rollback does not take them back, and its code may fail on them. Nothing was changed. "
                "If it suits them, type the same again with -e release_despite_migrations=true"
            )
    return live.id if live else "", target


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "environment": {"type": "str", "required": True},
            "release": {"type": "str", "default": ""},
            "despite_migrations": {"type": "bool", "default": False},
            "env_as_environment": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        live, target = look_up(App(module.params["app_name"]), module.params)
        module.exit_json(changed=False, live=live, target=target)
    except Problem as problem:
        module.fail_json(msg=f"{module.params['app_name']}: {problem}")


if __name__ == "__main__":
    main()
