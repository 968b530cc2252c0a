"""Prove that a staged release would run, and see what it has to migrate."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import application, history, migrations
from ansible_collections.initech.django.plugins.module_utils.commands import tail
from ansible_collections.initech.django.plugins.module_utils.dotenv import parse
from ansible_collections.initech.django.plugins.module_utils.layout import App, require_manifest
from ansible_collections.initech.django.plugins.module_utils.lease import require
from ansible_collections.initech.django.plugins.module_utils.problem import Problem, room

DOCUMENTATION = """
module: prove
short_description: Prove that a staged release would run, and see what it has to migrate
description:
  - Django's own C(check --deploy) has no errors; its warnings are shown.
  - manage.py and the WSGI application load the settings that ENVIRONMENT in C(.env) names, C(.env) was read, DEBUG is
    off outside demo, and where C(DATABASE_URL) names a server, the project has one too.
  - The WSGI application is loaded as gunicorn loads it, and then the standard library and the database driver are
    patched by gevent, and ten waits in the database take one wait.
  - Warns of connections to the database that Django is to keep, which under gevent nobody uses again, and of its pool;
    of names of the site that are not in C(ALLOWED_HOSTS); of a C(SECRET_KEY) that is not that of C(.env); of files that
    nginx has at another URL; of uploads that go where the app may not write, or where nginx does not look.
  - Reads which migrations were applied, and warns of what code that does not know a new one does not survive, by
    Django's own operations, for example a column that is removed while the live release still reads it. What raw SQL
    and Python do, nobody can say.
  - All as the app's user, in one process, and without a word to the live release.
author: The initech.django team
extends_documentation_fragment:
  - initech.django.step
  - initech.django.step.project
options:
  environment:
    description: The name of the environment.
    type: str
    required: true
  migrates:
    description: Whether it is to be seen what there is to migrate.
    type: bool
    default: true
  names:
    description: The names that nginx answers to, to see that the project does so too.
    type: list
    elements: str
    default: []
  static_url:
    description: Where nginx has static files, to see that C(STATIC_URL) says so too. Empty where it has none.
    type: str
    default: ""
  media_url:
    description: Where nginx has what was uploaded, to see that C(MEDIA_URL) says so too. Empty where it has none.
    type: str
    default: ""
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
  description: All that was warned of, the warnings of C(check --deploy) among it.
  type: list
  elements: str
  returned: success
plan:
  description: The migrations that were not applied or not recorded yet, each followed by what it does, a line each.
  type: list
  elements: str
  returned: success
dangers:
  description: What of them the live release does not survive, a line each.
  type: list
  elements: str
  returned: success
"""


def prove(options: dict[str, Any]) -> tuple[list[str], list[migrations.Migration]]:
    """Check the release, and return Django's warnings, and what is to be migrated.

    Raises:
        Problem: it would not run, or not as it should.
    """
    release, as_environment = App(options["app_name"]).release(options["release"]), options["env_as_environment"]
    manifest = require_manifest(release)
    dotenv = parse((release.project / ".env").read_text(encoding="utf-8"))
    plan = migrations.PLAN if options["migrates"] and manifest["has_database"] else ""
    answer = application.load(release, as_environment, plan, options["names"])
    unit = App(release.app).configuration[1].read_text(encoding="utf-8")
    warnings = [f"manage.py check --deploy: {each}" for each in application.check_warnings(answer)]
    warnings += [*application.name_warnings(answer), *application.key_warnings(answer, dotenv)]
    served = {"STATIC_URL": options["static_url"], "MEDIA_URL": options["media_url"]}
    warnings += application.url_warnings(answer, served)
    warnings += application.connection_warnings(answer)
    # Uploads may be on a disk of their own, where a link leads.
    media = App(release.app).media.resolve()
    warnings += application.upload_warnings(answer, unit, media, options["media_url"])
    module = manifest["wsgi"].partition(":")[0]
    found = [
        *application.settings_problems(answer, manifest["settings"], dotenv, options["environment"], module),
        *application.gevent_problems(answer, module),
    ]
    if found:
        raise Problem(f"Release {release.id} would not run as it should:\n" + "\n".join(f"  {line}" for line in found))
    if answer["unseen"]:
        raise Problem(f"{migrations.UNSEEN}:\n{tail(answer['unseen'])}")
    return warnings, migrations.of(answer["plan"])


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "environment": {"type": "str", "required": True},
            "env_as_environment": {"type": "bool", "default": False},
            "migrates": {"type": "bool", "default": True},
            "names": {"type": "list", "elements": "str", "default": []},
            "static_url": {"type": "str", "default": ""},
            "media_url": {"type": "str", "default": ""},
            "lease": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    try:
        app, release = App(module.params["app_name"]), module.params["release"]
        lease = require(app.leases, module.params["lease"])
        claim = lease.claim if lease else None
        with room(app.root), history.steps(app.history, release, "prove", history.PROVED, claim):
            warnings, pending = prove(module.params)
    except Problem as problem:
        module.fail_json(msg=str(problem))
    dangers = migrations.warnings(pending)
    for warning in warnings:
        module.warn(warning)
    for danger in dangers:
        module.warn(f"The live release goes on until the new one is there, and may fail meanwhile: {danger}")
    module.exit_json(changed=False, django_warnings=warnings, plan=migrations.lines(pending), dangers=dangers)


if __name__ == "__main__":
    main()
