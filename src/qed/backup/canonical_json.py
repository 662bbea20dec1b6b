"""Our own small files: one JSON object in one form, that says itself whether it is whole. Pure.

Names sorted, no spaces, ASCII, a newline at the end. `check` is the SHA-256, in hex, of the same
text without it, so that a flipped byte anywhere is seen; it protects against accidents only.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence

from qed.errors import MalformedError, NewerFormatError

Fields = Mapping[str, object]

_HEX = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)


def encode_document(fields: Fields) -> bytes:
    """Return the bytes of a document, its `check` included."""
    return _encode({**fields, "check": hashlib.sha256(_encode(fields)).hexdigest()})


def _encode(fields: Fields) -> bytes:
    return (json.dumps(fields, sort_keys=True, separators=(",", ":")) + "\n").encode("ascii")


def decode_document(data: bytes, *, newest_format: int, names: Sequence[str]) -> Fields:
    """Return the fields of a document that has exactly these names and a right `check`.

    Raises:
        NewerFormatError: its `format` is above `newest_format`.
        MalformedError: for every other input that `encode_document` cannot have returned.
    """
    try:
        document = json.loads(data.decode("ascii"))
    except (ValueError, RecursionError):
        raise MalformedError("it is not JSON in ASCII") from None
    if not isinstance(document, dict):
        raise MalformedError("it is not a JSON object")
    fields = {name: value for name, value in document.items() if name != "check"}
    check = hashlib.sha256(_encode(fields)).hexdigest()
    # Comparing the bytes also refuses repeated names, other spaces and numbers like 1.0.
    if document.get("check") != check or _encode(document) != data:
        raise MalformedError("its bytes contradict its check: it was changed or cut")
    if read_int(fields, "format") > newest_format:
        raise NewerFormatError(f"it is of format {fields['format']}, newer than {newest_format}")
    if sorted(fields) != sorted(names):
        raise MalformedError("it has other fields than its format has")
    return fields


def read_int(fields: Fields, name: str) -> int:
    """Return an integer from 0 to 2^64 - 1."""
    value = fields.get(name)
    if type(value) is not int or not 0 <= value < 2**64:  # a boolean is an instance of int
        raise MalformedError(f"its {name} is not an integer from 0 to 2^64 - 1")
    return value


def read_optional_int(fields: Fields, name: str) -> int | None:
    """Return an integer, or None where null stands."""
    return None if fields.get(name) is None else read_int(fields, name)


def read_ints(fields: Fields, name: str) -> list[int]:
    """Return a list of integers from 0 to 2^64 - 1."""
    value = fields.get(name)
    if not isinstance(value, list):
        raise MalformedError(f"its {name} is not a list")
    return [read_int({name: item}, name) for item in value]


def read_text(fields: Fields, name: str) -> str:
    """Return a text."""
    value = fields.get(name)
    if not isinstance(value, str):
        raise MalformedError(f"its {name} is not a text")
    return value


def read_hex(fields: Fields, name: str, size_bytes: int) -> bytes:
    """Return bytes of the given number, written in lower-case hex."""
    text = read_text(fields, name)
    if len(text) != 2 * size_bytes or not _HEX.fullmatch(text):
        raise MalformedError(f"its {name} is not {size_bytes} bytes in hex")
    return bytes.fromhex(text)


def read_optional_hex(fields: Fields, name: str, size_bytes: int) -> bytes | None:
    """Return bytes, or None where null stands."""
    return None if fields.get(name) is None else read_hex(fields, name, size_bytes)


def read_objects(fields: Fields, name: str, names: Sequence[str]) -> list[Fields]:
    """Return a list of objects that have exactly these names."""
    value = fields.get(name)
    if not isinstance(value, list):
        raise MalformedError(f"its {name} is not a list")
    for item in value:
        if not isinstance(item, dict) or sorted(item) != sorted(names):
            raise MalformedError(f"an item of its {name} has other fields than it must have")
    return value


def read_optional_object(fields: Fields, name: str, names: Sequence[str]) -> Fields | None:
    """Return an object that has exactly these names, or None where null stands."""
    if fields.get(name) is None:
        return None
    return read_objects({name: [fields[name]]}, name, names)[0]


def read_names(fields: Fields, name: str) -> list[str]:
    """Return a list of texts."""
    value = fields.get(name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise MalformedError(f"its {name} is not a list of texts")
    return value


def format_hex(value: bytes | None) -> str | None:
    """Return bytes in hex, None as null."""
    return None if value is None else value.hex()
