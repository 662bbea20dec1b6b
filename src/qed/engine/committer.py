"""Group commit: a bounded queue of requests and the one thread that writes.

While a group is being committed, requests gather; the next group takes whatever has come by then.
So one fsync pays for all of them, and nothing waits for a timer. A request is never split over two
groups, and requests join in the order of arrival.
"""

from __future__ import annotations

import atexit
import contextlib
import copy
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from qed.database import Database
from qed.engine.group import Plan, plan_group
from qed.engine.state import State
from qed.errors import (
    BusyError,
    FatalError,
    MalformedError,
    QedError,
    StoppingError,
    TooLargeError,
)
from qed.trees.values import DIGEST_BYTES, Snapshot


@dataclass(frozen=True, slots=True)
class Limits:
    """What a log takes at most; a request above a queue's rest is refused, not delayed."""

    group_events: int = 20_000  # events in one group, hence in one request
    queue_events: int = 100_000  # events waiting for a group, of all requests
    queue_requests: int = 10_000  # requests waiting for a group


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one request: its events have the versions from `first_version` on."""

    first_version: int
    event_digests: Sequence[bytes]
    history_digests: Sequence[bytes]
    hyper_digest: bytes

    def snapshots(self) -> list[Snapshot]:
        """Return one snapshot for each event, in order."""
        pairs = zip(self.event_digests, self.history_digests, strict=True)
        return [
            Snapshot(version, event_digest, history_digest, self.hyper_digest)
            for version, (event_digest, history_digest) in enumerate(pairs, self.first_version)
        ]


@dataclass(frozen=True, slots=True)
class _Request:
    digests: tuple[bytes, ...]
    future: Future[Added]


class Committer:
    """Takes requests from any thread and commits them, one group after the other, in its own."""

    def __init__(self, database: Database, state: State, limits: Limits) -> None:
        """Start the writer thread; `stop` ends it."""
        self._database = database
        self._state = state
        self._limits = limits
        # Guards the four fields below; held for a few instructions, never during I/O.
        self._arrival = threading.Condition()
        self._queue: deque[_Request] = deque()
        self._queued_events = 0
        self._stopping = False
        self._failure: FatalError | None = None
        # Held by the writer thread from before a commit until the state shows it, and by who needs
        # the database at rest between two groups.
        self._commit_lock = threading.Lock()
        # A daemon, so that a program which forgets to close does not hang at its end; there it is
        # stopped all the same, because RocksDB must not be inside a call when the process goes.
        self._thread = threading.Thread(target=self._run, name="qed-writer", daemon=True)
        self._thread.start()
        atexit.register(self.stop)

    @property
    def failure(self) -> FatalError | None:
        """Why the log has stopped, None while it has not."""
        with self._arrival:
            return self._failure

    def submit(self, digests: Sequence[bytes]) -> Future[Added]:
        """Queue one request; the future is done when its events are on disk.

        Refused at once, nothing done: no digest or one that has not 32 bytes (`MalformedError`),
        more than a group may hold (`TooLargeError`), a full queue (`BusyError`), a log that closes
        (`StoppingError`) or has stopped (`FatalError`). A future that is cancelled before its
        group is planned adds nothing. Stop here: nothing happened.
        """
        request = _Request(tuple(digests), Future())
        self._check(request.digests)
        with self._arrival:
            self._refuse_if_closed()
            events = self._queued_events + len(request.digests)
            if events > self._limits.queue_events and self._queue:
                raise _busy(f"{self._queued_events} events")
            if len(self._queue) >= self._limits.queue_requests:
                raise _busy(f"{len(self._queue)} requests")
            self._queue.append(request)
            self._queued_events = events
            self._arrival.notify()
        return request.future

    def stop(self) -> None:
        """Take nothing new, commit what is queued, end the thread. A second call does nothing."""
        with self._arrival:
            self._stopping = True
            self._arrival.notify()
        self._thread.join()
        atexit.unregister(self.stop)

    @contextlib.contextmanager
    def at_rest(self) -> Iterator[None]:
        """Keep the writer between two groups for the length of the block; requests gather."""
        with self._commit_lock:
            yield

    def _check(self, digests: Sequence[bytes]) -> None:
        if not digests:
            raise MalformedError("a request adds at least one event")
        if len(digests) > self._limits.group_events:
            raise TooLargeError(
                f"{len(digests)} events in one request, at most {self._limits.group_events} fit "
                "into one group",
                hint="send fewer events a request",
            )
        for digest in digests:
            if len(digest) != DIGEST_BYTES:
                raise MalformedError(f"an event digest has {DIGEST_BYTES} bytes, not {len(digest)}")

    def _refuse_if_closed(self) -> None:
        if self._failure is not None:
            raise _stopped(self._failure)
        if self._stopping:
            raise StoppingError("the log is closing", hint="send it again after the restart")

    def _run(self) -> None:
        """Commit groups until the queue is empty and `stop` was called, or a commit failed."""
        while requests := self._take():
            try:
                plan = self._commit(requests)
            except BaseException as error:  # noqa: BLE001  # a bug must not leave callers waiting
                self._fail(requests, error)
                return
            _answer(requests, plan)

    def _take(self) -> list[_Request]:
        """Wait for requests, then return those of the next group; none when it is over."""
        taken: list[_Request] = []
        with self._arrival:
            while not taken:
                self._arrival.wait_for(lambda: self._queue or self._stopping)
                if not self._queue:
                    return []
                room = self._limits.group_events
                while self._queue and len(self._queue[0].digests) <= room:
                    request = self._queue.popleft()
                    self._queued_events -= len(request.digests)
                    if request.future.set_running_or_notify_cancel():
                        room -= len(request.digests)
                        taken.append(request)
        return taken

    def _commit(self, requests: Sequence[_Request]) -> Plan:
        """Add the requests as one group: plan, commit, accept."""
        view = self._state.view
        digests = [digest for request in requests for digest in request.digests]
        plan = plan_group(view.head, view.tree, self._state.frozen, digests)
        # Stop here: nothing happened.
        with self._commit_lock:
            self._database.commit(plan.puts())
            # Stop here: the events are in the log and their callers do not know. Sending them
            # again gives them a second version. If the commit raised, they may be in the log or
            # not: the log stops, and opening it again looks at what is there.
            self._state.accept(plan)
        return plan

    def _fail(self, requests: Sequence[_Request], error: BaseException) -> None:
        """Stop for good: refuse what comes, fail what waits."""
        failure = _name_failure(error)
        with self._arrival:
            self._failure = failure
            waiting, self._queue = self._queue, deque()
            self._queued_events = 0
        for request in requests:
            request.future.set_exception(copy.copy(failure))
        for request in waiting:
            if request.future.set_running_or_notify_cancel():
                request.future.set_exception(_stopped(failure))


def _answer(requests: Sequence[_Request], plan: Plan) -> None:
    """Give each request its part of the group. Acknowledged means on disk."""
    start = 0
    for request in requests:
        stop = start + len(request.digests)
        request.future.set_result(
            Added(
                first_version=plan.first_version + start,
                event_digests=request.digests,
                history_digests=plan.history_digests[start:stop],
                hyper_digest=plan.head.hyper_digest,
            )
        )
        start = stop


def _name_failure(error: BaseException) -> FatalError:
    """Return what the callers of the failed group are told."""
    if isinstance(error, FatalError):
        failure = copy.copy(error)
    else:
        failure = FatalError(f"the writer stopped at {type(error).__name__}: {error}")
    failure.message = f"{failure.message}; whether the events are in the log shows its next start"
    failure.hint = failure.hint or "start again, then look the events up before adding them again"
    failure.__cause__ = error
    return failure


def _stopped(failure: FatalError) -> QedError:
    """Return the refusal of a request that came too late for the group that failed."""
    refusal = copy.copy(failure)
    refusal.message = f"nothing was added, the log has stopped: {failure.message}"
    return refusal


def _busy(what: str) -> BusyError:
    return BusyError(
        f"the queue is full: {what} wait for the disk", hint="send it again in a second"
    )
