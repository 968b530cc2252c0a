"""Turn unpacked source into a complete release."""

from __future__ import annotations

import grp
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import history, hooks, lasting, manage, static_files
from ansible_collections.initech.django.plugins.module_utils.commands import run
from ansible_collections.initech.django.plugins.module_utils.layout import App, Release, write_manifest
from ansible_collections.initech.django.plugins.module_utils.lease import require
from ansible_collections.initech.django.plugins.module_utils.problem import Problem, room

DOCUMENTATION = """
module: stage
short_description: Complete a release from its unpacked source, virtualenv and .env
description:
  - Writes C(.env) beside manage.py, for root and the app alone to read.
  - Has what the team wants run before and after static files are collected run as the app. Meanwhile the app may write
    into the source or, after that, into the static files; then they are root's again.
  - Collects the static files where nginx serves them, whatever C(STATIC_ROOT) says. One outside of the source is
    refused where hashed names are looked up in it, and one below C(MEDIA_ROOT) always.
  - Lets what the project writes beside its code be in the app's home, where all releases share it.
  - Lets uploads into the source go to the app's media directory, and databases of SQLite in it to the app's home.
  - Writes the manifest last. A release without it is half-made and never used.
author: The initech.django team
extends_documentation_fragment:
  - initech.django.step
  - initech.django.step.project
  - initech.django.step.shared
options:
  virtualenv:
    description: The directory of its virtualenv.
    type: path
    required: true
  project:
    description: The directory of manage.py in the source.
    type: str
    default: .
  dotenv:
    description: The content of C(.env).
    type: str
    required: true
  before_static:
    description: Commands that make what git does not hold, before static files are collected.
    type: list
    elements: str
    default: []
  after_static:
    description: Commands that complete the static files.
    type: list
    elements: str
    default: []
  names:
    description: By which visitors ask for the site. The release is asked by one where its C(ALLOWED_HOSTS) names none.
    type: list
    elements: str
    default: []
  wsgi:
    description: The WSGI application, for the manifest.
    type: str
    required: true
  version:
    description: The version, for the manifest.
    type: str
    required: true
  commit:
    description: The commit, for the manifest.
    type: str
    required: true
  parts:
    description: What the release is made of, for the manifest.
    type: dict
    required: true
attributes:
  check_mode:
    support: none
    description: There is nothing to look at before the source is unpacked.
"""
EXAMPLES = """
- name: Complete the release
  initech.django.stage:
    app_name: shop
    release: 20261124T101500Z-1a2b3c4d
    virtualenv: /srv/shop/virtualenvs/0123456789abcdef
    dotenv: "{{ release_env | initech.django.dotenv }}"
    wsgi: shop.wsgi:application
    version: v1.4
    commit: 1a2b3c4d5e6f
    parts: {}
"""
RETURN = """
manifest:
  description: What is known of the release.
  type: dict
  returned: success
"""


def write_dotenv(release: Release, text: str) -> None:
    """Write `.env`, which at no moment anybody but root and the app may read."""
    path = release.project / ".env"
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        os.fchown(descriptor, 0, grp.getgrnam(release.app).gr_gid)
        os.fchmod(descriptor, 0o640)


def stage(options: dict[str, Any], keep: int | None) -> dict[str, Any]:
    """Complete the release and return its manifest.

    Args:
        options: the module's.
        keep: a descriptor that commands of the team's inherit.

    Raises:
        Problem: its settings cannot be loaded, its static files cannot be collected, or one of these commands failed.
    """
    app = App(options["app_name"])
    release = app.release(options["release"])
    links = {
        release.project: Path("source", options["project"]),
        release.virtualenv: Path("../../virtualenvs", Path(options["virtualenv"]).name),
        release.run: release.runtime,
    }
    for link, target in links.items():
        link.symlink_to(target)
    write_dotenv(release, options["dotenv"])
    run_commands = partial(manage.run_commands, release, env_as_environment=options["env_as_environment"], keep=keep)
    if options["before_static"]:
        run_commands(hooks.BEFORE_STATIC, options["before_static"], writable=release.source)
        # They had the directory that it lies in.
        write_dotenv(release, options["dotenv"])
    # After those commands, which may write beside the code as it is, and before the settings are loaded, which may too.
    lasting.link_shared(release, options["shared_directories"], options["shared_files"], keep)
    # As root, since the app may not write here. What does not compile is never imported by this Python.
    compiling: list[str | Path] = [release.virtualenv / "bin" / "python", "-m", "compileall", "-q", release.source]
    with ThreadPoolExecutor() as pool:
        # Both take a while and neither needs the other.
        compiled = pool.submit(run, compiling)
        settings = manage.collect_static(release, options["env_as_environment"])
        compiled.result()
    lasting.require_apart(release, settings, [*options["shared_directories"], *options["shared_files"]])
    if options["after_static"]:
        run_commands(hooks.AFTER_STATIC, options["after_static"], writable=release.static)
    static_files.gather(app, [*app.complete(), release])
    # First, since behind the link of uploads nothing is the release's own, and a database may lie among them.
    lasting.link_sqlite(release, settings, keep)
    lasting.link_media(release, settings, keep)
    shutil.rmtree(release.wheels, ignore_errors=True)
    manifest = {
        "release": release.id,
        "version": options["version"],
        "commit": options["commit"],
        "parts": options["parts"],
        "wsgi": options["wsgi"],
        "settings": settings["settings"],
        "host": manage.health_host(settings["allowed_hosts"], options["names"]),
        "has_database": settings["has_database"],
    }
    write_manifest(release, manifest)
    return manifest


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "virtualenv": {"type": "path", "required": True},
            "project": {"type": "str", "default": "."},
            "dotenv": {"type": "str", "required": True, "no_log": True},
            "env_as_environment": {"type": "bool", "default": False},
            "before_static": {"type": "list", "elements": "str", "default": []},
            "after_static": {"type": "list", "elements": "str", "default": []},
            "shared_directories": {"type": "list", "elements": "str", "default": []},
            "shared_files": {"type": "list", "elements": "str", "default": []},
            "names": {"type": "list", "elements": "str", "default": []},
            "wsgi": {"type": "str", "required": True},
            "version": {"type": "str", "required": True},
            "commit": {"type": "str", "required": True},
            "parts": {"type": "dict", "required": True},
            "lease": {"type": "str", "default": ""},
        },
    )
    try:
        app, release = App(module.params["app_name"]), module.params["release"]
        lease = require(app.leases, module.params["lease"])
        claim = lease.claim if lease else None
        with room(app.root), history.steps(app.history, release, "stage", history.STAGED, claim):
            manifest = stage(module.params, lease.descriptor if lease else None)
        module.exit_json(changed=True, manifest=manifest)
    except Problem as problem:
        module.fail_json(msg=str(problem))
    except (FileExistsError, IsADirectoryError, NotADirectoryError, RuntimeError) as error:
        module.fail_json(
            msg=f"The release cannot be completed: {error}. See release_shared_directories, release_shared_files, "
            "and the links in git"
        )


if __name__ == "__main__":
    main()
