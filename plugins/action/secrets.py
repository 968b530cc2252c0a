"""All of `initech.django.secrets`: the vault file is on the controller."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible.plugins.action import ActionBase
from ansible_collections.initech.django.plugins.module_utils.git import git
from ansible_collections.initech.django.plugins.module_utils.new_project import password_file
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.vault import (
    Variables,
    by_hand,
    choose_secret,
    ended,
    label_of,
    no_password,
    plan,
    report,
    swapped,
    write,
)


def shown(path: str | Path) -> str:
    """Return a path as one would type it here."""
    path, here = Path(path), Path.cwd()
    return str(path.relative_to(here)) if here in path.parents else str(path)


class ActionModule(ActionBase):
    """Make the secrets of an environment that are lacking, and rotate those that are named."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the names of what was made, or fail with what is wrong or cannot be made."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, options = self.validate_argument_spec(
            {
                "environment": {"type": "str", "required": True},
                "inventory": {"type": "path", "required": True},
                "rotate": {"type": "list", "elements": "str", "default": []},
                "step": {"type": "str", "choices": ["begin", "swap", "end"], "default": "begin"},
                "name": {"type": "str"},
            }
        )
        try:
            result.update(self.secrets(options, task_vars or {}))
        except Problem as problem:
            result.update(failed=True, msg=str(problem))
        except OSError as error:
            # What has no name is the disk.
            result.update(failed=True, msg=f"Nothing was changed. {error.filename or 'vault.yml'}: {error.strerror}.")
        return result

    def secrets(self, options: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Change the file, and return the module's result.

        Raises:
            Problem: the file cannot be changed.
            OSError: it cannot be read or written.
        """
        environment, inventory = options["environment"], Path(options["inventory"])
        place = inventory / "group_vars" / environment / "vault.yml"
        # Where it is a link, the link stays.
        vault, file = place.resolve(), shown(place)
        if not vault.parent.is_dir():
            raise Problem(f"There is no {vault.parent}, where the variables of {environment} that are no secrets lie.")
        content = vault.read_bytes() if vault.exists() else b""
        text, secret, label = self.decrypt(environment, content, inventory, file)

        def save(new: str) -> bool:
            if new != text and not self._task.check_mode:
                write(vault, VaultLib().encrypt(new, secret, label))
            return new != text

        with by_hand(file):
            if options["step"] != "begin":
                step = {"swap": swapped, "end": ended}[options["step"]]
                return {"changed": save(step(text, options["name"])), "path": str(vault)}
            hosts = {host: Variables(variables["hostvars"].raw_get(host)) for host in variables["groups"][environment]}
            todo = plan(hosts, variables["ansible_play_hosts_all"], text, options["rotate"], file)
        is_ignored = git(vault.parent, "check-ignore", "--quiet", vault.name)[0]
        save(todo.text)
        sources = list(variables.get("ansible_inventory_sources") or ())
        # What ansible.cfg names need not be typed.
        named = [] if sources == list(constants.DEFAULT_HOST_LIST) else sources
        message = report(
            todo,
            file,
            environment,
            [shown(source) for source in named],
            is_done=not self._task.check_mode,
            is_ignored=is_ignored,
        )
        result = {
            "changed": todo.changes,
            "path": str(vault),
            "made": list(todo.made),
            "rotated": list(todo.rotated),
            "rotating": "" if self._task.check_mode else "".join(todo.rotating),
            "removed": list(todo.removed),
            "lacking": list(todo.lacking),
        }
        return {**result, **({"failed": True, "msg": message} if todo.lacking else {"report": message})}

    def decrypt(
        self, environment: str, content: bytes, inventory: Path, file: str
    ) -> tuple[str, VaultSecret, str | None]:
        """Return what a vault file holds, and the password and the vault id that it is encrypted with.

        Args:
            environment: that of the file.
            content: of the file, empty if there is none.
            inventory: its directory.
            file: its path, for messages.

        Raises:
            Problem: the file is not encrypted, or there is no password for it.
        """
        # Ansible keeps them here from 2.19 to 2.21, and nowhere that it calls public.
        found: list[tuple[str, VaultSecret]] = list(self._loader._vault.secrets or ())
        if not content.strip():
            number = choose_secret(environment, [(name, secret.bytes) for name, secret in found])
            if number is None:
                raise Problem(no_password(environment, password_file(environment), shown(inventory)))
            return "", found[number][1], environment
        if not VaultLib.is_encrypted(content):
            command = f"ansible-vault encrypt --encrypt-vault-id {environment} {shlex.quote(file)}"
            raise Problem(f"{file} is not encrypted, so anybody can read it. Type: {command}")
        try:
            # With what it was encrypted before it is encrypted again.
            plain, _, secret = VaultLib(found).decrypt_and_get_vault_id(content)
            return plain.decode(), secret, label_of(content)
        except (AnsibleError, UnicodeDecodeError):
            raise Problem(f"{file} cannot be decrypted with the password of {environment}.") from None
