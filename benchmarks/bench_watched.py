"""Adds while the rest of a log is on the same machine: store, publisher, auditor, monitor."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from context import Context
from figures import Figure, at_least
from machine import cpu_seconds
from server import Load, Server, load, serve

from qed.snapshot_store.check import check_store

NAME = "watched"
OFFERED_PER_S = 1_000
CONNECTIONS = 16
KEPT = 0.9  # of the speed that adds have alone
AGENTS = ("publisher", "auditor", "monitor")
CATCH_UP_S = 300.0


@dataclass(frozen=True, slots=True)
class _Turn:
    """What adds came to: those that are offered, and one connection more that goes as it can."""

    offered: Load
    extra: Load
    others_cpu_us: float  # of store and agents, for an event

    @property
    def rate(self) -> float:
        """Events a second of those offered."""
        return self.offered.items / self.offered.seconds

    @property
    def extra_rate(self) -> float:
        """Events a second of the connection that is not held back."""
        return self.extra.items / self.extra.seconds


def run(context: Context) -> list[Figure]:
    """Measure on one log, with and without the others in turns."""
    alone: list[_Turn] = []
    watched: list[_Turn] = []
    with context.scratch("watched") as scratch:
        with serve(scratch / "db", context.counter) as server:
            load(server, "digests", connections=4, bulk_size=1_000, num_requests=context.sizes[0])
            info = json.loads(_get(server.port, "/info"))
            for _ in range(context.runs):
                alone.append(_measure(context, server, []))
                with _others(context, server, scratch, str(info["verifier_key"])) as pids:
                    watched.append(_measure(context, server, pids))
        check_store(scratch / "store")
        context.checks += 1
        context.check(scratch / "db")
    return _figures(context, alone, watched)


def _measure(context: Context, server: Server, pids: Sequence[int]) -> _Turn:
    """Offer adds at an even rate, then the same with one more connection beside them."""
    timing = {"duration_s": context.seconds, "warmup_s": min(1.0, context.seconds)}
    offered = {"connections": CONNECTIONS, "rate": OFFERED_PER_S, **timing}
    before_s = sum(map(cpu_seconds, pids))
    plain = load(server, "add", **offered)
    events = OFFERED_PER_S * sum(timing.values())  # the warm-up's are followed too
    others_cpu_us = (sum(map(cpu_seconds, pids)) - before_s) / events * 1e6
    beside = replace(server)
    label = f"extra {time.monotonic_ns()} "
    with ThreadPoolExecutor(1) as pool:
        adding = pool.submit(load, beside, "add", label=label, connections=1, **timing)
        load(server, "add", **offered)
        extra = adding.result()
    return _Turn(plain, extra, others_cpu_us)


def _figures(context: Context, alone: Sequence[_Turn], watched: Sequence[_Turn]) -> list[Figure]:
    """Return a line for each way, and what of the speed is kept."""
    pairs = list(zip(alone, watched, strict=True))
    kept = median(b.rate / a.rate for a, b in pairs)
    kept_extra = median(b.extra_rate / a.extra_rate for a, b in pairs)
    lines = [
        _figure(context, f"adds, {OFFERED_PER_S:,} a second offered", alone),
        _figure(context, "the same, all agents on the same machine", watched),
    ]
    kept_median = median(
        a.offered.latency_ms("p50") / b.offered.latency_ms("p50") for a, b in pairs
    )
    share = median(turn.others_cpu_us for turn in watched)
    lines[1] = lines[1].with_more(
        **{
            "of alone %": 100 * kept,
            "one more connection, of alone %": 100 * kept_extra,
            "store and agents CPU us": share,
        }
    )
    lines[1] = lines[1].with_floors(
        at_least("of the speed of adds, offered", kept, KEPT),
        at_least("of the speed of one add, by the median", kept_median, KEPT),
    )
    return lines


def _figure(context: Context, what: str, turns: Sequence[_Turn]) -> Figure:
    middle = sorted(turns, key=lambda turn: turn.offered.latency_ms("p50"))[len(turns) // 2]
    done = middle.offered
    return Figure(
        NAME,
        what,
        context.sizes[0],
        middle.rate,
        context.bare_hashes(),
        context.bare_syncs(),
        cpu_us=done.cpu_s / done.items * 1e6,
        syncs_per_s=done.syncs.calls / done.seconds,
        p50_ms=done.latency_ms("p50"),
        p99_ms=done.latency_ms("p99"),
        more={"one more connection, events/s": median(turn.extra_rate for turn in turns)},
    )


@contextlib.contextmanager
def _others(context: Context, server: Server, scratch: Path, key: str) -> Iterator[list[int]]:
    """Run store and agents until the end of the block, which begins when they have caught up."""
    words = ("--key", key)
    names = ("http", "metrics")
    with serve(
        scratch / "store", context.counter, program="store", names=names, words=words
    ) as store:
        common = ["--qed-endpoints", server.url, "--store-endpoint", store.url, *words]
        common += ["--notifier-endpoint", f"{store.url}/alert", "--metrics-addr", "127.0.0.1:0"]
        with contextlib.ExitStack() as stack:
            pids = [store.pid]
            for name in AGENTS:
                state = ["--state-path", str(scratch / name), "--log", "warn"]
                process = _spawn(scratch / f"{name}.output", ["agent", name, *common, *state])
                stack.callback(_end, process)
                pids.append(process.pid)
            _wait_for(store, _published(server))
            yield pids
            _wait_for(store, _published(server))
            alerts = json.loads(_get(store.port, "/alert"))
            if alerts:
                raise SystemExit(f"void: alerts about an honest log: {alerts}")


def _spawn(output: Path, words: Sequence[str]) -> subprocess.Popen[bytes]:
    command = os.environ.get("QED_COMMAND", str(Path(sys.executable).with_name("qed")))
    with output.open("ab") as log:
        return subprocess.Popen([command, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    if process.wait():
        raise SystemExit(f"an agent ended with {process.returncode}")


def _wait_for(store: Server, size: int) -> None:
    pause = threading.Event()
    end = time.monotonic() + CATCH_UP_S
    while int(_get(store.port, "/count")) < size:
        if time.monotonic() > end:
            raise SystemExit("void: the store does not catch up")
        pause.wait(0.05)


def _published(server: Server) -> int:
    """Return the size of the server's checkpoint."""
    return int(_get(server.port, "/checkpoint").split(b"\n")[1])


def _get(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().read()
