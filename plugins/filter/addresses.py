"""The filter `initech.django.addresses`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_address

from ansible.errors import AnsibleFilterError

DOCUMENTATION = """
name: addresses
short_description: Give the addresses of a database's clients as servers write them, and refuse networks and names
positional: _input
options:
  _input:
    description: The addresses.
    type: list
    elements: str
    required: true
"""
EXAMPLES = """
# ["10.0.0.11", "fd00::12"]
clients: "{{ ['10.0.0.11', 'FD00:0::12'] | initech.django.addresses }}"
"""
RETURN = """
_value:
  description: The addresses, those of IPv6 in their short form.
  type: list
  elements: str
"""


def addresses(given: Sequence[str]) -> list[str]:
    """Return the addresses."""
    return [_address(each) for each in given]


def _address(text: str) -> str:
    try:
        return str(ip_address(str(text)))
    except ValueError:
        raise AnsibleFilterError(
            f"{str(text)!r} is not the address of one host, as a database's clients have. In database_clients list "
            "that of each, for example 10.0.0.11 and 10.0.0.12"
        ) from None


class FilterModule:
    """Filters that Ansible finds here."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Return the filters by name."""
        return {"addresses": addresses}
