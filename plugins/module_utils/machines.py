"""Where the machine of a host is, by which two names of one machine are told from two machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

SSH = "22"


class Machine(NamedTuple):
    """Where Ansible reaches it: behind one address several may have a port each."""

    address: str
    port: str = SSH

    def __str__(self) -> str:
        """Return it for messages, with the port where that is not SSH's own."""
        return self.address if self.port == SSH else f"{self.address}:{self.port}"


def machine_of(host: Mapping[str, Any], templated: Callable[[Any], Any] = lambda value: value) -> Machine:
    """Return where the machine of a host is. A name without `ansible_host` is its own address.

    Args:
        host: its variables.
        templated: what evaluates them, where they are as written.
    """
    address, port = (templated(host.get(name)) for name in ("ansible_host", "ansible_port"))
    return Machine(str(address or host["inventory_hostname"]), str(port or SSH))
