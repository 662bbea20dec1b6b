"""The snapshot log: what it costs a log that adds, and what is made from its rows."""

from __future__ import annotations

import statistics

from context import MILLION, Context
from figures import Figure, at_most
from snapshot_cost import ratios

NAME = "snapshots"
SLOWER_PERCENT = 12  # at most, in groups of 1,000 at a million, without signing
BUNDLE_MS = 5.0
TURNS, TURN_GROUPS = 24, 50
GROUP = 1_000


def run(context: Context) -> list[Figure]:
    """Let logs with and without it take turns at the largest size up to a million."""
    events = max(size for size in context.sizes if size <= MILLION)
    turns = TURNS if events == MILLION else 6
    with context.scratch("snapshots") as scratch:
        hashes = context.bare_hashes()
        result = context.work(
            "snapshots",
            path=scratch,
            events=events,
            turns=turns,
            turn_groups=min(TURN_GROUPS, max(1, events // GROUP // 10)),
            group=min(GROUP, events),
        )
        hashes = (hashes + context.bare_hashes()) / 2
        for kind in ("with", "signed"):
            context.check(scratch / kind)
        context.check(scratch / "without")  # which has rows by now
    figures = []
    for kind, what in (
        ("without", "durable append without it"),
        ("with", "the same with it"),
        ("signed", "and with a check before signing"),
    ):
        taken = statistics.median(result["times_s"][kind])
        pairs = ratios(result["times_s"], kind)
        slower = 100 * (1 - 1 / statistics.median(pairs))
        floors = [at_most("% slower", slower, SLOWER_PERCENT)] if kind == "with" else []
        cpu = ratios(result["cpu_s"], kind)
        quarters = statistics.quantiles(pairs, n=4)
        figures.append(
            Figure(
                NAME,
                what,
                events,
                result["turn_events"] / taken,
                hashes,
                cpu_us=statistics.median(result["cpu_s"][kind]) / result["turn_events"] * 1e6,
                more={}
                if kind == "without"
                else {
                    "% slower": slower,
                    "% more CPU": 100 * (statistics.median(cpu) - 1),
                    "half of the pairs from": 100 * (1 - 1 / quarters[0]),
                    "to": 100 * (1 - 1 / quarters[2]),
                },
                floors=tuple(floors) if events == MILLION else (),
            )
        )
    return [*figures, *_from_rows(result, hashes)]


def _from_rows(result: dict[str, float], hashes: float) -> list[Figure]:
    """Return what is made from rows when somebody asks: a bundle, and missing rows at open."""
    size = int(result["events"])
    return [
        Figure(
            NAME,
            "a bundle and its hashes, from groups",
            size,
            1 / result["bundle_s"],
            hashes,
            p50_ms=1e3 * result["bundle_s"],
            floors=(at_most("ms", 1e3 * result["bundle_s"], BUNDLE_MS),),
        ),
        Figure(
            NAME,
            "an open that makes missing rows, once",
            size,
            size / result["missing_s"],
            hashes,
            more={"seconds": result["missing_s"], "the next open s": result["open_s"]},
        ),
    ]
