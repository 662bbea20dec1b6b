"""A metrics port: its one route, and the families of numbers that a scrape collects.

The only file that knows the library and the text format. Each program names its own numbers, in its
own `metrics`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from qed.web.application import Route
from qed.web.messages import Answer, Request

__all__ = [
    "Collector",
    "Metric",
    "answers",
    "build_info",
    "count",
    "counts",
    "family",
    "gauge",
    "histogram",
    "metrics_routes",
    "size_of_files",
]


def metrics_routes(collector: Collector) -> list[Route]:
    """Return the one route of the port: what the collector yields, and the process's numbers."""
    registry = CollectorRegistry()  # of its own: nothing else in the process is shown
    registry.register(collector)
    ProcessCollector(registry=registry)

    async def scrape(_request: Request) -> Answer:
        """Write every number as Prometheus text."""
        body = await asyncio.to_thread(generate_latest, registry)
        return Answer(200, body, CONTENT_TYPE_PLAIN_0_0_4.encode())

    return [Route("GET", "/metrics", scrape)]


def gauge(name: str, text: str, value: float) -> Metric:
    """Return a number that goes up and down."""
    return GaugeMetricFamily(name, text, value=value)


def count(name: str, text: str, value: int) -> Metric:
    """Return a number that only grows while the process lives."""
    metric = family(name, text)
    metric.add_sample(name, {}, value)
    return metric


def counts(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    """Return a number for each value of one label."""
    metric = family(name, text)
    for value, number in values.items():
        metric.add_sample(name, {label: value}, number)
    return metric


def family(name: str, text: str) -> Metric:
    """Return an empty family, under exactly this name."""
    # The type "counter" would append `_total`, which no metric of QED has.
    return Metric(name, text, "unknown")


def histogram(
    name: str, text: str, buckets: Sequence[tuple[str, float]], sum_value: float
) -> Metric:
    """Return how often a value was up to each bound, the last of which is `+Inf`."""
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=sum_value)


def answers(ports: Mapping[str, Mapping[int, int]]) -> Metric:
    """Return how many answers each port gave with each status."""
    metric = family("qed_http_answers", "Answers by port and status.")
    for port, statuses in ports.items():
        for status, number in list(statuses.items()):
            metric.add_sample(metric.name, {"port": port, "status": str(status)}, number)
    return metric


def build_info(name: str, text: str, labels: Mapping[str, str]) -> Metric:
    """Return a 1 whose labels say what runs."""
    build = GaugeMetricFamily(name, text, labels=list(labels))
    build.add_metric(list(labels.values()), 1)
    return build


def size_of_files(directory: Path) -> int:
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
