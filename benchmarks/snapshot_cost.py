"""What the snapshot log costs a log that adds: beside one without, and with a signer that follows.

Three logs of one size in one process take turns, some groups each: one whose groups are planned
without the snapshot log (the product has no such switch: the planner is replaced here), one as it
is, and one that a signer follows as a server's does, every 100 ms: it reads the rows back, computes
the root again and hands the leaves on. The order changes from turn to turn, and a turn of one is
compared with the turns of the others beside it, so what else the machine does hits all alike.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

from worker import Result, append, limits, random_digests

from qed.database import Put
from qed.engine import rows
from qed.engine.group import Ground, Plan
from qed.engine.log import Log
from qed.engine.rows import Head
from qed.engine.snapshots import EMPTY
from qed.server.publication import Publication
from qed.trees.snapshot_log import TILE_HASHES

KINDS = ("without", "with", "signed")
BUNDLES = 300


class BarePlan(Plan):
    """A group as it was planned before there was a snapshot log."""

    def puts(self) -> list[Put]:
        """Return the rows of the group alone."""
        return rows.encode_group(self.first_version, self.digests, self.head)


def plan_bare(ground: Ground, digests: bytes, base: Plan | None = None) -> Plan:
    """Plan a group as `qed.engine.group.plan_group` does, without the snapshot log."""
    head = base.head if base else ground.head
    history_plan = ground.history.plan(digests, base.history if base else None)
    hyper_plan = ground.hyper.plan(digests, head.size, base.hyper if base else None)
    new_head = Head(
        log_id=head.log_id,
        epoch=head.epoch,
        sequence=head.sequence + 1,
        size=history_plan.size,
        history_digest=history_plan.roots[-32:],
        hyper_digest=hyper_plan.root,
    )
    return BarePlan(head.size, digests, history_plan, hyper_plan, new_head, EMPTY, [])


@contextlib.contextmanager
def as_kind(kind: str, log: Log) -> Iterator[None]:
    """Let a log add in one of the three ways."""
    if kind == "without":
        with mock.patch("qed.engine.state.plan_group", plan_bare):
            yield
        return
    if kind == "with":
        yield
        return
    signer = Publication(log, lambda _size, _root: b"")
    signer.start()
    try:
        yield
    finally:
        signer.stop()


def compare(path: str, events: int, turns: int, turn_groups: int, group: int = 1_000) -> Result:
    """Fill a log of each kind, then let them take turns; what a turn took, by kind."""
    logs = {kind: Log.create(Path(path) / kind, limits=limits(group=group)) for kind in KINDS}
    for kind, log in logs.items():
        with as_kind(kind, log):
            append(log, _groups(events // group, group))
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    cpu: dict[str, list[float]] = {kind: [] for kind in KINDS}
    orders = itertools.cycle(itertools.permutations(KINDS))
    for _, order in zip(range(turns), orders, strict=False):
        for kind in order:
            prepared = list(_groups(turn_groups, group))
            with as_kind(kind, logs[kind]):
                wall, process = time.perf_counter(), time.process_time()
                append(logs[kind], iter(prepared))
                cpu[kind].append(time.process_time() - process)
                times[kind].append(time.perf_counter() - wall)
    bundle_s = _time_bundles(logs["with"])
    for log in logs.values():
        log.close()
    return {
        "turn_events": turn_groups * group,
        "times_s": times,
        "cpu_s": cpu,
        "bundle_s": bundle_s,
        **_time_missing(Path(path) / "without"),
    }


def _groups(count: int, group: int) -> Iterator[bytes]:
    return (random_digests(group) for _ in range(count))


def _time_bundles(log: Log) -> float:
    """Return what it takes to make a full bundle of leaves from rows, and the tile of hashes."""
    tiles = log.head.size // TILE_HASHES
    chosen = random.Random(tiles).choices(range(tiles), k=BUNDLES)  # noqa: S311
    start = time.perf_counter()
    for index in chosen:
        leaves = log.read_leaves(index * TILE_HASHES, (index + 1) * TILE_HASHES)
        leaves.hashes()
        leaves.encode_bundle()
    return (time.perf_counter() - start) / BUNDLES


def _time_missing(path: Path) -> Result:
    """Open a log without rows of the snapshot log, as an earlier version leaves it, and again."""
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        with Log.open(path) as log:
            seconds.append(time.perf_counter() - start)
            size = log.head.size
    return {"missing_s": seconds[0], "open_s": seconds[1], "events": size}


def ratios(times_s: dict[str, Sequence[float]], kind: str) -> list[float]:
    """Return a kind's turns against those without the snapshot log, pair by pair."""
    return [a / b for a, b in zip(times_s[kind], times_s["without"], strict=True)]
