"""Certificates for web servers: those of a small authority of the host's own, and what is wrong with a given one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3650
DAYS = 90
"""As long as an ACME authority's are, so that what happens at the end of one is seen early."""

DAYS_LEFT = 30
"""With fewer left a new one is made: a third, as certbot does it."""

PATTERN = re.compile(r"~.*|.*\.\*|_")
"""What nginx knows as a name and no certificate can be for. Of *.example.com one can."""


@dataclass(frozen=True)
class Pair:
    """A certificate, with those that vouch for it after it, and its key; both PEM."""

    certificate: bytes
    key: bytes

    @property
    def leaf(self) -> x509.Certificate:
        """The certificate itself.

        Raises:
            ValueError: it is none.
        """
        return x509.load_pem_x509_certificate(self.certificate)

    def fits(self) -> bool:
        """Tell whether the key is the certificate's.

        Raises:
            ValueError: one of them is none.
        """
        key = serialization.load_pem_private_key(self.key, password=None)
        return _public(key) == _public(self.leaf)


def _public(holder: object) -> bytes:
    public = holder.public_key()  # type: ignore[attr-defined]
    found: bytes = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return found


def end(certificate: x509.Certificate) -> datetime:
    """Return until when a certificate is valid. Releases of the library before 42 tell the time without its zone."""
    found: datetime = getattr(certificate, "not_valid_after_utc", None) or certificate.not_valid_after.replace(
        tzinfo=timezone.utc
    )
    return found


def names(certificate: x509.Certificate) -> set[str]:
    """Return the names and addresses that a certificate is for."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    addresses = {str(address) for address in found.get_values_for_type(x509.IPAddress)}
    return {name.lower() for name in found.get_values_for_type(x509.DNSName)} | addresses


def spelled(name: str) -> str:
    """Return a name or an address as `names` spells it: small letters, and an address of IPv6 in its short form."""
    try:
        return str(ip_address(name))
    except ValueError:
        return name.lower()


def is_for(certificate: x509.Certificate, name: str) -> bool:
    """Tell whether a certificate is for a name; one of *.example.com is for www.example.com (RFC 9525, 6.3)."""
    wildcard = f"*.{name.lower().partition('.')[2]}"
    return not {spelled(name), wildcard}.isdisjoint(names(certificate))


def authority(name: str, now: datetime) -> Pair:
    """Make an authority that vouches for servers, and for no other authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    builder = _begun(subject, subject, key, now, AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return _signed(builder, key, key)


def issue(by: Pair, wanted: Sequence[str], now: datetime) -> Pair:
    """Make a certificate for a server.

    Args:
        by: the authority.
        wanted: the names and addresses of the server, at least one.
        now: from when it is valid.

    Raises:
        ValueError: the authority is none of ours.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted[0][:64])])
    builder = _begun(subject, by.leaf.subject, key, now, DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName([_name(each) for each in wanted]), critical=False)
    signer = _elliptic(by)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
    )
    made = _signed(builder, key, signer)
    return Pair(made.certificate + by.certificate, made.key)


def is_due(pair: Pair | None, by: Pair, wanted: Sequence[str], now: datetime) -> bool:
    """Tell whether a new certificate has to be made: there is none, it is another's, for other names, or at its end."""
    if pair is None:
        return True
    try:
        leaf = pair.leaf
        by.leaf.public_key().verify(  # type: ignore[union-attr, call-arg]
            leaf.signature,
            leaf.tbs_certificate_bytes,
            ec.ECDSA(leaf.signature_hash_algorithm),  # type: ignore[arg-type]
        )
        is_ours = pair.fits() and names(leaf) == {spelled(name) for name in wanted}
    except (ValueError, TypeError, AttributeError, InvalidSignature):
        return True
    return not is_ours or end(leaf) - now < timedelta(days=DAYS_LEFT)


def problems(certificate: str, key: str, wanted: Sequence[str], now: datetime) -> list[str]:
    """Return what is wrong with a certificate that somebody gives for a server, in words; nothing, if it will do.

    Args:
        certificate: PEM, with those that vouch for it after it.
        key: PEM.
        wanted: the names by which visitors come, as nginx knows them.
        now: when.
    """
    pair = Pair(certificate.encode(), key.encode())
    try:
        leaf = pair.leaf
    except ValueError:
        return ["the certificate is none. It begins with -----BEGIN CERTIFICATE-----"]
    try:
        found = [] if pair.fits() else ["the key is not that of the certificate, which comes first in its file"]
    except TypeError:
        found = ["the key has a passphrase, which nobody could type when nginx starts. Write it without one"]
    except ValueError:
        found = ["the key is none. It begins with -----BEGIN PRIVATE KEY-----"]
    asked = [name for name in wanted if not PATTERN.fullmatch(name)]
    found += [f"the certificate is not for {name}" for name in asked if not is_for(leaf, name)]
    if end(leaf) <= now:
        found.append(f"the certificate has ended on {end(leaf):%Y-%m-%d}")
    return found


def _elliptic(pair: Pair) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pair.key, password=None)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key
    raise ValueError("the authority's key is none of ours")


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    # An hour before: not all clocks are right.
    begin = now - timedelta(hours=1)
    return (
        builder.serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(now + timedelta(days=days))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    usage = {
        **dict.fromkeys((*others, "encipher_only", "decipher_only"), False),
        "digital_signature": not signs_certificates,
        "key_cert_sign": signs_certificates,
        "crl_sign": signs_certificates,
    }
    return x509.KeyUsage(**usage)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _signed(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey
) -> Pair:
    made = builder.sign(signer, hashes.SHA256())
    unencrypted = serialization.NoEncryption()
    return Pair(
        made.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unencrypted),
    )
