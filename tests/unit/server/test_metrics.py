from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from qed.engine.log import Head
from qed.server.metrics import Counts, Durations, Metrics
from qed.web.application import Application
from qed.web.limits import WebLimits
from qed.web.tiles import Published, TileCounts
from serving import ask, serving
from unit.server.conftest import local, running

DOCS = Path(__file__).parents[3] / "docs" / "operations.md"
QEDS = {
    "qed_server_instances",
    *(
        f"qed_raft_balloon_{name}"
        for name in (
            "version",
            "adds",
            "membership_queries",
            "digest_membership_queries",
            "incremental_queries",
        )
    ),
    *(
        f"qed_api_http_{name}_requests"
        for name in (
            "health_check",
            "add",
            "add_bulk",
            "membership",
            "digest_membership",
            "incremental",
            "info",
            "info_shards",
        )
    ),
}


@dataclass
class StillLog:
    head: Head
    memory_bytes: int = 0


def still(size: int) -> StillLog:
    return StillLog(Head(bytes(16), 0, size, size, bytes(32), bytes(32)))


@dataclass
class StillPublication:
    published: Published
    durations: Durations


@dataclass
class StillTiles:
    counts: TileCounts
    waiters: int = 0


def measured(size: int, db_path: Path, last_backup_s: int = 0) -> Metrics:
    """What is measured of a log whose last event is not published yet."""
    publication = StillPublication(Published(b"", max(0, size - 1)), Durations((1.0,)))
    tiles = StillTiles(TileCounts(checkpoint=4, tile=5, entries=6), waiters=7)
    counts, answers = Counts(snapshot=8, last_backup_s=last_backup_s), {"data": {200: 1}}
    return Metrics(still(size), counts, publication, tiles, answers, db_path)


def numbers(port: int) -> dict[str, float]:
    reply = ask(port, "GET", "/metrics")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in reply.body.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_qeds_names_are_all_there(tmp_path: Path) -> None:
    metrics = measured(3, tmp_path)
    with serving(Application(metrics.routes(), WebLimits())) as server:
        found = numbers(server.port)
    assert set(found) >= QEDS
    assert found["qed_raft_balloon_version"] == 2
    assert found["qed_log_events"] == 3


def test_what_is_published_and_who_reads_it_is_measured(tmp_path: Path) -> None:
    with serving(Application(measured(3, tmp_path).routes(), WebLimits())) as server:
        found = numbers(server.port)
    assert (found["qed_published_size"], found["qed_published_lag_versions"]) == (2, 1)
    assert found["qed_checkpoint_seconds_count"] == 0
    assert found["qed_checkpoint_waiters"] == 7
    requests = ("checkpoint", "tile", "entries", "snapshot")
    assert [found[f"qed_api_http_{name}_requests"] for name in requests] == [4, 5, 6, 8]


def test_an_empty_log_has_no_version(tmp_path: Path) -> None:
    metrics = measured(0, tmp_path)
    with serving(Application(metrics.routes(), WebLimits())) as server:
        assert numbers(server.port)["qed_raft_balloon_version"] == 0


def test_only_the_metrics_route_is_there(tmp_path: Path) -> None:
    metrics = measured(0, tmp_path)
    with serving(Application(metrics.routes(), WebLimits())) as server:
        assert ask(server.port, "POST", "/metrics").status == 405
        assert ask(server.port, "GET", "/events").status == 404


def test_each_request_of_a_server_is_counted_once(tmp_path: Path) -> None:
    requests = [
        ("HEAD", "/healthcheck", None),
        ("POST", "/events", {"Event": "eA=="}),
        ("POST", "/events/bulk", {"Events": ["eA==", "eQ=="]}),
        ("POST", "/events/digests", bytes(32)),
        ("POST", "/proofs/membership", {"Key": "eA==", "Version": None}),
        ("POST", "/proofs/digest-membership", {"KeyDigest": "A" * 43 + "=", "Version": None}),
        ("POST", "/proofs/incremental", {"Start": 0, "End": 1}),
        ("GET", "/info", None),
        ("GET", "/info/shards", None),
        ("POST", "/events", {"Event": ""}),
        ("GET", "/checkpoint", None),
        ("GET", "/tile/0/000.p/1", None),
        ("GET", "/tile/entries/000.p/1", None),
        ("GET", "/snapshot?v=0", None),
    ]
    with running(local(tmp_path / "db")) as server:
        for method, path, body in requests:
            data = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
            ask(server.data, method, path, data)
        found = numbers(server.metrics)
    assert found["qed_api_http_add_requests"] == 2
    for name in QEDS - {"qed_api_http_add_requests", "qed_raft_balloon_version"}:
        assert found[name] == (4 if name == "qed_raft_balloon_adds" else 1), name
    for name in ("checkpoint", "tile", "entries", "snapshot"):
        assert found[f"qed_api_http_{name}_requests"] == 1
    assert found["qed_published_size"] + found["qed_published_lag_versions"] == 4
    assert found["qed_checkpoint_seconds_count"] >= 1
    assert found["qed_log_events"] == 4
    assert found["qed_log_groups"] == found["qed_add_duration_seconds_count"] == 3
    assert found["qed_adds_waiting"] == 0
    assert found['qed_http_answers{port="data",status="400"}'] == 1
    assert found['qed_http_answers{port="data",status="201"}'] == 3
    assert found["qed_trees_bytes"] > 0
    assert found["qed_database_bytes"] > 0
    assert found["process_resident_memory_bytes"] > 0


def test_durations_are_counted_up_to_each_bound() -> None:
    durations = Durations((0.001, 0.5, 2.0))
    for seconds in (0.0, 0.001, 0.0011, 0.5, 1.0, 2.0, 2.1, 100.0):
        durations.observe(seconds)
    family = durations.family("a", "b")
    found = {(sample.name, *sample.labels.values()): sample.value for sample in family.samples}
    assert found == {
        ("a_bucket", "0.001"): 2,
        ("a_bucket", "0.5"): 4,
        ("a_bucket", "2.0"): 6,
        ("a_bucket", "+Inf"): 8,
        ("a_count",): 8,
        ("a_sum",): pytest.approx(105.6021),
    }


def test_backups_are_counted_and_their_age_survives_a_restart(tmp_path: Path) -> None:
    config = local(tmp_path / "db")
    with running(config) as server:
        assert "qed_last_backup_age_seconds" not in numbers(server.metrics)
        assert ask(server.management, "POST", "/backup").status == 200
        found = numbers(server.metrics)
        assert found["qed_backups_made"] == 1
        assert 0 <= found["qed_last_backup_age_seconds"] < 60
    with running(config) as server:
        found = numbers(server.metrics)
        assert found["qed_backups_made"] == 0
        assert 0 <= found["qed_last_backup_age_seconds"] < 60


def test_an_age_is_never_negative(tmp_path: Path) -> None:
    metrics = measured(0, tmp_path, last_backup_s=int(time.time()) + 1000)
    with serving(Application(metrics.routes(), WebLimits())) as server:
        assert numbers(server.port)["qed_last_backup_age_seconds"] == 0


def test_every_number_of_ours_is_documented(tmp_path: Path) -> None:
    text = DOCS.read_text()
    metrics = measured(3, tmp_path, last_backup_s=1)
    for family in metrics.collect():
        if family.name.startswith("qed_"):
            assert f"`{family.name}`" in text, family.name
