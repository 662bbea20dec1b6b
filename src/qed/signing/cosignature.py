r"""Cosignatures (c2sp.org/tlog-cosignature): a second voice for a checkpoint, with the time.

Whoever cosigns says: as of this time, this is the largest tree of that log which I have seen, and
it is consistent with all that I saw before. Two kinds are verified, one is made here:

| algorithm | what is signed | by |
| --- | --- | --- |
| 0x04 | `cosignature/v1` `\n` `time <seconds>` `\n` and the note's text | Ed25519 |
| 0x06 | the structure below, which names the cosigner and the log | ML-DSA-44 |

```
"subtree/v1" "\n" "\0"   u8 length, cosigner's name   u64 time
u8 length, origin   u64 start   u64 end   root 32
```

The signature's data is `u64 time || signature`. Start is 0 and end the size: a checkpoint. A log
may have such a cosigner of its own, so that its checkpoints hold against a quantum computer too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from qed import durable
from qed.errors import ConflictError, MalformedError, NotFoundError
from qed.signing import keys
from qed.signing.checkpoint import Checkpoint, parse_checkpoint_text
from qed.signing.note import (
    ED25519,
    ED25519_COSIGNATURE,
    ML_DSA_44_COSIGNATURE,
    NAME_LIMIT_BYTES,
    Check,
    Signature,
    VerifierKey,
    check_ed25519,
    is_ed25519_signature,
    is_key_name,
)
from qed.signing.origins import RESERVED

KEY_NAME = "qed_ml_dsa_44"
TIMESTAMP_BYTES = 8
TIMESTAMP_LIMIT = 1 << 63  # times are numbers below it

_LABEL = b"subtree/v1\n\x00"
_KEY_HINT = "qed generate cosignerkey makes one"


@dataclass(frozen=True, slots=True)
class Cosigner:
    """An ML-DSA-44 key under a name of its own."""

    name: str
    key: MLDSA44PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a name that no cosignature can carry."""
        check_cosigner_name(self.name)

    @property
    def verifier_key(self) -> VerifierKey:
        """Return what others verify these cosignatures with."""
        public = self.key.public_key().public_bytes_raw()
        return VerifierKey(self.name, ML_DSA_44_COSIGNATURE, public)

    def cosign(self, checkpoint: Checkpoint, timestamp_s: int) -> Signature:
        """Return the cosignature of a checkpoint as of a time, in seconds since 1970."""
        return cosign(checkpoint, self.name, self.key, timestamp_s)


@dataclass(frozen=True, slots=True)
class OpenedCosignerKey:
    """What `open_cosigner_key` found: whether it made the key, and whether others can read it."""

    path: Path
    key: MLDSA44PrivateKey = field(repr=False)
    created: bool
    exposed: bool


# Cosignatures


def check_cosigner_name(name: str) -> str:
    """Return a name that a cosigner can have; MalformedError for any other text."""
    if not is_key_name(name) or len(name.encode()) > NAME_LIMIT_BYTES or name.startswith(RESERVED):
        raise MalformedError(
            f"{name!r} cannot be the name of a cosigner: at most {NAME_LIMIT_BYTES} bytes "
            "without spaces, '+' or control characters, not beginning with 'qed/'"
        )
    return name


def cosign(
    checkpoint: Checkpoint, name: str, key: MLDSA44PrivateKey, timestamp_s: int
) -> Signature:
    """Return the ML-DSA-44 cosignature of a checkpoint, a line for its note.

    Cost: 0.5 ms. Source: c2sp.org/tlog-cosignature, "ML-DSA-44 signed message".
    """
    if not 0 <= timestamp_s < TIMESTAMP_LIMIT:
        raise ValueError(f"{timestamp_s} is no time of a cosignature")
    signature = key.sign(_encode_message(name, timestamp_s, checkpoint))
    data = timestamp_s.to_bytes(TIMESTAMP_BYTES, "big") + signature
    verifier_key = VerifierKey(name, ML_DSA_44_COSIGNATURE, key.public_key().public_bytes_raw())
    return Signature(name, verifier_key.key_id, data)


def timestamp_s(data: bytes) -> int:
    """Return the time that a cosignature says, in seconds since 1970."""
    return int.from_bytes(data[:TIMESTAMP_BYTES], "big")


def check_ed25519_cosignature(key: VerifierKey, text: str, data: bytes) -> bool:
    """Say whether `data` is the key's Ed25519 cosignature (0x04) of a note's text."""
    time_s = timestamp_s(data)
    message = f"cosignature/v1\ntime {time_s}\n{text}".encode()
    return time_s < TIMESTAMP_LIMIT and is_ed25519_signature(
        key.public, message, data[TIMESTAMP_BYTES:]
    )


def check_ml_dsa_44_cosignature(key: VerifierKey, text: str, data: bytes) -> bool:
    """Say whether `data` is the key's ML-DSA-44 cosignature (0x06) of a checkpoint's text.

    A text that is no checkpoint is a VerificationError. Cost: 0.1 ms.
    """
    checkpoint = parse_checkpoint_text(text)
    time_s = timestamp_s(data)
    if time_s >= TIMESTAMP_LIMIT or len(key.name.encode()) > NAME_LIMIT_BYTES:
        return False
    if len(checkpoint.origin.encode()) > NAME_LIMIT_BYTES:
        return False
    message = _encode_message(key.name, time_s, checkpoint)
    try:
        MLDSA44PublicKey.from_public_bytes(key.public).verify(data[TIMESTAMP_BYTES:], message)
    except (InvalidSignature, ValueError):
        return False
    except UnsupportedAlgorithm as error:
        raise _unsupported() from error
    return True


# Of every kind of key that can stand in a policy.
CHECKS: Mapping[int, Check] = {
    ED25519: check_ed25519,
    ED25519_COSIGNATURE: check_ed25519_cosignature,
    ML_DSA_44_COSIGNATURE: check_ml_dsa_44_cosignature,
}


def _encode_message(name: str, timestamp_s: int, checkpoint: Checkpoint) -> bytes:
    return b"".join(
        [
            _LABEL,
            _encode_name(name),
            timestamp_s.to_bytes(8, "big"),
            _encode_name(checkpoint.origin),
            (0).to_bytes(8, "big"),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        ]
    )


def _encode_name(name: str) -> bytes:
    data = name.encode()
    return len(data).to_bytes(1, "big") + data


# Key files


def open_cosigner_key(path: Path) -> OpenedCosignerKey:
    """Read the ML-DSA-44 key of a path, or make it when there is no such file.

    Errors: as `read_cosigner_key` and `create_cosigner_key`.
    """
    try:
        key, created = read_cosigner_key(path), False
    except NotFoundError:
        key, created = create_cosigner_key(path), True
    return OpenedCosignerKey(path, key, created, exposed=not durable.is_private(path))


def read_cosigner_key(path: Path) -> MLDSA44PrivateKey:
    """Return the ML-DSA-44 key of a PEM file (PKCS8, not encrypted), whatever the file's mode.

    Errors: NotFoundError without such a file, ConflictError when it is not such a key.
    """
    with durable.storage_errors("look at", path):
        in_the_way = path.exists() and not path.is_file()
    if in_the_way:  # reading from a pipe would wait for ever
        raise ConflictError(f"{path} is not a file", hint=_KEY_HINT)
    data = durable.read_file(path, keys.KEY_FILE_LIMIT_BYTES)
    try:
        key = load_pem_private_key(data, password=None)
    except (TypeError, ValueError) as error:
        raise ConflictError(
            f"{path} is not an ML-DSA-44 key in PEM without a password", hint=_KEY_HINT
        ) from error
    except UnsupportedAlgorithm as error:
        raise _unsupported() from error
    if not isinstance(key, MLDSA44PrivateKey):
        raise ConflictError(f"{path} holds a key that is not ML-DSA-44", hint=_KEY_HINT)
    return key


def create_cosigner_key(path: Path) -> MLDSA44PrivateKey:
    """Make a key file (0600, PEM), durable and never in the place of another file.

    Errors: ConflictError when the name is taken.
    """
    if durable.exists(path) or durable.is_link(path):
        raise ConflictError(f"{path} exists already; a key is never overwritten")
    try:
        key = MLDSA44PrivateKey.generate()
    except UnsupportedAlgorithm as error:
        raise _unsupported() from error
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    keys.write_key_file(path, data)
    return read_cosigner_key(path)


def _unsupported() -> ConflictError:
    return ConflictError(
        "this build of the package cryptography has no ML-DSA-44", hint="install one of its wheels"
    )
