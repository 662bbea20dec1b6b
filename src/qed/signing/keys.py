"""Ed25519 key files: read in three forms, made in one, never overwritten.

| form | bytes | written by |
| --- | --- | --- |
| raw | seed 32, public half 32 | QED and this program (`qed_ed25519`; `.pub` holds the half) |
| PEM | PKCS8, not encrypted | openssl |
| note | `PRIVATE+KEY+<name>+<key id>+<base64 of 0x01, seed 32>` | golang.org/x/mod/sumdb/note |

The secret half leaves this module only inside `PrivateKey`, whose text form shows the public half.
Sources: SPEC 8 "Keys"; c2sp.org/signed-note for the third form.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import errno
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from qed import durable
from qed.errors import ConflictError, DamagedError, NotFoundError, StorageError

KEY_NAME = "qed_ed25519"
KEY_FILE_LIMIT_BYTES = 16 * 1024
SEED_BYTES = 32
RAW_BYTES = 64

_NOTE_PREFIX = b"PRIVATE+KEY+"
_NOTE_ED25519 = b"\x01"
_NOTE_KEY_ID_BYTES = 4
_FIRST_BEYOND_ASCII = 0x80
_FORMS_HINT = (
    "a key file holds 64 raw bytes (qed generate signerkeys), a PEM private key, or a note key"
)


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """An Ed25519 key; `name` is the one that a note key carries, else empty."""

    seed: bytes = field(repr=False)
    public: bytes
    name: str = ""


@dataclass(frozen=True, slots=True)
class OpenedKey:
    """What `open_private_key` found: whether it made the key, and whether others can read it."""

    path: Path
    key: PrivateKey
    created: bool
    exposed: bool


def default_key_path(db_path: Path) -> Path:
    """Return the place of a database's key: beside the database, never inside it.

    A restore by RocksDB's own tools wipes every file of its target.
    """
    resolved = Path(os.path.abspath(db_path))  # noqa: PTH100 - links are kept: a mount may be one
    return resolved.with_name(f"{resolved.name}.keys") / KEY_NAME


def public_key_path(path: Path) -> Path:
    """Return the name of the public half that lies beside a key file."""
    return path.with_name(f"{path.name}.pub")


def format_public(public: bytes) -> str:
    """Return a public half as people compare it: 64 lower-case hex digits."""
    return public.hex()


def open_private_key(path: Path) -> OpenedKey:
    """Read the key of a path, or make it when there is no such file.

    Errors: as `read_private_key` and `create_private_key`.
    """
    try:
        key, created = read_private_key(path), False
    except NotFoundError:
        key, created = create_private_key(path), True
    return OpenedKey(path, key, created, exposed=not durable.is_private(path))


def read_private_key(path: Path) -> PrivateKey:
    """Return the key of a file in any of the three forms, whatever the file's mode.

    Errors: NotFoundError without such a file, ConflictError when it is no private key that we can
    use, DamagedError when it is one and contradicts itself.
    """
    with durable.storage_errors("look at", path):
        in_the_way = path.exists() and not path.is_file()
    if in_the_way:  # reading from a pipe would wait for ever
        raise ConflictError(f"{path} is not a file", hint=_FORMS_HINT)
    data = durable.read_file(path, KEY_FILE_LIMIT_BYTES)
    if len(data) == RAW_BYTES:
        return _parse_raw(data, path)
    if data.startswith(_NOTE_PREFIX):
        return _parse_note(data, path)
    if data.lstrip().startswith(b"-----BEGIN "):
        return _parse_pem(data, path)
    raise ConflictError(f"{path} is not a private key ({len(data)} bytes)", hint=_FORMS_HINT)


def is_private_key(data: bytes) -> bool:
    """Return whether bytes are a private key in one of the three forms, as they begin or measure.

    64 bytes are the raw form where they are no text: a file of text may have that length too.
    """
    text = data.lstrip()
    if text.startswith(_NOTE_PREFIX):
        return True
    if text.startswith(b"-----BEGIN "):
        return b"PRIVATE KEY-----" in text.partition(b"\n")[0]
    return len(data) == RAW_BYTES and any(byte >= _FIRST_BEYOND_ASCII for byte in data)


def create_private_key(path: Path) -> PrivateKey:
    """Make a key file (0600) and its public half (0644), both durable.

    Errors: ConflictError when a key, or a public half without its key, is there already.
    """
    public_path = public_key_path(path)
    if durable.exists(path) or durable.is_link(path):
        raise ConflictError(f"{path} exists already; a key is never overwritten")
    if durable.exists(public_path):
        raise ConflictError(
            f"{public_path} exists, but its private key {path} does not",
            hint="bring the private key back, or move the public half away",
        )
    seed = os.urandom(SEED_BYTES)
    public = _public_half(seed)
    write_key_file(path, seed + public)
    # Stop here: the key exists without its `.pub`; every reader of the key can make that again.
    durable.write_file(public_path, public, 0o644)
    return read_private_key(path)


def write_key_file(path: Path, data: bytes) -> None:
    """Write a secret (0600) under a name that must be free; at once all of it is there, durably.

    Errors: ConflictError when the name is taken.
    """
    durable.make_directory(path.parent, 0o700)
    temporary = durable.temporary_name(path)
    # One that a crash left may be another name of a key that was moved since: never write into it.
    durable.remove_file(temporary)
    durable.write_new_file(temporary, data, 0o600)
    try:
        # Stop here: no key exists, and the next run makes another one.
        _link(temporary, path)
    finally:
        # What stays is this key under a second name, as private as the first; see above.
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    durable.sync_directory(path.parent)


def _link(source: Path, target: Path) -> None:
    """Give a complete file its final name, unless that name is taken."""
    try:
        with durable.storage_errors("create", target):
            os.link(source, target)
    except StorageError as error:
        if error.errno == errno.EEXIST:
            raise ConflictError(f"{target} exists already; a key is never overwritten") from error
        raise


def _public_half(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def _parse_raw(data: bytes, path: Path) -> PrivateKey:
    seed, public = data[:SEED_BYTES], data[SEED_BYTES:]
    if _public_half(seed) != public:
        raise DamagedError(
            f"{path} contradicts itself: its public half does not belong to its seed",
            hint="bring the file back from a copy",
        )
    return PrivateKey(seed, public)


def _parse_pem(data: bytes, path: Path) -> PrivateKey:
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError as error:
        raise ConflictError(
            f"{path} is encrypted, which is not supported", hint=_FORMS_HINT
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConflictError(
            f"{path} does not parse as a PEM private key", hint=_FORMS_HINT
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConflictError(f"{path} holds a key that is not Ed25519", hint=_FORMS_HINT)
    return PrivateKey(key.private_bytes_raw(), key.public_key().public_bytes_raw())


def _parse_note(data: bytes, path: Path) -> PrivateKey:
    """Read a note key: five parts between plus signs, the last one base64 that may hold more."""
    refused = ConflictError(f"{path} does not parse as a note key", hint=_FORMS_HINT)
    line = data.removesuffix(b"\n")
    parts = line.split(b"+", 4)
    try:
        name = parts[2].decode()
        key_id = bytes.fromhex(parts[3].decode("ascii"))
        secret = base64.b64decode(parts[4], validate=True)
    except (IndexError, ValueError, binascii.Error) as error:
        raise refused from error
    if not name or any(character.isspace() or not character.isprintable() for character in name):
        raise refused
    if secret[:1] != _NOTE_ED25519 or len(secret) != 1 + SEED_BYTES:
        raise ConflictError(f"{path} holds a key that is not Ed25519", hint=_FORMS_HINT)
    again = b"+".join(
        [b"PRIVATE", b"KEY", parts[2], key_id.hex().encode(), base64.b64encode(secret)]
    )
    if again != line:
        raise refused
    key = PrivateKey(secret[1:], _public_half(secret[1:]), name)
    if note_key_id(name, key.public) != key_id:
        raise DamagedError(
            f"{path} contradicts itself: its key id belongs to another key",
            hint="bring the file back from a copy",
        )
    return key


def note_key_id(name: str, public: bytes) -> bytes:
    """Return the 4 bytes by which a signed note names an Ed25519 key.

    Source: c2sp.org/signed-note: SHA-256 of the name, a newline, 0x01 and the public half.
    """
    preimage = name.encode() + b"\n" + _NOTE_ED25519 + public
    return hashlib.sha256(preimage).digest()[:_NOTE_KEY_ID_BYTES]
