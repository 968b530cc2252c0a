"""The site by HTTPS: from each source of certificates, and while one is renewed."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from urllib.request import HTTPErrorProcessor, Request, build_opener

import pytest
from ansible_collections.initech.django.plugins.module_utils.certificates import Pair, authority, issue
from demo import Demo, Result
from load import Load, SafeConnection

NAME = "shop.test"
DIRECTORY = "https://localhost:14000/dir"
FAILED_UNIT = "systemctl list-units --failed --plain --no-legend certbot.service"
PEBBLE = {
    "pebble": {
        "listenAddress": "127.0.0.1:14000",
        "managementListenAddress": "127.0.0.1:15000",
        "certificate": "/root/pebble/server.crt",
        "privateKey": "/root/pebble/server.key",
        "httpPort": 80,
        "tlsPort": 443,
    }
}
"""Of Debian's ACME server for tests: it asks at port 80, of names that all lead to the host itself."""


@pytest.fixture(scope="module", name="address")
def _address(demo: Demo) -> Iterator[str]:
    """Return where the machine reaches the host at 443. Meanwhile the project accepts the name."""
    settings = demo.path / "inventories/demo/group_vars/demo/release.yml"
    before = settings.read_text()
    settings.write_text(f"{before}  ALLOWED_HOSTS: [{NAME}, localhost, 127.0.0.1]\n")
    demo.checked("ansible-playbook", "deploy.yml", "-l", "demo")
    yield demo.host("hostname --all-ip-addresses").split()[0]
    settings.write_text(before)
    demo.checked("ansible-playbook", "site.yml", "-l", "demo")


def provision(demo: Demo, source: str, **others: object) -> Result:
    """Provision the demo with a name and a certificate."""
    given = {"nginx_server_names": [NAME], "tls_source": source, **others}
    return demo.playbook("provision", "-e", json.dumps(given))


def trusting(certificate: str) -> ssl.SSLContext:
    """Return a client that trusts this authority alone."""
    return ssl.create_default_context(cadata=certificate)


def shown(address: str, context: ssl.SSLContext, name: str = NAME) -> ssl.SSLSocket:
    """Shake hands with the site."""
    return context.wrap_socket(socket.create_connection((address, 443), timeout=10), server_hostname=name)


def page(address: str, context: ssl.SSLContext, path: str = "/healthz") -> tuple[int, dict[str, str]]:
    """Return the status and the header of a page."""
    connection = SafeConnection((address, 443), NAME, context)
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status, dict(response.getheaders())


def serial(address: str, context: ssl.SSLContext) -> str:
    """Return which certificate the site shows."""
    with shown(address, context) as connection:
        return str((connection.getpeercert() or {})["serialNumber"])


class NoRedirect(HTTPErrorProcessor):
    """Take every answer as it is."""

    def http_response(self, request: Request, response: object) -> object:
        """Return it."""
        return response


def test_a_host_makes_its_own_certificate_once_and_sends_visitors_to_https(demo: Demo, address: str) -> None:
    made = provision(demo, "selfsigned")
    assert made.code == 0, made.output
    again = provision(demo, "selfsigned")
    assert (again.code, again.changed) == (0, 0), again.output

    context = trusting(demo.host("cat /etc/ssl/initech/authority.crt"))
    status, header = page(address, context)
    assert status == 200
    assert "certificate 0 days old, ends in 89, on " in demo.playbook("releases").output
    assert header["Strict-Transport-Security"] == "max-age=31536000"
    plain = Request(f"http://{address}/healthz?a=b", headers={"Host": NAME})
    with build_opener(NoRedirect).open(plain, timeout=10) as answer:
        assert (answer.status, answer.headers["Location"]) == (301, f"https://{NAME}/healthz?a=b")
    assert (
        demo.host("stat -c '%a %U' /etc/ssl/initech/slow-sql.key /etc/ssl/initech/authority.key")
        == "600 root\n600 root"
    )


def test_only_what_is_safe_is_spoken_and_strangers_names_are_shown_nothing(demo: Demo, address: str) -> None:
    context = trusting(demo.host("cat /etc/ssl/initech/authority.crt"))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with shown(address, context) as connection:
        assert (connection.version(), connection.selected_alpn_protocol()) == ("TLSv1.3", "h2")
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        shown(address, context, "stranger.test")
    old = trusting(demo.host("cat /etc/ssl/initech/authority.crt"))
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        shown(address, old)


def test_a_given_certificate_is_judged_before_anything_is_changed_and_then_shown(demo: Demo, address: str) -> None:
    now = datetime.now(timezone.utc)
    by = authority("somebody's own", now)
    pair, other = issue(by, [NAME], now), issue(by, ["other.test"], now)

    def given(certificate: Pair, key: Pair) -> Result:
        values = {"tls_certificate": certificate.certificate.decode(), "tls_key": key.key.decode()}
        return provision(demo, "files", **values)

    for certificate, key, message in (
        (pair, other, "the key is not that of the certificate"),
        (other, other, f"the certificate is not for {NAME}"),
    ):
        refused = given(certificate, key)
        assert refused.code != 0
        assert message in refused.text
        assert refused.changed == 0
    taken = given(pair, pair)
    assert taken.code == 0, taken.output
    assert "PRIVATE KEY" not in taken.output
    assert page(address, trusting(by.certificate.decode()))[0] == 200
    assert given(pair, pair).changed == 0


def is_taken_for_https(address: str, **header: str) -> bool:
    """Tell whether Django takes what came by HTTP for HTTPS: of that alone it wants to know who referred to it."""
    post = Request(f"http://{address}/admin/login/", data=b"", headers={"Host": NAME, **header})
    with build_opener(NoRedirect).open(post, timeout=10) as answer:
        text = answer.read().decode()
    assert "CSRF verification failed" in text
    return "requires a “Referer header”" in text


def test_where_something_else_ends_tls_the_site_answers_by_http(demo: Demo, address: str) -> None:
    forged = {"X-Forwarded-Proto": "https"}
    made = provision(demo, "none")
    assert made.code == 0, made.output
    assert not is_taken_for_https(address)
    assert not is_taken_for_https(address, **forged)

    made = provision(demo, "none", nginx_forwarded_proto="https")
    assert made.code == 0, made.output
    assert is_taken_for_https(address)
    plain = Request(f"http://{address}/healthz", headers={"Host": NAME})
    with build_opener(NoRedirect).open(plain, timeout=10) as answer:
        assert (answer.status, answer.headers["Strict-Transport-Security"]) == (200, None)


@pytest.fixture(scope="module", name="pebble")
def _pebble(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run an ACME server on the host, and return the certificate of the authority that vouches for itself."""
    now = datetime.now(timezone.utc)
    by = authority("of the test", now)
    own = issue(by, ["localhost", "127.0.0.1"], now)
    demo.host("apt-get -qq install --yes pebble >/dev/null && mkdir -p /root/pebble")
    files = {"server.crt": own.certificate, "server.key": own.key, "pebble.json": json.dumps(PEBBLE).encode()}
    for name, content in files.items():
        demo.host(f"cat > /root/pebble/{name} <<'END'\n{content.decode()}\nEND")
    answer_names(demo)
    demo.host(
        "systemd-run --unit=pebble --setenv=PEBBLE_VA_NOSLEEP=1 --setenv=PEBBLE_AUTHZREUSE=0 "
        "pebble -config /root/pebble/pebble.json -dnsserver 127.0.0.1:8053 && "
        "timeout 20 sh -c 'until ss -Hltn sport = 14000 | grep -q .; do :; done'"
    )
    path = tmp_path_factory.mktemp("pebble") / "of-the-test.crt"
    path.write_bytes(by.certificate)
    yield path
    demo.host("systemctl stop pebble; systemctl stop pebble-dns; certbot delete --non-interactive --cert-name slow-sql")


def answer_names(demo: Demo) -> None:
    """Have the ACME server find all names on the host itself."""
    demo.host(
        "systemd-run --unit=pebble-dns pebble-challtestsrv -defaultIPv4 127.0.0.1 -defaultIPv6 '' "
        "-dns01 127.0.0.1:8053 -http01 '' -https01 '' -tlsalpn01 '' -management 127.0.0.1:8055 && "
        "timeout 20 sh -c 'until ss -Hlun sport = 8053 | grep -q .; do :; done'"
    )


def test_an_acme_authority_certifies_the_site(demo: Demo, address: str, pebble: Path) -> None:
    made = provision(demo, "acme", tls_acme_server=DIRECTORY, base_ca_certificates=[str(pebble)])
    assert made.code == 0, made.output
    chain = trusting(root(demo))
    assert page(address, chain)[0] == 200
    again = provision(demo, "acme", tls_acme_server=DIRECTORY, base_ca_certificates=[str(pebble)])
    assert (again.code, again.changed) == (0, 0), again.output


def test_another_authority_is_asked_where_none_is_named_any_more(demo: Demo, address: str, pebble: Path) -> None:
    given = {"nginx_server_names": [NAME], "tls_source": "acme", "base_ca_certificates": [str(pebble)]}
    unnamed = ("provision", "--check", "-e", json.dumps(given))
    ini = "/etc/letsencrypt/cli.ini"
    demo.host(f"cp -a {ini} /root/cli.ini && echo 'server = {DIRECTORY}' >> {ini}")
    same = demo.playbook(*unnamed)
    demo.host(f"mv /root/cli.ini {ini}")
    # Let's Encrypt, which no host of a test reaches.
    other = demo.playbook(*unnamed)
    assert (same.code, same.changed) == (0, 0), same.output
    assert (other.code, other.changed) == (0, 1), other.output


def root(demo: Demo) -> str:
    """Return the certificate of the authority that signs for the site, made anew at each start."""
    ask = "import ssl, urllib.request as r; print(r.urlopen('https://localhost:15000/roots/0').read().decode())"
    return demo.host(f'python3 -c "{ask}"')


def test_a_renewal_drops_no_request_and_one_that_fails_is_seen(demo: Demo, address: str, pebble: Path) -> None:
    before = serial(address, trusting(root(demo)))
    # As if it were at its end.
    demo.host("sed -i '1i renew_before_expiry = 9999 days' /etc/letsencrypt/renewal/slow-sql.conf")
    trusted = trusting(root(demo))
    connect = partial(SafeConnection, (address, 443), NAME, trusted)
    with Load(connect, "/healthz", connections=10, reopens=True) as load:
        demo.host("systemctl start certbot.service")
    assert load.failures == {}
    assert load.answers["200"] > 50
    assert serial(address, trusted) != before

    demo.host("systemctl stop pebble-dns")
    assert (
        demo.run(
            "python3", "molecule/throwaway.py", "run", "demo-host", "--", "systemctl", "start", "certbot.service"
        ).code
        != 0
    )
    assert "certbot.service" in demo.host(FAILED_UNIT)
    assert page(address, trusted)[0] == 200
    answer_names(demo)
    demo.host("systemctl start certbot.service")
    assert demo.host(FAILED_UNIT) == ""


def test_what_an_authority_refuses_is_told_and_the_site_goes_on(demo: Demo, address: str, pebble: Path) -> None:
    before = demo.host("openssl x509 -noout -serial -in /etc/ssl/initech/slow-sql.crt")
    demo.host("systemctl stop pebble-dns")
    refused = provision(
        demo,
        "acme",
        tls_acme_server=DIRECTORY,
        base_ca_certificates=[str(pebble)],
        nginx_server_names=[NAME, "unknown.test"],
    )
    assert refused.code != 0
    assert "There is no certificate for shop.test, unknown.test" in refused.text
    assert "can it be reached at port 80" in refused.text
    assert demo.host("openssl x509 -noout -serial -in /etc/ssl/initech/slow-sql.crt") == before
    assert page(address, trusting(root(demo)))[0] == 200
