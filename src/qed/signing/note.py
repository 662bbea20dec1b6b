"""Signed notes (c2sp.org/signed-note): a text, and lines that say who signed it.

```
<text, each line of it ended by a newline>
                                                  an empty line
— <key name> <base64 of: key id 4, signature>     one line a signature
```

A note says nothing until a key that the reader trusts has signed it. The name in a signature's line
is not signed, so what a key signs is told apart by its text alone (`origins`). Verifier keys travel
as text too: `<name>+<key id in hex>+<base64 of: algorithm 1, public key>`.

Everything read here was written by somebody else: it is bounded, parsed, formatted again, compared.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from qed.errors import MalformedError, VerificationError
from qed.signing.keys import PrivateKey
from qed.signing.origins import RESERVED

ED25519 = 0x01
ED25519_COSIGNATURE = 0x04
ML_DSA_44_COSIGNATURE = 0x06
PUBLIC_BYTES = {ED25519: 32, ED25519_COSIGNATURE: 32, ML_DSA_44_COSIGNATURE: 1312}

NOTE_LIMIT_BYTES = 1 << 20
SIGNATURE_LIMIT = 64
KEY_ID_BYTES = 4
NAME_LIMIT_BYTES = 255  # of our own names: what a cosignature has room for

_KEY_LIMIT_CHARS = 4096
_DASH = "\N{EM DASH} "
_SPACE = " "  # the first character that is no control character
_KEY_PARTS = 3
_KEY_HINT = "a verifier key is <name>+<8 hex digits>+<base64>, as qed generate signerkeys prints it"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """Whose signature is looked for: a name, an algorithm (`ED25519`, ...) and a public key."""

    name: str
    algorithm: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """Return the 4 bytes by which a signature's line names this key.

        Source: c2sp.org/signed-note, "Signatures".
        """
        preimage = self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public
        return hashlib.sha256(preimage).digest()[:KEY_ID_BYTES]


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature's line: who says that he signed, and what he signed it with."""

    name: str
    key_id: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in a newline, and its signatures in their order; nothing is verified."""

    text: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """A log's key under the name that its notes carry, which is the log's origin.

    The functions that sign with it each make what they sign: `checkpoint`, `snapshot_signature`.
    """

    key: PrivateKey
    name: str

    def __post_init__(self) -> None:
        """Refuse a name that no note can carry, or whose checkpoints could be another text."""
        if (
            not is_key_name(self.name)
            or len(self.name.encode()) > NAME_LIMIT_BYTES
            or self.name.startswith(RESERVED)
        ):
            raise MalformedError(f"{self.name!r} cannot be the name of a log's key")

    @property
    def verifier_key(self) -> VerifierKey:
        """Return what others verify this signer's notes with."""
        return VerifierKey(self.name, ED25519, self.key.public)


# Names and keys


def is_key_name(name: str) -> bool:
    """Say whether a key can have this name: not empty, no spaces, `+` or control characters."""
    return name != "" and not any(
        character == "+"
        or character.isspace()
        or character < _SPACE
        or "\ud800" <= character <= "\udfff"  # no character, and nothing that UTF-8 has
        for character in name
    )


def format_verifier_key(key: VerifierKey) -> str:
    """Return a verifier key as people and other programs pass it on."""
    public = _format_base64(bytes([key.algorithm]) + key.public)
    return f"{key.name}+{key.key_id.hex()}+{public}"


def parse_verifier_key(text: str) -> VerifierKey:
    """Return the key that a line says; MalformedError when it is none that we can verify with."""
    refused = MalformedError("this is not a verifier key", hint=_KEY_HINT)
    parts = text.split("+", 2) if len(text) <= _KEY_LIMIT_CHARS else []
    if len(parts) != _KEY_PARTS or not is_key_name(parts[0]):
        raise refused
    data = _parse_base64(parts[2])
    if not data:
        raise refused
    key = VerifierKey(parts[0], data[0], data[1:])
    if key.algorithm not in PUBLIC_BYTES:
        raise MalformedError(
            f"the verifier key of {key.name} is of the unknown algorithm 0x{key.algorithm:02x}",
            hint="known are 0x01 (Ed25519), 0x04 and 0x06 (cosignatures)",
        )
    if len(key.public) != PUBLIC_BYTES[key.algorithm]:
        raise refused
    if format_verifier_key(key) != text:
        raise MalformedError(
            f"the verifier key of {key.name} contradicts itself: its id is another key's",
            hint="copy it again, from where it was printed",
        )
    return key


# Notes


def format_note(note: Note) -> bytes:
    """Return a note's bytes: the text, an empty line, a line for each signature."""
    lines = [
        f"{_DASH}{signature.name} {_format_base64(signature.key_id + signature.data)}\n"
        for signature in note.signatures
    ]
    return f"{note.text}\n{''.join(lines)}".encode()


def parse_note(data: bytes | str) -> Note:
    """Return text and signatures of a note, none of them verified.

    Raises: VerificationError with the step "note" when the bytes are no note, or one of more than
    1 MiB or 64 signatures. Source: c2sp.org/signed-note, "Format".
    """
    text = _decode(data)
    _require(text.endswith("\n"), "it does not end in a newline")
    controls = any(character < _SPACE and character != "\n" for character in text)
    _require(not controls, "it has control characters")
    head, empty_line, tail = text.rpartition("\n\n")
    _require(bool(empty_line), "it has no signatures")
    lines = tail.removesuffix("\n").split("\n")
    _require(0 < len(lines) <= SIGNATURE_LIMIT, f"it has not 1 to {SIGNATURE_LIMIT} signatures")
    note = Note(f"{head}\n", tuple(_parse_signature(line) for line in lines))
    _require(format_note(note) == text.encode(), "it is not written as notes are")
    return note


def _decode(data: bytes | str) -> str:
    """Return a note as text of a bounded length."""
    try:
        raw = data.encode() if isinstance(data, str) else data
        _require(len(raw) <= NOTE_LIMIT_BYTES, f"it has more than {NOTE_LIMIT_BYTES} bytes")
        return raw.decode()
    except UnicodeError:
        raise VerificationError("the note does not parse: it is not UTF-8", step="note") from None


def _parse_signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    _require(line.startswith(_DASH) and bool(space), "a signature's line does not parse")
    _require(is_key_name(name), "a signature has no name")
    data = _parse_base64(encoded)
    _require(data is not None and len(data) > KEY_ID_BYTES, "a signature is not base64")
    return Signature(name, (data or b"")[:KEY_ID_BYTES], (data or b"")[KEY_ID_BYTES:])


# Verification

# Whether a signature's data is that of the key over a note's text.
Check = Callable[[VerifierKey, str, bytes], bool]


def check_ed25519(key: VerifierKey, text: str, data: bytes) -> bool:
    """Say whether `data` is the Ed25519 signature of the text."""
    return is_ed25519_signature(key.public, text.encode(), data)


def is_ed25519_signature(public: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether these 64 bytes are the key's signature of the message. Source: RFC 8032."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


CHECKS: Mapping[int, Check] = {ED25519: check_ed25519}  # with cosignatures: `cosignature.CHECKS`


def verified_signatures(
    note: Note, keys: Sequence[VerifierKey], checks: Mapping[int, Check] = CHECKS
) -> tuple[VerifierKey, ...]:
    """Return which of the keys signed a note: at least one, each once, in the order of `keys`.

    A signature by a key that is not among them is ignored, a false one by a key that is rejects the
    whole note. A key of an algorithm that is not in `checks` is a caller's mistake.

    Raises: VerificationError with the step "signature".
    Source: c2sp.org/signed-note, "Signatures".
    """
    signed = []
    for key in keys:
        key_id = key.key_id
        mine = [one for one in note.signatures if (one.name, one.key_id) == (key.name, key_id)]
        for signature in mine:
            if not checks[key.algorithm](key, note.text, signature.data):
                raise VerificationError(
                    f"the signature of {key.name} is not of this text", step="signature"
                )
        if mine and key not in signed:
            signed.append(key)
    if not signed:
        names = ", ".join(sorted({key.name for key in keys})) or "no key"
        raise VerificationError(f"the note is not signed by {names}", step="signature")
    return tuple(signed)


def _format_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _parse_base64(text: str) -> bytes | None:
    """Return the bytes of canonical base64 (RFC 4648, section 4), else None."""
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    return data if _format_base64(data) == text else None


def _require(holds: bool, message: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise VerificationError(f"the note does not parse: {message}", step="note")
