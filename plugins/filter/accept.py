"""The filter `initech.django.accept`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = """
name: accept
short_description: Write the rules of nftables that let somebody reach ports
positional: _input, addresses
options:
  _input:
    description: The ports, of TCP.
    type: list
    elements: int
    required: true
  addresses:
    description:
      - From where, addresses or networks; from everywhere, if empty.
      - Names are refused, since at boot nobody can look them up.
    type: list
    elements: str
    default: []
"""
EXAMPLES = """
# ip saddr { 192.0.2.1, 192.0.2.2 } tcp dport { 5432 } accept
rules: "{{ [5432] | initech.django.accept(['192.0.2.1', '192.0.2.2']) }}"
"""
RETURN = """
_value:
  description: The rules, a line each.
  type: str
"""


def accept(ports: Any, addresses: Sequence[str] = ()) -> str:
    """Return the rules."""
    numbers = [_port(port) for port in ports]
    listing = f"tcp dport {{ {', '.join(map(str, numbers))} }} accept"
    if not addresses:
        return listing
    networks = [_network(address) for address in addresses]
    # nftables takes no two that overlap.
    found = {
        "ip": [str(each) for each in collapse_addresses(n for n in networks if isinstance(n, IPv4Network))],
        "ip6": [str(each) for each in collapse_addresses(n for n in networks if isinstance(n, IPv6Network))],
    }
    return "\n".join(f"{family} saddr {{ {', '.join(each)} }} {listing}" for family, each in found.items() if each)


def _port(port: Any) -> int:
    try:
        number = int(port)
    except (TypeError, ValueError):
        number = 0
    if not 0 < number < 65536:
        raise AnsibleFilterError(f"{port!r} is no port. Write a number from 1 to 65535")
    return number


def _network(address: Any) -> IPv4Network | IPv6Network:
    try:
        return ip_network(str(address), strict=False)
    except ValueError:
        raise AnsibleFilterError(
            f"{address!r} is no address and no network. Write for example 192.0.2.10 or 192.0.2.0/24"
        ) from None


class FilterModule:
    """Filters that Ansible finds here."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"accept": accept}
