"""Planning a group: what adding some events would make of a log. Pure.

A plan stands beside the state: dropping it leaves nothing behind. It holds no clock, no
configuration and no chance, so the same events on the same log give the same plan anywhere. One
plan may stand on another whose group is still on its way to the disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from qed.database import Put
from qed.engine import rows
from qed.engine.rows import Head, Mark
from qed.engine.snapshots import Frontier
from qed.trees.kernel import History, HistoryPlan, Hyper, HyperPlan, hash_leaves
from qed.trees.snapshot_log import StoredNode
from qed.trees.values import DIGEST_BYTES


class Ground(Protocol):
    """What a group is planned on: a log's state."""

    @property
    def head(self) -> Head:
        """Where the log stands."""

    @property
    def history(self) -> History:
        """Its history tree."""

    @property
    def hyper(self) -> Hyper:
        """Its hyper tree."""

    @property
    def frontier(self) -> Frontier:
        """Its snapshot log."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One group, computed: `head` is where the log stands after it, `frontier` its snapshot log.

    `nodes` are those of the snapshot log that the group completes.
    """

    first_version: int
    digests: bytes
    history: HistoryPlan
    hyper: HyperPlan
    head: Head
    frontier: Frontier
    nodes: list[StoredNode]

    def puts(self) -> list[Put]:
        """Return the rows that make the group durable."""
        mark = Mark(self.frontier.size, self.frontier.root)
        return [
            *rows.encode_group(self.first_version, self.digests, self.head),
            *rows.encode_snapshots(mark, self.nodes),
        ]


def plan_group(ground: Ground, digests: bytes, base: Plan | None = None) -> Plan:
    """Return the group of these digests (32 bytes each, end to end) on a log.

    Every event gets the next version and its own history digest; all share the hyper digest after
    the whole group, in which the first of equal events keeps the entry. Changes nothing. With
    `base`, a plan on this log that is not accepted yet, the group comes after that one.

    Cost: about 2 + log2(size) history hashes an event, the hyper nodes above the group once, and
    two hashes an event of the snapshot log.
    Source: SPEC 1 and 10.
    """
    head, frontier = (base.head, base.frontier) if base else (ground.head, ground.frontier)
    history_plan = ground.history.plan(digests, base.history if base else None)
    hyper_plan = ground.hyper.plan(digests, head.size, base.hyper if base else None)
    hashes = hash_leaves(head.size, digests, history_plan.roots, hyper_plan.root)
    new_frontier, nodes = frontier.extend(hashes)
    new_head = Head(
        log_id=head.log_id,
        epoch=head.epoch,
        sequence=head.sequence + 1,
        size=history_plan.size,
        history_digest=history_plan.roots[-DIGEST_BYTES:],
        hyper_digest=hyper_plan.root,
    )
    return Plan(head.size, digests, history_plan, hyper_plan, new_head, new_frontier, nodes)
