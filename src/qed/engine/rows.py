"""Every key and value of the database, byte by byte; nothing else knows them.

```
family    key                            value
default   "format"                       u16 = 1
default   "log"                          log id 16 | origin utf-8
default   "node"                         node id utf-8
default   "head"                         log id 16 | u64 epoch | u64 sequence | u64 size |
                                         history digest 32 | hyper digest 32
log       u64 first version of a group   its event digests, k x 32, in order
ends      u64 last version of a group    hyper digest after the group, 32

default   "snapshots"                    u16 = 1 | u64 size | root 32
default   "node" | u8 level | u64 index  hash 32
```

The last two are the snapshot log's, derived from the others, and have a format number of their own:
a database without them, or with another number, is whole, and they are made when it is opened.
Integers are big-endian, so each family's keys ascend in the order of adding. Format 1 is final:
later versions of this program read it. `docs/format.md` draws the bytes. Source: SPEC 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from qed.database import DEFAULT_FAMILY, Put
from qed.errors import DamagedError, NewerFormatError
from qed.trees.snapshot_log import StoredNode
from qed.trees.values import DIGEST_BYTES, NO_VERSION

FORMAT = 1

META = DEFAULT_FAMILY
LOG = "log"
ENDS = "ends"
FAMILIES = (META, LOG, ENDS)

FORMAT_KEY = b"format"
LOG_KEY = b"log"
NODE_KEY = b"node"
HEAD_KEY = b"head"
SNAPSHOTS_KEY = b"snapshots"
SNAPSHOTS_FORMAT = 1

LOG_ID_BYTES = 16
_FORMAT_BYTES = 2
_VERSION_BYTES = 8
_SNAPSHOTS_BYTES = _FORMAT_BYTES + 8 + DIGEST_BYTES
_HEAD_BYTES = LOG_ID_BYTES + 3 * 8 + 2 * DIGEST_BYTES

RESTORE_HINT = "restore a backup with `qed restore`, and keep these files for a later look"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a log is called: drawn or given when it was created, never changed."""

    log_id: bytes
    origin: str
    node_id: str


@dataclass(frozen=True, slots=True)
class Head:
    """Where a log stands after its last group: `sequence` groups with `size` events in all."""

    log_id: bytes
    epoch: int
    sequence: int
    size: int
    history_digest: bytes
    hyper_digest: bytes

    @property
    def current_version(self) -> int:
        """The version of the newest event, `NO_VERSION` when there is none."""
        return self.size - 1 if self.size else NO_VERSION


class StoredGroup(NamedTuple):
    """One group as its two rows say it; `digests` are its event digests one after the other."""

    first_version: int
    end_version: int  # the version after its last
    digests: bytes
    hyper_digest: bytes


class Mark(NamedTuple):
    """How far the rows of the snapshot log go, and its root there."""

    size: int
    root: bytes


def encode_creation(identity: Identity, head: Head) -> list[Put]:
    """Return the rows of a new, empty log."""
    return [
        (META, FORMAT_KEY, FORMAT.to_bytes(_FORMAT_BYTES, "big")),
        (META, LOG_KEY, identity.log_id + identity.origin.encode()),
        (META, NODE_KEY, identity.node_id.encode()),
        (META, HEAD_KEY, encode_head(head)),
    ]


def encode_group(first_version: int, digests: bytes, head: Head) -> list[Put]:
    """Return the rows of a group of digests, 32 bytes each; `head` is the log's after it."""
    return [
        (LOG, encode_version(first_version), digests),
        (ENDS, encode_version(head.current_version), head.hyper_digest),
        (META, HEAD_KEY, encode_head(head)),
    ]


def encode_head(head: Head) -> bytes:
    """Return the head row's value (104 bytes)."""
    counts = (head.epoch, head.sequence, head.size)
    return b"".join(
        (
            head.log_id,
            *(count.to_bytes(8, "big") for count in counts),
            head.history_digest,
            head.hyper_digest,
        )
    )


def encode_snapshots(mark: Mark, nodes: Sequence[StoredNode]) -> list[Put]:
    """Return the rows of the snapshot log after some leaves, which completed these nodes."""
    value = b"".join(
        (SNAPSHOTS_FORMAT.to_bytes(_FORMAT_BYTES, "big"), mark.size.to_bytes(8, "big"), mark.root)
    )
    puts = [(META, encode_node_key(level, index), node) for level, index, node in nodes]
    return [*puts, (META, SNAPSHOTS_KEY, value)]


def encode_node_key(level: int, index: int) -> bytes:
    """Return the key of a kept node: of level 1, it is over the leaves [256 * index, + 256)."""
    return NODE_KEY + level.to_bytes(1, "big") + encode_version(index)


def decode_snapshots(value: bytes | None) -> Mark | None:
    """Return how far the snapshot log goes; None without such a row, or in another format of it.

    Bytes that are none are a `DamagedError`.
    """
    if value is None:
        return None
    if len(value) < _FORMAT_BYTES:
        raise _damaged("default/snapshots", f"has {len(value)} bytes, too few for a format number")
    if int.from_bytes(value[:_FORMAT_BYTES], "big") != SNAPSHOTS_FORMAT:
        return None
    if len(value) != _SNAPSHOTS_BYTES:
        raise _damaged("default/snapshots", f"has {len(value)} bytes instead of {_SNAPSHOTS_BYTES}")
    size = int.from_bytes(value[_FORMAT_BYTES : _FORMAT_BYTES + 8], "big")
    return Mark(size, value[_FORMAT_BYTES + 8 :])


def name_node(level: int, index: int) -> str:
    """Return the name that errors give the row of a kept node: `default/node/1/3`."""
    return f"default/node/{level}/{index}"


def check_format(value: bytes) -> None:
    """Refuse a database that this program cannot read.

    A later format is a `NewerFormatError`; bytes that are no format a `DamagedError`.
    """
    number = int.from_bytes(value, "big")
    if len(value) != _FORMAT_BYTES or number < 1:
        raise _damaged("default/format", f"holds {value.hex() or 'nothing'}, not a format number")
    if number > FORMAT:
        raise NewerFormatError(
            f"the database has format {number}, this program reads up to format {FORMAT}",
            hint="start the version of qed that wrote it, or a later one",
        )


def decode_identity(log_value: bytes | None, node_value: bytes | None) -> Identity:
    """Return the identity that two meta rows hold; a missing or broken row is a `DamagedError`."""
    if log_value is None:
        raise _damaged("default/log", "is missing")
    if node_value is None:
        raise _damaged("default/node", "is missing")
    log_id, origin = log_value[:LOG_ID_BYTES], log_value[LOG_ID_BYTES:]
    if len(log_id) != LOG_ID_BYTES or not origin:
        raise _damaged("default/log", f"has {len(log_value)} bytes, too few for id and origin")
    try:
        return Identity(log_id, origin.decode(), node_value.decode())
    except UnicodeDecodeError as error:
        raise _damaged("default/log or default/node", "is not UTF-8") from error


def decode_head(value: bytes | None) -> Head:
    """Return the head that the meta row holds; a missing or broken one is a `DamagedError`."""
    if value is None:
        raise _damaged("default/head", "is missing")
    if len(value) != _HEAD_BYTES:
        raise _damaged("default/head", f"has {len(value)} bytes instead of {_HEAD_BYTES}")
    numbers = value[LOG_ID_BYTES : LOG_ID_BYTES + 24]
    epoch, sequence, size = (int.from_bytes(numbers[i : i + 8], "big") for i in (0, 8, 16))
    digests = value[LOG_ID_BYTES + 24 :]
    return Head(
        log_id=value[:LOG_ID_BYTES],
        epoch=epoch,
        sequence=sequence,
        size=size,
        history_digest=digests[:DIGEST_BYTES],
        hyper_digest=digests[DIGEST_BYTES:],
    )


def decode_group(log_row: tuple[bytes, bytes], end_row: tuple[bytes, bytes]) -> StoredGroup:
    """Return the group that two rows hold; rows that contradict each other are a `DamagedError`."""
    first_version = decode_version(LOG, log_row[0])
    digests = log_row[1]
    events, rest = divmod(len(digests), DIGEST_BYTES)
    if rest or not events:
        raise _damaged(
            name_row(LOG, first_version),
            f"has {len(digests)} bytes, not one or more digests of {DIGEST_BYTES}",
        )
    end_version = first_version + events
    last_version = decode_version(ENDS, end_row[0])
    if last_version != end_version - 1:
        raise _damaged(
            name_row(LOG, first_version),
            f"ends at version {end_version - 1}, "
            f"but the next end is {name_row(ENDS, last_version)}",
        )
    if len(end_row[1]) != DIGEST_BYTES:
        raise _damaged(
            name_row(ENDS, last_version), f"has {len(end_row[1])} bytes instead of {DIGEST_BYTES}"
        )
    return StoredGroup(first_version, end_version, digests, end_row[1])


def decode_version(family: str, key: bytes) -> int:
    """Return the version that a key of `log` or `ends` holds."""
    if len(key) != _VERSION_BYTES:
        raise _damaged(f"{family}/{key.hex()}", f"has a key of {len(key)} bytes instead of 8")
    return int.from_bytes(key, "big")


def name_row(family: str, version: int) -> str:
    """Return the name that errors give a row of `log` or `ends`: `log/4`."""
    return f"{family}/{version}"


def encode_version(version: int) -> bytes:
    """Return a key of `log` or `ends`."""
    return version.to_bytes(_VERSION_BYTES, "big")


def _damaged(row: str, what: str) -> DamagedError:
    return DamagedError(f"the row {row} {what}", hint=RESTORE_HINT)
