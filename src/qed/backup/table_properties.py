"""What a table file says of its origin: the session that made it and its first number. Pure.

A block-based table ends in a footer of 53 bytes: checksum type (1) || two handles (varint64 offset
and size each), the first being the metaindex's, padded to 40 || u32 format version || u64 magic,
little-endian. A block is a run of entries (varint32 shared, varint32 own, varint32 length of the
value, the key's rest, the value), then restart points and their u32 count; five bytes of
compression type and checksum follow it. The metaindex has the handle of `rocksdb.properties`.
Source: RocksDB `table/format.cc`, `table/meta_blocks.cc`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from qed.errors import MalformedError

ReadAt = Callable[[int, int], bytes]  # offset, length -> exactly that many bytes

_MAGIC = 0x88E241B785F4CFF7
_FOOTER_BYTES = 53
_TRAILER_BYTES = 5
_BLOCK_LIMIT_BYTES = 1024 * 1024
_FORMATS = range(1, 6)  # 6 draws its footer differently; nothing of ours is written in it
_PROPERTIES = b"rocksdb.properties"
_SESSION = b"rocksdb.creating.session.identity"
_NUMBER = b"rocksdb.original.file.number"
_SESSION_FORM = re.compile(rb"[0-9A-Z]{1,64}")
_VARINT_BYTES = 10


@dataclass(frozen=True, slots=True)
class TableOrigin:
    """Where a table was made. Both are None in tables older than these properties."""

    session: str | None
    number: int | None


def read_table_origin(read: ReadAt, size_bytes: int) -> TableOrigin:
    """Return the origin that a table's properties name; three reads, of at most 1 MiB each.

    Raises:
        MalformedError: the bytes are not a block-based table of format 1 to 5.
    """
    if size_bytes < _FOOTER_BYTES:
        raise MalformedError("it is too short for a table")
    metaindex = _parse_footer(read(size_bytes - _FOOTER_BYTES, _FOOTER_BYTES))
    handle = _find(_read_block(read, metaindex, size_bytes), _PROPERTIES)
    if handle is None:
        raise MalformedError("its metaindex names no properties")
    offset, at = _parse_varint(handle, 0)
    length, at = _parse_varint(handle, at)
    properties = dict(_parse_entries(_read_block(read, (offset, length), size_bytes)))
    session = properties.get(_SESSION)
    if session is not None and not _SESSION_FORM.fullmatch(session):
        raise MalformedError("its session id is not in RocksDB's form")
    number = properties.get(_NUMBER)
    return TableOrigin(
        session.decode("ascii") if session is not None else None,
        _parse_varint(number, 0)[0] if number is not None else None,
    )


def _parse_footer(footer: bytes) -> tuple[int, int]:
    version, magic = struct.unpack("<IQ", footer[-12:])
    if magic != _MAGIC:
        raise MalformedError("it does not end as a table does")
    if version not in _FORMATS:
        raise MalformedError(f"it is a table of format {version}; 1 to 5 are read")
    offset, at = _parse_varint(footer, 1)
    size, _ = _parse_varint(footer, at)
    return offset, size


def _read_block(read: ReadAt, handle: tuple[int, int], size_bytes: int) -> bytes:
    offset, length = handle
    if length > _BLOCK_LIMIT_BYTES or offset + length + _TRAILER_BYTES > size_bytes:
        raise MalformedError("a block of it lies outside the file")
    data = read(offset, length + 1)
    if data[-1] != 0:
        raise MalformedError("a block of it that is never compressed is compressed")
    return data[:-1]


def _find(block: bytes, wanted: bytes) -> bytes | None:
    return next((value for key, value in _parse_entries(block) if key == wanted), None)


def _parse_entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(block) < struct.calcsize("<I"):
        raise MalformedError("a block of it is too short")
    (restarts,) = struct.unpack("<I", block[-4:])
    end = len(block) - 4 * (restarts + 1)
    if end < 0:
        raise MalformedError("a block of it has more restart points than bytes")
    at, key = 0, b""
    while at < end:
        shared, at = _parse_varint(block, at)
        own, at = _parse_varint(block, at)
        length, at = _parse_varint(block, at)
        if shared > len(key) or at + own + length > end:
            raise MalformedError("an entry of it reaches beyond its block")
        key = key[:shared] + block[at : at + own]
        at += own
        yield key, block[at : at + length]
        at += length


def _parse_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(data[at : at + _VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:  # noqa: PLR2004 - the bit that says whether another byte follows
            return value, at + shift + 1
    raise MalformedError("a number of it does not end")
