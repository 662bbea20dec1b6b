"""Every key and value of a snapshot store's database, byte by byte; nothing else knows them.

```
family      key                          value
default     "format"                     u16 = 1
default     u16 log | "key"              the log's verifier key in note form, utf-8
default     u16 log | "head"             u64 leaves | root over them 32
default     u16 log | "published"        the signed note of the checkpoint that is served
default     u16 log | "cover"            u16 hashes | proof of consistency, 32 each | signed note
leaves      u16 log | u64 first version  u32 leaves | event digests, 32 each | history digests, 32
                                         each | for each group in it: u32 leaves | hyper digest 32
nodes       u16 log | u8 level | u64 index         hash over 256^level leaves, 32
signatures  u16 log | u64 version        the snapshot's signature, 64
notes       u16 log | u64 size           a signed note of that size
conflicts   u16 log | SHA-256 of the     u32 bytes | signed note | nothing, or u64 first version |
            text of a signed note 32     leaves as in a row of that family
alerts      u64 number                   u8 raised by: 0 a stranger, 1 this store | u64 unix
                                         seconds | text, utf-8
evidence    file name, ascii             the file
```

Integers are big-endian, so the keys of a family ascend in the order of adding; `log` is 0. A row of
leaves ends at the latest where a bundle of tiles does, at a multiple of 256. `head`, `published`
and `cover` are the only rows that are written again: the leaves are under the checkpoint of
`cover`, to whose root the proof leads from theirs. `docs/snapshot-store.md` says the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

from qed.database import DEFAULT_FAMILY, Put
from qed.errors import DamagedError, NewerFormatError
from qed.snapshot_store.runs import ROW_LEAVES, Run
from qed.trees.values import DIGEST_BYTES
from qed.wire.batches import SIGNATURE_BYTES

FORMAT = 1
LOG = 0  # logs in one store are numbered; there is one

META = DEFAULT_FAMILY
LEAVES, NODES, SIGNATURES, NOTES = "leaves", "nodes", "signatures", "notes"
CONFLICTS, ALERTS, EVIDENCE = "conflicts", "alerts", "evidence"
FAMILIES = (META, LEAVES, NODES, SIGNATURES, NOTES, CONFLICTS, ALERTS, EVIDENCE)

FORMAT_KEY = b"format"
_PREFIX = LOG.to_bytes(2, "big")
KEY_KEY, HEAD_KEY = _PREFIX + b"key", _PREFIX + b"head"
PUBLISHED_KEY, COVER_KEY = _PREFIX + b"published", _PREFIX + b"cover"

_FORMAT_BYTES = 2
_U16, _U32, _U64 = 2, 4, 8

MIRROR_HINT = (
    "keep these files for a later look, and start with another --db-path, which publishers fill"
)


@dataclass(frozen=True, slots=True)
class Cover:
    """The checkpoint under which the leaves are, and the proof from their root to its root."""

    note: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert: who raised it, when, and what it says."""

    number: int
    is_own: bool
    when_s: int
    text: str


def encode_creation(key_text: str, root: bytes) -> list[Put]:
    """Return the rows of a new, empty store for the log with this verifier key."""
    return [
        (META, FORMAT_KEY, FORMAT.to_bytes(_FORMAT_BYTES, "big")),
        (META, KEY_KEY, key_text.encode()),
        encode_head(0, root),
    ]


def check_format(value: bytes | None) -> None:
    """Refuse a later format (`NewerFormatError`) and what is no store (`DamagedError`)."""
    number = int.from_bytes(value or b"", "big")
    if value is None or len(value) != _FORMAT_BYTES or number < 1:
        raise damaged("default/format", "is no format number of a snapshot store")
    if number > FORMAT:
        raise NewerFormatError(
            f"the snapshot store has format {number}, this program reads up to format {FORMAT}",
            hint="start the version of qed that wrote it, or a later one",
        )


def decode_key(value: bytes | None) -> str:
    """Return the verifier key's text."""
    if value is None:
        raise damaged("default/key", "is missing")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise damaged("default/key", "is not UTF-8") from None


def encode_head(size: int, root: bytes) -> Put:
    """Return the row that says how many leaves there are, and their root."""
    return (META, HEAD_KEY, size.to_bytes(_U64, "big") + root)


def decode_head(value: bytes | None) -> tuple[int, bytes]:
    """Return size and root of `encode_head`'s row."""
    if value is None or len(value) != _U64 + DIGEST_BYTES:
        raise damaged("default/head", "is missing" if value is None else "has a wrong length")
    return int.from_bytes(value[:_U64], "big"), value[_U64:]


def encode_published(note: bytes) -> Put:
    """Return the row of the checkpoint that is served."""
    return (META, PUBLISHED_KEY, note)


def encode_cover(cover: Cover) -> Put:
    """Return the row of the checkpoint that all leaves are under."""
    value = len(cover.path).to_bytes(_U16, "big") + b"".join(cover.path) + cover.note
    return (META, COVER_KEY, value)


def decode_cover(value: bytes | None) -> Cover | None:
    """Return the cover of its row, None for a store without leaves."""
    if value is None:
        return None
    count = int.from_bytes(value[:_U16], "big")
    stop = _U16 + count * DIGEST_BYTES
    if len(value) <= stop:
        raise damaged("default/cover", f"has {len(value)} bytes, too few for its proof")
    starts = range(_U16, stop, DIGEST_BYTES)
    return Cover(value[stop:], tuple(value[at : at + DIGEST_BYTES] for at in starts))


def encode_run(run: Run) -> list[Put]:
    """Return the rows of leaves."""
    return [(LEAVES, version_key(part.first), _encode_part(part)) for part in run.split()]


def _encode_part(run: Run) -> bytes:
    ends = b"".join([count.to_bytes(_U32, "big") + hyper for count, hyper in run.ends])
    return run.size.to_bytes(_U32, "big") + run.events + run.histories + ends


def decode_run(row: tuple[bytes, bytes]) -> Run:
    """Return the leaves of one row; bytes that are none are a `DamagedError`."""
    key, value = row
    first = decode_version(LEAVES, key)
    run = _decode_part(first, value)
    if run is None or run.first % ROW_LEAVES + run.size > ROW_LEAVES:
        raise damaged(name_row(LEAVES, first), f"has {len(value)} bytes that are no row of leaves")
    return run


def _decode_part(first: int, value: bytes) -> Run | None:
    count = int.from_bytes(value[:_U32], "big")
    histories_at = _U32 + count * DIGEST_BYTES
    ends_at = histories_at + count * DIGEST_BYTES
    end_bytes = _U32 + DIGEST_BYTES
    if not count or len(value) <= ends_at or (len(value) - ends_at) % end_bytes:
        return None
    ends = tuple(
        (int.from_bytes(value[at : at + _U32], "big"), value[at + _U32 : at + end_bytes])
        for at in range(ends_at, len(value), end_bytes)
    )
    if sum(leaves for leaves, _ in ends) != count or not all(leaves for leaves, _ in ends):
        return None
    return Run(first, value[_U32:histories_at], value[histories_at:ends_at], ends)


def encode_node(level: int, index: int, node: bytes) -> Put:
    """Return the row of a node of level 1 or above."""
    return (NODES, node_key(level, index), node)


def node_key(level: int, index: int) -> bytes:
    """Return the key of a node."""
    return _PREFIX + level.to_bytes(1, "big") + index.to_bytes(_U64, "big")


def encode_signature(version: int, signature: bytes) -> Put:
    """Return the row of a snapshot's signature."""
    return (SIGNATURES, version_key(version), signature)


def decode_signature(version: int, value: bytes | None) -> bytes:
    """Return a signature, `b""` where there is no row."""
    if value is not None and len(value) != SIGNATURE_BYTES:
        raise damaged(name_row(SIGNATURES, version), f"has {len(value)} bytes")
    return value or b""


def encode_note(size: int, note: bytes) -> Put:
    """Return the row of a checkpoint that is kept."""
    return (NOTES, version_key(size), note)


def conflict_key(note_hash: bytes) -> bytes:
    """Return the key of the conflict that a note, by the SHA-256 of its text, is part of."""
    return _PREFIX + note_hash


def encode_conflict(note_hash: bytes, note: bytes, run: Run | None) -> Put:
    """Return the row of a checkpoint that contradicts what is here, with its other leaves."""
    value = len(note).to_bytes(_U32, "big") + note
    if run is not None:
        value += run.first.to_bytes(_U64, "big") + _encode_part(run)
    return (CONFLICTS, conflict_key(note_hash), value)


def decode_conflict(row: tuple[bytes, bytes]) -> tuple[bytes, Run | None]:
    """Return note and leaves of `encode_conflict`'s row."""
    key, value = row
    end = _U32 + int.from_bytes(value[:_U32], "big")
    note, rest = value[_U32:end], value[end:]
    if end <= _U32 or len(value) < end:
        raise damaged(f"conflicts/{key.hex()}", f"has {len(value)} bytes, too few for a note")
    if not rest:
        return note, None
    run = _decode_part(int.from_bytes(rest[:_U64], "big"), rest[_U64:])
    if run is None:
        raise damaged(f"conflicts/{key.hex()}", f"has {len(rest)} bytes that are no leaves")
    return note, run


def encode_alert(alert: Alert) -> Put:
    """Return the row of an alert."""
    head = bytes([alert.is_own]) + alert.when_s.to_bytes(_U64, "big")
    return (ALERTS, alert.number.to_bytes(_U64, "big"), head + alert.text.encode())


def decode_alert(row: tuple[bytes, bytes]) -> Alert:
    """Return the alert of a row."""
    key, value = row
    number = int.from_bytes(key, "big")
    try:
        text = value[1 + _U64 :].decode()
    except UnicodeDecodeError:
        raise damaged(name_row(ALERTS, number), "is not UTF-8") from None
    if len(key) != _U64 or not text or value[0] > 1:
        raise damaged(name_row(ALERTS, number), "is no alert")
    return Alert(number, bool(value[0]), int.from_bytes(value[1 : 1 + _U64], "big"), text)


def encode_evidence(name: str, data: bytes) -> Put:
    """Return the row of an evidence file."""
    return (EVIDENCE, name.encode("ascii"), data)


def version_key(version: int) -> bytes:
    """Return a key of `leaves`, `signatures` or `notes`."""
    return _PREFIX + version.to_bytes(_U64, "big")


def decode_version(family: str, key: bytes) -> int:
    """Return the version, or size, that such a key holds."""
    if len(key) != len(_PREFIX) + _U64 or not key.startswith(_PREFIX):
        raise damaged(f"{family}/{key.hex()}", "has a key that is none of this store's")
    return int.from_bytes(key[len(_PREFIX) :], "big")


def name_row(family: str, version: int) -> str:
    """Return the name that errors give a row: `leaves/512`."""
    return f"{family}/{version}"


def damaged(row: str, what: str) -> DamagedError:
    """Return the error for a row that cannot be right."""
    return DamagedError(f"the row {row} of the snapshot store {what}", hint=MIRROR_HINT)
