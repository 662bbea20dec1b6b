"""The whole server over HTTP: adds, bulks, digests and proofs, and the memory that it takes."""

from __future__ import annotations

import hashlib
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from context import MIB, MILLION, Context
from figures import Figure, Floor, at_least, at_most, repeat
from server import Load, Server, load, serve

from qed.client.config import ClientConfig
from qed.client.sync_client import Client
from qed.trees.verify import Root, verify_membership
from qed.workload.plan import event_of

NAME = "http"
WARM_UP_S = 1.0  # at most, and no longer than the run
FILL_BULK = 1_000
SAMPLE = 1_000
MEMORY_FLOORS_MIB = {MILLION: 300, 10 * MILLION: 900}
BESIDE_PER_S = 1_000  # adds while proofs are asked for
ONE_CONNECTION_PER_S, ONE_CONNECTION_OF_DISK = 1_500, 0.25


def run(context: Context) -> list[Figure]:
    """Measure on a log of each size, a server of its own each time."""
    ends = (context.sizes[0], MILLION, context.sizes[-1])
    sizes = [events for events in context.sizes if events in ends]
    return [figure for events in sizes for figure in _at(context, events)]


def _at(context: Context, events: int) -> list[Figure]:
    with context.scratch("http") as scratch:
        path = scratch / "db"
        with serve(path, context.counter) as server:
            figures = [_fill(context, server, events)]
            for measure in (_proofs, _adds):
                figures += measure(_Meter(context, server, events))
            figures[-1] = figures[-1].with_more(
                **{"peak MiB": server.resident_bytes(peak=True) / MIB}
            )
            context.proofs += _verify_sample(server)
        context.check(path)
    return figures


def _fill(context: Context, server: Server, events: int) -> Figure:
    meter = _Meter(context, server, events)
    figure = meter.measure(
        "filled by digests, 1,000 a body",
        "digests",
        connections=4,
        bulk_size=min(FILL_BULK, events),
        num_requests=events,
        duration_s=None,
        warmup_s=0.0,
        verify="none",
    )
    memory = server.resident_bytes() / MIB
    figure = figure.with_more(**{"server MiB": memory})
    if events in MEMORY_FLOORS_MIB:
        return figure.with_floors(at_most("MiB of memory", memory, MEMORY_FLOORS_MIB[events]))
    return figure


class _Meter:
    """Runs loads on one server and makes lines of them."""

    def __init__(self, context: Context, server: Server, events: int) -> None:
        self.context = context
        self.server = server
        self.events = events
        self.at_a_million = events == MILLION

    def measure(self, what: str, kind: str, **fields: Any) -> Figure:
        """Put one load on the server; adds without a sync are void."""
        seconds = self.context.seconds
        timing = {"duration_s": seconds, "warmup_s": min(WARM_UP_S, seconds)}
        hashes, syncs = self.context.bare_hashes(), self.context.bare_syncs()
        done = load(self.server, kind, **{**timing, **fields})
        hashes = (hashes + self.context.bare_hashes()) / 2
        syncs = (syncs + self.context.bare_syncs()) / 2
        if not done.items:
            raise SystemExit(f"void: nothing was answered within {done.seconds:.1f} s: {kind}")
        adds = kind in {"add", "bulk", "digests"}
        if adds and not done.syncs.calls:
            raise SystemExit(f"void: {done.items} events were acknowledged without one sync")
        self.context.proofs += done.result["Checked"]["ProofsVerified"]
        return self._figure(what, done, hashes, syncs if adds else None)

    def median(self, what: str, kind: str, **fields: Any) -> Figure:
        """Put it on some times and take the median."""
        return repeat(self.context.runs, lambda: self.measure(what, kind, **fields))

    def _figure(self, what: str, done: Load, hashes: float, syncs: float | None) -> Figure:
        more = {"generator of a core %": 100 * done.result["GeneratorShare"]}
        if done.syncs.calls:
            more["events a sync"] = done.items / done.syncs.calls
            more["a sync ms"] = done.syncs.seconds / done.syncs.calls * 1e3
        return Figure(
            NAME,
            what,
            self.events,
            done.items / done.seconds,
            hashes,
            syncs,
            cpu_us=done.cpu_s / done.items * 1e6,
            syncs_per_s=done.syncs.calls / done.seconds,
            p50_ms=done.latency_ms("p50"),
            p99_ms=done.latency_ms("p99"),
            more=more,
        )

    def with_floors(self, figure: Figure, *floors: Floor) -> Figure:
        """Put floors to a line, if it was measured on a log of the size that they are for."""
        return figure.with_floors(*floors) if self.at_a_million else figure


def _proofs(meter: _Meter) -> list[Figure]:
    asked: dict[str, Any] = {"connections": 16, "seed": 1}
    membership = meter.median("membership proofs, 16 connections", "membership", **asked)
    beside = repeat(
        meter.context.runs,
        lambda: _beside_adds(meter, "the same, 1,000 adds a second meanwhile", **asked),
    )
    incremental = meter.median("incremental proofs, 16 connections", "incremental", **asked)
    return [
        meter.with_floors(
            membership,
            at_least("proofs/s", membership.items_per_s, 12_000),
            at_most("p99 ms", membership.p99_ms or 0, 20),
        ),
        meter.with_floors(
            beside,
            at_least("proofs/s", beside.items_per_s, 8_000),
            at_most("p99 ms", beside.p99_ms or 0, 20),
        ),
        meter.with_floors(incremental, at_least("proofs/s", incremental.items_per_s, 12_000)),
    ]


def _beside_adds(meter: _Meter, what: str, **fields: Any) -> Figure:
    """Ask for proofs while another process adds events that nobody asks for."""
    # Its window begins and ends a little later than that of the proofs.
    timing = {"warmup_s": WARM_UP_S + 0.5, "duration_s": meter.context.seconds + 0.5}
    adds: dict[str, Any] = {"connections": 16, "rate": BESIDE_PER_S, **timing}
    other = Server(meter.server.port, meter.server.pid, meter.server.counter)
    label = f"beside {random.random()} "  # noqa: S311 - a name that nobody else gives
    with ThreadPoolExecutor(1) as pool:
        adding = pool.submit(load, other, "add", label=label, verify="none", **adds)
        figure = meter.measure(what, "membership", **fields)
        added = adding.result()
    rate = added.items / added.seconds
    return figure.with_more(**{"adds/s": rate, "their p99 ms": added.latency_ms("p99")})


def _adds(meter: _Meter) -> list[Figure]:
    single = meter.median("single adds, 64 connections", "add", connections=64)
    one = meter.median("single adds, one connection", "add", connections=1)
    bulks = meter.median("bulks of 100, 8 connections", "bulk", connections=8, bulk_size=100)
    digests = meter.median(
        "digests, 1,000 a body, 4 connections", "digests", connections=4, bulk_size=1_000
    )
    disk = one.bare_syncs_per_s or 0.0
    asked_of_one = min(ONE_CONNECTION_PER_S, ONE_CONNECTION_OF_DISK * disk)
    return [
        meter.with_floors(
            single,
            at_least("adds/s", single.items_per_s, 12_000),
            at_most("p99 ms", single.p99_ms or 0, 20),
            at_most("CPU us an add", single.cpu_us or 0, 90),
        ),
        meter.with_floors(one, at_least("adds/s", one.items_per_s, asked_of_one)),
        meter.with_floors(
            bulks,
            at_least("events/s", bulks.items_per_s, 80_000),
            at_most("CPU us an event", bulks.cpu_us or 0, 12),
        ),
        meter.with_floors(digests, at_least("events/s", digests.items_per_s, 100_000)),
    ]


def _verify_sample(server: Server) -> int:
    """Ask for random proofs and verify them against the snapshot of one event more, readably."""
    count = min(SAMPLE, server.size)
    numbers = random.Random(count).sample(range(server.size), count)  # noqa: S311 - repeatable
    with Client(ClientConfig(endpoints=[server.url], enable_topology_discovery=False)) as client:
        snapshot = client.add(b"the last event of the benchmark")
        hyper = Root(snapshot.version, snapshot.hyper_digest)
        history = Root(snapshot.version, snapshot.history_digest)
        for number in numbers:
            digest = hashlib.sha256(event_of(b"event ", number)).digest()
            proof = client.membership(digest=digest)
            verify_membership(proof, digest=digest, version=None, hyper=hyper, history=history)
    return count
