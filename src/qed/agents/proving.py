"""Snapshots and receipts out of a published log, each under one checkpoint that was verified.

What an auditor needs beside the leaves that it reads in order: a leaf somewhere else, and the
receipts that make evidence of what it found. Nothing that a source serves is believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qed.agents.leaves import PART_LEAVES, Frontier, read_leaves
from qed.client.feed import Source
from qed.client.receipt_text import ABSENT, LOGGED, NEWEST, Receipt, format_receipt
from qed.client.trusted import Trusted
from qed.signing.checkpoint import Checkpoint
from qed.trees import tiles
from qed.trees.snapshot_log import TILE_HASHES
from qed.trees.tiles import ENTRIES, tile_width
from qed.trees.values import MembershipProof, Snapshot


def prove_snapshot(trusted: Trusted, source: Source, version: int) -> tuple[Snapshot, list[bytes]]:
    """Return the snapshot of a version under the trusted checkpoint, and its path to the root.

    Raises:
        VerificationError: what the source has is not under it.
        QedError: as `Source.bundle`.
    """
    index, at = divmod(version, TILE_HASHES)
    leaf = source.bundle(index, tile_width(ENTRIES, index, trusted.size))[at]
    path = trusted.prove(source.read_nodes, leaf, version)
    return trusted.authenticate(leaf, version, path), path


def read_snapshots(
    trusted: Trusted, source: Source, versions: Sequence[int]
) -> dict[int, Snapshot]:
    """Return the snapshots of some versions, all of them under the trusted checkpoint.

    Versions near the end, as a busy server's current ones are, are read in one go with all that
    follows them; others one by one. Raises: as `prove_snapshot`.
    """
    found: dict[int, Snapshot] = {}
    near = [version for version in versions if trusted.size - version <= PART_LEAVES]
    if near:
        begin = _read_frontier(trusted, source, min(near))
        for part in read_leaves(source, begin, checkpoint_of(trusted)):
            here = [version for version in near if part.first_version <= version < part.stop]
            found |= {version: part.snapshot(version) for version in here}
    for version in versions:
        if version not in found:
            found[version] = prove_snapshot(trusted, source, version)[0]
    return found


def checkpoint_of(trusted: Trusted) -> Checkpoint:
    """Return the trusted checkpoint without its signature."""
    return Checkpoint(trusted.origin, trusted.size, trusted.root)


def logged_receipt(trusted: Trusted, source: Source, version: int) -> bytes:
    """Return the receipt that a version is logged. Raises: as `prove_snapshot`."""
    snapshot, path = prove_snapshot(trusted, source, version)
    return format_receipt(Receipt(LOGGED, snapshot, None, version, tuple(path), trusted.note))


def answer_receipt(trusted: Trusted, source: Source, answer: MembershipProof) -> bytes:
    """Return the receipt of an answer as of its current version. Raises: as `prove_snapshot`.

    An event that the answer repeats stands in no receipt; it would make the evidence worthless.
    """
    kind = NEWEST if answer.exists else ABSENT
    current = answer.current_version
    snapshot, path = prove_snapshot(trusted, source, current)
    told = replace(answer, key=None)
    return format_receipt(Receipt(kind, snapshot, told, current, tuple(path), trusted.note))


def _read_frontier(trusted: Trusted, source: Source, size: int) -> Frontier:
    """Return where reading begins that has not read what comes before.

    The peaks need no proof: only the right ones lead to the signed root, with the leaves.
    """
    nodes = tiles.peak_nodes(size)
    peaks = b"".join(source.read_nodes(nodes, trusted.size)) if nodes else b""
    return Frontier(size, peaks)
