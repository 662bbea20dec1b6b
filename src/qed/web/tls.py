"""TLS for a server: version 1.2 or later, a certificate chain and its key from PEM files."""

from __future__ import annotations

import ssl
from pathlib import Path

from qed.errors import ConflictError, MalformedError, NotFoundError


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
