"""The log without HTTP: durable appends, their memory and bytes, a flood, a small cache."""

from __future__ import annotations

import shutil
import statistics
from pathlib import Path

from context import MIB, MILLION, Context
from figures import Figure, Floor, at_least, at_most, median
from machine import size_bytes
from worker import Result

NAME = "engine"
RATE_FLOORS = {MILLION: 150_000, 10 * MILLION: 120_000}
DISK_FLOOR, WRITTEN_FLOOR = 110, 160  # bytes an event, at a million
FLOOD_EVENTS = 50_000
FLOOD_BITS = 40
FLOOD_LOG = 100_000  # ordinary events below the flood
FLOOD_FACTOR = 10


def run(context: Context) -> list[Figure]:
    """Fill a log of each size; then a flood, and the largest with a tenth of the memory."""
    figures = []
    trees: dict[int, int] = {}
    for events in context.sizes:
        runs = context.runs_at(events)
        filled = [_fill(context, events, last=run == runs - 1) for run in range(runs)]
        figure = median([figure for figure, _ in filled])
        trees[events] = filled[-1][1]["trees_bytes"]
        path = context.filled[events]
        figures += [figure, _check(context, path, events)]
    largest = context.sizes[-1]
    figures.append(_small_cache(context, largest, trees[largest] // 10))
    figures += _flood(context)
    return figures


def _fill(context: Context, events: int, *, last: bool) -> tuple[Figure, Result]:
    """Fill a log; the last of some stays for other benchmarks."""
    path = context.directory / f"log-{events}"
    hashes, syncs = context.bare_hashes(), context.bare_syncs()
    result = context.work("fill", path=path, events=events)
    hashes = (hashes + context.bare_hashes()) / 2
    syncs = (syncs + context.bare_syncs()) / 2
    _void_without_syncs(result, events)
    disk = size_bytes(path)
    if last:
        context.filled[events] = path
    else:
        shutil.rmtree(path)
    rate = events / result["seconds"]
    floors: list[Floor] = []
    if events in RATE_FLOORS:
        floors.append(at_least("events/s", rate, RATE_FLOORS[events]))
    if events == MILLION:
        floors.append(at_most("bytes an event on disk", disk / events, DISK_FLOOR))
        written = result["written_bytes"] / events
        floors.append(at_most("bytes an event written", written, WRITTEN_FLOOR))
    figure = Figure(
        NAME,
        "durable append, groups of 1,000",
        events,
        rate,
        hashes,
        syncs,
        cpu_us=result["cpu_s"] / events * 1e6,
        syncs_per_s=result["syncs"] / result["seconds"],
        more={
            "events a sync": events / result["syncs"],
            "in syncs %": 100 * result["sync_s"] / result["seconds"],
            "disk bytes an event": disk / events,
            "written": result["written_bytes"] / events,
            "memory MiB": result["resident_bytes"] / MIB,
            "trees MiB": result["trees_bytes"] / MIB,
            "proof made and verified us": result["proof_us"],
        },
        floors=tuple(floors),
    )
    return figure, result


def _void_without_syncs(result: Result, events: int) -> None:
    if not result["syncs"]:
        raise SystemExit(f"void: {events} events were acknowledged without one sync")


def _check(context: Context, path: Path, events: int) -> Figure:
    """Recompute everything in the log: `qed check`."""
    hashes = context.bare_hashes()
    result = context.check(path)
    return Figure(
        NAME,
        "check: every root again",
        events,
        events / result["seconds"],
        hashes,
        cpu_us=result["cpu_s"] / events * 1e6,
        more={"seconds": result["seconds"]},
    )


def _small_cache(context: Context, events: int, budget: int) -> Figure:
    """Fill a log with a tenth of the memory that it would take, reopen it, check it."""
    with context.scratch("small-cache") as scratch:
        path = scratch / "log"
        hashes, syncs = context.bare_hashes(), context.bare_syncs()
        result = context.work("fill", path=path, events=events, cache_bytes=budget)
        hashes = (hashes + context.bare_hashes()) / 2
        _void_without_syncs(result, events)
        opened = context.work("reopen", path=path, cache_bytes=budget)
        disk = size_bytes(path)
        context.check(path)
    return Figure(
        NAME,
        "the same, a tenth of that memory",
        events,
        events / result["seconds"],
        hashes,
        syncs,
        cpu_us=result["cpu_s"] / events * 1e6,
        syncs_per_s=result["syncs"] / result["seconds"],
        more={
            "budget MiB": budget / MIB,
            "memory MiB": result["resident_bytes"] / MIB,
            "trees MiB": result["trees_bytes"] / MIB,
            "disk bytes an event": disk / events,
            "written": result["written_bytes"] / events,
            "proof made and verified us": result["proof_us"],
            "open again s": opened["seconds"],
        },
    )


def _flood(context: Context) -> list[Figure]:
    """Add many events that share their first bits, and groups beside them."""
    flooded = min(FLOOD_EVENTS, context.sizes[-1])
    before = min(FLOOD_LOG, context.sizes[-1])
    with context.scratch("flood") as scratch:
        path = scratch / "log"
        hashes = context.bare_hashes()
        result = context.work("flood", path=path, events=before, flooded=flooded, bits=FLOOD_BITS)
        context.check(path)
    times: dict[str, list[float]] = result["times_s"]
    ordinary = statistics.median(times["before"])
    lines = {
        "before": "a group of 1,000 by itself",
        "flood": f"one of {flooded:,} that share {FLOOD_BITS} bits",
        "beside": "one more of those",
        "ordinary": "an ordinary one after them",
    }
    figures = []
    for kind, what in lines.items():
        taken = statistics.median(times[kind])
        factor = taken / ordinary
        floors = (at_most("times the group by itself", factor, FLOOD_FACTOR),)
        figures.append(
            Figure(
                "flood",
                what,
                before,
                1_000 / taken,
                hashes,
                p50_ms=taken * 1e3,
                p99_ms=max(times[kind]) * 1e3,
                more={"times the group by itself": factor},
                floors=floors if kind in {"beside", "ordinary"} else (),
            )
        )
    return figures
