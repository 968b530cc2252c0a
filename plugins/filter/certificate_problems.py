"""The filter `initech.django.certificate_problems`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from ipaddress import ip_address

from ansible_collections.initech.django.plugins.module_utils import certificates

DOCUMENTATION = """
name: certificate_problems
short_description: Tell what stands in the way of a certificate
positional: _input, names, certificate, key
options:
  _input:
    description: Where it comes from, C(acme), C(files), C(selfsigned) or C(none).
    type: str
    required: true
  names:
    description: The names by which visitors come.
    type: list
    elements: str
    required: true
  certificate:
    description: Of C(files), PEM, with those that vouch for it after it.
    type: str
    default: ""
  key:
    description: Its key, PEM.
    type: str
    default: ""
"""
EXAMPLES = """
problems: "{{ 'acme' | initech.django.certificate_problems(['shop.example.com']) }}"
"""
RETURN = """
_value:
  description: What is wrong; nothing, if it will do.
  type: list
  elements: str
"""


def certificate_problems(source: str, names: Sequence[str], certificate: str = "", key: str = "") -> list[str]:
    """Return what is wrong."""
    if source == "files":
        lacking = [name for name, value in (("tls_certificate", certificate), ("tls_key", key)) if not value.strip()]
        if lacking:
            return [f"{name} is not set" for name in lacking]
        return certificates.problems(certificate, key, names, datetime.now(timezone.utc))
    if source == "acme":
        if not names:
            return ["an authority needs the names that it is to certify: set nginx_server_names"]
        return [f"{name}: {reason}" for name in names if (reason := uncertifiable(name))]
    return []


def uncertifiable(name: str) -> str:
    """Return why an authority that asks at port 80 would not certify a name, or nothing."""
    if name.startswith(("*", "~", ".")) or "*" in name:
        return "only a name as visitors type it can be asked for at port 80. List each"
    try:
        ip_address(name)
    except ValueError:
        return "" if "." in name else "no authority certifies a name without a domain"
    return "is an address, and no name"


class FilterModule:
    """Filters that Ansible finds here."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Return the filters by name."""
        return {"certificate_problems": certificate_problems}
