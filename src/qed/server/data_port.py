"""The data port: events in, snapshots and proofs out. Source: SPEC 5.

Adds await the writer's future; everything else is answered on the loop at once, from one view of
the log. A body that is large is parsed, hashed and answered in a thread, so that the loop goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Protocol, TypeVar

from qed import wire
from qed.engine.log import Added
from qed.errors import FatalError, StoppingError, TooLargeError
from qed.server.metrics import Counts
from qed.trees.values import DIGEST_BYTES, IncrementalProof, MembershipProof
from qed.web.application import Route
from qed.web.limits import WebLimits
from qed.web.messages import JSON, RAW, Answer, Request
from qed.wire import flat
from qed.wire.topology import InfoValue, Shards

THREAD_BYTES = 128 * 1024  # a body from this size on is worked on in a thread
THREAD_EVENTS = 500  # a group from this size on is written out in a thread

_T = TypeVar("_T")


class ServedLog(Protocol):
    """What the port needs of a log; `qed.engine.log.Log` is one."""

    @property
    def failure(self) -> FatalError | None:
        """Why the log takes nothing any more."""

    def submit(self, digests: bytes) -> Future[Added]:
        """Queue a request; the future is done when its events are on disk."""

    def prove_membership(self, digest: bytes, version: int | None = None) -> MembershipProof:
        """Prove that a digest is in the log, or is not."""

    def prove_incremental(self, start: int, end: int) -> IncrementalProof:
        """Prove that one version extends another."""


class DataPort:
    """The handlers of the data port; used on the loop's thread only."""

    def __init__(
        self,
        log: ServedLog,
        counts: Counts,
        limits: WebLimits,
        *,
        info: Mapping[str, InfoValue],
        shards: Shards,
    ) -> None:
        """Serve a log; `info` and `shards` do not change while the process runs."""
        self.stopping = False  # set when the stop begins: this address is about to go
        self._log = log
        self._counts = counts
        self._limits = limits
        self._info = wire.encode_info(info)
        self._shards = wire.encode_shards(shards)

    def routes(self) -> list[Route]:
        """Return every route of the port."""
        return [
            Route("POST", "/events", self.add),
            Route("POST", "/events/bulk", self.add_bulk),
            Route("POST", "/events/digests", self.add_digests),
            Route("POST", "/proofs/membership", self.membership),
            Route("POST", "/proofs/digest-membership", self.digest_membership),
            Route("POST", "/proofs/incremental", self.incremental),
            Route("HEAD", "/healthcheck", self.health_check),
            Route("GET", "/info", self.info),
            Route("GET", "/info/shards", self.info_shards),
        ]

    async def add(self, request: Request) -> Answer:
        """Add one event; 201 with its snapshot once it is on disk."""
        self._counts.add += 1
        digest = await _near(request.body, _read_event_digest)
        added = await self._commit(digest)
        return Answer(201, wire.encode_snapshot(added.snapshots()[0]), JSON)

    async def add_bulk(self, request: Request) -> Answer:
        """Add events as one request: all of them in one group, or nothing."""
        self._counts.add_bulk += 1
        digests = await _near(request.body, self._read_bulk_digests)
        return await self._answer_snapshots(await self._commit(digests))

    async def add_digests(self, request: Request) -> Answer:
        """Add events that the client hashed; raw in, and raw out unless JSON is asked for."""
        self._counts.add_digests += 1
        # The bound first: there is no need to cut what will be refused.
        self._check_events(len(request.body) // DIGEST_BYTES)
        added = await self._commit(b"".join(wire.decode_digests(request.body)))
        if request.accepts("application/json"):
            return await self._answer_snapshots(added)
        body = wire.encode_added(added.first_version, added.hyper_digest, added.roots)
        return Answer(201, body, RAW)

    async def membership(self, request: Request) -> Answer:
        """Prove by the event itself."""
        self._counts.membership += 1
        event, version = await _near(request.body, wire.decode_membership_query)
        digest = await _near(event, _hash)
        proof = self._log.prove_membership(digest, version)
        self._counts.membership_proofs += 1
        return Answer(200, wire.encode_membership(replace(proof, key=event)), JSON)

    async def digest_membership(self, request: Request) -> Answer:
        """Prove by the event's digest."""
        self._counts.digest_membership += 1
        digest, version = wire.decode_digest_query(request.body)
        proof = self._log.prove_membership(digest, version)
        self._counts.digest_membership_proofs += 1
        return Answer(200, wire.encode_membership(proof), JSON)

    async def incremental(self, request: Request) -> Answer:
        """Prove that the log of one version extends that of another."""
        self._counts.incremental += 1
        start, end = wire.decode_incremental_query(request.body)
        proof = self._log.prove_incremental(start, end)
        self._counts.incremental_proofs += 1
        return Answer(200, wire.encode_incremental(proof), JSON)

    async def health_check(self, _request: Request) -> Answer:
        """Say whether adds are taken; 503 once the server is stopping or the log has failed."""
        self._counts.health_check += 1
        if self.stopping or self._log.failure is not None:
            raise StoppingError("the server is stopping")
        return Answer(204)

    async def info(self, _request: Request) -> Answer:
        """Say who this node is."""
        self._counts.info += 1
        return Answer(200, self._info, JSON)

    async def info_shards(self, _request: Request) -> Answer:
        """Say where clients find the leader: here."""
        self._counts.info_shards += 1
        return Answer(200, self._shards, JSON)

    def _read_bulk_digests(self, body: bytes) -> bytes:
        digests = flat.digest_bulk(body)
        if digests is not None:
            self._check_events(len(digests) // DIGEST_BYTES)
            return digests
        events = wire.decode_bulk(body)  # says what is wrong, or knows a spelling that is rare
        self._check_events(len(events))
        return b"".join(map(_hash, events))

    def _check_events(self, events: int) -> None:
        if events > self._limits.request_events:
            raise TooLargeError(
                f"{events} events in one request; at most {self._limits.request_events} are taken",
                hint="nothing was added: split them over several requests",
            )

    async def _commit(self, digests: bytes) -> Added:
        """Return what became of the digests, once they are on disk."""
        started_s = time.perf_counter()
        future = self._log.submit(digests)
        self._counts.adds_waiting += 1
        try:
            added = await _result(future)
        finally:
            self._counts.adds_waiting -= 1
        self._counts.events_added += len(digests) // DIGEST_BYTES
        self._counts.add_durations.observe(time.perf_counter() - started_s)
        return added

    async def _answer_snapshots(self, added: Added) -> Answer:
        def write() -> bytes:
            return flat.encode_snapshots(
                added.first_version, added.digests, added.roots, added.hyper_digest
            )

        if len(added.digests) // DIGEST_BYTES >= THREAD_EVENTS:
            return Answer(201, await asyncio.to_thread(write), JSON)
        return Answer(201, write(), JSON)


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _read_event_digest(body: bytes) -> bytes:
    return _hash(wire.decode_add(body))


async def _near(data: bytes, work: Callable[[bytes], _T]) -> _T:
    """Do it here, or in a thread when there is much of it."""
    if len(data) < THREAD_BYTES:
        return work(data)
    return await asyncio.to_thread(work, data)


async def _result(future: Future[Added]) -> Added:
    """Wait for the writer's future without ever cancelling it.

    `asyncio.wrap_future` would pass a cancellation on, and an add whose request was given up at
    the end of a stop would be dropped from the queue of a log that is about to commit it.
    """
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    def done(_future: Future[Added]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(wake)

    future.add_done_callback(done)
    await waiter
    return future.result()
