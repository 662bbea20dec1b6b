"""Make every system call of every operation fail in every way, and say what came of it.

    python tests/fault/run_all.py                        all of them (`make faults`)
    python tests/fault/run_all.py --minutes 10 --seed 7  as many as fit, in the order of the seed
    python tests/fault/run_all.py --only commit/         those whose name begins so

Ctrl-C ends it after the trials that run, with the table of what was tried.

Exit status: 0 when everything that was tried was right, 1 when not, 2 when strace is missing.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fault.syscalls import Call
from fault.trial import Outcome, all_faults
from fault.worker import Worker, memory_or

Trial = tuple[str, Call, str]
PROGRESS_S = 5.0


def main() -> int:
    options = _options()
    if shutil.which("strace") is None:
        print("strace is missing: apt-get install strace", file=sys.stderr)
        return 2
    root = options.scratch or memory_or(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix="qed-faults-", dir=root) as scratch:
        return _run(options, Path(scratch))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--minutes", type=float, help="stop after this time")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the order of trials")
    parser.add_argument("--only", default="", help="the beginning of the names to try")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--scratch", help="where the copies lie (default: in memory)")
    parser.add_argument("--operations", default="fault.operations", help="where they are declared")
    parser.add_argument("--list", action="store_true", help="only print the names")
    return parser.parse_args()


def _run(options: argparse.Namespace, scratch: Path) -> int:
    trials = _plan(scratch / "plan", options.operations, options.only)
    if options.list:
        print("\n".join(_name(trial) for trial in trials))
        return 0
    random.Random(options.seed).shuffle(trials)  # noqa: S311 - an order, not a secret
    print(f"{len(trials)} faults planned, seed {options.seed}, {options.jobs} at a time")
    enough = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: enough.set())
    if options.minutes:
        timer = threading.Timer(options.minutes * 60, enough.set)
        timer.daemon = True
        timer.start()
    outcomes = _try_all(trials, scratch, options, enough)
    _print_table(trials, outcomes)
    failed = [outcome for outcome in outcomes if outcome.verdict == "failed"]
    for outcome in failed:
        print(f"\nFAILED {outcome.name}\n{outcome.detail}")
        print(f"again: python tests/fault/run_all.py --only {outcome.name}")
    return 1 if failed else 0


def _plan(scratch: Path, operations: str, only: str) -> list[Trial]:
    trials = []
    with Worker(scratch, operations) as worker:
        for operation in worker.operations():
            if operation.startswith(only.split("/", maxsplit=1)[0]):
                calls = worker.plan(operation)
                trials += [(operation, call, kind) for call, kind in all_faults(calls)]
    return [trial for trial in trials if _name(trial).startswith(only)]


def _name(trial: Trial) -> str:
    operation, call, kind = trial
    return f"{operation}/{call.name}/{kind}"


def _try_all(
    trials: list[Trial], scratch: Path, options: argparse.Namespace, enough: threading.Event
) -> list[Outcome]:
    """Hand the trials out to the workers until there are none, or it is enough."""
    waiting = iter(trials)
    lock = threading.Lock()
    outcomes: list[Outcome] = []

    def work(number: int) -> None:
        with Worker(scratch / f"worker-{number}", options.operations) as worker:
            while not enough.is_set():
                with lock:
                    trial = next(waiting, None)
                if trial is None:
                    return
                outcome = worker.try_fault(*trial)
                with lock:
                    outcomes.append(outcome)
                if outcome.verdict == "failed":
                    print(f"  failed: {outcome.name}", flush=True)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = {pool.submit(work, number) for number in range(options.jobs)}
        while running:
            done, running = concurrent.futures.wait(running, timeout=PROGRESS_S)
            for future in done:
                if future.exception() is not None:
                    enough.set()  # the others need not go on
                future.result()
            bad = sum(outcome.verdict == "failed" for outcome in outcomes)
            print(f"  {len(outcomes)} of {len(trials)} tried, {bad} failed", flush=True)
    return outcomes


def _print_table(trials: list[Trial], outcomes: list[Outcome]) -> None:
    """Print, for each operation, what was planned, tried, reached and found."""
    by_operation: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for operation, _, kind in trials:
        by_operation[operation]["faults"] += 1
        by_operation[operation]["calls"] += kind == "EIO"
    for outcome in outcomes:
        row = by_operation[outcome.name.split("/")[0]]
        row["tried"] += 1
        row["reached"] += outcome.hits > 0
        row["several"] += outcome.hits > 1
        row[outcome.verdict] += 1
    columns = ("calls", "faults", "tried", "reached", "ok", "failed", "not reached", "several")
    print("\n" + f"{'operation':<24}" + "".join(f"{column:>13}" for column in columns))
    total: Counter[str] = Counter()
    for operation in sorted(by_operation):
        total.update(by_operation[operation])
        cells = "".join(f"{by_operation[operation][column]:>13}" for column in columns)
        print(f"{operation:<24}{cells}")
    print(f"{'all':<24}" + "".join(f"{total[column]:>13}" for column in columns))
    print("(several: more than one thread was hit by the same fault)")


if __name__ == "__main__":
    sys.exit(main())
