"""One field's value out of parsed JSON: integers, digests, byte strings, texts.

`read_` functions take what `json_text` parsed and the field's name, which is only for the sentence
of the MalformedError that they raise. Nothing here is coerced: a boolean is no number, a number in
quotes is none either.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence

from qed.errors import MalformedError
from qed.trees.values import DIGEST_BYTES
from qed.wire.bounds import MAX_U64
from qed.wire.json_text import OtherNumber


def format_base64(value: bytes) -> str:
    """Return standard base64 with padding, on one line."""
    return binascii.b2a_base64(value, newline=False).decode("ascii")


def read_u64(value: object, name: str) -> int:
    """Return an integer from 0 to 2^64 - 1, written as one (not `1.0`, `1e3`, `-0`, `true`)."""
    # `type is`: a boolean is an instance of int.
    if type(value) is int and value <= MAX_U64:
        return value
    shown = f"{value.text[:32]} " if isinstance(value, OtherNumber) else ""
    raise MalformedError(f"{name} {shown}is not an integer from 0 to 2^64 - 1")


def read_bool(value: object, name: str) -> bool:
    """Return a boolean."""
    if isinstance(value, bool):
        return value
    raise MalformedError(f"{name} is neither true nor false")


def read_text(value: object, name: str) -> str:
    """Return a text."""
    if isinstance(value, str):
        return value
    raise MalformedError(f"{name} is not a text")


def read_bytes(value: object, name: str) -> bytes:
    """Return the bytes of standard base64 in its one canonical form.

    Raises:
        MalformedError: not a text, not base64, or base64 that formats back to another text: line
            breaks inside, or bits set that belong to no byte.
    """
    text = read_text(value, name)
    decoded = _decode_base64(text, name)
    if format_base64(decoded) != text:
        raise MalformedError(f"{name} is not canonical base64")
    return decoded


def read_bytes_leniently(value: object, name: str) -> bytes:
    """Return the bytes of base64 as Go reads it: line breaks inside it are passed over."""
    text = read_text(value, name)
    if "\n" in text or "\r" in text:
        text = text.replace("\n", "").replace("\r", "")
    return _decode_base64(text, name)


def read_digest(value: object, name: str) -> bytes:
    """Return a digest of 32 bytes from its canonical base64."""
    return check_digest(read_bytes(value, name), name)


def check_digest(value: bytes, name: str) -> bytes:
    """Return the bytes given when there are 32 of them."""
    if len(value) != DIGEST_BYTES:
        raise MalformedError(f"{name} has {len(value)} bytes; a digest has {DIGEST_BYTES}")
    return value


def read_list(value: object, name: str) -> list[object]:
    """Return a list."""
    if isinstance(value, list):
        return value
    raise MalformedError(f"{name} is not a list")


def read_object(value: object, name: str) -> dict[str, object]:
    """Return an object of an answer, whatever its fields are."""
    if isinstance(value, dict):
        return value
    raise MalformedError(f"{name} is not an object")


def read_exact(
    value: object, name: str, required: Sequence[str], optional: Sequence[str] = ()
) -> Mapping[str, object]:
    """Return an object that has every required field and none beside those and the optional."""
    fields = read_object(value, name)
    for field in required:
        if field not in fields:
            raise MalformedError(f"{name} has no field {field}")
    for field in fields:
        if field not in required and field not in optional:
            raise MalformedError(f"{name} has an unknown field {field[:64]!r}")
    return fields


def _decode_base64(text: str, name: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        # binascii.Error is a ValueError, and so is the complaint about characters beyond ASCII.
        raise MalformedError(f"{name} is not standard base64 with padding") from None
