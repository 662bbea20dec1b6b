"""A metrics port: one route, and the forms of its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qed.web import metrics
from qed.web.application import Application
from qed.web.limits import WebLimits
from serving import ask, serving


class Two(metrics.Collector):
    """Two numbers."""

    def collect(self) -> Iterator[metrics.Metric]:
        yield metrics.gauge("qed_now", "How much.", 1.5)
        yield metrics.count("qed_done", "How often.", 3)


def samples(metric: metrics.Metric) -> list[tuple[str, dict[str, str], float]]:
    return [(one.name, one.labels, one.value) for one in metric.samples]


def test_a_scrape_shows_the_numbers_and_the_process() -> None:
    with serving(Application(metrics.metrics_routes(Two()), WebLimits())) as server:
        answer = ask(server.port, "GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.body.decode().splitlines()
    assert {"qed_now 1.5", "qed_done 3.0"} <= set(lines)
    assert any(line.startswith("process_open_fds ") for line in lines)
    assert not any("python_info" in line for line in lines)


def test_a_count_keeps_its_name() -> None:
    assert samples(metrics.count("qed_done", "How often.", 3)) == [("qed_done", {}, 3)]
    assert metrics.family("qed_done", "How often.").samples == []


def test_a_number_for_each_value_of_a_label() -> None:
    found = samples(metrics.counts("qed_done", "How often.", "kind", {"a": 1, "b": 2}))
    assert found == [("qed_done", {"kind": "a"}, 1), ("qed_done", {"kind": "b"}, 2)]


def test_answers_are_by_port_and_status() -> None:
    found = samples(metrics.answers({"data": {200: 7, 404: 1}, "management": {}}))
    assert found == [
        ("qed_http_answers", {"port": "data", "status": "200"}, 7),
        ("qed_http_answers", {"port": "data", "status": "404"}, 1),
    ]


def test_what_runs_is_said_in_labels() -> None:
    labels = {"role": "monitor", "version": "1"}
    assert samples(metrics.build_info("qed_it", "It.", labels)) == [("qed_it", labels, 1)]


def test_a_histogram_has_its_buckets_and_its_sum() -> None:
    found = samples(metrics.histogram("qed_s", "Took.", [("0.1", 2), ("+Inf", 3)], 4.5))
    assert ("qed_s_bucket", {"le": "0.1"}, 2) in found
    assert ("qed_s_count", {}, 3) in found
    assert ("qed_s_sum", {}, 4.5) in found


@pytest.mark.parametrize("made", [True, False])
def test_the_size_of_a_directory(tmp_path: Path, made: bool) -> None:  # noqa: FBT001
    path = tmp_path / "db"
    if made:
        (path / "below").mkdir(parents=True)
        (path / "below" / "more").write_bytes(b"more")
        (path / "one").write_bytes(b"12345")
        (path / "link").symlink_to(path / "one")
    assert metrics.size_of_files(path) == (5 if made else 0)
