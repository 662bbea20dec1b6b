"""Every number that the metrics port shows, and its name. Source: SPEC 6.

QED's names, which its dashboards read, come first; ours stand beside them. Hot paths only add to
plain integers of `Counts`; a scrape reads them.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Protocol

from qed.engine.log import Head
from qed.trees.values import NO_VERSION
from qed.version import VERSION
from qed.web.application import Route
from qed.web.metrics import (
    Collector,
    Metric,
    answers,
    build_info,
    count,
    gauge,
    histogram,
    metrics_routes,
    size_of_files,
)
from qed.web.tiles import Published, TileCounts

_ADD_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Durations:
    """How long something took, in buckets: an observation costs a search and two additions."""

    def __init__(self, bounds_s: tuple[float, ...]) -> None:
        """Count up to each bound, the bound included, and beyond the last one."""
        self._bounds_s = bounds_s
        self._numbers = [0] * (len(bounds_s) + 1)
        self._sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count one; on one thread only."""
        self._numbers[bisect_left(self._bounds_s, seconds)] += 1
        self._sum_s += seconds

    def family(self, name: str, text: str) -> Metric:
        """Return what was counted as a histogram; from any thread."""
        names = [*map(str, self._bounds_s), "+Inf"]
        buckets = list(zip(names, accumulate(list(self._numbers)), strict=True))
        return histogram(name, text, buckets, self._sum_s)


@dataclass(slots=True)
class Counts:
    """What has happened since the start; written on the loop's thread only."""

    health_check: int = 0
    add: int = 0
    add_bulk: int = 0
    add_digests: int = 0
    membership: int = 0
    digest_membership: int = 0
    incremental: int = 0
    info: int = 0
    info_shards: int = 0
    snapshot: int = 0
    events_added: int = 0
    adds_waiting: int = 0  # add requests that were handed to the writer and are not on disk yet
    membership_proofs: int = 0
    digest_membership_proofs: int = 0
    incremental_proofs: int = 0
    backups_made: int = 0
    backups_failed: int = 0
    last_backup_s: int = 0  # unix time, of an earlier process too; 0 when there is no backup
    add_durations: Durations = field(default_factory=lambda: Durations(_ADD_BUCKETS_S))


class MeasuredLog(Protocol):
    """What is measured of a log."""

    @property
    def head(self) -> Head:
        """Where the log stands."""

    @property
    def memory_bytes(self) -> int:
        """What its trees take of memory."""


class MeasuredPublication(Protocol):
    """What is measured of what is published; `qed.server.publication.Publication` is one."""

    @property
    def published(self) -> Published:
        """The newest checkpoint."""

    @property
    def durations(self) -> Durations:
        """How long the checkpoints took."""


class MeasuredTiles(Protocol):
    """What is measured of who reads it; `qed.web.tiles.TilePort` is one."""

    @property
    def counts(self) -> TileCounts:
        """Requests by route."""

    @property
    def waiters(self) -> int:
        """Requests that wait for news."""


@dataclass(frozen=True, slots=True, eq=False)
class Metrics(Collector):
    """What one scrape collects; also the one route of the metrics port."""

    log: MeasuredLog
    counts: Counts
    publication: MeasuredPublication
    tiles: MeasuredTiles
    answers: Mapping[str, Mapping[int, int]]  # port -> status -> answers
    db_path: Path

    def routes(self) -> list[Route]:
        """Return the one route of the port."""
        return metrics_routes(self)

    def collect(self) -> Iterator[Metric]:
        """Yield QED's numbers, then ours."""
        yield from self._collect_qeds()
        yield from self._collect_log()
        yield from self._collect_published()
        yield from self._collect_backups()
        yield answers(self.answers)

    def _collect_qeds(self) -> Iterator[Metric]:
        counts, version = self.counts, self.log.head.current_version
        yield gauge("qed_server_instances", "Servers in this process.", 1)
        yield gauge(
            "qed_raft_balloon_version",
            "The newest version; 0 also for an empty log.",
            0 if version == NO_VERSION else version,
        )
        yield count("qed_raft_balloon_adds", "Events added.", counts.events_added)
        for name in ("membership", "digest_membership", "incremental"):
            proofs = getattr(counts, f"{name}_proofs")
            yield count(f"qed_raft_balloon_{name}_queries", f"{name} proofs answered.", proofs)
        for name in (
            "health_check",
            "add",
            "add_bulk",
            "membership",
            "digest_membership",
            "incremental",
            "info",
            "info_shards",
        ):
            requests = getattr(counts, name)
            yield count(f"qed_api_http_{name}_requests", f"Requests for {name}.", requests)

    def _collect_log(self) -> Iterator[Metric]:
        head, counts = self.log.head, self.counts
        requests = counts.add_digests
        yield count("qed_api_http_add_digests_requests", "Requests for add_digests.", requests)
        yield gauge("qed_log_events", "Events in the log.", head.size)
        yield gauge("qed_log_groups", "Groups in the log; each took one sync.", head.sequence)
        yield gauge("qed_log_epoch", "The epoch of the log.", head.epoch)
        waiting = counts.adds_waiting
        yield gauge("qed_adds_waiting", "Add requests that are not on disk yet.", waiting)
        yield counts.add_durations.family(
            "qed_add_duration_seconds",
            "From an add request's arrival to its events being on disk.",
        )
        trees = self.log.memory_bytes
        yield gauge("qed_trees_bytes", "Memory that both trees take.", trees)
        size = size_of_files(self.db_path)
        yield gauge("qed_database_bytes", "Bytes of the database's own files.", size)
        yield build_info("qed_build_info", "This program's version.", {"version": VERSION})

    def _collect_published(self) -> Iterator[Metric]:
        head, tiles = self.log.head, self.tiles.counts
        size = self.publication.published.size
        yield gauge("qed_published_size", "Events under the newest checkpoint.", size)
        yield gauge(
            "qed_published_lag_versions",
            "Events on disk that no checkpoint covers yet.",
            max(0, head.size - size),
        )
        yield self.publication.durations.family(
            "qed_checkpoint_seconds", "To recompute what a checkpoint adds, and to sign it."
        )
        waiters = self.tiles.waiters
        yield gauge("qed_checkpoint_waiters", "Requests that wait for a checkpoint.", waiters)
        for name, requests in (
            ("checkpoint", tiles.checkpoint),
            ("tile", tiles.tile),
            ("entries", tiles.entries),
            ("snapshot", self.counts.snapshot),
        ):
            yield count(f"qed_api_http_{name}_requests", f"Requests for {name}.", requests)

    def _collect_backups(self) -> Iterator[Metric]:
        counts = self.counts
        yield count("qed_backups_made", "Backups made.", counts.backups_made)
        yield count("qed_backups_failed", "Backups that failed.", counts.backups_failed)
        if counts.last_backup_s:
            age_s = max(0.0, time.time() - counts.last_backup_s)
            yield gauge("qed_last_backup_age_seconds", "Age of the newest backup.", age_s)
