"""Leaves that follow each other, as columns: what a row holds and what a batch brings.

Events and history digests stand end to end; the hyper digest stands once for each group, or for the
part of a group that is in the run. A value: nothing here reads or writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Self

from qed.trees import kernel
from qed.trees.snapshot_log import encode_leaf
from qed.trees.values import DIGEST_BYTES, Snapshot

ROW_LEAVES = 256
"""A row ends where a bundle of the tiles does, so that a bundle is read with few of them."""


@dataclass(frozen=True, slots=True)
class Run:
    """Leaves [first, stop); `ends` are numbers of leaves with the hyper digest that they share."""

    first: int
    events: bytes
    histories: bytes
    ends: tuple[tuple[int, bytes], ...]

    @classmethod
    def of_snapshots(cls, snapshots: Sequence[Snapshot]) -> Self:
        """Return the run of snapshots whose versions follow each other; there is at least one."""
        hypers = [snapshot.hyper_digest for snapshot in snapshots]
        return cls(
            snapshots[0].version,
            b"".join([snapshot.event_digest for snapshot in snapshots]),
            b"".join([snapshot.history_digest for snapshot in snapshots]),
            tuple((len(list(group)), hyper) for hyper, group in groupby(hypers)),
        )

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return len(self.events) // DIGEST_BYTES

    @property
    def stop(self) -> int:
        """The version after the last one."""
        return self.first + self.size

    def hash_leaves(self) -> bytes:
        """Return the leaf hashes, end to end. Cost: two blocks of SHA-256 a leaf."""
        parts, at = [], 0
        for count, hyper in self.ends:
            stop = at + count * DIGEST_BYTES
            events, histories = self.events[at:stop], self.histories[at:stop]
            first = self.first + at // DIGEST_BYTES
            parts.append(kernel.hash_leaves(first, events, histories, hyper))
            at = stop
        return b"".join(parts)

    def snapshots(self) -> Iterator[Snapshot]:
        """Yield the snapshots in the order of versions."""
        hypers = (hyper for count, hyper in self.ends for _ in range(count))
        for number, hyper in enumerate(hypers):
            at = slice(number * DIGEST_BYTES, (number + 1) * DIGEST_BYTES)
            yield Snapshot(self.first + number, self.events[at], self.histories[at], hyper)

    def leaves(self) -> list[bytes]:
        """Return the leaves of the snapshot log, 116 bytes each."""
        return [
            encode_leaf(one.version, one.event_digest, one.history_digest, one.hyper_digest)
            for one in self.snapshots()
        ]

    def cut(self, first: int, stop: int) -> Run:
        """Return the leaves [first, stop), which must be inside."""
        if not self.first <= first < stop <= self.stop:
            raise AssertionError(f"no leaves [{first}, {stop}) in [{self.first}, {self.stop})")
        at = slice((first - self.first) * DIGEST_BYTES, (stop - self.first) * DIGEST_BYTES)
        return Run(first, self.events[at], self.histories[at], self._cut_ends(first, stop))

    def _cut_ends(self, first: int, stop: int) -> tuple[tuple[int, bytes], ...]:
        found, at = [], self.first
        for count, hyper in self.ends:
            inside = min(at + count, stop) - max(at, first)
            if inside > 0:
                found.append((inside, hyper))
            at += count
            if at >= stop:
                break
        return tuple(found)

    def split(self) -> Iterator[Run]:
        """Yield the run in parts that each fit into a row: none reaches over a multiple of 256."""
        ends = iter(self.ends)
        left, hyper = next(ends)
        first = self.first
        while first < self.stop:
            stop = min(self.stop, first - first % ROW_LEAVES + ROW_LEAVES)
            at = slice((first - self.first) * DIGEST_BYTES, (stop - self.first) * DIGEST_BYTES)
            wanted, found = stop - first, []
            while wanted:
                if not left:
                    left, hyper = next(ends)
                taken = min(left, wanted)
                found.append((taken, hyper))
                left, wanted = left - taken, wanted - taken
            yield Run(first, self.events[at], self.histories[at], tuple(found))
            first = stop


def join(runs: Sequence[Run]) -> Run:
    """Return runs that follow each other, at least one, as one."""
    if len(runs) == 1:
        return runs[0]
    ends: list[tuple[int, bytes]] = []
    stop = runs[0].first
    for run in runs:
        if run.first != stop:
            raise AssertionError(f"leaves [{stop}, {run.first}) are missing between two runs")
        stop = run.stop
        for count, hyper in run.ends:
            if ends and ends[-1][1] == hyper:
                ends[-1] = (ends[-1][0] + count, hyper)
            else:
                ends.append((count, hyper))
    return Run(
        runs[0].first,
        b"".join([run.events for run in runs]),
        b"".join([run.histories for run in runs]),
        tuple(ends),
    )
