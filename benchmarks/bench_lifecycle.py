"""Opening, losing the index, rebuilding it, backing up and restoring."""

from __future__ import annotations

import shutil
from pathlib import Path

from context import MIB, MILLION, Context
from figures import Figure, Floor, at_most, median

NAME = "lifecycle"
INDEX = "qed-index"
OPEN_FLOORS_S = {MILLION: 1.0, 10 * MILLION: 5.0}
LOST_FLOORS_S = {10 * MILLION: 30.0}


def run(context: Context) -> list[Figure]:
    """Measure at each size."""
    return [figure for events in context.sizes for figure in _at(context, events)]


def _at(context: Context, events: int) -> list[Figure]:
    path = context.log_of(events)
    runs = context.runs_at(events)

    def opened(*, lost: bool) -> Figure:
        if lost:
            shutil.rmtree(path / INDEX)
        return _open(context, path, events, lost=lost)

    context.work("reopen", path=path)  # leaves the index of a clean close, whoever filled the log
    figures = [
        median([opened(lost=False) for _ in range(runs)]),
        median([opened(lost=True) for _ in range(runs)]),
        _rebuild(context, path, events),
    ]
    with context.scratch("backups") as scratch:
        figures += _back_up_and_restore(context, path, events, scratch)
    del context.filled[events]  # it has grown by one per cent
    shutil.rmtree(path)
    return figures


def _open(context: Context, path: Path, events: int, *, lost: bool) -> Figure:
    hashes = context.bare_hashes()
    result = context.work("reopen", path=path)
    seconds = result["seconds"]
    limits = LOST_FLOORS_S if lost else OPEN_FLOORS_S
    floors: tuple[Floor, ...] = ()
    if events in limits:
        floors = (at_most("seconds", seconds, limits[events]),)
    return Figure(
        NAME,
        "open, the index lost" if lost else "open after a clean stop",
        events,
        events / seconds,
        hashes,
        cpu_us=result["cpu_s"] / events * 1e6,
        more={"seconds": seconds, "memory MiB": result["resident_bytes"] / MIB},
        floors=floors,
    )


def _rebuild(context: Context, path: Path, events: int) -> Figure:
    hashes = context.bare_hashes()
    result = context.work("check", path=path, rebuild_index=True)
    context.checks += 1
    context.work("prove", path=path)
    return Figure(
        NAME,
        "check that rebuilds the index",
        events,
        events / result["seconds"],
        hashes,
        cpu_us=result["cpu_s"] / events * 1e6,
        more={"seconds": result["seconds"]},
    )


def _back_up_and_restore(context: Context, path: Path, events: int, scratch: Path) -> list[Figure]:
    hashes = context.bare_hashes()
    backup = context.work("back_up", path=path, directory=scratch / "backups")
    restored = context.work("restore", directory=scratch / "backups", target=scratch / "new")
    context.check(scratch / "new")
    new = backup["new_events"]
    rows = (
        ("backup, the first", events, backup["first"], backup["first_bytes"]),
        ("backup after one per cent more", new, backup["second"], backup["second_bytes"]),
        ("restore, verified", events + new, restored, backup["first_bytes"]),
    )
    return [
        Figure(
            NAME,
            what,
            events,
            count / result["seconds"],
            hashes,
            cpu_us=result["cpu_s"] / count * 1e6,
            more={"seconds": result["seconds"], "bytes an event": size / count},
        )
        for what, count, result, size in rows
    ]
