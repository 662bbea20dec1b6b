"""What is counted while a load runs: requests and their times within the window, and errors."""

from __future__ import annotations

from collections.abc import Iterable

from qed.workload.histogram import Histogram
from qed.workload.report import Row

_NAMES = (("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9))


class Tally:
    """The counts of one kind of request; one owner."""

    __slots__ = ("errors", "items", "kind", "requests", "times")

    def __init__(self, kind: str) -> None:
        """Start at nothing."""
        self.kind = kind
        self.requests = 0
        self.items = 0
        self.errors = 0
        self.times = Histogram()

    def record(self, seconds: float, items: int) -> None:
        """Count an answer that is right."""
        self.requests += 1
        self.items += items
        self.times.record(int(seconds * 1e6))

    def row(self, seconds: float) -> Row:
        """Return the counts as a row of the report."""
        times = self.times
        latency_ms = {name: times.percentile_us(percent) / 1000 for name, percent in _NAMES}
        latency_ms["max"] = times.largest_us / 1000
        latency_ms["mean"] = round(times.mean_us / 1000, 4)
        return Row(self.kind, self.requests, self.items, self.errors, seconds, latency_ms)


def total_of(kind: str, tallies: Iterable[Tally]) -> Tally:
    """Return all tallies as one."""
    total = Tally(kind)
    for tally in tallies:
        total.requests += tally.requests
        total.items += tally.items
        total.errors += tally.errors
        total.times.add(tally.times)
    return total


class Errors:
    """How often what went wrong, over the whole run, and how it was said the first time."""

    def __init__(self) -> None:
        """Start with nothing wrong."""
        self.counts: dict[str, int] = {}
        self.first = ""

    def count(self, name: str, sentence: str) -> None:
        """Count one more of a kind."""
        self.counts[name] = self.counts.get(name, 0) + 1
        if not self.first:
            self.first = sentence
