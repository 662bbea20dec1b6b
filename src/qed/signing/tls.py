"""TLS certificates for a server: one that it signs itself, or a request for one that others sign.

QED's live for an hour; these live for a year. Keys are ECDSA P-256, since not every TLS client
takes Ed25519 certificates.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from qed import durable
from qed.errors import ConflictError, MalformedError

CERTIFICATE_NAME = "qed_cert.pem"
REQUEST_NAME = "qed_csr.pem"
KEY_NAME = "qed_key.pem"
VALIDITY = dt.timedelta(days=365)
CLOCK_SKEW = dt.timedelta(minutes=5)

_COMMON_NAME_CHARS = 64


@dataclass(frozen=True, slots=True)
class Written:
    """The two files that were made: a certificate or a request, and its private key (0600)."""

    public: Path
    private: Path


def create_self_signed(directory: Path, hosts: list[str], *, now: dt.datetime) -> Written:
    """Make a certificate for the hosts that is its own authority, and its key.

    It is valid for a year from `now`, less five minutes for clocks that are behind.

    Errors: MalformedError for a host that is none, ConflictError when a file is there already.
    """
    names = _alternative_names(hosts)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(hosts)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + VALIDITY)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_key_usage(), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _write(directory, CERTIFICATE_NAME, certificate.public_bytes(Encoding.PEM), key)


def create_request(directory: Path, hosts: list[str]) -> Written:
    """Make a certificate signing request for the hosts, and its key; errors as above."""
    names = _alternative_names(hosts)
    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(_subject(hosts))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    return _write(directory, REQUEST_NAME, request.public_bytes(Encoding.PEM), key)


def _subject(hosts: list[str]) -> x509.Name:
    """Return the name shown to people; what is checked are the alternative names."""
    common = hosts[0][:_COMMON_NAME_CHARS]
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _alternative_names(hosts: list[str]) -> x509.SubjectAlternativeName:
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            if not host or not host.isascii() or not set(host) <= _HOST_CHARS:
                raise MalformedError(
                    f"{host!r} is not a host",
                    hint="write a name or an address, without scheme and port",
                ) from None
            names.append(x509.DNSName(host))
    return x509.SubjectAlternativeName(names)


_HOST_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._*")


def _key_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(directory: Path, name: str, public: bytes, key: ec.EllipticCurvePrivateKey) -> Written:
    """Write the key first: a certificate without its key is of no use to anybody."""
    written = Written(directory / name, directory / KEY_NAME)
    for path in (written.private, written.public):
        if durable.exists(path):
            raise ConflictError(f"{path} exists already; nothing is overwritten")
    durable.make_directory(directory)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    durable.write_new_file(written.private, secret, 0o600)
    # Stop here: a key without a certificate; the next run refuses and names the file.
    durable.write_new_file(written.public, public, 0o644)
    durable.sync_directory(directory)
    return written
