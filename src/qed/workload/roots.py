"""The roots that a proof implies: what they must be if it is true. Pure.

A load that only asks has no snapshot to verify against. But all true answers about one version
imply the same roots, so the first answer commits the server and every later one is held against
it. Who judges is `trees.verify`, given those roots; here they are only computed.
Source: SPEC 2 to 4.
"""

from __future__ import annotations

from hashlib import sha256

from qed.errors import VerificationError
from qed.trees.values import (
    HYPER_HEIGHT,
    AuditPath,
    IncrementalProof,
    MembershipProof,
    Position,
)


def hyper_root(proof: MembershipProof) -> bytes:
    """Return the hyper root of the current version, from the path and where it ends.

    Raises: VerificationError: a node of the path is missing.
    """
    key = int.from_bytes(proof.key_digest, "big")
    height = HYPER_HEIGHT - len(proof.hyper)
    if height < 0:
        raise VerificationError("the path has more than 256 entries", step="hyper-path")
    if proof.exists:
        node = _hyper_leaf(key, height, proof.actual_version)
    elif proof.hyper_leaf is not None:
        node = _hyper_leaf(key, height, proof.hyper_leaf.version)
    else:
        node = _DEFAULTS[height]
    for at in range(height, HYPER_HEIGHT):
        sibling = _get(proof.hyper, ((key >> at ^ 1) << at, at), "hyper-path")
        children = node + sibling if key >> at & 1 else sibling + node
        node = sha256(children + _encode_hyper(key, at + 1)).digest()
    return node


def history_root(path: AuditPath, digest: bytes, leaf: int, version: int) -> bytes:
    """Return the history root of `version`, if version `leaf` has this event digest.

    Raises: VerificationError: a node of the path is missing.
    """
    node = sha256(digest + _encode_history((leaf, 0))).digest()
    for height in range(version.bit_length()):
        sibling = (leaf >> height ^ 1) << height
        children = node
        if sibling <= version:
            other = _get(path, (sibling, height), "history-path")
            children = node + other if sibling > leaf else other + node
        parent = (leaf >> (height + 1) << (height + 1), height + 1)
        node = sha256(children + _encode_history(parent)).digest()
    return node


def history_roots(proof: IncrementalProof) -> tuple[bytes, bytes]:
    """Return the history roots of both versions of an incremental proof.

    Raises: VerificationError: a node of the path is missing, or the versions are not in order.
    """
    if proof.start > proof.end:
        raise VerificationError("the start is after the end", step="numbers")
    top = (0, proof.start.bit_length()), (0, proof.end.bit_length())
    return (
        _incremental_root(proof.audit_path, top[0], proof.start),
        _incremental_root(proof.audit_path, top[1], proof.end),
    )


def _incremental_root(path: AuditPath, position: Position, version: int) -> bytes:
    node = path.get(position)
    if node is not None:
        return node
    index, height = position
    if height == 0:
        raise VerificationError(f"the path lacks the leaf {index}", step="incremental-path")
    half = 1 << (height - 1)
    children = _incremental_root(path, (index, height - 1), version)
    if index + half <= version:
        children += _incremental_root(path, (index + half, height - 1), version)
    return sha256(children + _encode_history(position)).digest()


def _hyper_leaf(key: int, height: int, version: int) -> bytes:
    return sha256(version.to_bytes(32, "big") + _encode_hyper(key, height)).digest()


def _encode_hyper(key: int, height: int) -> bytes:
    """Return the position of `height` above a key: u16(height) || u256(index)."""
    return height.to_bytes(2, "big") + (key >> height << height).to_bytes(32, "big")


def _encode_history(position: Position) -> bytes:
    """Return u64(index) || u16(height)."""
    return position[0].to_bytes(8, "big") + position[1].to_bytes(2, "big")


def _get(path: AuditPath, position: Position, step: str) -> bytes:
    node = path.get(position)
    if node is None:
        raise VerificationError(f"the path lacks its entry at height {position[1]}", step=step)
    return node


def _default_hashes() -> tuple[bytes, ...]:
    hashes = [sha256(b"\x00\x00").digest()]
    while len(hashes) <= HYPER_HEIGHT:
        hashes.append(sha256(hashes[-1] + hashes[-1]).digest())
    return tuple(hashes)


_DEFAULTS = _default_hashes()  # the hash of an empty node, by height
