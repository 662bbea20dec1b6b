"""Every number that the store's metrics port shows, and its name."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from qed.snapshot_store.app import StorePort
from qed.snapshot_store.store import Store
from qed.version import VERSION
from qed.web.application import Route
from qed.web.metrics import (
    Collector,
    Metric,
    answers,
    build_info,
    count,
    counts,
    gauge,
    metrics_routes,
    size_of_files,
)


@dataclass(frozen=True, slots=True, eq=False)
class Metrics(Collector):
    """What one scrape collects; also the one route of the metrics port."""

    store: Store
    port: StorePort
    answers: Mapping[int, int]  # status -> answers of the store's port

    def routes(self) -> list[Route]:
        """Return the one route of the port."""
        return metrics_routes(self)

    def collect(self) -> Iterator[Metric]:
        """Yield what is here, then what has happened."""
        store, done = self.store, self.port.counts
        published = store.published()
        yield gauge("qed_store_snapshots", "Snapshots here.", store.count)
        yield gauge(
            "qed_store_published_size",
            "Size of the checkpoint that is served.",
            published.size if published else 0,
        )
        yield gauge("qed_store_conflicts", "Checkpoints that contradict it.", store.conflicts)
        yield counts(
            "qed_store_alerts",
            "Alerts here, by who raised them.",
            "source",
            {"store": store.alerts.own, "posted": store.alerts.posted},
        )
        yield counts(
            "qed_store_batches",
            "Batches by what became of them.",
            "result",
            {
                "new": done.batches_new,
                "known": done.batches_known,
                "refused": done.batches_refused,
                "conflict": done.batches_in_conflict,
            },
        )
        added = done.snapshots_added
        yield count("qed_store_snapshots_added", "Snapshots taken over.", added)
        served = done.snapshots_served
        yield count("qed_store_snapshot_requests", "Requests for a snapshot.", served)
        refused = done.alerts_refused
        yield count("qed_store_alerts_refused", "Alerts refused at the bound.", refused)
        more = store.conflicts_refused
        yield count("qed_store_conflicts_refused", "Conflicts beyond the bound.", more)
        age_s = max(0.0, time.time() - done.last_batch_s)
        yield gauge("qed_store_last_batch_age_seconds", "Since a batch was taken.", age_s)
        yield gauge("qed_store_waiters", "Requests that wait for news.", self.port.tiles.waiters)
        size = size_of_files(store.path)
        yield gauge("qed_store_database_bytes", "Bytes of the database's files.", size)
        yield answers({"store": self.answers})
        yield build_info("qed_build_info", "This program's version.", {"version": VERSION})
