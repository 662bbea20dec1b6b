"""The kernel: groups of 1,000 on trees of some size, against the bare hashes that they need.

Everything here happens on one thread, and its processor time is what counts: the bare hashes beside
it are measured in the same way.
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable

from context import MIB, MILLION, Context
from figures import Figure, at_most
from machine import pairs_per_second
from needed_hashes import Members, Needed, frozen_hashes, history_hashes

from qed.trees.kernel import History, Hyper

NAME = "kernel"
BOTH = "both trees"
GROUP = 1_000
GROUPS = 30
CALLS = 2_000
DIGEST_BYTES = 32
CHUNK = 100_000  # events made at a time


def run(context: Context) -> list[Figure]:
    """Measure both trees at each size."""
    return [figure for events in context.sizes for figure in _at(context, events)]


def _at(context: Context, events: int) -> list[Figure]:
    groups = [os.urandom(GROUP * DIGEST_BYTES) for _ in range(GROUPS)]
    members = Members(groups)
    trees = _Trees()
    grown = _grow(context, trees, events, members)
    return [grown, *_groups(context, trees, groups, members), *_calls(context, trees)]


class _Trees:
    """Both trees of one log."""

    def __init__(self) -> None:
        self.history = History()
        self.hyper = Hyper(self.history)


def _grow(context: Context, trees: _Trees, events: int, members: Members) -> Figure:
    """Fill empty trees as an open without an index does: no roots between."""
    hashes = context.bare_hashes()
    seconds = 0.0
    for first in range(0, events, CHUNK):
        digests = os.urandom(min(CHUNK, events - first) * DIGEST_BYTES)
        members.add(digests)
        start = time.thread_time()
        trees.history.freeze(digests)
        seconds += time.thread_time() - start
    ends = bytearray(events // 8 + 1)
    for last in [*range(GROUP - 1, events, GROUP), events - 1]:
        ends[last >> 3] |= 1 << (last & 7)
    start = time.thread_time()
    trees.hyper.build(bytes(ends))
    built = time.thread_time() - start
    frozen = frozen_hashes(0, events).two_block_equivalents
    return Figure(
        NAME,
        "both trees built at once, no root between",
        events,
        events / (seconds + built),
        (hashes + context.bare_hashes()) / 2,
        more={
            "history us": seconds / events * 1e6,
            "of its bare hashes": seconds * hashes / frozen,
            "hyper us": built / events * 1e6,
            "history MiB": trees.history.memory_bytes / MIB,
            "hyper MiB": trees.hyper.memory_bytes / MIB,
            "hyper bytes an event": trees.hyper.memory_bytes / events,
        },
    )


def _groups(context: Context, trees: _Trees, groups: list[bytes], members: Members) -> list[Figure]:
    """Plan and accept the groups one after the other."""
    events = trees.history.size
    times: dict[str, list[float]] = {"history": [], "hyper": [], BOTH: []}
    needs: dict[str, list[Needed]] = {name: [] for name in times}
    hashes, pairs = context.bare_hashes(), pairs_per_second()
    for digests in groups:
        size = trees.history.size
        begin = time.thread_time()
        trees.history.accept(trees.history.plan(digests))
        between = time.thread_time()
        trees.hyper.accept(trees.hyper.plan(digests, size))
        end = time.thread_time()
        of_history, of_hyper = history_hashes(size, GROUP), members.add_group(digests)
        taken = (between - begin, end - between, end - begin)
        needed = (of_history, of_hyper, of_history + of_hyper)
        for name, seconds, need in zip(times, taken, needed, strict=True):
            times[name].append(seconds)
            needs[name].append(need)
    hashes = (hashes + context.bare_hashes()) / 2
    pairs = (pairs + pairs_per_second()) / 2
    return [_group(events, name, times[name], needs[name], hashes, pairs) for name in times]


def _group(  # noqa: PLR0913, PLR0917 - all that was measured of one
    events: int, name: str, times: list[float], needs: list[Needed], hashes: float, pairs: float
) -> Figure:
    both = zip(times, needs, strict=True)
    bare = statistics.median(taken / need.two_block_equivalents for taken, need in both)
    figure = Figure(
        NAME,
        f"a group of 1,000, {name}",
        events,
        GROUP / statistics.median(times),
        hashes,
        more={
            "of its bare hashes": bare * hashes,
            "of them two at once": bare * pairs,
            "needs one-block": needs[-1].one_block,
            "two-block": needs[-1].two_blocks,
        },
    )
    if events == MILLION and name == BOTH:
        floor = at_most("times its bare hashes, two at once", bare * pairs, 1.5)
        return figure.with_floors(floor)
    return figure


def _calls(context: Context, trees: _Trees) -> list[Figure]:
    """Time the calls that proofs are made of."""
    size = trees.history.size
    chosen = random.Random(size)  # noqa: S311 - a choice that can be made again
    versions = [chosen.randrange(size) for _ in range(CALLS)]
    digests = [trees.history.digest(version) for version in versions]
    calls: dict[str, Callable[[int], object]] = {
        "walk to a digest": lambda i: trees.hyper.walk(digests[i]),
        "history path": lambda i: trees.history.prove_membership(versions[i], size - 1),
        "incremental path": lambda i: trees.history.prove_incremental(versions[i], size - 1),
    }
    hashes = context.bare_hashes()
    figures = []
    for name, call in calls.items():
        start = time.thread_time()
        for i in range(CALLS):
            call(i)
        taken = time.thread_time() - start
        figures.append(
            Figure(NAME, f"{name}, one call", size - GROUPS * GROUP, CALLS / taken, hashes)
        )
    return figures
