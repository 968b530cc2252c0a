"""The addresses that a host on another network sees are those that the kernel chooses."""

from __future__ import annotations

import socket

import pytest
from ansible_collections.initech.django.plugins.module_utils.problem import Problem
from ansible_collections.initech.django.plugins.module_utils.route import source_addresses


def test_the_address_is_the_one_on_the_way() -> None:
    assert source_addresses("127.0.0.2") == ["127.0.0.1"]


def test_a_name_with_addresses_of_both_kinds_has_two(monkeypatch: pytest.MonkeyPatch) -> None:
    targets = [(socket.AF_INET, ("127.0.0.2", 9)), (socket.AF_INET, ("127.0.0.3", 9))]
    found = [(family, socket.SOCK_DGRAM, 17, "", target) for family, target in targets]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert source_addresses("db1") == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1", "'127.0.0.1' is this host itself. database_host has to be another one"),
        ("no such name", "'no such name' cannot be resolved here .*Set database_address"),
        ("a" * 70, "cannot be resolved here"),
        ("255.255.255.255", "There is no way from here to '255.255.255.255'"),
    ],
)
def test_what_is_no_other_host_is_refused_with_what_to_set(address: str, message: str) -> None:
    with pytest.raises(Problem, match=message):
        source_addresses(address)
