"""The container's command line, run as it stands in `backup-restore.yml`, where no engine runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from container import DOCKER, Namespace, Running, entrypoint, namespace, read_services
from system import printed

SERVICE = "qed_server_0"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    """The one service of the file."""
    services = read_services("backup-restore.yml")
    assert list(services) == [SERVICE]
    found: dict[str, Any] = services[SERVICE]
    return found


@dataclass
class Container:
    """The server's container."""

    inside: Namespace
    service: dict[str, Any]
    server: Running | None = None

    def client(self, *words: str) -> str:
        where = ["--endpoints", f"http://{SERVICE}:8800"]
        where += ["--snapshot-store-url", "http://snapshotstore:8888"]
        return self.inside.ok("qed", "client", *where, *words)

    def backup(self, *words: str) -> str:
        return self.inside.ok("qed", "backup", "--endpoint", f"http://{SERVICE}:8700", *words)

    def up(self) -> None:
        """Start the entrypoint, word for word, and wait until it answers."""
        self.server = self.inside.spawn(entrypoint(self.service), self.service["cap_add"])
        self.inside.wait_until("qed", "backup", "--endpoint", f"http://{SERVICE}:8700", "list")

    def stop(self) -> None:
        assert self.server is not None
        assert self.server.stop() == 0, self.inside.said()
        self.inside.running.remove(self.server)

    def restart(self) -> None:
        self.stop()
        self.up()

    def down_and_up(self) -> None:
        """`docker-compose down` and `up`: only the volume with the backups is what it was."""
        self.stop()
        self.inside.ok(
            "sh",
            "-ec",
            "mv /var/tmp/qed0/db/backups /var/tmp/volume; rm -rf /var/tmp/qed*;"
            "mkdir -p /var/tmp/qed0/db; mv /var/tmp/volume /var/tmp/qed0/db/backups",
        )
        self.up()


@pytest.fixture(name="container")
def namespace_as_a_container(
    service: dict[str, Any], qed_command: list[str], tmp_path: Path
) -> Iterator[Container]:
    with namespace([SERVICE], qed_command, tmp_path) as inside:
        container = Container(inside, service)
        container.up()
        yield container


def test_the_service_is_the_manuals(service: dict[str, Any]) -> None:
    assert service["container_name"] == SERVICE
    assert [entry.split(":") for entry in service["ports"]] == [
        [port, port] for port in ("8800", "8700", "8600", "8500", "8400")
    ]
    assert service["volumes"] == ["/tmp/backups:/var/tmp/qed0/db/backups"]
    assert service["user"] == "0:0"
    assert service["cap_drop"] == ["ALL"]
    assert shlex.split(service["entrypoint"]) == shlex.split(
        "qed server start --http-addr qed_server_0:8800 --mgmt-addr qed_server_0:8700"
        " --metrics-addr qed_server_0:8600 --raft-addr qed_server_0:8500"
        " --gossip-addr qed_server_0:8400 --node-id server0"
        " --private-key-path /var/tmp/qed_ed25519 --raft-path /var/tmp/qed0/raft"
        " --db-path /var/tmp/qed0/db --log info"
    )


def test_the_image_has_no_entrypoint_and_a_user_of_its_own() -> None:
    lines = (DOCKER / "Dockerfile").read_text().splitlines()
    instructions = [line.split(maxsplit=1) for line in lines if line and line[0].isupper()]
    named = dict(instructions)
    assert "ENTRYPOINT" not in named
    assert named["USER"] == "1000:1000"
    assert [rest.split()[0] for name, rest in instructions if name == "FROM"] == [
        "python:3.11-slim-bookworm",
        "python:3.11-slim-bookworm",
    ]
    assert (DOCKER.parents[1] / "requirements" / "server.txt").is_file()


def test_the_manuals_walk_through_in_the_container(
    container: Container, snapshots: list[dict[str, Any]]
) -> None:
    for number in (0, 2, 4):
        for each in (number, number + 1):
            added = container.client("add", "--event", f"event {each}")
            assert added == printed.added(snapshots[each])
        assert container.backup("create") == "Backup created!\n"
    assert container.backup("delete", "--backup-id", "1") == "Backup deleted!\n"
    assert printed.listed(container.backup("list")) == {2: "3", 3: "5"}

    container.down_and_up()
    missing = container.client("membership", "--event", "event 0")
    assert missing == printed.membership(
        "event 0", exists=False, current=printed.NONE, actual=printed.NONE
    )

    restored = container.inside.ok(
        *["qed", "restore", "--backup-dir", "/var/tmp/qed0/db/backups/"],
        *["--restore-path", "/var/tmp/qed0/db/", "--backup-id", "2", "--log", "info"],
    )
    assert restored == "Restore from backup 2 completed!\n"
    container.restart()
    there = container.client("membership", "--event", "event 0")
    assert there == printed.membership("event 0", exists=True, current=3, actual=0)
    gone = container.client("membership", "--event", "event 4")
    assert gone == printed.membership("event 4", exists=False, current=3, actual=3)
    assert "Version: 4" in container.client("add", "--event", "event 6")

    key = container.inside.ok("stat", "--format=%a %s", "/var/tmp/qed_ed25519")
    assert key == "600 64\n"
