"""What a log keeps in memory, and who owns it.

Two things are kept. The *view* is one immutable value: where the log stands and the hyper tree
there. It is swapped by one reference, so a reader takes it once and then answers everything from
that version, without waiting for anybody. The *frozen nodes* of the history tree only grow: a
reader of an older view never asks for nodes beyond it, and what is there never changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from qed.engine.group import Plan
from qed.engine.rows import Head
from qed.trees import history, hyper
from qed.trees.hyper import Tree
from qed.trees.values import DIGEST_BYTES, Position


@dataclass(frozen=True, slots=True)
class View:
    """A log as of one group end: everything that a proof is made of, besides frozen nodes."""

    head: Head
    tree: Tree


class State:
    """The one mutable thing of an open log; only the writer thread changes it."""

    def __init__(self, view: View) -> None:
        """Start from an empty log; `view` is the one of size 0."""
        # Swapped by the writer thread, read by every thread, once for each answer.
        self.view = view
        # levels[h] holds the hashes of the frozen nodes of height h, 32 bytes each, in order.
        # Only appended to, by the writer thread, and before the view that needs them.
        self._levels: list[bytearray] = [bytearray()]
        # SHA-256 over the hyper digests of all group ends so far; the writer thread's.
        self._ends = hashlib.sha256()

    def frozen(self, positions: Sequence[Position]) -> list[bytes]:
        """Return the hashes of frozen nodes, in the order asked for. Any thread."""
        levels = self._levels
        hashes = []
        for index, height in positions:
            start = (index >> height) * DIGEST_BYTES
            node = bytes(levels[height][start : start + DIGEST_BYTES])
            if len(node) != DIGEST_BYTES:
                raise AssertionError(f"the history node ({index}, {height}) is not frozen yet")
            hashes.append(node)
        return hashes

    @property
    def size(self) -> int:
        """The events whose leaves are here: at least those of the view."""
        return len(self._levels[0]) // DIGEST_BYTES

    @property
    def ends_digest(self) -> bytes:
        """SHA-256 over the hyper digests of all groups, one after the other."""
        return self._ends.digest()

    def accept(self, plan: Plan) -> None:
        """Take over what was planned on the current view and is on disk now.

        Stop between the two halves: nobody sees it, a process that stops has no memory left.
        """
        for (index, height), node in plan.frozen:
            self._append(index, height, node)
        self._ends.update(plan.head.hyper_digest)
        self.view = View(plan.head, plan.tree)

    def freeze(self, digests: Sequence[bytes]) -> None:
        """Append leaves and the nodes that freeze with them, without the roots between.

        For replay, before anybody reads: the view stays behind until `stand_at`.
        Cost: two hashes an event.
        """
        leaves = self._levels[0]
        for version, digest in enumerate(digests, self.size):
            leaves += history.leaf_hash(digest, version)
        height = 0
        while len(self._levels[height]) >= 2 * DIGEST_BYTES:
            lower = self._levels[height]
            height += 1
            if height == len(self._levels):
                self._levels.append(bytearray())
            upper = self._levels[height]
            for at in range(len(upper) * 2, len(lower) - DIGEST_BYTES, 2 * DIGEST_BYTES):
                middle = at + DIGEST_BYTES
                position = (at // DIGEST_BYTES << (height - 1), height)
                left, right = lower[at:middle], lower[middle : middle + DIGEST_BYTES]
                upper += history.inner_hash(bytes(left), bytes(right), position)

    def end_group(self, hyper_digest: bytes) -> None:
        """Count a replayed group's end into `ends_digest`."""
        self._ends.update(hyper_digest)

    def history_root(self) -> bytes:
        """Return the history digest as of the last leaf here; there must be one."""
        return history.root(self.frozen, self.size - 1)

    def stand_at(self, head: Head, tree: Tree) -> None:
        """Show readers the state that replay has reached."""
        self.view = View(head, tree)

    def _append(self, index: int, height: int, node: bytes) -> None:
        if height == len(self._levels):
            self._levels.append(bytearray())
        level = self._levels[height]
        if len(level) != (index >> height) * DIGEST_BYTES:
            raise AssertionError(f"the history node ({index}, {height}) is not the next one")
        level += node


def empty_head(log_id: bytes) -> Head:
    """Return where a new log stands."""
    return Head(
        log_id=log_id,
        epoch=0,
        sequence=0,
        size=0,
        history_digest=bytes(DIGEST_BYTES),
        hyper_digest=hyper.root(None),
    )
