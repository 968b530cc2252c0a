"""What inventories/vault-password-client gives to Ansible; the demo uses it for real."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest
from ansible_collections.initech.django.plugins.module_utils import vault

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


def ask(environment: str, command: str, inventories: Path) -> subprocess.CompletedProcess[str]:
    """Run a copy of the client beside inventories of its own, as a child of what has this command line."""
    copy = shutil.copy(SCRIPT, inventories)
    # Two commands, so that the shell does not become the client.
    script = '"$CLIENT" --vault-id "$ID"; exit "$?"'
    variables = {**os.environ, "CLIENT": str(copy), "ID": environment, "XDG_CONFIG_HOME": str(inventories.parent)}
    shell = ["sh", "-c", script, "ansible-playbook", *command.split()]
    return subprocess.run(shell, env=variables, check=False, capture_output=True, text=True)


@pytest.fixture
def inventories(tmp_path: Path) -> Path:
    """Return a directory with one environment, whose vault has no password."""
    path = tmp_path / "inventories"
    (path / "prod" / "group_vars" / "prod").mkdir(parents=True)
    (path / "prod" / "hosts.yml").touch()
    return path


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
        ("prod", "python3 /v/bin/ansible-playbook secrets.yml -l prod", False, False),
        ("prod", "python3 /v/bin/ansible-playbook -l prod --check /home/me/deploy/secrets.yml", False, False),
        ("prod", "python3 /v/bin/ansible-playbook -l prod initech.django.secrets", False, False),
        ("prod", "python3 /v/bin/ansible-playbook secrets.yml -l prod -e rotate=SECRET_KEY", True, False),
        ("prod", "python3 /v/bin/ansible-playbook secrets.yml -l web1", False, False),
        ("staging", "python3 /v/bin/ansible-playbook secrets.yml -l prod", False, True),
        ("other", "python3 /v/bin/ansible-playbook secrets.yml -l prod", False, True),
        ("prod", "python3 /v/bin/ansible-playbook my-secrets.yml -l prod", False, True),
        ("prod", "python3 /v/bin/ansible-playbook deploy.yml -l prod -e x=secrets", False, True),
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


def test_a_password_that_nobody_needs_is_marked_so_that_nothing_is_ever_encrypted_with_it(inventories: Path) -> None:
    assert client.NOBODY_KNOWS == vault.NOBODY_KNOWS
    found = {ask("prod", "deploy.yml -l prod", inventories).stdout for _ in range(2)}
    assert len(found) == 2
    assert all(re.fullmatch(r"nobody-knows-[\w-]{40,}\n", password) for password in found)


def test_the_run_that_makes_a_vault_is_told_how_to_make_its_password(inventories: Path) -> None:
    answer = ask("prod", "secrets.yml -l prod", inventories)
    file = inventories.parent / "initech-django" / "prod.vault-password"
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == (
        "No vault password for prod. It lies outside git. "
        f"Type: mkdir -p -m 0700 {file.parent} && (umask 077; openssl rand -base64 32 > {file})\n"
    )


def test_a_vault_that_is_there_has_a_password_already_which_is_only_to_be_written_down(inventories: Path) -> None:
    (inventories / "prod" / "group_vars" / "prod" / "vault.yml").touch()
    answer = ask("prod", "deploy.yml -l prod", inventories)
    assert answer.returncode == 1
    assert answer.stderr.endswith("/initech-django/prod.vault-password)\n")
    assert "(umask 077; $EDITOR " in answer.stderr
