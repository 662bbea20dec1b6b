"""What all benchmarks of one run share."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from machine import hashes_per_second, syncs_per_second
from syncs import SyncCounter
from worker import Result, work

MILLION = 1_000_000
MIB = 1024 * 1024
HASHES_S, SYNCS_S = 0.2, 0.5  # of asking what the machine does alone; less where runs are short


@dataclass
class Context:
    """The scratch directory, how much to measure, and what was found right on the way.

    `sizes` are the logs to measure at, ascending; `runs` is how often, for the median; `seconds`
    the length of one run over HTTP. `filled` are logs that a benchmark has left for the others, by
    size. `checks` and `proofs` count what came out clean after the benchmarks.
    """

    directory: Path
    sizes: tuple[int, ...]
    runs: int
    seconds: float
    counter: SyncCounter
    filled: dict[int, Path] = field(default_factory=dict)
    checks: int = 0
    proofs: int = 0

    def work(self, name: str, **arguments: object) -> Result:
        """Measure in a process of its own."""
        result = work(self.counter, name, **arguments)
        self.proofs += result.get("verified", 0)
        return result

    def check(self, path: Path) -> Result:
        """Recompute all of a log that a benchmark has made, and verify random proofs out of it.

        Anything that is not right ends the run.
        """
        result = self.work("check", path=path)
        self.checks += 1
        self.work("prove", path=path)
        return result

    def log_of(self, events: int) -> Path:
        """Return a closed log of random events, made now if nobody has left one."""
        if events not in self.filled:
            path = self.directory / f"log-{events}"
            self.work("fill", path=path, events=events)
            self.filled[events] = path
        return self.filled[events]

    @contextlib.contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """Give a benchmark a directory of its own, removed afterwards."""
        path = self.directory / name
        path.mkdir()
        try:
            yield path
        finally:
            shutil.rmtree(path)

    def bare_hashes(self) -> float:
        """Return this machine's hashes a second at this moment."""
        return hashes_per_second(min(HASHES_S, self.seconds / 10))

    def bare_syncs(self) -> float:
        """Return this disk's syncs a second at this moment."""
        return syncs_per_second(self.directory, min(SYNCS_S, self.seconds / 10))

    def runs_at(self, events: int) -> int:
        """Return how often to measure what takes minutes with a large log."""
        return self.runs if events <= MILLION else 1
