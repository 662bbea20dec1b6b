"""Where the snapshot log stands, and how it goes on: from plans, or from groups read back. Pure.

A *frontier* is all that is needed to go on with it. A *trace* is that and the same of the history
tree: with both, history digests and leaves are computed again from what the groups' rows say and
from nothing else, beside the trees of an open log. Source: SPEC 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from qed.trees.kernel import extend_history, extend_snapshots, hash_leaves
from qed.trees.snapshot_log import EMPTY_ROOT, StoredNode, root
from qed.trees.values import DIGEST_BYTES


class Frontier(NamedTuple):
    """A snapshot log of `size` leaves: the peaks with which it goes on, and its root."""

    size: int
    peaks: bytes
    root: bytes

    def extend(self, hashes: bytes) -> tuple[Frontier, list[StoredNode]]:
        """Return the frontier after more leaf hashes, and the nodes to be kept that they complete.

        Cost: a hash a leaf, and log2(size) for the root.
        """
        peaks, nodes = extend_snapshots(self.size, self.peaks, hashes)
        return Frontier(self.size + len(hashes) // DIGEST_BYTES, peaks, root(peaks)), nodes


EMPTY = Frontier(0, b"", EMPTY_ROOT)


class Traced(NamedTuple):
    """What groups led to: 32 bytes an event each, and the nodes that they completed."""

    history_digests: bytes
    hashes: bytes
    nodes: list[StoredNode]


class Trace(NamedTuple):
    """A place in the groups from which they can be followed: the end of one of them."""

    frontier: Frontier = EMPTY
    history_peaks: bytes = b""

    @property
    def size(self) -> int:
        """The events up to there."""
        return self.frontier.size

    def extend(
        self, digests: bytes, counts: Sequence[int], hyper_digests: bytes
    ) -> tuple[Trace, Traced]:
        """Return the place after more groups, and what they lead to.

        `counts` are the events of each group, and `hyper_digests` the digests after each, which are
        taken as they are: replay compares them.

        Cost: 2 + log2(size) hashes an event for its history digest, two for its leaf.
        """
        history_peaks, roots = extend_history(self.size, self.history_peaks, digests)
        hashes = hash_groups(self.size, digests, roots, counts, hyper_digests)
        frontier, nodes = self.frontier.extend(hashes)
        return Trace(frontier, history_peaks), Traced(roots, hashes, nodes)


def hash_groups(
    first_version: int,
    digests: bytes,
    history_digests: bytes,
    counts: Sequence[int],
    hyper_digests: bytes,
) -> bytes:
    """Return the leaf hashes of groups that follow on; the last may be a part of one."""
    parts, start = [], 0
    for number, count in enumerate(counts):
        stop = start + count * DIGEST_BYTES
        hyper_digest = hyper_digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]
        version = first_version + start // DIGEST_BYTES
        parts.append(
            hash_leaves(version, digests[start:stop], history_digests[start:stop], hyper_digest)
        )
        start = stop
    return b"".join(parts)
