"""Planning a group: what adding some events would make of a log. Pure.

A plan stands beside the state: dropping it leaves nothing behind. It holds no clock, no
configuration and no chance, so the same events on the same view give the same plan anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qed.database import Put
from qed.engine import rows
from qed.engine.rows import Head
from qed.trees import history, hyper
from qed.trees.history import FrozenReader
from qed.trees.hyper import Tree
from qed.trees.values import Position


@dataclass(frozen=True, slots=True)
class Plan:
    """One group, computed: `head` is where the log stands after it."""

    first_version: int
    digests: Sequence[bytes]
    history_digests: Sequence[bytes]
    frozen: Sequence[tuple[Position, bytes]]
    tree: Tree
    head: Head

    def puts(self) -> list[Put]:
        """Return the rows that make the group durable."""
        return rows.encode_group(self.first_version, self.digests, self.head)


def plan_group(head: Head, tree: Tree, read: FrozenReader, digests: Sequence[bytes]) -> Plan:
    """Return the group of these digests, in this order, on a log that stands at `head`.

    Every event gets the next version and its own history digest; all share the hyper digest after
    the whole group, in which the first of equal events keeps the entry. Changes nothing.

    Cost: about 2 + log2(size) history hashes an event, and the hyper nodes above the group once.
    Source: SPEC 1.
    """
    first_version = head.size
    frozen, history_digests = history.extend(read, first_version, digests)
    entries = newest_entries(first_version, digests)
    new_tree = hyper.insert(tree, list(entries.items()))
    new_head = Head(
        log_id=head.log_id,
        epoch=head.epoch,
        sequence=head.sequence + 1,
        size=first_version + len(digests),
        history_digest=history_digests[-1],
        hyper_digest=hyper.root(new_tree),
    )
    return Plan(first_version, digests, history_digests, frozen, new_tree, new_head)


def newest_entries(first_version: int, digests: Sequence[bytes]) -> dict[bytes, int]:
    """Return what a group puts into the hyper tree: the first version of each of its digests."""
    entries: dict[bytes, int] = {}
    for version, digest in enumerate(digests, first_version):
        entries.setdefault(digest, version)
    return entries
