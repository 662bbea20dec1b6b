"""The hot routes of the data port: short cuts for the requests that come by the thousand.

Each takes the body in its usual spelling alone; any other goes the ordinary way of `data_port`,
which also says what is wrong with one that is bad. Proofs are answered at once. Adds are handed to
the writer, whose thread leaves the outcomes of a group here and wakes the loop once for all of
them.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from qed import wire
from qed.engine.log import Added
from qed.errors import FatalError
from qed.server.data_port import THREAD_EVENTS
from qed.server.metrics import Counts
from qed.trees.values import DIGEST_BYTES, FlatIncremental, FlatMembership
from qed.web.hot import Asker, HotRoute
from qed.web.limits import WebLimits
from qed.web.messages import JSON, RAW
from qed.wire import flat

_Write = Callable[[Added], tuple[bytes, bytes]]  # returns a type and a body


class HotLog(Protocol):
    """What the hot routes need of a log; `qed.engine.log.Log` is one."""

    def submit_with(self, digests: bytes, done: Callable[[Added | FatalError], None]) -> None:
        """Queue a request; `done` is told its outcome on the writer's thread."""

    def flat_membership(self, digest: bytes, version: int | None = None) -> FlatMembership:
        """Prove that a digest is in the log, or is not."""

    def flat_incremental(self, start: int, end: int) -> FlatIncremental:
        """Prove that one version extends another."""


class HotPort:
    """The hot handlers; everything but `_done` runs on the loop's thread."""

    def __init__(self, log: HotLog, counts: Counts, limits: WebLimits) -> None:
        """Serve a log beside the `DataPort` that has the same counts."""
        self._log = log
        self._counts = counts
        self._request_events = limits.request_events
        self._loop: asyncio.AbstractEventLoop | None = None  # known from the first add on
        # What the writer has left for the loop; both ends of a deque may be used by two threads.
        self._outcomes: deque[tuple[Asker, _Write, float, Added | FatalError]] = deque()
        self._woken = False  # the loop will look at the outcomes that are there by then

    def routes(self) -> list[HotRoute]:
        """Return the short cuts."""
        return [
            HotRoute("/events", self.add),
            HotRoute("/events/bulk", self.add_bulk),
            HotRoute("/events/digests", self.add_digests, negotiates=True),
            HotRoute("/proofs/membership", self.membership),
            HotRoute("/proofs/digest-membership", self.digest_membership),
            HotRoute("/proofs/incremental", self.incremental),
        ]

    def add(self, body: bytes, asker: Asker) -> bool:
        """Add one event."""
        digest = flat.digest_add(body)
        if digest is None:
            return False
        self._counts.add += 1
        self._submit(digest, asker, _write_one)
        return True

    def add_bulk(self, body: bytes, asker: Asker) -> bool:
        """Add a few events as one request; the answer to more is written in a thread."""
        digests = flat.digest_bulk(body)
        if digests is None or not self._may_add(digests, THREAD_EVENTS - 1):
            return False
        self._counts.add_bulk += 1
        self._submit(digests, asker, _write_many)
        return True

    def add_digests(self, body: bytes, asker: Asker) -> bool:
        """Add events that the client hashed; raw in and raw out."""
        if not self._may_add(body, self._request_events):
            return False
        self._counts.add_digests += 1
        self._submit(body, asker, _write_raw)
        return True

    def membership(self, body: bytes, asker: Asker) -> bool:
        """Prove by the event itself."""
        query = flat.read_membership_query(body)
        if query is None:
            return False
        self._counts.membership += 1
        event, version = query
        proof = self._log.flat_membership(hashlib.sha256(event).digest(), version)
        self._counts.membership_proofs += 1
        asker.answer(200, JSON, flat.encode_membership(proof, event))
        return True

    def digest_membership(self, body: bytes, asker: Asker) -> bool:
        """Prove by the event's digest."""
        query = flat.read_digest_query(body)
        if query is None:
            return False
        self._counts.digest_membership += 1
        proof = self._log.flat_membership(*query)
        self._counts.digest_membership_proofs += 1
        asker.answer(200, JSON, flat.encode_membership(proof, None))
        return True

    def incremental(self, body: bytes, asker: Asker) -> bool:
        """Prove that the log of one version extends that of another."""
        query = flat.read_incremental_query(body)
        if query is None:
            return False
        self._counts.incremental += 1
        proof = self._log.flat_incremental(*query)
        self._counts.incremental_proofs += 1
        asker.answer(200, JSON, flat.encode_incremental(proof))
        return True

    def _may_add(self, digests: bytes, most: int) -> bool:
        events, rest = divmod(len(digests), DIGEST_BYTES)
        return rest == 0 and 0 < events <= min(most, self._request_events)

    def _submit(self, digests: bytes, asker: Asker, write: _Write) -> None:
        """Hand a request to the writer; a refusal is raised, and nothing was done."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        started_s = time.perf_counter()
        self._log.submit_with(digests, partial(self._done, self._loop, asker, write, started_s))
        self._counts.adds_waiting += 1

    def _done(
        self,
        loop: asyncio.AbstractEventLoop,
        asker: Asker,
        write: _Write,
        started_s: float,
        outcome: Added | FatalError,
    ) -> None:
        """Leave an outcome for the loop; on the writer's thread, whose next group waits for this.

        The order here and in `_answer_all` matters: the outcome is there before the flag is looked
        at, and the flag is cleared before the outcomes are. So none is left behind.
        """
        self._outcomes.append((asker, write, started_s, outcome))
        if not self._woken:
            self._woken = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._answer_all)

    def _answer_all(self) -> None:
        """Answer every request whose outcome is there."""
        self._woken = False
        counts, outcomes = self._counts, self._outcomes
        now_s = time.perf_counter()
        while outcomes:
            asker, write, started_s, outcome = outcomes.popleft()
            counts.adds_waiting -= 1
            if isinstance(outcome, FatalError):
                asker.fail(outcome)
                continue
            counts.events_added += len(outcome.digests) // DIGEST_BYTES
            counts.add_durations.observe(now_s - started_s)
            try:
                content_type, body = write(outcome)
            except Exception as error:  # noqa: BLE001  # one bug fails one request
                asker.fail(error)
            else:
                asker.answer(201, content_type, body)


def _write_one(added: Added) -> tuple[bytes, bytes]:
    return JSON, flat.encode_snapshot(
        added.first_version, added.digests, added.roots, added.hyper_digest
    )


def _write_many(added: Added) -> tuple[bytes, bytes]:
    return JSON, flat.encode_snapshots(
        added.first_version, added.digests, added.roots, added.hyper_digest
    )


def _write_raw(added: Added) -> tuple[bytes, bytes]:
    return RAW, wire.encode_added(added.first_version, added.hyper_digest, added.roots)
