"""The store's port: QED's routes, ours beside them, and the tiles. Source: SPEC 7 and 10.

A batch is read, verified and written in a thread; two are at work at a time, so that one is read
while the other one is synced, and a few more wait. Batches that come out of turn are refused by
what they say, not by when they came.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import structlog

from qed.errors import (
    BusyError,
    ContradictionError,
    FatalError,
    MalformedError,
    QedError,
    StoppingError,
)
from qed.signing.note import format_verifier_key
from qed.snapshot_store.signatures import Signatures
from qed.snapshot_store.store import Accepted, Store
from qed.version import VERSION
from qed.web.application import Route
from qed.web.limits import WebLimits
from qed.web.messages import JSON, TEXT, Answer, Request
from qed.web.queries import parse_number, read_query
from qed.web.tiles import TilePort
from qed.wire.batches import decode_batch, encode_signed_snapshot
from qed.wire.topology import encode_info

AT_WORK = 2
WAITING = 16  # batches, those at work included; more are 503


@dataclass(slots=True)
class Counts:
    """What has happened since the start; written on the loop's thread only."""

    batches_new: int = 0
    batches_known: int = 0
    batches_refused: int = 0
    batches_in_conflict: int = 0
    snapshots_added: int = 0
    alerts_refused: int = 0
    snapshots_served: int = 0
    last_batch_s: float = field(
        default_factory=time.time
    )  # unix time; the start's before the first


class StorePort:
    """The handlers of the store's port; used on the loop's thread only."""

    def __init__(
        self, store: Store, limits: WebLimits, signatures: Signatures | None = None
    ) -> None:
        """Serve an open store; `signatures` gets what publishers did not send."""
        self.counts = Counts()
        self.tiles = TilePort(store, limits)
        self._store = store
        self._signatures = signatures or Signatures(store.key, ())
        self._turn = asyncio.Semaphore(AT_WORK)
        self._waiting = 0
        self._stopping = False

    def routes(self) -> list[Route]:
        """Return every route of the port."""
        return [
            Route("HEAD", "/healthcheck", self.health_check),
            Route("POST", "/batch", self.take_batch),
            Route("GET", "/snapshot", self.show_snapshot),
            Route("GET", "/count", self.show_count),
            Route("POST", "/alert", self.take_alert),
            Route("GET", "/alert", self.show_alerts),
            Route("GET", "/evidence", self.list_evidence),
            Route("GET", "/evidence/", self.show_evidence, is_prefix=True),
            Route("GET", "/info", self.show_info),
            *self.tiles.routes(),
        ]

    def stop(self) -> None:
        """Let nobody wait any more: the process is about to stop."""
        self._stopping = True
        self.tiles.release()
        self._signatures.close()

    async def health_check(self, _request: Request) -> Answer:
        """Answer 204 while batches are taken."""
        if self._store.failure is not None:
            raise self._store.failure
        return Answer(204)

    async def take_batch(self, request: Request) -> Answer:
        """Take a batch over; 200 says that all of it is on disk."""
        try:
            async with self._place():
                accepted = await asyncio.to_thread(self._accept, request.body)
        except ContradictionError as error:
            self.counts.batches_in_conflict += 1
            structlog.get_logger().error("the log contradicts itself", why=error.message)
            raise
        except FatalError:
            raise
        except QedError:
            self.counts.batches_refused += 1
            raise
        self._count(accepted)
        return Answer(200, _encode_accepted(accepted), JSON)

    def _accept(self, body: bytes) -> Accepted:
        return self._store.accept(decode_batch(body))

    def _count(self, accepted: Accepted) -> None:
        counts = self.counts
        counts.last_batch_s = time.time()
        counts.snapshots_added += accepted.added
        if accepted.added:
            counts.batches_new += 1
        else:
            counts.batches_known += 1
        self.tiles.notify()

    @contextlib.asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """Wait for a turn, unless too many do."""
        if self._stopping:
            raise StoppingError("the store is stopping")
        if self._waiting >= WAITING:
            raise BusyError(f"{WAITING} batches wait already", hint="send them one after the other")
        self._waiting += 1
        try:
            async with self._turn:
                yield
        finally:
            self._waiting -= 1

    async def show_snapshot(self, request: Request) -> Answer:
        """Answer the snapshot of a version, signed: as it came, or by the server on demand."""
        self.counts.snapshots_served += 1
        query = read_query(request.query, "v")
        if "v" not in query:
            raise MalformedError(
                "the query names no version", hint="write /snapshot?v=<version>, from 0 on"
            )
        version = parse_number(query["v"], "v")
        snapshot, signature = await asyncio.to_thread(self._store.snapshot, version)
        published = self._store.published()
        if not signature and published is not None and version < published.size:
            signature = await self._signatures.find(snapshot)
        return Answer(200, encode_signed_snapshot(snapshot, signature), JSON)

    async def show_count(self, _request: Request) -> Answer:
        """Answer how many snapshots there are, as a number."""
        return Answer(200, b"%d" % self._store.count, TEXT)

    async def take_alert(self, request: Request) -> Answer:
        """Keep an alert; 200 says that it is on disk."""
        try:
            await asyncio.to_thread(self._store.add_alert, request.body)
        except BusyError:
            self.counts.alerts_refused += 1
            structlog.get_logger().error("an alert was refused: the store keeps no more of them")
            raise
        return Answer(200)

    async def show_alerts(self, _request: Request) -> Answer:
        """Answer every alert's text, the oldest first; `[]` when there is none."""
        return Answer(200, await asyncio.to_thread(self._encode_alerts), JSON)

    def _encode_alerts(self) -> bytes:
        texts = [alert.text for alert in self._store.alerts.listed()]
        return json.dumps(texts, separators=(",", ":")).encode("ascii")

    async def list_evidence(self, _request: Request) -> Answer:
        """Answer the names of the evidence files."""
        names = await asyncio.to_thread(self._store.alerts.evidence_names)
        return Answer(200, json.dumps(names, separators=(",", ":")).encode("ascii"), JSON)

    async def show_evidence(self, request: Request) -> Answer:
        """Answer one evidence file, byte for byte."""
        name = request.path.removeprefix("/evidence/")
        return Answer(200, await asyncio.to_thread(self._store.alerts.evidence, name), JSON)

    async def show_info(self, _request: Request) -> Answer:
        """Answer which log is mirrored here."""
        key = self._store.key
        info = {"origin": key.name, "verifier_key": format_verifier_key(key), "version": VERSION}
        return Answer(200, encode_info(info), JSON)


def _encode_accepted(accepted: Accepted) -> bytes:
    return b'{"Count":%d,"Added":%d,"Published":%d}' % (
        accepted.count,
        accepted.added,
        accepted.published_size,
    )
