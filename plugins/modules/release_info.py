"""Tell what is live on a host."""

from __future__ import annotations

from datetime import datetime, timezone
from hashlib import sha256
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import history
from ansible_collections.initech.django.plugins.module_utils.interpreter import provide
from ansible_collections.initech.django.plugins.module_utils.layout import App, read_manifest
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.virtualenvs import (
    changed_files,
    is_sound,
    read_marker,
)

DOCUMENTATION = """
module: release_info
short_description: Tell what is live, and what a deploy would change
description:
  - What is live is read from the link C(/srv/<app>/current) and nothing else.
author: The initech.django team
options:
  app_name:
    description: The app.
    type: str
    required: true
  parts:
    description: What a new release would be made of, by name. Without it nothing is compared.
    type: dict
  dotenv:
    description: The content of the new release's C(.env).
    type: str
  python:
    description:
      - Which interpreter it would have, as the options of M(initech.django.interpreter) with which that only looks.
        It is one of the parts.
    type: dict
attributes:
  check_mode:
    support: full
    description: Never changes anything.
"""
EXAMPLES = """
- name: Look up what is live
  initech.django.release_info:
    app_name: shop
"""
RETURN = """
live:
  description: The id of the live release; empty where nothing was deployed yet.
  type: str
  returned: success
commit:
  description: The commit that it was made from; empty where nothing was deployed yet.
  type: str
  returned: success
version:
  description: What was asked for when it was deployed; empty where nothing was deployed yet.
  type: str
  returned: success
live_seconds:
  description: How long it is live, by the clock of the host; negative where the history does not tell.
  type: float
  returned: success
parts:
  description: O(parts), the interpreter, and the hash of the configuration that provisioning left on the host.
  type: dict
  returned: success
python:
  description: C(path) and C(version) of the interpreter; both empty where provisioning has still to install it.
  type: dict
  returned: success
changes:
  description:
    - The names of the parts in which the new release would differ from the live one. C(virtualenv) is among them where
      somebody changed that of the live one, or what it was made from.
  type: list
  elements: str
  returned: success
"""


def configuration(app: App, check_mode: bool) -> str:
    """Return the hash of what provisioning decided of serving the app.

    Raises:
        Problem: the host was never provisioned.
    """
    try:
        return sha256(b"\0".join(path.read_bytes() for path in app.configuration)).hexdigest()
    except FileNotFoundError as error:
        if check_mode:
            return ""
        raise Problem(
            f"{error.filename} is not there: this host was not provisioned. "
            "Type: ansible-playbook provision.yml with the same -l"
        ) from None


def compare(app: App, parts: dict[str, str], dotenv: str | None, is_active: bool) -> list[str]:
    """Return the names of the parts in which a new release would differ from the live one."""
    live = app.live()
    old = read_manifest(live) if live else {}
    if live is None or not old:
        return sorted(parts)
    # Of what earlier versions did not know, a release has nothing.
    changes = [name for name in sorted(parts) if parts[name] != old["parts"].get(name, "")]
    try:
        same_dotenv = (live.project / ".env").read_text(encoding="utf-8") == dotenv
    except FileNotFoundError:
        same_dotenv = False
    virtualenv = live.virtualenv.resolve()
    same_virtualenv = is_sound(virtualenv) and not changed_files(live.source, read_marker(virtualenv))
    conditions = {".env": same_dotenv, "virtualenv": same_virtualenv, "not running": is_active}
    return changes + [name for name, holds in conditions.items() if not holds]


def find_python(module: AnsibleModule) -> dict[str, str]:
    """Return path and version of the interpreter. In check mode on a new host provisioning has still to install it.

    Raises:
        Problem: none serves.
    """
    state = "possible" if module.check_mode else "found"
    options = {**module.params["python"], "state": state, "managed": True, "mirror": ""}
    found = provide(options, module.get_bin_path("uv"), module.check_mode)
    return {"path": found["path"], "version": found["version"]}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "app_name": {"type": "str", "required": True},
            "parts": {"type": "dict"},
            "dotenv": {"type": "str", "no_log": True},
            "python": {
                "type": "dict",
                "options": {
                    "version": {"type": "str", "default": ""},
                    "paths": {"type": "list", "elements": "path", "default": []},
                    "downloads": {"type": "str", "default": ""},
                },
            },
        },
        supports_check_mode=True,
    )
    app = App(module.params["app_name"])
    live = app.live()
    manifest = read_manifest(live) if live else {}
    since = history.live_since(live.id, history.read(app.history)) if live else None
    result: dict[str, Any] = {
        "live": live.id if live else "",
        "commit": manifest.get("commit", ""),
        "version": manifest.get("version", ""),
        "live_seconds": -1.0 if since is None else (datetime.now(timezone.utc) - since).total_seconds(),
        "parts": {},
        "changes": [],
    }
    try:
        if module.params["parts"] is not None:
            parts = {**module.params["parts"], "configuration": configuration(app, module.check_mode)}
            if module.params["python"] is not None:
                result["python"] = python = find_python(module)
                parts["interpreter"] = f"{python['path']} {python['version']}"
            is_active = live is not None and module.run_command(["systemctl", "is-active", live.unit])[0] == 0
            result.update(parts=parts, changes=compare(app, parts, module.params["dotenv"], is_active))
        module.exit_json(changed=False, **result)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
