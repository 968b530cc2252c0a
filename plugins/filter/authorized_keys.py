"""The filter `initech.django.authorized_keys`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = """
name: authorized_keys
short_description: Turn administrators and their keys into files for the module files
positional: _input
options:
  _input:
    description: User names, and the public keys of each.
    type: dict
    required: true
"""
EXAMPLES = """
files: "{{ {'anna': ['ssh-ed25519 AAAAC3Nz... anna@laptop']} | initech.django.authorized_keys }}"
"""
RETURN = """
_value:
  description: The directories and files.
  type: list
  elements: dict
"""

USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
KEY = re.compile(
    r"(?:ssh-ed25519|sk-ssh-ed25519@openssh\.com|ecdsa-\S+|sk-ecdsa-\S+|ssh-rsa) [A-Za-z0-9+/]{60,}=*(?: .*)?"
)
"""As sshd(8) has them, less the options before them: who is an administrator may do everything anyway."""


def authorized_keys(administrators: Any) -> list[dict[str, str]]:
    """Return the files."""
    if not isinstance(administrators, Mapping):
        raise AnsibleFilterError("base_administrators is a mapping: user names, and a list of public keys for each")
    files = []
    for name, keys in administrators.items():
        if name == "root" or not USER.fullmatch(str(name)):
            raise AnsibleFilterError(
                f"base_administrators: {name!r} is no name for an administrator. Use a-z, 0-9, _ and -"
            )
        if isinstance(keys, str) or not keys:
            raise AnsibleFilterError(f"base_administrators: {name} needs a list of public keys")
        for number, key in enumerate(keys, 1):
            # Not shown: somebody may have put a private key there.
            if not KEY.fullmatch(str(key)):
                raise AnsibleFilterError(
                    f"base_administrators: key {number} of {name} is no public key. "
                    "Give the line that is in a file such as ~/.ssh/id_ed25519.pub"
                )
        home = f"/home/{name}/.ssh"
        files += [
            {"path": home, "state": "directory", "owner": name, "mode": "0700"},
            {
                "path": f"{home}/authorized_keys",
                "content": "".join(f"{key}\n" for key in keys),
                "owner": name,
                "mode": "0600",
            },
        ]
    return files


class FilterModule:
    """Filters that Ansible finds here."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"authorized_keys": authorized_keys}
