"""Planning a group: what adding some events would make of a log. Pure.

A plan stands beside the state: dropping it leaves nothing behind. It holds no clock, no
configuration and no chance, so the same events on the same log give the same plan anywhere. One
plan may stand on another whose group is still on its way to the disk.
"""

from __future__ import annotations

from dataclasses import dataclass

from qed.database import Put
from qed.engine import rows
from qed.engine.rows import Head
from qed.trees.kernel import History, HistoryPlan, Hyper, HyperPlan
from qed.trees.values import DIGEST_BYTES


@dataclass(frozen=True, slots=True)
class Plan:
    """One group, computed: `head` is where the log stands after it."""

    first_version: int
    digests: bytes
    history: HistoryPlan
    hyper: HyperPlan
    head: Head

    def puts(self) -> list[Put]:
        """Return the rows that make the group durable."""
        return rows.encode_group(self.first_version, self.digests, self.head)


def plan_group(
    head: Head, history: History, hyper: Hyper, digests: bytes, base: Plan | None = None
) -> Plan:
    """Return the group of these digests (32 bytes each, end to end) on a log that is at `head`.

    Every event gets the next version and its own history digest; all share the hyper digest after
    the whole group, in which the first of equal events keeps the entry. Changes nothing. With
    `base`, a plan on this log that is not accepted yet, the group comes after that one.

    Cost: about 2 + log2(size) history hashes an event, and the hyper nodes above the group once.
    Source: SPEC 1.
    """
    if base is not None:
        head = base.head
    history_plan = history.plan(digests, base.history if base else None)
    hyper_plan = hyper.plan(digests, head.size, base.hyper if base else None)
    new_head = Head(
        log_id=head.log_id,
        epoch=head.epoch,
        sequence=head.sequence + 1,
        size=history_plan.size,
        history_digest=history_plan.roots[-DIGEST_BYTES:],
        hyper_digest=hyper_plan.root,
    )
    return Plan(head.size, digests, history_plan, hyper_plan, new_head)
