"""Find the addresses by which this host would reach another."""

from __future__ import annotations

import socket

from ansible_collections.initech.django.plugins.module_utils.problem import Problem

ANY_PORT = 9
"""The kernel wants one to look for a way; nothing is sent there."""


def source_addresses(address: str) -> list[str]:
    """Return the addresses of this host that another one would see, in order.

    Args:
        address: a name or an address of the other one.

    Raises:
        Problem: it cannot be resolved, there is no way to it, or it is this host itself.
    """
    try:
        found = socket.getaddrinfo(address, ANY_PORT, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise Problem(
            f"{address!r} cannot be resolved here ({error}). Set database_address to a name or an address by which the "
            "app's hosts reach the host of the database."
        ) from None
    sources, reasons = set(), []
    for family, kind, protocol, _, target in found:
        with socket.socket(family, kind, protocol) as probe:
            try:
                # Of a datagram socket this chooses the way, and sends nothing.
                probe.connect(target)
            except OSError as error:
                reasons.append(f"{target[0]}: {error.strerror}")
                continue
            own = probe.getsockname()[0]
        if own == target[0]:
            raise Problem(
                f"{address!r} is this host itself. database_host has to be another one, and database_address the "
                "name or the address by which the app's hosts reach it."
            )
        sources.add(own)
    if not sources:
        raise Problem(f"There is no way from here to {address!r} ({'; '.join(reasons)}). Set database_address.")
    return sorted(sources)
