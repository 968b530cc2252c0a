"""Further apps beside the demo on the same host: own users, databases, units and sites."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from demo import Demo, Result


class App:
    """An app in an environment of its own, on the host of the demo."""

    def __init__(self, demo: Demo, inventory: Path, name: str, variables: dict[str, Any]) -> None:
        """Write its inventory: what follows from the name, and the variables that a user would set beside that."""
        self.name = name
        self.demo = demo
        self._inventory = inventory
        every = {
            "ansible_host": "demo-host",
            "ansible_ssh_common_args": f"-F '{demo.path}/.throwaway/ssh_config'",
            "app_environment": name,
            "app_name": name,
            "postgresql_database": name,
            "postgresql_user": name,
            "nginx_server_names": [f"{name}.test"],
        }
        inventory.write_text(json.dumps({name: {"hosts": {f"{name}-host": None}, "vars": {**every, **variables}}}))

    def playbook(self, name: str, *arguments: str) -> Result:
        """Run a playbook on this app."""
        return self.demo.playbook(name, "-i", str(self._inventory), *arguments, limit=self.name)

    def get(self, path: str) -> str:
        """Return what its site answers."""
        request = Request(f"http://127.0.0.1:{self.demo.port}{path}", headers={"Host": f"{self.name}.test"})
        with urlopen(request, timeout=30) as response:
            return str(response.read().decode())

    def remove(self) -> None:
        """Take its site and its unit away, so that they do not take part in what other tests do."""
        self.demo.host(
            f"rm -f /etc/nginx/conf.d/{self.name}.conf; systemctl reload nginx; systemctl stop '{self.name}@*'"
        )
