"""The newest published leaves, in memory: readers that keep up with the log cost it no reads."""

from __future__ import annotations

import threading
from typing import Protocol

from qed.trees.snapshot_log import LEAF_BYTES
from qed.trees.values import DIGEST_BYTES

MOST_LEAVES = 65_536  # about 10 MB
ENTRY_BYTES = 2 + LEAF_BYTES  # of a bundle: the length goes before each leaf


class Leaves(Protocol):
    """A range of leaves; `qed.engine.leaves.Leaves` is one."""

    @property
    def first_version(self) -> int:
        """The version of the first one."""

    def leaf(self, version: int) -> bytes:
        """Return the leaf of a version."""

    def encode_bundle(self) -> bytes:
        """Return all of them as a bundle has them."""

    def hashes(self) -> bytes:
        """Return their hashes, end to end."""


class RecentLeaves:
    """A window on the end of the published log; any thread may read it while the signer adds."""

    def __init__(self, most_leaves: int = MOST_LEAVES) -> None:
        """Start out with an empty window."""
        self._most_leaves = most_leaves
        self._lock = threading.Lock()  # guards the three below
        self._first = 0
        self._entries = bytearray()
        self._hashes = bytearray()

    def add(self, leaves: Leaves) -> None:
        """Take the leaves that come next; those that do not begin a new window.

        Cost: a copy of the leaves. What is beyond the bound is dropped from the front.
        """
        entries, hashes = leaves.encode_bundle(), leaves.hashes()
        with self._lock:
            if leaves.first_version != self._stop():
                self._first = leaves.first_version
                self._entries.clear()
                self._hashes.clear()
            self._entries += entries
            self._hashes += hashes
            spare = self._stop() - self._first - self._most_leaves
            if spare > 0:
                del self._entries[: spare * ENTRY_BYTES]
                del self._hashes[: spare * DIGEST_BYTES]
                self._first += spare

    def entries(self, first: int, stop: int) -> bytes | None:
        """Return the leaves of a range as a bundle has them, None when not all are here."""
        return self._cut(self._entries, ENTRY_BYTES, first, stop)

    def hashes(self, first: int, stop: int) -> bytes | None:
        """Return the hashes of a range of leaves, None when not all are here."""
        return self._cut(self._hashes, DIGEST_BYTES, first, stop)

    def _cut(self, data: bytearray, item_bytes: int, first: int, stop: int) -> bytes | None:
        with self._lock:
            if not self._first <= first < stop <= self._stop():
                return None
            start = first - self._first
            return bytes(data[start * item_bytes : (stop - self._first) * item_bytes])

    def _stop(self) -> int:
        return self._first + len(self._hashes) // DIGEST_BYTES
