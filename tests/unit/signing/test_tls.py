"""Certificates: whom they are for, how long they live, who can read their keys."""

import datetime as dt
import ipaddress
import ssl
import stat

import pytest
from cryptography import x509

from qed.errors import ConflictError, MalformedError
from qed.signing import tls

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
HOSTS = ["log.example.org", "127.0.0.1"]


def test_a_self_signed_certificate_names_its_hosts_and_lives_for_a_year(tmp_path):
    written = tls.create_self_signed(tmp_path / "new", HOSTS, now=NOW)

    certificate = x509.load_pem_x509_certificate(written.public.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["log.example.org"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("127.0.0.1")]
    assert certificate.not_valid_after_utc - NOW == dt.timedelta(days=365)
    assert certificate.not_valid_before_utc < NOW


def test_certificate_and_key_belong_together(tmp_path):
    written = tls.create_self_signed(tmp_path, HOSTS, now=NOW)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(written.public, written.private)


def test_the_key_is_private_and_the_certificate_is_not(tmp_path):
    written = tls.create_self_signed(tmp_path, HOSTS, now=NOW)

    assert stat.S_IMODE(written.private.stat().st_mode) == 0o600
    assert stat.S_IMODE(written.public.stat().st_mode) == 0o644


def test_a_request_names_its_hosts_and_is_signed(tmp_path):
    written = tls.create_request(tmp_path, HOSTS)

    request = x509.load_pem_x509_csr(written.public.read_bytes())
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert request.is_signature_valid
    assert names.get_values_for_type(x509.DNSName) == ["log.example.org"]


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "qed_cert.pem").write_bytes(b"mine")

    with pytest.raises(ConflictError, match="exists already"):
        tls.create_self_signed(tmp_path, HOSTS, now=NOW)

    assert [entry.name for entry in tmp_path.iterdir()] == ["qed_cert.pem"]


@pytest.mark.parametrize("host", ["", "a b", "http://a", "a:1", "ä.example"])
def test_what_is_no_host_is_refused(tmp_path, host):
    with pytest.raises(MalformedError, match="is not a host"):
        tls.create_request(tmp_path, [host])

    assert list(tmp_path.iterdir()) == []
