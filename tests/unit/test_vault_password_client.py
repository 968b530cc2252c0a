"""What inventories/vault-password-client gives to Ansible; the demo uses it for real."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "inventories" / "vault-password-client"
ENVIRONMENTS = {"demo", "staging", "prod"}


def load() -> ModuleType:
    """Import the script, whose name is no module's."""
    loader = SourceFileLoader("vault_password_client", str(SCRIPT))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


client = load()


@pytest.mark.parametrize(
    ("environment", "command", "has_vault", "idle"),
    [
        ("prod", "python3 /v/bin/ansible-playbook deploy.yml -l staging", True, True),
        ("prod", "python3 /v/bin/ansible-playbook deploy.yml -l prod", True, False),
        ("prod", "python3 /v/bin/ansible-playbook deploy.yml -l prod-2", True, False),
        ("prod", "python3 /v/bin/ansible-playbook deploy.yml -l web1", True, False),
        ("prod", "python3 /v/bin/ansible-playbook deploy.yml -l web1", False, True),
        ("prod", "python3 /v/bin/ansible-playbook deploy.yml -l prod", False, True),
        ("prod", "python3 /v/bin/ansible-vault create --encrypt-vault-id prod vault.yml", False, False),
        ("demo", "python3 /v/bin/ansible-vault create --encrypt-vault-id prod vault.yml", False, True),
        ("prod", "python3 /v/bin/ansible-vault view some/file.yml", False, False),
        ("prod", "python3 /v/bin/ansible-playbook deploy.yml -e vault_secret_key=x", False, True),
        ("prod", "", False, True),
        ("prod", "", True, False),
    ],
)
def test_a_password_is_missed_only_where_it_may_be_needed(
    environment: str, command: str, has_vault: bool, idle: bool
) -> None:
    assert client.is_idle(environment, command, ENVIRONMENTS, has_vault) is idle


@pytest.mark.parametrize(("mode", "content"), [(0o600, "s3cr3t\n"), (0o700, "#!/bin/sh\necho s3cr3t\n")])
def test_a_password_comes_from_a_file_or_from_what_that_file_prints(tmp_path: Path, mode: int, content: str) -> None:
    file = tmp_path / "initech-django" / "prod.vault-password"
    file.parent.mkdir()
    file.write_text(content)
    file.chmod(mode)
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
    command = [str(SCRIPT), "--vault-id", "prod"]
    assert subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout == "s3cr3t\n"
