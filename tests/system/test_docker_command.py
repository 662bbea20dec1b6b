"""The container's command line, run as it stands in `backup-restore.yml`, where no engine runs.

A private namespace stands for the container: an empty `/var/tmp`, a `/etc/hosts` in which the
container's name is the loopback, a network of its own, and the powers that the file leaves. Clients
run in the same namespace, as those of the manual do in the same network.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from process import Finished
from system import printed

DOCKER = Path(__file__).resolve().parents[2] / "deploy" / "docker"
SERVICE = "qed_server_0"
DEADLINE_S = 60.0
POLL_S = 0.05

pytestmark = pytest.mark.slow

# What the container engine does before it starts the entrypoint; `$1` is the file with the names.
ENTER = """
set -e
mount -t tmpfs tmpfs /var/tmp
mount --bind "$1" /etc/hosts
ip link set lo up
mkdir -p /var/tmp/qed0/db/backups
echo ready
cat >/dev/null
"""


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    """The one service of the file."""
    document = yaml.safe_load((DOCKER / "backup-restore.yml").read_text())
    assert list(document["services"]) == [SERVICE]
    found: dict[str, Any] = document["services"][SERVICE]
    return found


@dataclass
class Container:
    """A namespace that lasts as long as the block, and the processes in it."""

    holder: subprocess.Popen[str]
    environment: dict[str, str]
    entrypoint: list[str]
    powers: str
    server: subprocess.Popen[bytes] | None = None
    log: list[bytes] = field(default_factory=list)
    reader: threading.Thread | None = None

    def inside(self, *words: str) -> list[str]:
        enter = ["nsenter", f"--target={self.holder.pid}", "--user", "--mount", "--net"]
        return [*enter, "--preserve-credentials", "--", *words]

    def run(self, *words: str) -> Finished:
        """What `docker exec` or a second container in the same network would do."""
        done = subprocess.run(
            self.inside(*words),
            env=self.environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DEADLINE_S,
            check=False,
        )
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())

    def ok(self, *words: str) -> str:
        done = self.run(*words)
        assert done.code == 0, f"{words}: {done}\n{self.said()}"
        return done.out

    def client(self, *words: str) -> str:
        where = ["--endpoints", f"http://{SERVICE}:8800"]
        where += ["--snapshot-store-url", "http://snapshotstore:8888"]
        return self.ok("qed", "client", *where, *words)

    def backup(self, *words: str) -> str:
        return self.ok("qed", "backup", "--endpoint", f"http://{SERVICE}:8700", *words)

    def said(self) -> str:
        return b"".join(self.log).decode(errors="replace")

    def up(self) -> None:
        """Start the entrypoint, word for word, and wait until it answers."""
        limit = ["setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set={self.powers}"]
        self.server = subprocess.Popen(
            self.inside(*limit, "--", *self.entrypoint),
            env=self.environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.log = []
        self.reader = threading.Thread(target=self._read, args=(self.server.stdout,), daemon=True)
        self.reader.start()
        paused = threading.Event()
        for _ in range(int(DEADLINE_S / POLL_S)):
            assert self.server.poll() is None, f"the server ended:\n{self.said()}"
            if self.run("qed", "backup", "--endpoint", f"http://{SERVICE}:8700", "list").code == 0:
                return
            paused.wait(POLL_S)
        raise AssertionError(f"the server does not answer:\n{self.said()}")

    def _read(self, stream: Any) -> None:
        with stream:
            for line in stream:
                self.log.append(line)

    def stop(self) -> int:
        """`docker stop`: SIGTERM, and the exit code."""
        assert self.server is not None
        assert self.reader is not None
        self.server.terminate()
        code = self.server.wait(DEADLINE_S)
        self.reader.join(DEADLINE_S)
        self.server = None
        return code

    def restart(self) -> None:
        assert self.stop() == 0, self.said()
        self.up()

    def down_and_up(self) -> None:
        """`docker-compose down` and `up`: only the volume with the backups is what it was."""
        assert self.stop() == 0, self.said()
        self.ok(
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
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {SERVICE}\n")
    alone = ["unshare", "--user", "--map-root-user", "--mount", "--net"]
    holder = subprocess.Popen(
        [*alone, "bash", "-c", ENTER, "enter", str(hosts)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder:
        first = holder.stdout.readline().strip()
        if first != "ready":
            pytest.skip(f"this machine lets nobody make a namespace: {first}")
        path = f"{Path(qed_command[0]).parent}:{os.environ['PATH']}"
        environment = {"PATH": path, "HOME": "/var/tmp", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        powers = ",".join(["-all", *(f"+{name.lower()}" for name in service["cap_add"])])
        container = Container(holder, environment, shlex.split(service["entrypoint"]), powers)
        container.up()
        try:
            yield container
        finally:
            if container.server is not None:
                container.server.kill()
                container.server.wait()
            holder.stdin.close()


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

    restored = container.ok(
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

    key = container.ok("stat", "--format=%a %s", "/var/tmp/qed_ed25519")
    assert key == "600 64\n"
