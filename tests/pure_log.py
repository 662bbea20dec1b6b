"""A log in memory made of `qed.trees` alone, and the verification of what it answers.

What the trees' tests prove with; the engine's tests have the engine. Every reader counts how often
it is asked and with what, because asking once, for frozen nodes only, is a promise of the trees.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from both_verifiers import verify_absence, verify_incremental, verify_membership
from qed.trees import history, hyper
from qed.trees.values import (
    NO_VERSION,
    HyperLeaf,
    IncrementalProof,
    MembershipProof,
    Position,
    Snapshot,
)
from qed.trees.verify import Root


def event_digests(count: int) -> list[bytes]:
    """Return the digests of "event 0", "event 1", ..."""
    return [sha256(b"event %d" % n).digest() for n in range(count)]


def flip_bit(digest: bytes, bit: int) -> bytes:
    """Return a digest with one bit changed; bit 255 decides at the root of the hyper tree."""
    return (int.from_bytes(digest, "big") ^ 1 << bit).to_bytes(32, "big")


class PureLog:
    """The groups added, and both trees. Proofs of membership are as of its last version."""

    def __init__(self) -> None:
        """Start with an empty log."""
        self.frozen: dict[Position, bytes] = {}
        self.tree: hyper.Tree = None
        self.snapshots: list[Snapshot] = []
        self.reads: list[Sequence[Position]] = []

    def read(self, positions: Sequence[Position]) -> list[bytes]:
        """Be a `FrozenReader` that remembers what it was asked."""
        self.reads.append(positions)
        return [self.frozen[position] for position in positions]

    def add(self, digests: Sequence[bytes]) -> list[Snapshot]:
        """Add one group and return its snapshots."""
        first = len(self.snapshots)
        frozen, roots = history.extend(self.read, first, digests)
        newest: dict[bytes, int] = {}
        for version, digest in enumerate(digests, first):
            newest.setdefault(digest, version)
        self.tree = hyper.insert(self.tree, list(newest.items()))
        self.frozen.update(frozen)
        added = [
            Snapshot(first + n, digest, root, hyper.root(self.tree))
            for n, (digest, root) in enumerate(zip(digests, roots, strict=True))
        ]
        self.snapshots += added
        return added

    def membership(self, digest: bytes, version: int | None = None) -> MembershipProof:
        """Answer whether a digest is in the log; an `actual_version` after v is not refused."""
        current = len(self.snapshots) - 1 if self.snapshots else NO_VERSION
        query = current if version is None else version
        as_of = min(query, current)
        walk = hyper.walk(self.tree, digest)
        exists = walk.leaf is not None and walk.leaf[0] == digest
        actual, path, other = as_of, None, None
        if walk.leaf is not None and exists:
            actual = walk.leaf[1]
            path = history.prove_membership(self.read, actual, as_of)
        elif walk.leaf is not None:
            key, at = walk.leaf
            other = HyperLeaf(key, at, history.prove_membership(self.read, at, current))
        return MembershipProof(
            exists=exists,
            hyper=walk.path,
            history=path,
            current_version=current,
            query_version=query,
            actual_version=actual,
            key_digest=digest,
            hyper_leaf=other,
        )

    def incremental(self, start: int, end: int) -> IncrementalProof:
        """Answer whether the log at `end` begins with the log at `start`."""
        path = history.prove_incremental(self.read, start, end)
        return IncrementalProof(start, end, path)

    def hyper_root(self, version: int) -> Root:
        """Return the hyper digest of a published snapshot, with its version."""
        return Root(version, self.snapshots[version].hyper_digest)

    def history_root(self, version: int) -> Root:
        """Return the history digest of a published snapshot, with its version."""
        return Root(version, self.snapshots[version].history_digest)

    def verify(self, proof: MembershipProof, digest: bytes, version: int | None = None) -> None:
        """Verify an answer as a client would that asked now and has every snapshot."""
        current = len(self.snapshots) - 1
        hyper_root = self.hyper_root(current)
        if proof.exists:
            as_of = current if version is None else min(version, current)
            verify_membership(
                proof,
                digest=digest,
                version=version,
                hyper=hyper_root,
                history=self.history_root(as_of),
            )
        else:
            verify_absence(
                proof,
                digest=digest,
                version=version,
                hyper=hyper_root,
                history=self.history_root(current),
            )

    def verify_incremental(self, proof: IncrementalProof, start: int, end: int) -> None:
        """Verify an increment as a client would that asked for it and has every snapshot."""
        verify_incremental(proof, start=self.history_root(start), end=self.history_root(end))
