"""Begin a release on the host: its source, and its virtualenv."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import history, installer
from ansible_collections.initech.django.plugins.module_utils.commands import run_or_fail
from ansible_collections.initech.django.plugins.module_utils.layout import App, Release
from ansible_collections.initech.django.plugins.module_utils.lease import Lease, hold, require
from ansible_collections.initech.django.plugins.module_utils.problem import Problem, room
from ansible_collections.initech.django.plugins.module_utils.virtualenvs import listing, look

DOCUMENTATION = """
module: unpack_archive
short_description: Begin a release on the host, of what the controller has sent there
description:
  - Only a run that won the lease on all its hosts comes here. From here on it holds this one, and the history begins.
  - What M(initech.django.unpack) has done on the host.
  - Makes the virtualenv of an interpreter and a requirements file. It is named by the hash of both, shared by all
    releases that have the same, and never changed again. One that an interrupted run left half-made is never used, but
    made anew. One that somebody changed afterwards is left to the release that may run from it, and another takes its
    place. It gets what the file says, no more and no less; C(pip) itself is not in it.
  - uv installs where the host has it, pip otherwise or where it is told to. Both trust what the host trusts.
  - Reads what is in it, for the controller to compare.
author: The initech.django team
extends_documentation_fragment:
  - initech.django.step
  - initech.django.virtualenv
attributes:
  check_mode:
    support: full
    description: Tells what would be in the virtualenv.
  diff_mode:
    support: full
    description: Shows how the packages differ from those of the live release.
"""
EXAMPLES = """
- name: Unpack it
  initech.django.unpack_archive:
    app_name: shop
    release: 20261124T101500Z-1a2b3c4d
    python: /usr/bin/python3
    python_version: 3.13.5
    requirements: [requirements.txt]
    requirements_sha256: 9f2c...
    pins: [Django==5.2.19]
"""
RETURN = """
path:
  description: The directory of the virtualenv.
  type: path
  returned: success
packages:
  description: What is in it, or in check mode would be.
  type: list
  elements: str
  returned: success
  sample: [Django==5.2.19]
seen:
  description: What the virtualenv is, as M(initech.django.virtualenv_info) returns it.
  type: dict
  returned: outside check mode
"""


def begin(app: App, release: Release, lease_id: str) -> Lease | None:
    """Hold the host, and make the release's directory.

    Raises:
        Problem: the lease was lost, or there is a release of that id.
    """
    if lease_id:
        hold(app.leases, lease_id)
    lease = require(app.leases, lease_id)
    if release.path.exists():
        # Two runs of one commit that began in the same second, and the first is through.
        raise Problem(f"Release {release.id} is there already. Nothing was changed. Type the same again")
    if lease:
        history.record(app.history, release.id, history.BEGUN, lease.claim)
    release.path.mkdir()
    release.path.chmod(0o755)
    return lease


def unpack(release: Release) -> None:
    """Unpack what the controller has sent.

    Raises:
        Problem: it cannot be unpacked.
    """
    for name, archive in release.archives.items():
        if name == "source" or archive.exists():
            directory = release.path / name
            directory.mkdir()
            directory.chmod(0o755)
            options = ["--extract", "--no-same-owner", "--no-same-permissions", f"--file={archive}"]
            failure = f"The {name} of the release cannot be unpacked"
            run_or_fail(["tar", *options, f"--directory={directory}"], failure)
            archive.unlink()


def make(release: Release, options: dict[str, Any], uv: str | None, check_mode: bool) -> tuple[Path, bool]:
    """Return the virtualenv, and whether it had to be made.

    Raises:
        Problem: it could not be made.
    """
    app = App(release.app)
    used = {each.virtualenv.resolve() for each in app.complete()}
    python, version = options["python"], options["python_version"]
    name = installer.virtualenv_name(python, version, options["requirements_sha256"])
    if check_mode:
        return installer.find_place(app.virtualenvs, name, used)
    files = {file: release.source / file for file in options["requirements"]}
    wheels = release.wheels if release.wheels.exists() else None
    source = installer.Source(uv if options["installer"] == "uv" else None, options["indexes"], wheels)
    wanted = installer.Wanted(python, version, files, options["pins"])
    return installer.provide(app.virtualenvs, name, wanted, source, used)


def difference(app: App, packages: list[str]) -> dict[str, str]:
    """Return how the packages differ from those of the live release."""
    live = app.live()
    before = listing(live.virtualenv.resolve()) if live else []
    return {
        "before_header": "packages of the live release",
        "after_header": "packages of the new one",
        "before": "".join(f"{line}\n" for line in sorted(before, key=str.lower)),
        "after": "".join(f"{line}\n" for line in sorted(packages, key=str.lower)),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "release": {"type": "str", "required": True},
            "python": {"type": "path", "required": True},
            "python_version": {"type": "str", "required": True},
            "requirements": {"type": "list", "elements": "str", "required": True},
            "requirements_sha256": {"type": "str", "required": True},
            "pins": {"type": "list", "elements": "str", "required": True},
            "installer": {"type": "str", "choices": ["uv", "pip"], "default": "uv"},
            "indexes": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "lease": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    options, uv = module.params, module.get_bin_path("uv")
    app = App(options["app_name"])
    release = app.release(options["release"])
    result: dict[str, Any] = {"changed": True}
    try:
        if module.check_mode:
            path, is_made = make(release, options, uv, check_mode=True)
        else:
            with room(app.root):
                lease = begin(app, release, options["lease"])
                claim = lease.claim if lease else None
                with history.failures(app.history, release.id, "unpack", claim):
                    unpack(release)
                with history.failures(app.history, release.id, "virtualenv", claim):
                    path, is_made = make(release, options, uv, check_mode=False)
                    result["seen"] = look(release, path, files=is_made)
        is_planned = is_made and module.check_mode
        packages = [pin.split()[0] for pin in options["pins"]] if is_planned else listing(path)
        result.update(path=str(path), packages=packages)
        if is_made and module._diff:
            result["diff"] = difference(app, packages)
        module.exit_json(**result)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
