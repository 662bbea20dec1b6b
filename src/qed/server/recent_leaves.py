"""The newest published leaves, in memory: readers that keep up with the log cost it no reads."""

from __future__ import annotations

import threading
from bisect import bisect_left

from qed.engine.leaves import Leaves
from qed.trees.values import DIGEST_BYTES

MOST_LEAVES = 65_536  # 6 MiB, and as much again when each is a group of its own


class RecentLeaves:
    """A window on the end of the published log; any thread may read it while the signer adds."""

    def __init__(self, most_leaves: int = MOST_LEAVES) -> None:
        """Start out with an empty window."""
        self._most_leaves = most_leaves
        self._lock = threading.Lock()  # guards all that follows
        self._first = 0
        self._digests = bytearray()
        self._history_digests = bytearray()
        self._hashes = bytearray()
        self._ends: list[tuple[int, bytes]] = []

    def add(self, leaves: Leaves) -> None:
        """Take the leaves that come next, whole groups; others than the next begin a new window.

        Cost: copies of what they are made from. What is beyond the bound goes from the front.
        """
        hashes = leaves.hashes()
        with self._lock:
            if leaves.first_version != self._stop():
                self._drop(self._stop() - self._first)
                self._ends.clear()
                self._first = leaves.first_version
            self._digests += leaves.digests
            self._history_digests += leaves.history_digests
            self._hashes += hashes
            self._ends += leaves.ends
            self._drop(self._stop() - self._first - self._most_leaves)

    def read(self, first: int, stop: int) -> Leaves | None:
        """Return the leaves of a range, None when not all of them are here."""
        with self._lock:
            if not self._first <= first < stop <= self._stop():
                return None
            start = (first - self._first) * DIGEST_BYTES
            here = slice(start, start + (stop - first) * DIGEST_BYTES)
            # The groups that have some of them: the last one ends at `stop - 1` or later.
            groups = slice(self._find_end(first), self._find_end(stop - 1) + 1)
            return Leaves(
                first,
                bytes(self._digests[here]),
                bytes(self._history_digests[here]),
                tuple(self._ends[groups]),
                bytes(self._hashes[here]),
            )

    def _find_end(self, version: int) -> int:
        """Return the number of the group that has a version."""
        return bisect_left(self._ends, (version,))

    def _stop(self) -> int:
        return self._first + len(self._hashes) // DIGEST_BYTES

    def _drop(self, leaves: int) -> None:
        if leaves <= 0:
            return
        for column in (self._digests, self._history_digests, self._hashes):
            del column[: leaves * DIGEST_BYTES]
        self._first += leaves
        del self._ends[: self._find_end(self._first)]
