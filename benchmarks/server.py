"""The installed `qed server start`, or the store, its syncs counted, and a load put on it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import cpu_seconds, resident_bytes
from syncs import SyncCounter, Syncs

START_LIMIT_S = 120.0


@dataclass(slots=True)
class Server:
    """A server that runs, and how many of the numbered events its log holds."""

    port: int
    pid: int
    counter: SyncCounter
    size: int = 0

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def is_up(self) -> bool:
        """Return whether it answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("HEAD", "/healthcheck")
            return connection.getresponse().status == http.client.NO_CONTENT

    def resident_bytes(self, *, peak: bool = False) -> int:
        """Return its memory."""
        return resident_bytes(self.pid, peak=peak)


@contextlib.contextmanager
def serve(
    path: Path,
    counter: SyncCounter,
    *,
    program: str = "server",
    names: Sequence[str] = ("http", "mgmt", "metrics"),
    words: Sequence[str] = (),
) -> Iterator[Server]:
    """Run the server on a database, a new one if there is none, until the end of the block.

    Another program with these ports and more words on its command line is run in the same way.
    """
    ports = _free_ports(len(names))
    command = os.environ.get("QED_COMMAND", str(Path(sys.executable).with_name("qed")))
    listen = [f"--{name}-addr=127.0.0.1:{port}" for name, port in zip(names, ports, strict=True)]
    log = path.with_name(f"{path.name}.output")
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [command, program, "start", *listen, *words, "--db-path", str(path), "--log", "warn"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=counter.environment(),
        ) as process,
    ):
        server = Server(ports[0], process.pid, counter)
        try:
            _wait(server, process, log)
            yield server
            process.send_signal(signal.SIGTERM)
            if process.wait():
                raise SystemExit(f"the server ended with {process.returncode}:\n{log.read_text()}")
        finally:
            if process.poll() is None:
                process.kill()


def _wait(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    pause = threading.Event()
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit(f"the server ended:\n{log.read_text()}")
        with contextlib.suppress(OSError):  # nobody answers yet
            if server.is_up():
                return
        pause.wait(0.02)
    raise SystemExit(f"the server does not answer:\n{log.read_text()}")


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on right now."""
    with contextlib.ExitStack() as open_sockets:
        probes = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


@dataclass(frozen=True, slots=True)
class Load:
    """What a load came to, and what it cost the server between its first answer and its last."""

    result: dict[str, Any]
    cpu_s: float
    syncs: Syncs

    @property
    def items(self) -> int:
        """Events added, or proofs brought."""
        return int(self.result["Items"])

    @property
    def seconds(self) -> float:
        """The measured time."""
        return float(self.result["Seconds"])

    def latency_ms(self, name: str) -> float:
        """Return a percentile: `p50`, `p99`."""
        return float(self.result["LatencyMs"][name])


def load(server: Server, kind: str, **fields: Any) -> Load:
    """Run `qed.workload` in a process of its own; an answer that is wrong ends everything.

    `fields` are those of its plan. What it adds is added to `server.size`.
    """
    plan = {"kind": kind, "endpoints": [server.url], "size": server.size, **fields}
    with subprocess.Popen(
        [sys.executable, "-m", "qed.workload.runner"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(plan).encode())
        process.stdin.close()
        marks: dict[str, tuple[float, Syncs]] = {}
        final: dict[str, Any] = {}
        for line in process.stdout:
            final = json.loads(line)
            marks[final["State"]] = (cpu_seconds(server.pid), server.counter.read())
    if process.returncode or final.get("Error"):
        raise SystemExit(f"void: {kind}: {final.get('Error')}")
    result = final["Result"]
    if kind in {"add", "bulk", "digests"}:
        server.size = int(result["NextNumber"])
    (cpu, syncs), (cpu_after, syncs_after) = marks["measuring"], marks["measured"]
    return Load(result, cpu_after - cpu, syncs_after - syncs)
