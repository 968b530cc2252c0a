"""Find the interpreter of an app, or have uv install it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils.commands import CA_BUNDLE, run, tail
from ansible_collections.initech.django.plugins.module_utils.interpreter import Interpreter, choose, none_serves
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.virtualenvs import identify

DOCUMENTATION = """
module: interpreter
short_description: Find the interpreter that an app asks for, or have uv install it
description:
  - The distribution's own comes first, then O(paths), then others in the path, then those that uv installed before.
  - Where none serves, the message lists what the host has.
author: The initech.django team
options:
  version:
    description: A version like V(3.13) or V(3.13.5). Empty is the distribution's own.
    type: str
    default: ""
  paths:
    description: Interpreters in other places.
    type: list
    elements: path
    default: []
  state:
    description:
      - With V(found) the host must have one.
      - With V(possible) it must have one, or uv must know one. Nothing changes, and RV(path) may be empty.
      - With V(present) uv installs what the host lacks.
    type: str
    choices: [found, possible, present]
    default: found
  managed:
    description: Whether uv may install one.
    type: bool
    default: true
  mirror:
    description: Where uv downloads from instead of the releases of python-build-standalone. May be C(file://).
    type: str
    default: ""
  downloads:
    description: A URL or a path on the host of uv's list of downloads, if not the one that uv has built in.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Tells whether uv would install one.
"""
EXAMPLES = """
- name: Find the interpreter
  initech.django.interpreter:
    version: "3.13"
"""
RETURN = """
path:
  description: Where it is; empty where uv has still to install it.
  type: path
  returned: success
  sample: /usr/bin/python3
version:
  description: Its full version; empty likewise.
  type: str
  returned: success
  sample: 3.13.5
"""

NAME = re.compile(r"python3\.[0-9]+")
MANAGED = Path("/opt/initech-django/python")


def _numbers(path: Path) -> list[int]:
    """Return the numbers in a name, so that 3.13.10 comes after 3.13.9."""
    return [int(number) for number in re.findall(r"[0-9]+", path.name)]


def candidates(paths: Sequence[str]) -> Iterator[Path]:
    """Yield where interpreters may be, in the order in which they are taken."""
    search = [Path(each) for each in ("/usr/bin", *os.environ.get("PATH", "").split(":")) if each]
    # uv also makes links without the last part of the version; they lead elsewhere one day.
    managed = [path / "bin" for path in sorted(MANAGED.glob("*"), key=_numbers, reverse=True) if not path.is_symlink()]
    yield Path("/usr/bin/python3")
    for directory in search[:1]:
        yield from (path for path in sorted(directory.glob("python3.*")) if NAME.fullmatch(path.name))
    yield from map(Path, paths)
    for directory in search[1:] + managed:
        yield from (path for path in sorted(directory.glob("python3.*")) if NAME.fullmatch(path.name))


def find(paths: Sequence[str]) -> Iterator[Interpreter]:
    """Yield the interpreters of this host."""
    seen = set()
    for path in candidates(paths):
        target = path.resolve()
        if target in seen or not target.is_file():
            continue
        seen.add(target)
        try:
            yield Interpreter(str(path), identify(path)["python_full_version"])
        except (Problem, ValueError, KeyError):
            continue


def install(uv: str, options: dict[str, Any], *, only_ask: bool) -> str:
    """Have uv install the version, or ask whether it could; return what it said if not."""
    environment = {**os.environ, "UV_NO_CONFIG": "1", "SSL_CERT_FILE": CA_BUNDLE}
    if options["mirror"]:
        environment["UV_PYTHON_INSTALL_MIRROR"] = options["mirror"]
    if options["downloads"]:
        environment["UV_PYTHON_DOWNLOADS_JSON_URL"] = options["downloads"]
    if only_ask:
        command = [uv, "python", "list", "--only-downloads", "--all-versions", options["version"]]
        answer = run(command, environment=environment)
        return "" if answer.stdout.strip() else tail(answer.stderr) or "uv knows no download of it."
    command = [uv, "python", "install", "--no-progress", "--no-bin", "--install-dir", str(MANAGED), options["version"]]
    answer = run(command, environment=environment, timeout=3600)
    # uv leaves a file that everybody may write.
    (MANAGED / ".lock").unlink(missing_ok=True)
    return "" if answer.returncode == 0 else f"uv cannot install it:\n{tail(answer.stderr)}\n"


def provide(options: dict[str, Any], uv: str | None, check_mode: bool) -> dict[str, Any]:
    """Return the module's result.

    Raises:
        Problem: none serves.
    """
    version, paths, state = options["version"], options["paths"], options["state"]
    chosen = choose(version, find(paths))
    if chosen:
        return {"changed": False, "path": chosen.path, "version": chosen.version}
    refusal = ""
    if state == "found" or not options["managed"]:
        refusal = "On a host, ansible-playbook provision.yml has uv install it."
        refusal = refusal if options["managed"] else "python_managed is false, so that uv installs none."
    elif uv is None and state == "present" and not check_mode:
        refusal = "uv, which could install it, is not there."
    elif uv:
        refusal = install(uv, options, only_ask=state == "possible" or check_mode)
    if refusal:
        raise none_serves(version, find(paths), refusal)
    if state == "present" and not check_mode:
        chosen = choose(version, find(paths))
        if not chosen:
            raise none_serves(version, find(paths), "What uv installed does not run.")
        return {"changed": True, "path": chosen.path, "version": chosen.version}
    return {"changed": state == "present", "path": "", "version": ""}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "version": {"type": "str", "default": ""},
            "paths": {"type": "list", "elements": "path", "default": []},
            "state": {"type": "str", "choices": ["found", "possible", "present"], "default": "found"},
            "managed": {"type": "bool", "default": True},
            "mirror": {"type": "str", "default": ""},
            "downloads": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**provide(module.params, module.get_bin_path("uv"), module.check_mode))
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
