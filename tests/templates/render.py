"""Evaluate a role's variables and render its templates as Ansible does for a host, without a host.

Only what ansible-core 2.19 and later document is used: `ansible.template` with its `Templar` and `trust_as_template`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[2]
ROLES = ROOT / "roles"


def needs(program: str) -> pytest.MarkDecorator:
    """Skip a test where a server's program is missing: `make check` needs no host, and installs none of them.

    On the hosts of Molecule the same programs check the same files before they are written.
    """
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not on this machine")


def trusted(value: Any) -> Any:
    """Return a value whose strings may hold templates, as those that Ansible itself reads from a role do."""
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, Mapping):
        return {key: trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [trusted(item) for item in value]
    return value


@cache
def load(path: Path) -> dict[str, Any]:
    """Return the variables of one file of a role; none if the file is missing or holds only comments."""
    values = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None
    found: dict[str, Any] = trusted(values or {})
    return found


def load_tasks(role: str, file: str) -> list[dict[str, Any]]:
    """Return what a role's file of tasks or handlers has, as `load` does variables.

    Args:
        role: the name of the role.
        file: the path in the role, such as `tasks/main.yml`.
    """
    found: list[dict[str, Any]] = trusted(yaml.safe_load((ROLES / role / file).read_text(encoding="utf-8")))
    return found


def variables(role: str, **inputs: Any) -> dict[str, Any]:
    """Return what a role's tasks see: its defaults, above them the inventory's inputs, above these its own vars."""
    directory = ROLES / role
    return {**load(directory / "defaults" / "main.yml"), **inputs, **load(directory / "vars" / "main.yml")}


def evaluate(value: Any, known: Mapping[str, Any]) -> Any:
    """Return a value with its templates evaluated.

    Raises:
        ansible.errors.AnsibleError: it needs a variable that is not known, or is no good template.
    """
    return Templar(loader=None, variables=dict(known)).template(trusted(value))


def render(role: str, template: str, **inputs: Any) -> str:
    """Return what the module ansible.builtin.template would write.

    Args:
        role: the name of the role.
        template: the name of the file in its templates/.
        inputs: what the inventory says beside the role's defaults.
    """
    text = trust_as_template((ROLES / role / "templates" / template).read_text(encoding="utf-8"))
    templar = Templar(loader=None, variables={"ansible_managed": "Ansible managed", **variables(role, **inputs)})
    # As that module does it.
    return str(templar.template(text, escape_backslashes=False, overrides={"trim_blocks": True}))
