"""What this machine makes of a log: kernel, engine, opening and backups, verification, HTTP, store.

    make bench                                        some minutes
    make bench-large                                  up to 10^7 events: 15 minutes, 3 GB of disk
    python benchmarks/run.py --only kernel --only engine --json

Each line stands beside what the machine did alone at that moment. A run of adds without a sync is
void, and so is a file system in memory. `benchmarks/README.md` says what the columns mean.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import bench_audit
import bench_engine
import bench_http
import bench_kernel
import bench_lifecycle
import bench_offline
import bench_snapshots
import bench_store
import bench_watched
import figures as tables
from context import Context
from figures import Figure
from machine import Others, describe, void_in_memory
from syncs import SyncCounter

from qed.trees import kernel

BENCHMARKS: dict[str, ModuleType] = {
    module.NAME: module
    for module in (
        bench_kernel,
        bench_engine,
        bench_snapshots,
        bench_lifecycle,
        bench_offline,
        bench_http,
        bench_store,
        bench_audit,
        bench_watched,
    )
}
SIZES = (10_000, 100_000, 1_000_000)
LARGE_SIZES = (*SIZES, 10_000_000)
TWIN_SIZES = (10_000,)  # what pure Python fills in a reasonable time


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="may be given again")
    parser.add_argument("--large", action="store_true", help="up to 10^7 events")
    parser.add_argument("--sizes", help="logs to measure at, comma-separated numbers")
    parser.add_argument("--runs", type=int, default=3, help="the median is shown")
    parser.add_argument("--seconds", type=float, default=3.0, help="of one run over HTTP")
    parser.add_argument("--directory", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--json", action="store_true", help="one JSON document")
    return parser.parse_args()


def sizes(options: argparse.Namespace) -> tuple[int, ...]:
    """Return the sizes that were asked for."""
    if options.sizes:
        return tuple(sorted(int(text) for text in options.sizes.split(",")))
    if kernel.WHY_TWIN:
        return TWIN_SIZES
    return LARGE_SIZES if options.large else SIZES


def main() -> None:
    """Run what was asked for, print it."""
    options = parse()
    machine = describe(options.directory)
    void_in_memory(machine, options.directory)
    others = Others()
    done: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="qed-bench-", dir=options.directory) as scratch:
        context = Context(
            directory=Path(scratch),
            sizes=sizes(options),
            runs=options.runs,
            seconds=options.seconds,
            counter=SyncCounter(Path(scratch)),
        )
        for name in options.only or BENCHMARKS:
            print(f"{name} ...", file=sys.stderr)
            done += BENCHMARKS[name].run(context)
    machine["others"] = f"other programs took {others.share():.0%} of the processors meanwhile"
    correct = {"checks clean": context.checks, "proofs verified": context.proofs}
    if options.json:
        lines = [tables.document(figure) for figure in done]
        print(json.dumps({"machine": machine, "correct": correct, "figures": lines}, indent=1))
        return
    print("\n".join(f"{name}: {value}" for name, value in machine.items()))
    print(tables.table(done))
    print(tables.growth(done))
    print(tables.verdict(done))
    print(f"correct: {context.checks} checks clean, {context.proofs:,} proofs verified")


if __name__ == "__main__":
    main()
