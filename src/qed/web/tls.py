"""TLS for a server: its three flags, version 1.2 or later, a chain and its key from PEM files."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Protocol

from qed.errors import ConflictError, MalformedError, NotFoundError


class TlsFlags(Protocol):
    """What a program with a port that may have TLS is told at its start."""

    @property
    def enable_tls(self) -> bool:
        """`--enable-tls`."""

    @property
    def tls_cert_path(self) -> Path | None:
        """`--tls-cert-path`."""

    @property
    def tls_key_path(self) -> Path | None:
        """`--tls-key-path`."""


def check_tls_flags(flags: TlsFlags) -> None:
    """Refuse TLS without a certificate, or a certificate that nothing would use; touch no file.

    Raises:
        MalformedError: they contradict each other.
    """
    named = [path for path in (flags.tls_cert_path, flags.tls_key_path) if path is not None]
    if flags.enable_tls and len(named) < 2:  # noqa: PLR2004  # a certificate and its key
        raise MalformedError(
            "--enable-tls needs a certificate and its key",
            hint="add --tls-cert-path and --tls-key-path",
        )
    if named and not flags.enable_tls:
        raise MalformedError(
            "a TLS certificate is named but TLS is not enabled", hint="add --enable-tls"
        )


def open_tls(flags: TlsFlags) -> ssl.SSLContext | None:
    """Return the context that checked flags ask for, None without TLS; as `server_context`."""
    if not flags.enable_tls or flags.tls_cert_path is None or flags.tls_key_path is None:
        return None
    return server_context(flags.tls_cert_path, flags.tls_key_path)


def server_context(certificate_path: Path, key_path: Path) -> ssl.SSLContext:
    """Return the context of a server that proves itself by this certificate.

    A file that is missing or unreadable, or a key that is not the certificate's, is said with the
    file's name; the key's bytes are never part of a message.
    """
    for what, path in (("certificate", certificate_path), ("key", key_path)):
        _check_readable(what, path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate_path, key_path, password=_refuse_password)
    except ssl.SSLError as error:
        reason = error.reason or "not PEM"
        raise MalformedError(
            f"the TLS certificate {certificate_path} and the key {key_path} do not make a pair: "
            f"{reason.lower().replace('_', ' ')}",
            hint="both are PEM files: the certificate chain, and the private key of its first one",
        ) from error
    return context


def _check_readable(what: str, path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise NotFoundError(f"the TLS {what} {path} does not exist") from error
    except OSError as error:
        raise ConflictError(f"cannot read the TLS {what} {path}: {error.strerror}") from error


def _refuse_password() -> str:
    # Without this OpenSSL asks on the terminal and the start hangs.
    raise ConflictError("the TLS key is protected by a password", hint="decrypt the key file first")
