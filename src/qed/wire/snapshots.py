"""The bodies that an addition answers with: one snapshot, a list of them, and the raw form.

Source: SPEC 5.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from qed.errors import MalformedError
from qed.trees.values import DIGEST_BYTES, Snapshot
from qed.wire.bounds import BOUNDS, MAX_U64
from qed.wire.fields import format_base64, read_digest, read_exact, read_list, read_u64
from qed.wire.json_text import parse_answer

_SNAPSHOT_FIELDS = ("EventDigest", "HistoryDigest", "HyperDigest", "Version")
_ADDED_HEAD = struct.Struct(">QQ32s")  # first version, count, hyper digest


def format_snapshot(snapshot: Snapshot) -> str:
    """Return `{"EventDigest","HistoryDigest","HyperDigest","Version"}`."""
    return (
        f'{{"EventDigest":"{format_base64(snapshot.event_digest)}"'
        f',"HistoryDigest":"{format_base64(snapshot.history_digest)}"'
        f',"HyperDigest":"{format_base64(snapshot.hyper_digest)}"'
        f',"Version":{snapshot.version}}}'
    )


def read_snapshot(value: object, name: str) -> Snapshot:
    """Return a snapshot from its parsed object; exactly its four fields, in any order."""
    fields = read_exact(value, name, _SNAPSHOT_FIELDS)
    return Snapshot(
        version=read_u64(fields["Version"], "Version"),
        event_digest=read_digest(fields["EventDigest"], "EventDigest"),
        history_digest=read_digest(fields["HistoryDigest"], "HistoryDigest"),
        hyper_digest=read_digest(fields["HyperDigest"], "HyperDigest"),
    )


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """Return the body that answers the addition of one event."""
    return format_snapshot(snapshot).encode("ascii")


def decode_snapshot(body: bytes) -> Snapshot:
    """Return the snapshot of `encode_snapshot`'s body, or raise MalformedError."""
    return read_snapshot(parse_answer(body, max_bytes=BOUNDS.snapshot_bytes), "the snapshot")


def encode_snapshots(snapshots: Sequence[Snapshot]) -> bytes:
    """Return the body that answers the addition of a bulk: a list, in the order of versions."""
    return ("[" + ",".join(map(format_snapshot, snapshots)) + "]").encode("ascii")


def decode_snapshots(body: bytes) -> list[Snapshot]:
    """Return the snapshots of `encode_snapshots`' body, or raise MalformedError."""
    values = read_list(parse_answer(body, max_bytes=BOUNDS.snapshots_bytes), "the answer")
    return [read_snapshot(value, "a snapshot") for value in values]


def encode_added(first_version: int, hyper_digest: bytes, roots: bytes) -> bytes:
    """Return the raw answer of `POST /events/digests`; `roots` are history digests, end to end.

    u64 first version, u64 count, hyper digest, then one history digest for each version; integers
    big-endian, digests 32 bytes.
    """
    return _ADDED_HEAD.pack(first_version, len(roots) // DIGEST_BYTES, hyper_digest) + roots


def decode_added(body: bytes) -> tuple[int, bytes, list[bytes]]:
    """Return first version, hyper digest and history digests of `encode_added`'s body.

    Raises:
        MalformedError: the length is not the one that the count asks for, there is no version, or
            the last version is beyond 64 bits.
    """
    if len(body) < _ADDED_HEAD.size:
        raise MalformedError(f"the answer has {len(body)} bytes, fewer than {_ADDED_HEAD.size}")
    first_version, count, hyper_digest = _ADDED_HEAD.unpack_from(body)
    if len(body) - _ADDED_HEAD.size != count * DIGEST_BYTES:
        raise MalformedError(
            f"the answer has {len(body)} bytes, which {count} versions do not fill"
        )
    if count == 0 or first_version + count - 1 >= MAX_U64:
        raise MalformedError(f"{count} versions from {first_version} are not a group")
    starts = range(_ADDED_HEAD.size, len(body), DIGEST_BYTES)
    return first_version, hyper_digest, [body[at : at + DIGEST_BYTES] for at in starts]
