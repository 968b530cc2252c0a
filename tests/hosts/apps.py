"""Further apps beside the demo on the same host: own users, databases, units and sites."""

from __future__ import annotations

import json
import secrets
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ansible.parsing.vault import VaultLib, VaultSecret
from demo import AUTHORITY, Demo, Result


def example(demo: Demo, name: str, url: str, **others: Any) -> dict[str, Any]:
    """Return what a user would set to deploy the example as an app of that name.

    Args:
        demo: whose checkout has the example.
        name: of the app.
        url: DATABASE_URL.
        others: further variables.
    """
    return {
        "release_repository": str(demo.path),
        "release_subdirectory": "examples/slow_sql",
        "release_health_path": "/healthz",
        "release_env": {
            "ENVIRONMENT": "demo",
            "DEBUG": False,
            "SECRET_KEY": secrets.token_urlsafe(32),
            "DATABASE_URL": url,
            "ALLOWED_HOSTS": [f"{name}.test"],
            "REQUESTS_CA_BUNDLE": AUTHORITY,
        },
        **others,
    }


class App:
    """An app in an environment of its own, on the host of the demo."""

    def __init__(
        self,
        demo: Demo,
        inventory: Path,
        name: str,
        variables: dict[str, Any],
        vault: dict[str, str] | None = None,
    ) -> None:
        """Write its inventory: what follows from the name, what a user would set beside that, and the vault."""
        self.name = name
        self.demo = demo
        self._inventory = inventory
        self._options: tuple[str, ...] = ()
        every = {
            "ansible_host": "demo-host",
            "ansible_ssh_common_args": f"-F '{demo.path}/.throwaway/ssh_config'",
            "app_environment": name,
            "app_name": name,
            "database_engine": "postgresql",
            "database_name": name,
            "database_user": name,
            "nginx_server_names": [f"{name}.test"],
        }
        inventory.write_text(json.dumps({name: {"hosts": {f"{name}-host": None}, "vars": {**every, **variables}}}))
        if vault:
            password = inventory.parent / "vault-password"
            password.write_text("of-the-vault")
            self._options = ("--vault-id", f"{name}@{password}")
            file = inventory.parent / "group_vars" / name / "vault.yml"
            file.parent.mkdir(parents=True)
            text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in vault.items())
            file.write_bytes(VaultLib().encrypt(text, VaultSecret(b"of-the-vault"), name))

    @property
    def _inventory_options(self) -> tuple[str, ...]:
        """Return how a playbook is told of this app."""
        return ("-i", str(self._inventory), *self._options)

    def playbook(self, name: str, *arguments: str) -> Result:
        """Run a playbook on this app."""
        return self.demo.playbook(name, *self._inventory_options, *arguments, limit=self.name)

    def running(self, name: str, *arguments: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """Run a playbook on this app meanwhile; what has not ended then is killed."""
        return self.demo.running(name, "-l", self.name, *self._inventory_options, *arguments)

    def env(self) -> dict[str, str]:
        """Return what the live release's `.env` says, which holds no quotes and no backslashes."""
        lines = self.demo.host(f"cat /srv/{self.name}/current/project/.env").splitlines()
        return {key: value.strip("'\"") for key, _, value in (line.partition("=") for line in lines)}

    def get(self, path: str) -> str:
        """Return what its site answers."""
        return self.demo.get(path, f"{self.name}.test")

    def remove(self) -> None:
        """Take its site and its unit away, so that they do not take part in what other tests do."""
        self.demo.host(
            f"rm -f /etc/nginx/conf.d/{self.name}.conf; systemctl reload nginx; systemctl stop '{self.name}@*'"
        )
