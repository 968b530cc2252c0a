"""Certificates that browsers take, and those that they would not, told before anything is changed."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ansible_collections.initech.django.plugins.filter.certificate_problems import certificate_problems
from ansible_collections.initech.django.plugins.module_utils.certificates import (
    DAYS,
    DAYS_LEFT,
    Pair,
    authority,
    end,
    is_due,
    issue,
    names,
    problems,
)
from cryptography.hazmat.primitives import serialization

NOW = datetime.now(timezone.utc)
NAMES = ["shop.example.com", "www.shop.example.com"]


@pytest.fixture(name="ours", scope="module")
def _ours() -> Pair:
    return authority("initech.django on web1", NOW)


def handshake(pair: Pair, trusted: Pair, name: str, directory: Path) -> None:
    """Let a client shake hands with a server that has the certificate.

    Raises:
        ssl.SSLError: the client does not take it.
    """
    chain, key = directory / "chain.pem", directory / "key.pem"
    chain.write_bytes(pair.certificate)
    key.write_bytes(pair.key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, key)
    client = ssl.create_default_context(cadata=trusted.certificate.decode())
    near, far = socket.socketpair()
    with near, far:

        def serve() -> None:
            try:
                server.wrap_socket(far, server_side=True).close()
            except OSError:
                far.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            client.wrap_socket(near, server_hostname=name).close()
        finally:
            near.close()
            thread.join()


@pytest.mark.parametrize("name", [*NAMES, "127.0.0.1"])
def test_a_client_that_trusts_the_authority_takes_its_certificates(ours: Pair, name: str, tmp_path: Path) -> None:
    handshake(issue(ours, [*NAMES, "127.0.0.1"], NOW), ours, name, tmp_path)


def test_another_client_does_not_and_nobody_takes_it_for_another_name(ours: Pair, tmp_path: Path) -> None:
    pair = issue(ours, NAMES, NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(pair, authority("somebody", NOW), NAMES[0], tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(pair, ours, "shop.example.org", tmp_path)


def test_a_servers_certificate_vouches_for_no_other(ours: Pair, tmp_path: Path) -> None:
    forged = issue(issue(ours, ["evil.example.com"], NOW), NAMES, NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(forged, ours, NAMES[0], tmp_path)


def test_a_certificate_is_made_anew_when_it_has_to_be(ours: Pair) -> None:
    pair = issue(ours, NAMES, NOW)
    assert names(pair.leaf) == set(NAMES)
    assert not is_due(pair, ours, list(reversed(NAMES)), NOW)
    assert not is_due(pair, ours, NAMES, NOW + timedelta(days=DAYS - DAYS_LEFT - 1))
    assert is_due(None, ours, NAMES, NOW)
    assert is_due(pair, ours, NAMES, NOW + timedelta(days=DAYS - DAYS_LEFT, hours=1))
    assert is_due(pair, ours, NAMES[:1], NOW)
    assert is_due(pair, authority("initech.django on web1", NOW), NAMES, NOW)
    assert is_due(Pair(pair.certificate, ours.key), ours, NAMES, NOW)
    assert is_due(Pair(b"half", pair.key), ours, NAMES, NOW)


def test_an_address_is_the_same_however_it_is_spelled(ours: Pair) -> None:
    wanted = ["Shop.example.com", "2001:DB8:0::1"]
    pair = issue(ours, wanted, NOW)
    assert names(pair.leaf) == {"shop.example.com", "2001:db8::1"}
    assert not is_due(pair, ours, wanted, NOW)
    assert problems(pair.certificate.decode(), pair.key.decode(), wanted, NOW) == []
    assert is_due(pair, ours, ["shop.example.com", "2001:db8::2"], NOW)


def test_a_given_certificate_that_will_do_is_taken(ours: Pair) -> None:
    pair = issue(ours, ["*.example.com", "example.com"], NOW)
    text = (pair.certificate.decode(), pair.key.decode())
    assert problems(*text, ["shop.example.com", "EXAMPLE.com"], NOW) == []
    assert problems(*text, [], NOW) == []


def test_no_certificate_has_to_be_for_a_pattern_of_nginxs_but_one_for_all_names_of_a_domain(ours: Pair) -> None:
    pair = issue(ours, ["shop.example.com"], NOW)
    text = (pair.certificate.decode(), pair.key.decode())
    assert problems(*text, ["shop.example.com", r"~^www\d\.example\.com$", "shop.*", "_"], NOW) == []
    assert problems(*text, ["*.example.com"], NOW) == ["the certificate is not for *.example.com"]


def test_what_is_wrong_with_a_given_one_is_told(ours: Pair) -> None:
    pair, other = issue(ours, ["*.example.com"], NOW), issue(ours, NAMES, NOW)
    certificate, key = pair.certificate.decode(), pair.key.decode()
    assert problems("x", key, [], NOW) == ["the certificate is none. It begins with -----BEGIN CERTIFICATE-----"]
    assert problems(certificate, "x", [], NOW) == ["the key is none. It begins with -----BEGIN PRIVATE KEY-----"]
    (belongs,) = problems(certificate, other.key.decode(), [], NOW)
    assert belongs.startswith("the key is not that of the certificate")
    assert problems(certificate, key, ["a.b.example.com", "example.com"], NOW) == [
        "the certificate is not for a.b.example.com",
        "the certificate is not for example.com",
    ]
    (ended,) = problems(certificate, key, ["www.example.com"], NOW + timedelta(days=DAYS + 1))
    assert ended == f"the certificate has ended on {end(pair.leaf):%Y-%m-%d}"


def test_a_key_with_a_passphrase_is_refused(ours: Pair) -> None:
    pair = issue(ours, NAMES, NOW)
    locked = serialization.load_pem_private_key(pair.key, None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    )
    (problem,) = problems(pair.certificate.decode(), locked.decode(), NAMES, NOW)
    assert "passphrase" in problem


@pytest.mark.parametrize(
    ("source", "site", "expected"),
    [
        ("none", [], []),
        ("selfsigned", [], []),
        ("acme", NAMES, []),
        ("acme", [], ["an authority needs the names that it is to certify: set nginx_server_names"]),
        ("acme", ["192.0.2.1"], ["192.0.2.1: is an address, and no name"]),
        ("acme", ["shop"], ["shop: no authority certifies a name without a domain"]),
        (
            "acme",
            ["*.example.com"],
            ["*.example.com: only a name as visitors type it can be asked for at port 80. List each"],
        ),
        ("files", NAMES, ["tls_certificate is not set", "tls_key is not set"]),
    ],
)
def test_what_a_source_lacks_is_told(source: str, site: list[str], expected: list[str]) -> None:
    assert certificate_problems(source, site) == expected
