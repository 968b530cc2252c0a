"""Have a certificate for the site of an app, from an authority of the host's own."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.initech.django.plugins.module_utils import certificates
from ansible_collections.initech.django.plugins.module_utils.files import Entry, place
from ansible_collections.initech.django.plugins.module_utils.problem import Problem

DOCUMENTATION = """
module: certificate
short_description: Have a certificate for the site of an app, from an authority of the host's own
description:
  - Needs the package C(python3-cryptography) on the host.
  - The authority is made once, in C(authority.crt) and C(authority.key) of O(directory), for all apps of the host. Who
    is to trust the certificates trusts C(authority.crt). Its key never leaves the host.
  - A certificate lasts 90 days; a new one, with a new key, is made when fewer than 30 are left.
author: The initech.django team
options:
  directory:
    description: Where the files are.
    type: path
    required: true
  name:
    description: What they are called.
    type: str
    required: true
  names:
    description: The names and addresses by which visitors come.
    type: list
    elements: str
    required: true
  unless_linked:
    description: Whether a link in the certificate's place is left alone, since it leads to that of another authority.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Tells whether it would make one.
  diff_mode:
    support: none
    description: A key is no text to show.
"""
EXAMPLES = """
- name: Have a certificate until a better one is there
  initech.django.certificate:
    directory: /etc/ssl/initech
    name: shop
    names: [shop.example.com]
"""
RETURN = """
end:
  description: Until when the certificate is valid. Empty for a link.
  type: str
  returned: success
"""


def found(directory: Path, name: str) -> certificates.Pair | None:
    """Return what is there, if both are."""
    paths = [directory / f"{name}.{suffix}" for suffix in ("crt", "key")]
    if any(path.is_symlink() or not path.is_file() for path in paths):
        return None
    return certificates.Pair(*(path.read_bytes() for path in paths))


def write(directory: Path, name: str, pair: certificates.Pair) -> None:
    """Write both, the key first: nginx is reloaded when both are there."""
    key = Entry(directory / f"{name}.key", content=pair.key.decode(), mode="0600")
    certificate = Entry(directory / f"{name}.crt", content=pair.certificate.decode(), mode="0644")
    place([key, certificate], is_check=False)


def renew(
    directory: Path, name: str, names: Sequence[str], now: datetime, *, is_check: bool
) -> tuple[bool, certificates.Pair]:
    """Make a certificate where one is due, and the authority where there is none.

    Returns:
        Whether one was due, and the certificate.

    Raises:
        Problem: it cannot be written.
        ValueError: what is there is no authority.
    """
    by = found(directory, "authority")
    is_lost = by is None or certificates.end(by.leaf) <= now
    if by is None or is_lost:
        by = certificates.authority(f"initech.django on {socket.gethostname()}", now)
    pair = found(directory, name)
    if pair is not None and not certificates.is_due(pair, by, names, now):
        return False, pair
    pair = certificates.issue(by, names, now)
    if not is_check:
        place([Entry(directory, state="directory")], is_check=False)
        if is_lost:
            write(directory, "authority", by)
        write(directory, name, pair)
    return True, pair


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "names": {"type": "list", "elements": "str", "required": True},
            "unless_linked": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    directory, name, names = Path(module.params["directory"]), module.params["name"], module.params["names"]
    certificate = directory / f"{name}.crt"
    if module.params["unless_linked"] and certificate.is_symlink() and certificate.exists():
        module.exit_json(changed=False, end="")
    os.umask(0o077)
    try:
        is_new, pair = renew(directory, name, names, datetime.now(timezone.utc), is_check=module.check_mode)
    except (Problem, ValueError, OSError) as problem:
        module.fail_json(msg=f"No certificate can be made in {directory}: {problem}")
    module.exit_json(changed=is_new, end=certificates.end(pair.leaf).isoformat())


if __name__ == "__main__":
    main()
