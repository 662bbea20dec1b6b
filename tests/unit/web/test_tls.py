from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from qed.errors import ConflictError, MalformedError, NotFoundError
from qed.web.tls import server_context
from unit.web.conftest import make_certificate


def test_nothing_older_than_1_2(certificate: tuple[Path, Path]) -> None:
    context = server_context(*certificate)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    ours, theirs = socket.socketpair()
    with ours, theirs:
        refusals: list[ssl.SSLError] = []

        def serve() -> None:
            try:
                context.wrap_socket(ours, server_side=True)
            except ssl.SSLError as error:
                refusals.append(error)
                ours.close()

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises((ssl.SSLError, OSError)):
            old.wrap_socket(theirs)
        thread.join()
    assert refusals


def test_a_missing_file_is_named(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    with pytest.raises(NotFoundError, match=f"the TLS certificate {missing} does not exist"):
        server_context(missing, certificate[1])
    with pytest.raises(NotFoundError, match=f"the TLS key {missing} does not exist"):
        server_context(certificate[0], missing)


def test_a_directory_is_no_certificate(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ConflictError, match="cannot read the TLS certificate"):
        server_context(tmp_path, certificate[1])


def test_bytes_that_are_no_certificate_are_refused(
    certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_bytes(b"nonsense")
    with pytest.raises(MalformedError, match="do not make a pair"):
        server_context(nonsense, certificate[1])


def test_the_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    first, second = make_certificate(tmp_path, "first"), make_certificate(tmp_path, "second")
    with pytest.raises(MalformedError, match="do not make a pair: key values mismatch"):
        server_context(first[0], second[1])


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(
    certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    key = serialization.load_pem_private_key(certificate[1].read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ConflictError, match="protected by a password"):
        server_context(certificate[0], locked)
