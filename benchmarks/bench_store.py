"""The snapshot store over HTTP: a backlog of snapshots taken over, verified and synced."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from context import MILLION, Context
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from figures import Figure, at_least, median
from machine import cpu_seconds
from server import Server, serve

from qed.signing.checkpoint import sign_checkpoint
from qed.signing.keys import PrivateKey
from qed.signing.note import NoteSigner, format_verifier_key
from qed.snapshot_store.check import check_store
from qed.snapshot_store.runs import Run
from qed.snapshot_store.store import Store
from qed.trees import kernel
from qed.trees.snapshot_log import root
from qed.trees.values import Snapshot
from qed.wire.batches import Batch, decode_signed_snapshot, encode_batch
from qed.wire.bounds import BOUNDS

NAME = "store"
GROUP_EVENTS = 20
SMALL_BATCH, SMALL_BATCHES = 100, 200
SAMPLE = 200
BACKLOG_PER_S = 50_000  # leaves, verified and synced
MIB = 1024 * 1024


@dataclass
class _Log:
    """A log of random digests that is made and signed as it is asked for."""

    signer: NoteSigner
    size: int = 0
    peaks: bytes = b""
    sample: list[Snapshot] = field(default_factory=list)

    def next_batch(self, events: int) -> bytes:
        """Return the body with the next snapshots, under a checkpoint that ends with them."""
        snapshots = []
        hyper = os.urandom(32)
        for version in range(self.size, self.size + events):
            if version % GROUP_EVENTS == 0:
                hyper = os.urandom(32)
            snapshots.append(Snapshot(version, os.urandom(32), os.urandom(32), hyper))
        hashes = Run.of_snapshots(snapshots).hash_leaves()
        self.peaks, _ = kernel.extend_snapshots(self.size, self.peaks, hashes)
        self.size += events
        self.sample += random.sample(snapshots, min(len(snapshots), 20))
        note = sign_checkpoint(self.signer, self.size, root(self.peaks))
        return encode_batch(Batch(snapshots, [b""] * events, note))


def run(context: Context) -> list[Figure]:
    """Measure with a backlog of each size."""
    return [figure for events in context.sizes for figure in _at(context, events)]


def _at(context: Context, events: int) -> list[Figure]:
    seed = os.urandom(32)
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    signer = NoteSigner(PrivateKey(seed, public), "bench.test/log")
    key = format_verifier_key(signer.verifier_key)
    backlogs = []
    for _ in range(context.runs_at(events)):
        with context.scratch("store") as scratch:
            path, log = scratch / "store", _Log(signer)
            with _serve(context, path, key) as server:
                sender = _Sender(context, server, log)
                full = sender.send("backlog, full batches", events, BOUNDS.batch_snapshots)
                backlogs.append(full)
                small = sender.send_small()
                context.proofs += _verify_sample(server, log)
            opened = _open(context, path, log.size)
            check_store(path)
            context.checks += 1
    backlog = median(backlogs)
    if events >= MILLION:
        floor = at_least("leaves/s, verified and synced", backlog.items_per_s, BACKLOG_PER_S)
        backlog = backlog.with_floors(floor)
    return [backlog, small, opened]


@contextlib.contextmanager
def _serve(context: Context, path: Path, key: str) -> Iterator[Server]:
    words = ("--key", key)
    names = ("http", "metrics")
    with serve(path, context.counter, program="store", names=names, words=words) as server:
        yield server


@dataclass(frozen=True, slots=True)
class _Sender:
    """Sends the snapshots of a log to a store over one connection, and makes lines of it."""

    context: Context
    server: Server
    log: _Log

    def send_small(self) -> Figure:
        """Measure small batches, each of which waits for a sync of its own."""
        batches = min(SMALL_BATCHES, max(1, self.log.size // SMALL_BATCH))
        what = f"batches of {SMALL_BATCH}, one after the other"
        return self.send(what, batches * SMALL_BATCH, SMALL_BATCH)

    def send(self, what: str, events: int, batch_events: int) -> Figure:
        """Measure from each body to its answer; batches without as many syncs are void."""
        context, server = self.context, self.server
        hashes, bare_syncs = context.bare_hashes(), context.bare_syncs()
        syncs, cpu_s = context.counter.read(), cpu_seconds(server.pid)
        sizes = [min(batch_events, events - at) for at in range(0, events, batch_events)]
        seconds, body_bytes = self._post(sizes)
        done = context.counter.read() - syncs
        if done.calls < len(sizes):
            raise SystemExit(f"void: {done.calls} syncs for {len(sizes)} batches")
        return Figure(
            NAME,
            what,
            self.log.size,
            events / seconds,
            (hashes + context.bare_hashes()) / 2,
            (bare_syncs + context.bare_syncs()) / 2,
            cpu_us=(cpu_seconds(server.pid) - cpu_s) / events * 1e6,
            syncs_per_s=done.calls / seconds,
            more={"MiB/s of bodies": body_bytes / seconds / MIB},
        )

    def _post(self, sizes: Sequence[int]) -> tuple[float, int]:
        """Send a batch of each size; return the seconds that it took, and the bytes."""
        seconds, body_bytes = 0.0, 0
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=120)
        with contextlib.closing(connection):
            for size in sizes:
                body = self.log.next_batch(size)
                started_s = time.perf_counter()
                connection.request("POST", "/batch", body)
                answer = connection.getresponse()
                said = answer.read()
                seconds += time.perf_counter() - started_s
                if answer.status != http.client.OK or json.loads(said)["Count"] != self.log.size:
                    raise SystemExit(f"void: {answer.status} {said!r}")
                body_bytes += len(body)
        return seconds, body_bytes


def _open(context: Context, path: Path, size: int) -> Figure:
    """Measure the opening, which recomputes every root."""
    hashes = context.bare_hashes()
    started_s = time.perf_counter()
    with Store.open(path):
        seconds = time.perf_counter() - started_s
    on_disk = sum(file.stat().st_size for file in path.iterdir())
    return Figure(
        NAME,
        "open: every leaf again",
        size,
        size / seconds,
        (hashes + context.bare_hashes()) / 2,
        more={"bytes a leaf on disk": on_disk / size},
    )


def _verify_sample(server: Server, log: _Log) -> int:
    """Ask for random snapshots; one that is not what was sent ends the run."""
    chosen = random.sample(log.sample, min(SAMPLE, len(log.sample)))
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    with contextlib.closing(connection):
        for snapshot in chosen:
            connection.request("GET", f"/snapshot?v={snapshot.version}")
            found, _ = decode_signed_snapshot(connection.getresponse().read())
            if found != snapshot:
                raise SystemExit(f"void: version {snapshot.version} is {found}")
    return len(chosen)
