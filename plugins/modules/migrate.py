"""Migrate the database to what a staged release needs."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import history, migrations
from ansible_collections.initech.django.plugins.module_utils.layout import (
    App,
    Release,
    require_manifest,
    write_manifest,
)
from ansible_collections.initech.django.plugins.module_utils.lease import require
from ansible_collections.initech.django.plugins.module_utils.manage import manage
from ansible_collections.initech.django.plugins.module_utils.problem import Problem, room

DOCUMENTATION = """
module: migrate
short_description: Migrate the database to what a staged release needs
description:
  - With nothing to migrate, nothing is done.
  - Where a migration fails, the message says in what state the database is.
author: The initech.django team
extends_documentation_fragment:
  - initech.django.step
  - initech.django.step.project
options:
  lock_timeout:
    description:
      - After how many seconds it gives up a lock of PostgreSQL that something else holds. While it waits, requests wait
        behind it. 0 leaves it as the database has it. MariaDB has its own for all, C(mysql_lock_timeout).
    type: int
    default: 5
  backup:
    description:
      - The backup that was taken before, for the release's manifest. Its C(label), and the C(command) that would
        restore the database to the state before.
    type: dict
attributes:
  check_mode:
    support: full
    description: Tells whether there is something to migrate.
"""
EXAMPLES = """
- name: Migrate
  initech.django.migrate:
    app_name: shop
    release: 20261124T101500Z-1a2b3c4d
"""
RETURN = ""


def lock_timeout(seconds: int) -> dict[str, str]:
    """Return what has PostgreSQL give up a lock that others hold, and take as long as it takes for all else.

    Source of the rule: PostgreSQL's documentation of libpq, "Environment Variables". What the project itself says in
    the options of its connection stands above it.
    """
    return {"PGOPTIONS": f"-c lock_timeout={seconds}s -c statement_timeout=0"} if seconds else {}


def migrate(app: App, options: dict[str, Any], check_mode: bool) -> bool:
    """Apply what there is to migrate, and tell whether there was anything.

    Raises:
        Problem: the lease was lost, or a migration failed.
    """
    release = app.release(options["release"])
    as_environment, backup = options["env_as_environment"], options["backup"]
    lease = None if check_mode else require(app.leases, options["lease"])
    claim = lease.claim if lease else None
    with history.failures(app.history, release.id, "migrate", claim):
        before = migrations.plan(release, as_environment)
    if not before or check_mode:
        return bool(before)
    manifest = require_manifest(release)
    names = [each.name for each in before]
    # Before: who has to restore needs it most where this fails.
    write_manifest(release, {**manifest, "migrations": names, **({"backup": backup} if backup else {})})
    environment = lock_timeout(options["lock_timeout"])
    # What migrates outlives this module, should somebody kill it, and the lease lasts as long.
    keep = lease.descriptor if lease else None
    with history.steps(app.history, release.id, "migrate", history.MIGRATED, claim) as details:
        details.update(migrations=names, backup=backup["label"] if backup else "")
        try:
            manage(release, ["migrate", "--noinput"], "migrate failed", as_environment, more=environment, keep=keep)
        except Problem as problem:
            raise Problem(told(problem, before, release, as_environment, backup)) from None
    return True


def told(
    problem: Problem,
    before: list[migrations.Migration],
    release: Release,
    as_environment: bool,
    backup: dict[str, str] | None,
) -> str:
    """Return what to say of a migration that failed: why, in what state the database is, and what helps."""
    try:
        state = migrations.failed(before, migrations.plan(release, as_environment))
    except Problem:
        state = "It cannot be seen what was applied: the database is not reached."
    said = [str(problem), f"The live release goes on. {state}"]
    if "lock timeout" in str(problem).lower() or "lock wait timeout" in str(problem).lower():
        said.append("Something else held a lock for too long. Type the same again at a quieter time.")
    if backup:
        said.append(f"To restore backup {backup['label']} of before, type: {backup['command']}")
    return "\n".join(said)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "env_as_environment": {"type": "bool", "default": False},
            "lock_timeout": {"type": "int", "default": 5},
            "backup": {"type": "dict"},
            "lease": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    app = App(module.params["app_name"])
    try:
        with room(app.root):
            changed = migrate(app, module.params, module.check_mode)
        module.exit_json(changed=changed)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
