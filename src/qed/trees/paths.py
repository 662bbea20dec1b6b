"""Which positions a proof's hashes have: between the flat proofs and those with positions.

The positions of a proof are a function of its digest and its versions, so a flat proof leaves them
out. Here both forms are turned into one another. A proof whose positions or lengths are not exactly
those has no flat form: `flatten_` returns None for it, and what is wrong is for `verify` to say.
Source: SPEC 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qed.trees.values import (
    DIGEST_BYTES,
    HYPER_HEIGHT,
    NO_VERSION,
    AuditPath,
    FlatIncremental,
    FlatMembership,
    HyperLeaf,
    IncrementalProof,
    MembershipProof,
    Position,
)


def hyper_positions(digest: bytes, count: int) -> list[Position]:
    """Return the siblings of the first `count` steps from the root of the hyper tree to a digest.

    From the root down: height 255 first.
    """
    key = int.from_bytes(digest, "big")
    lowest = HYPER_HEIGHT - count
    return [((key >> h ^ 1) << h, h) for h in range(HYPER_HEIGHT - 1, lowest - 1, -1)]


def membership_positions(leaf: int, version: int) -> list[Position]:
    """Return the siblings that tie a leaf of the history tree to the root as of `version`.

    From the root down; a sibling that starts after `version` does not exist. `leaf <= version`.
    """
    siblings = (((leaf >> h ^ 1) << h, h) for h in range(version.bit_length() - 1, -1, -1))
    return [position for position in siblings if position[0] <= version]


def incremental_positions(start: int, end: int) -> list[Position]:
    """Return the nodes that the roots of both versions are made of, left to right.

    `start <= end`.
    """
    return list(_untouched(0, end.bit_length(), start, end))


def _untouched(index: int, height: int, start: int, end: int) -> Iterator[Position]:
    """Yield, below a node, both leaves and the largest nodes that hold neither."""
    if index > end:
        return
    if height == 0 or index >> height not in (start >> height, end >> height):
        yield index, height
        return
    yield from _untouched(index, height - 1, start, end)
    yield from _untouched(index + (1 << height - 1), height - 1, start, end)


def flatten_membership(proof: MembershipProof) -> FlatMembership | None:
    """Return a proof without its positions, None when they are not those that it should have.

    The event itself, `proof.key`, has no place in a flat proof and is left out.
    """
    if not _has_numbers(proof.current_version, proof.query_version, proof.actual_version):
        return None
    if len(proof.key_digest) != DIGEST_BYTES or len(proof.hyper) > HYPER_HEIGHT:
        return None
    hyper = _hashes(proof.hyper, hyper_positions(proof.key_digest, len(proof.hyper)))
    history, leaf_history = None, None
    leaf = proof.hyper_leaf
    if proof.history is not None:
        as_of = min(proof.query_version, proof.current_version)
        history = _history_hashes(proof.history, proof.actual_version, as_of)
    if leaf is not None:
        leaf_history = _history_hashes(leaf.history, leaf.version, proof.current_version)
    if proof.exists != (proof.history is not None) or (proof.exists and leaf is not None):
        return None
    lost = (history is None) != (proof.history is None) or (leaf_history is None) != (leaf is None)
    if hyper is None or lost or (leaf is not None and len(leaf.key_digest) != DIGEST_BYTES):
        return None
    return FlatMembership(
        exists=proof.exists,
        current_version=proof.current_version,
        query_version=proof.query_version,
        actual_version=proof.actual_version,
        key_digest=proof.key_digest,
        hyper=hyper,
        history=history,
        leaf_digest=None if leaf is None else leaf.key_digest,
        leaf_version=None if leaf is None else leaf.version,
        leaf_history=leaf_history,
    )


def unflatten_membership(flat: FlatMembership, key: bytes | None = None) -> MembershipProof:
    """Return a flat proof with its positions; `key` is the event, where it was given.

    One that contradicts itself is a bug and an AssertionError: what comes from outside is read with
    its positions.
    """
    history, leaf = None, None
    _check_flat(flat)
    if flat.history is not None:
        as_of = min(flat.query_version, flat.current_version)
        history = _history_path(flat.history, flat.actual_version, as_of)
    if (
        flat.leaf_digest is not None
        and flat.leaf_version is not None
        and flat.leaf_history is not None
    ):
        path = _history_path(flat.leaf_history, flat.leaf_version, flat.current_version)
        leaf = HyperLeaf(flat.leaf_digest, flat.leaf_version, path)
    count = len(flat.hyper) // DIGEST_BYTES
    return MembershipProof(
        exists=flat.exists,
        hyper=_path(flat.hyper, hyper_positions(flat.key_digest, count)),
        history=history,
        current_version=flat.current_version,
        query_version=flat.query_version,
        actual_version=flat.actual_version,
        key_digest=flat.key_digest,
        key=key,
        hyper_leaf=leaf,
    )


def flatten_incremental(proof: IncrementalProof) -> FlatIncremental | None:
    """Return a proof without its positions, None when they are not those that it should have."""
    if not _has_numbers(proof.start, proof.end) or proof.start > proof.end:
        return None
    hashes = _hashes(proof.audit_path, incremental_positions(proof.start, proof.end))
    return None if hashes is None else FlatIncremental(proof.start, proof.end, hashes)


def unflatten_incremental(flat: FlatIncremental) -> IncrementalProof:
    """Return a flat proof with its positions; AssertionError as `unflatten_membership`."""
    if not _has_numbers(flat.start, flat.end) or flat.start > flat.end:
        raise AssertionError("an increment goes from a version of 64 bits to a later one")
    path = _path(flat.hashes, incremental_positions(flat.start, flat.end))
    return IncrementalProof(flat.start, flat.end, path)


def _check_flat(flat: FlatMembership) -> None:
    leaf = (flat.leaf_digest, flat.leaf_version, flat.leaf_history)
    has_leaf = None not in leaf
    if not has_leaf and leaf != (None, None, None):
        raise AssertionError("a HyperLeaf has all of its fields")
    if flat.exists != (flat.history is not None) or (flat.exists and has_leaf):
        raise AssertionError("what exists has a history path, what does not may have a HyperLeaf")
    if not _has_numbers(flat.current_version, flat.query_version, flat.actual_version):
        raise AssertionError("a number is not one of 64 bits")
    for digest in (flat.key_digest, flat.leaf_digest or flat.key_digest):
        if len(digest) != DIGEST_BYTES:
            raise AssertionError("a digest is not 32 bytes")
    if len(flat.hyper) > HYPER_HEIGHT * DIGEST_BYTES:
        raise AssertionError("a path of the hyper tree has more than 256 entries")


def _has_numbers(*numbers: int) -> bool:
    """Say whether all are integers of 64 bits (a boolean is none)."""
    return all(type(number) is int and 0 <= number <= NO_VERSION for number in numbers)


def _history_hashes(path: AuditPath, leaf: int, version: int) -> bytes | None:
    if not _has_numbers(leaf) or leaf > version:
        return None
    return _hashes(path, membership_positions(leaf, version))


def _hashes(path: AuditPath, positions: Sequence[Position]) -> bytes | None:
    """Return the values at the positions, None unless they are all there is, of 32 bytes each."""
    # A mapping of another kind could give out something else when it is asked again.
    if type(path) is not dict or len(path) != len(positions):
        return None
    values = [path.get(position) for position in positions]
    if not all(type(value) is bytes and len(value) == DIGEST_BYTES for value in values):
        return None
    return b"".join(value for value in values if value is not None)


def _history_path(hashes: bytes, leaf: int, version: int) -> dict[Position, bytes]:
    if not _has_numbers(leaf) or leaf > version:
        raise AssertionError(f"no path from leaf {leaf} as of version {version}")
    return _path(hashes, membership_positions(leaf, version))


def _path(hashes: bytes, positions: Sequence[Position]) -> dict[Position, bytes]:
    """Return the hashes by their positions."""
    if len(hashes) != DIGEST_BYTES * len(positions):
        raise AssertionError(f"{len(hashes)} bytes are not the hashes of {len(positions)} nodes")
    starts = range(0, len(hashes), DIGEST_BYTES)
    return {
        position: hashes[start : start + DIGEST_BYTES]
        for position, start in zip(positions, starts, strict=True)
    }
