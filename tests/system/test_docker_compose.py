"""The services of `docker-compose.yml`, each entrypoint as it stands, where no engine runs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from container import DOCKER, entrypoint, namespace, read_services
from system import printed

pytestmark = pytest.mark.slow

# What the manual's file runs, word for word; its store had no flags.
MANUAL = {
    "qed_server_0": (
        "qed server start --http-addr qed_server_0:8800 --mgmt-addr qed_server_0:8700"
        " --metrics-addr qed_server_0:8600 --raft-addr qed_server_0:8500"
        " --gossip-addr qed_server_0:8400 --node-id server0"
        " --private-key-path /var/tmp/qed_ed25519 --raft-path /var/tmp/qed0/raft"
        " --db-path /var/tmp/qed0/db --log info"
    ),
    "publisher": (
        "qed agent publisher --bind-addr publisher:8100 --advertise-addr publisher:8100"
        " --metrics-addr publisher:18100 --start-join qed_server_0:8400"
        " --notifier-endpoint http://snapshotstore:8888/alert"
        " --store-endpoint http://snapshotstore:8888 --role publisher --node-name publisher0"
        " --log info"
    ),
    "snapshotstore": "/usr/local/bin/storage",
}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """All services of the file."""
    return read_services("docker-compose.yml")


def test_the_services_are_the_manuals(services: dict[str, Any]) -> None:
    assert list(services) == [*MANUAL, "auditor", "monitor"]
    for name, command in MANUAL.items():
        words, wanted = shlex.split(services[name]["entrypoint"]), shlex.split(command)
        assert words[: len(wanted)] == wanted
    assert services["snapshotstore"]["container_name"] == "snapshot_store"
    assert services["snapshotstore"]["ports"] == ["8888:8888"]
    assert services["publisher"]["ports"] == ["8100:8100", "18100:18100"]


def test_the_image_has_the_stores_old_name() -> None:
    script = DOCKER / "storage"
    assert script.stat().st_mode & 0o111
    assert (
        "COPY deploy/docker/storage /usr/local/bin/storage" in (DOCKER / "Dockerfile").read_text()
    )
    assert "!deploy/docker/storage" in (DOCKER / "Dockerfile.dockerignore").read_text()


def test_what_is_added_is_published_and_watched(
    services: dict[str, Any],
    qed_command: list[str],
    tmp_path: Path,
    snapshots: list[dict[str, Any]],
) -> None:
    client = ["qed", "client", "--endpoints", "http://qed_server_0:8800"]
    client += ["--snapshot-store-url", "http://snapshotstore:8888"]
    with namespace(list(services), qed_command, tmp_path) as inside:
        inside.spawn(entrypoint(services["qed_server_0"]))
        inside.wait_until("qed", "backup", "--endpoint", "http://qed_server_0:8700", "list")
        for name in ("snapshotstore", "publisher", "auditor", "monitor"):
            inside.spawn(entrypoint(services[name]))
        for number in range(4):
            added = inside.ok(*client, "add", "--event", f"event {number}")
            assert added == printed.added(snapshots[number])

        # Until the publisher has brought them; the wait within one call is the client's own.
        inside.wait_until(*client, "get", "--version", "3")
        verified = inside.ok(*client, "membership", "--event", "event 0", "--auto-verify")
        assert "\nVerify: OK\n" in verified
        assert inside.ok("curl", "-fsS", "http://snapshotstore:8888/count").strip() == "4"
        assert inside.ok("curl", "-fsS", "http://snapshotstore:8888/alert").strip() == "[]"
        for one in inside.running:
            assert one.process.poll() is None, one.said()
        assert [one.stop() for one in inside.running] == [0] * 5, inside.said()
