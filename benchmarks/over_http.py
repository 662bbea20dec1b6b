"""Adds and proofs a second over HTTP, each beside what this machine hashes at that moment.

    make bench
    python benchmarks/over_http.py --seconds 10 --json

The server is the installed command on an empty database, the load comes from a process of its own,
both on the same machine. Syncs are counted by strace, which stops the server at these calls alone
(a filter in the kernel); a run of adds without a sync is void, since then nothing was promised. The
absolute figures belong to the machine and its disk: compare ratios within one run.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from load import Plan
from machine import cpu_seconds, describe, hashes_per_second

HERE = Path(__file__).resolve().parent
START_LIMIT_S = 60.0
SYNC = re.compile(r"^\d+ +(fsync|fdatasync)\(")
# Kind, connections, what it is.
PHASES = (
    ("single", 64, "single adds, 64 connections"),
    ("bulk", 8, "bulks of 100, 8 connections"),
    ("membership", 16, "membership proofs, 16 connections"),
    ("incremental", 16, "incremental proofs, 16 connections"),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    kind: str
    title: str
    items: int
    elapsed_s: float
    items_per_s: float
    hashes_per_s: float
    items_per_million_hashes: float
    syncs_per_s: float
    server_cpu_us_per_item: float
    p50_ms: float
    p99_ms: float


@dataclass(slots=True)
class Server:
    """The server under strace."""

    port: int
    pid: int
    trace: Path

    def syncs(self) -> int:
        """Return how many syncs it has begun."""
        with self.trace.open(errors="replace") as lines:
            return sum(SYNC.match(line) is not None for line in lines)

    def call(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        """Make one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def current_version(self) -> int:
        """Return the version of the newest event, as an answer of absence names it."""
        body = json.dumps({"KeyDigest": "A" * 43 + "=", "Version": None})
        status, answer = self.call("POST", "/proofs/digest-membership", body)
        if status != http.client.OK:
            raise SystemExit(f"the server answers {status}: {answer.decode()}")
        return int(json.loads(answer)["CurrentVersion"])


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on right now."""
    with contextlib.ExitStack() as open_sockets:
        probes = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def traced_child(strace: subprocess.Popen[bytes]) -> int:
    """Return the process that strace started."""
    children = Path(f"/proc/{strace.pid}/task/{strace.pid}/children").read_text().split()
    return int(children[0])


@contextlib.contextmanager
def serve(scratch: Path) -> Iterator[Server]:
    """Run `qed server start` on an empty database until the end of the block."""
    ports = free_ports(3)
    names = ("http", "mgmt", "metrics")
    command = os.environ.get("QED_COMMAND", str(Path(sys.executable).with_name("qed")))
    listen = [f"--{name}-addr=127.0.0.1:{port}" for name, port in zip(names, ports, strict=True)]
    trace = scratch / "trace"
    strace = ["strace", "--follow-forks", "--seccomp-bpf", "--quiet=all", "--output", str(trace)]
    strace.append("--trace=fsync,fdatasync")
    where = ["--db-path", str(scratch / "db"), "--log", "warn"]
    log = scratch / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*strace, command, "server", "start", *listen, *where],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        ) as process,
    ):
        paused = threading.Event()
        for _ in range(int(START_LIMIT_S / 0.05)):
            if process.poll() is not None:
                raise SystemExit(f"the server ended:\n{log.read_text()}")
            with contextlib.suppress(OSError, IndexError):  # nothing started, nobody answers yet
                server = Server(ports[0], traced_child(process), trace)
                if server.call("HEAD", "/healthcheck")[0] == http.client.NO_CONTENT:
                    break
            paused.wait(0.05)
        else:
            process.kill()
            raise SystemExit(f"the server does not answer:\n{log.read_text()}")
        try:
            yield server
        finally:
            os.kill(server.pid, signal.SIGTERM)
            process.wait()


def generate(plan: Plan) -> dict[str, float]:
    """Run the load generator in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(HERE / "load.py")],
        input=json.dumps(dataclasses.asdict(plan)).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def measure(server: Server, plan: Plan, title: str) -> Figure:
    """Run one phase, the machine's hash rate taken right before and after it."""
    before = hashes_per_second()
    cpu, syncs = cpu_seconds(server.pid), server.syncs()
    result = generate(plan)
    cpu, syncs = cpu_seconds(server.pid) - cpu, server.syncs() - syncs
    hashes = (before + hashes_per_second()) / 2
    items = int(result["requests"]) * (plan.bulk if plan.kind == "bulk" else 1)
    rate = items / result["elapsed_s"]
    if plan.kind in {"single", "bulk"} and not syncs:
        raise SystemExit(f"void: {items} events were acknowledged without one sync")
    return Figure(
        kind=plan.kind,
        title=title,
        items=items,
        elapsed_s=result["elapsed_s"],
        items_per_s=rate,
        hashes_per_s=hashes,
        items_per_million_hashes=rate / hashes * 1e6,
        syncs_per_s=syncs / result["elapsed_s"],
        server_cpu_us_per_item=cpu / items * 1e6,
        p50_ms=result["p50_s"] * 1e3,
        p99_ms=result["p99_s"] * 1e3,
    )


def run(seconds: float, directory: Path) -> list[Figure]:
    """Run every phase on one log; check at the end that it holds what was acknowledged."""
    figures: list[Figure] = []
    known: list[tuple[str, int]] = []
    with (
        tempfile.TemporaryDirectory(prefix="qed-bench-", dir=directory) as scratch,
        serve(Path(scratch)) as server,
    ):
        generate(Plan("single", server.port, 8, 1.0, label="warm"))
        size = server.current_version() + 1
        for kind, connections, title in PHASES:
            plan = Plan(kind, server.port, connections, seconds, kind, size=size, known=known)
            figure = measure(server, plan, title)
            figures.append(figure)
            if kind in {"single", "bulk"}:
                known.append((kind, figure.items))
                size += figure.items
                if server.current_version() + 1 != size:
                    raise SystemExit(f"void: {size} events acknowledged, the log says otherwise")
    return figures


def table(machine: dict[str, str], figures: list[Figure]) -> str:
    """Return the figures for a person."""
    lines = [f"{name}: {value}" for name, value in machine.items()]
    lines += ["", f"{'':36}{'items/s':>10}{'hashes/s':>12}{'per 10^6':>10}{'syncs/s':>9}"]
    lines[-1] += f"{'CPU us':>9}{'p50 ms':>9}{'p99 ms':>9}"
    for each in figures:
        lines.append(
            f"{each.title:36}{each.items_per_s:>10,.0f}{each.hashes_per_s:>12,.0f}"
            f"{each.items_per_million_hashes:>10,.0f}{each.syncs_per_s:>9,.0f}"
            f"{each.server_cpu_us_per_item:>9,.0f}{each.p50_ms:>9,.1f}{each.p99_ms:>9,.1f}"
        )
    lines += ["", "hashes: bare SHA-256 of 64 bytes on one core, before and after each line"]
    lines += ["per 10^6: items in the time of a million hashes · CPU: the server's, an item"]
    return "\n".join(lines)


def main() -> None:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=10.0, help="the length of each phase")
    parser.add_argument("--directory", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--json", action="store_true", help="one JSON document")
    options = parser.parse_args()
    machine = describe(options.directory)
    if machine["file system"].startswith("tmpfs"):
        raise SystemExit(f"void: {options.directory} is memory; name a --directory on a disk")
    figures = run(options.seconds, options.directory)
    if options.json:
        print(json.dumps({"machine": machine, "figures": [dataclasses.asdict(f) for f in figures]}))
    else:
        print(table(machine, figures))


if __name__ == "__main__":
    main()
