"""Every number that the store's metrics port shows, and its name."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from qed.snapshot_store.app import StorePort
from qed.snapshot_store.store import Store
from qed.version import VERSION
from qed.web.application import Route
from qed.web.messages import Answer, Request


@dataclass(frozen=True, slots=True, eq=False)
class Metrics(Collector):
    """What one scrape collects; also the one route of the metrics port."""

    store: Store
    port: StorePort
    answers: Mapping[int, int]  # status -> answers of the store's port
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        """Register everything with a registry of its own."""
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def routes(self) -> list[Route]:
        """Return the one route of the port."""
        return [Route("GET", "/metrics", self.scrape)]

    async def scrape(self, _request: Request) -> Answer:
        """Write every number as Prometheus text."""
        body = await asyncio.to_thread(generate_latest, self.registry)
        return Answer(200, body, CONTENT_TYPE_PLAIN_0_0_4.encode())

    def collect(self) -> Iterator[Metric]:
        """Yield what is here, then what has happened."""
        store, counts = self.store, self.port.counts
        published = store.published()
        yield _gauge("qed_store_snapshots", "Snapshots here.", store.count)
        yield _gauge(
            "qed_store_published_size",
            "Size of the checkpoint that is served.",
            published.size if published else 0,
        )
        yield _gauge("qed_store_conflicts", "Checkpoints that contradict it.", store.conflicts)
        yield _labelled(
            "qed_store_alerts",
            "Alerts here, by who raised them.",
            "source",
            {"store": store.alerts.own, "posted": store.alerts.posted},
        )
        yield _labelled(
            "qed_store_batches",
            "Batches by what became of them.",
            "result",
            {
                "new": counts.batches_new,
                "known": counts.batches_known,
                "refused": counts.batches_refused,
                "conflict": counts.batches_in_conflict,
            },
        )
        added = counts.snapshots_added
        yield _count("qed_store_snapshots_added", "Snapshots taken over.", added)
        served = counts.snapshots_served
        yield _count("qed_store_snapshot_requests", "Requests for a snapshot.", served)
        refused = counts.alerts_refused
        yield _count("qed_store_alerts_refused", "Alerts refused at the bound.", refused)
        more = store.conflicts_refused
        yield _count("qed_store_conflicts_refused", "Conflicts beyond the bound.", more)
        age_s = max(0.0, time.time() - counts.last_batch_s)
        yield _gauge("qed_store_last_batch_age_seconds", "Since a batch was taken.", age_s)
        yield _gauge("qed_store_waiters", "Requests that wait for news.", self.port.tiles.waiters)
        size = _size_of_files(store.path)
        yield _gauge("qed_store_database_bytes", "Bytes of the database's files.", size)
        answers = Metric("qed_http_answers", "Answers by port and status.", "unknown")
        for status, number in list(self.answers.items()):
            labels = {"port": "store", "status": str(status)}
            answers.add_sample("qed_http_answers", labels, number)
        yield answers
        build = GaugeMetricFamily("qed_build_info", "This program's version.", labels=["version"])
        build.add_metric([VERSION], 1)
        yield build


def _size_of_files(directory: Path) -> int:
    """Return the bytes of the files that lie directly in a directory; 0 when it cannot be read."""
    size_bytes = 0
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):
                    size_bytes += entry.stat(follow_symlinks=False).st_size
    except OSError:
        return size_bytes
    return size_bytes


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _count(name: str, text: str, value: int) -> Metric:
    metric = Metric(name, text, "unknown")  # "counter" would append `_total`
    metric.add_sample(name, {}, value)
    return metric


def _labelled(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    metric = Metric(name, text, "unknown")
    for value, number in values.items():
        metric.add_sample(name, {label: value}, number)
    return metric
