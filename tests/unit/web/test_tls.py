from __future__ import annotations

import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from qed.errors import ConflictError, MalformedError, NotFoundError
from qed.web.tls import check_tls_flags, open_tls, server_context
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


@dataclass(frozen=True, slots=True)
class Flags:
    """The three flags of a program; nothing is enabled without."""

    enable_tls: bool = False
    tls_cert_path: Path | None = None
    tls_key_path: Path | None = None


PEM = Path("one.pem")


@pytest.mark.parametrize("flags", [Flags(), Flags(True, PEM, PEM)])  # noqa: FBT003
def test_flags_that_agree_are_taken(flags: Flags) -> None:
    check_tls_flags(flags)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (Flags(enable_tls=True), "needs a certificate and its key"),
        (Flags(enable_tls=True, tls_cert_path=PEM), "needs a certificate and its key"),
        (Flags(enable_tls=True, tls_key_path=PEM), "needs a certificate and its key"),
        (Flags(tls_cert_path=PEM, tls_key_path=PEM), "TLS is not enabled"),
        (Flags(tls_key_path=PEM), "TLS is not enabled"),
    ],
)
def test_flags_that_contradict_each_other_are_refused(flags: Flags, said: str) -> None:
    with pytest.raises(MalformedError, match=said) as caught:
        check_tls_flags(flags)
    assert caught.value.hint


def test_a_context_is_opened_where_tls_is_enabled(certificate: tuple[Path, Path]) -> None:
    assert open_tls(Flags()) is None
    assert open_tls(Flags(True, *certificate)) is not None  # noqa: FBT003
