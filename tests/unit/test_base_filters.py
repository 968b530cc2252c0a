"""Who may reach a server, and whose keys open it, is written rightly or refused."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.initech.django.plugins.filter.accept import accept
from ansible_collections.initech.django.plugins.filter.authorized_keys import authorized_keys

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFdmlpcU0xVvD8x1Wd6cMR5SWWn5oTBkSkmGpRn8hRLy"


def test_ports_are_open_to_all_or_to_some() -> None:
    assert accept([80, "443"]) == "tcp dport { 80, 443 } accept"
    assert accept([5432], ["192.0.2.1", "2001:db8::1"]).splitlines() == [
        "ip saddr { 192.0.2.1/32 } tcp dport { 5432 } accept",
        "ip6 saddr { 2001:db8::1/128 } tcp dport { 5432 } accept",
    ]


def test_addresses_that_overlap_are_one() -> None:
    assert (
        accept([22], ["192.0.2.7/24", "192.0.2.1", "192.0.2.1"]) == "ip saddr { 192.0.2.0/24 } tcp dport { 22 } accept"
    )


@pytest.mark.parametrize("address", ["db.example.com", "192.0.2.300", "", "192.0.2.1; accept"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(AnsibleFilterError, match=r"is no address and no network\. Write for example"):
        accept([22], [address])


@pytest.mark.parametrize("port", [0, 65536, "ssh", None, "22 accept"])
def test_what_is_no_port_is_refused(port: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="is no port"):
        accept([port])


def test_an_administrator_has_the_keys_that_are_listed_and_no_others() -> None:
    assert authorized_keys({"anna": [KEY, f"{KEY} anna@laptop"]}) == [
        {"path": "/home/anna/.ssh", "state": "directory", "owner": "anna", "mode": "0700"},
        {
            "path": "/home/anna/.ssh/authorized_keys",
            "content": f"{KEY}\n{KEY} anna@laptop\n",
            "owner": "anna",
            "mode": "0600",
        },
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["anna"], "is a mapping"),
        ({"root": [KEY]}, "'root' is no name"),
        ({"../x": [KEY]}, "is no name"),
        ({"anna": []}, "anna needs a list"),
        ({"anna": KEY}, "anna needs a list"),
        ({"anna": [KEY, "-----BEGIN OPENSSH PRIVATE KEY-----"]}, "key 2 of anna is no public key"),
        ({"anna": [f"{KEY}\nssh-rsa x"]}, "key 1 of anna is no public key"),
    ],
)
def test_what_is_no_administrator_is_refused_and_no_key_shown(given: Any, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message) as refusal:
        authorized_keys(given)
    assert "PRIVATE" not in str(refusal.value)
