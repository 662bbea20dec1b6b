r"""Blinded events: a digest that says nothing about an event that could be guessed.

A plain digest of one of a million possible events tells which it is. A blinded one does not:

    HMAC-SHA256(secret, "qed/blind/v1\n" || event)

- With a **salt**, 32 random bytes of its own an event: it proves presence to whoever is shown the
  salt and the event. Deleting the salt erases: nobody can tell any more what the digest stands for.
  It can prove no absence, since a fresh salt is always absent.
- With an **owner's key**, 32 bytes for all events: presence, newest and absence relative to that
  key, whose fingerprint a verifier pins beforehand. Equal events are linkable; deleting the key
  erases them all.

The event and its plain digest never leave the client.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path
from typing import Final

from qed import durable
from qed.errors import ConflictError, MalformedError

SECRET_BYTES: Final = 32
TAG: Final = b"qed/blind/v1\n"
KEY_TAG: Final = b"qed/blind-key/v1\n"


def blind(secret: bytes, event: bytes) -> bytes:
    """Return the digest that stands for an event under a salt or a key of 32 bytes.

    Raises:
        MalformedError: another number of bytes, or an empty event.
    """
    _check_secret(secret, "a salt or key")
    if not event:
        raise MalformedError("the event is empty; an event has at least one byte")
    return hmac.digest(secret, TAG + event, "sha256")


def fingerprint(key: bytes) -> str:
    r"""Return what a verifier pins of an owner's key: hex of SHA-256("qed/blind-key/v1\n" || key).

    It gives nothing of the key away, and two keys have different ones.
    """
    return hashlib.sha256(KEY_TAG + _check_secret(key, "a key")).hexdigest()


def draw_salt() -> bytes:
    """Return 32 random bytes, for one event."""
    return os.urandom(SECRET_BYTES)


def create_salt_file(path: Path, salt: bytes | None = None) -> bytes:
    """Write a salt (a fresh one, unless it was drawn before) into a new file, 0600, and return it.

    It is durable when this returns: without it the digest is worth nothing.

    Raises:
        ConflictError: something is there already; it stays as it is.
        StorageError: it cannot be written.
    """
    salt = draw_salt() if salt is None else _check_secret(salt, "a salt")
    if not durable.is_directory(path.parent):
        raise ConflictError(f"{path.parent} is no directory")
    try:
        durable.write_new_file(path, salt, 0o600)
    except ConflictError as error:
        raise ConflictError(
            f"{path} exists already; a salt is never overwritten",
            hint="each event has a salt of its own: name another file",
        ) from error
    durable.sync_directory(path.parent)
    return salt


def read_salt(path: Path) -> bytes:
    """Return the salt of a file; MalformedError unless it holds exactly 32 bytes."""
    return _read(path, "a salt")


def read_blind_key(path: Path) -> bytes:
    """Return the owner's key of a file; MalformedError unless it holds exactly 32 bytes."""
    return _read(path, "a blinding key")


def _read(path: Path, what: str) -> bytes:
    try:
        data = durable.read_file(path, SECRET_BYTES)
    except ConflictError as error:
        raise MalformedError(
            f"{path} is not {what}: it holds more than {SECRET_BYTES} bytes"
        ) from error
    if len(data) != SECRET_BYTES:
        raise MalformedError(f"{path} is not {what}: it holds {len(data)}, not {SECRET_BYTES}")
    return data


def _check_secret(secret: bytes, what: str) -> bytes:
    if len(secret) != SECRET_BYTES:
        raise MalformedError(f"{what} has {SECRET_BYTES} bytes, not {len(secret)}")
    return secret
