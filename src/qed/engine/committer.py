"""Group commit: a bounded queue of requests and the one thread that plans and accepts.

While a group is being committed, requests gather; the next group takes whatever has come by then.
So one fsync pays for all of them, and nothing waits for a timer. A request is never split over two
groups, and requests join in the order of arrival.

While little waits, the writer commits by itself. As soon as much does, a second thread takes the
group to the disk and the writer plans the next one on top of it meanwhile; should the commit fail,
that plan is dropped, for its ground is gone.
"""

from __future__ import annotations

import atexit
import contextlib
import copy
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from qed.database import Database, Put
from qed.engine.group import Plan
from qed.engine.requests import Added, Done, Limits, Request, join
from qed.engine.state import State
from qed.errors import (
    BusyError,
    FatalError,
    MalformedError,
    StoppingError,
    TooLargeError,
)
from qed.trees.values import DIGEST_BYTES

# With this many events waiting, planning the next group takes as long as a sync: it is worth the
# hand-over to another thread.
AHEAD_EVENTS = 200


class _Group:
    """A group on its way: who is in it, what it makes of the log, and the commit once it runs."""

    __slots__ = ("commit", "plan", "requests")

    def __init__(self, requests: Sequence[Request], plan: Plan) -> None:
        self.requests = requests
        self.plan = plan
        self.commit: Future[None] | None = None


class Committer:
    """Takes requests from any thread and commits them, one group after the other, in its own."""

    def __init__(self, database: Database, state: State, limits: Limits) -> None:
        """Start the writer thread; `stop` ends it."""
        self._database = database
        self._state = state
        self._limits = limits
        # Guards the six fields below; held for a few instructions, never during I/O.
        self._arrival = threading.Condition()
        self._queue: deque[Request] = deque()
        self._queued_events = 0
        self._stopping = False
        self._landed = False  # the commit that the second thread has in hand is over
        self._wake_at = 1  # so many queued events are work for the writer
        self._failure: FatalError | None = None
        # Held from before a commit until the state shows it, and by who needs the database at rest
        # between two groups. The writer thread takes it and gives it back.
        self._commit_lock = threading.Lock()
        self._holds_lock = False  # whether the writer thread has it; that thread's
        # Takes groups to the disk while the writer plans; its thread starts with the first of them.
        # None once it cannot.
        self._second: ThreadPoolExecutor | None = ThreadPoolExecutor(
            1, thread_name_prefix="qed-commit"
        )
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

    def submit(self, digests: Sequence[bytes] | bytes) -> Future[Added]:
        """Queue one request; the future is done when its events are on disk.

        The digests come one by one, or as one `bytes`, end to end. Refused at once, nothing done:
        no digest or one that has not 32 bytes (`MalformedError`), more than a group may hold
        (`TooLargeError`), a full queue (`BusyError`), a log that closes (`StoppingError`) or has
        stopped (`FatalError`). A future that is cancelled before its group is planned adds
        nothing. Stop here: nothing happened.
        """
        future: Future[Added] = Future()
        joined = digests if isinstance(digests, bytes) else join(digests)
        self._enqueue(Request(joined, future, None))
        return future

    def submit_with(self, digests: bytes, done: Done) -> None:
        """Queue one request; `done` is told what became of it, on the writer's thread.

        Refused at once like `submit`, and then `done` is never called. Otherwise it is called
        exactly once, in the order of versions, and must not block: the next group waits for it.
        """
        self._enqueue(Request(digests, None, done))

    def stop(self) -> None:
        """Take nothing new, commit what is queued, end the threads. A second call does nothing."""
        with self._arrival:
            self._stopping = True
            self._arrival.notify()
        self._thread.join()
        if self._second is not None:
            self._second.shutdown()
        atexit.unregister(self.stop)

    @contextlib.contextmanager
    def at_rest(self) -> Iterator[None]:
        """Keep the writer between two groups for the length of the block; requests gather."""
        with self._commit_lock:
            yield

    def _enqueue(self, request: Request) -> None:
        self._check(request)
        with self._arrival:
            self._refuse_if_closed()
            events = self._queued_events + request.size
            if events > self._limits.queue_events and self._queue:
                raise _busy(f"{self._queued_events} events")
            if len(self._queue) >= self._limits.queue_requests:
                raise _busy(f"{len(self._queue)} requests")
            self._queue.append(request)
            self._queued_events = events
            if events >= self._wake_at:
                self._arrival.notify()

    def _check(self, request: Request) -> None:
        if not request.digests:
            raise MalformedError("a request adds at least one event")
        if len(request.digests) % DIGEST_BYTES:
            raise MalformedError(
                f"{len(request.digests)} bytes are no whole number of digests of {DIGEST_BYTES}"
            )
        if request.size > self._limits.group_events:
            raise TooLargeError(
                f"{request.size} events in one request, at most {self._limits.group_events} fit "
                "into one group",
                hint="send fewer events a request",
            )

    def _refuse_if_closed(self) -> None:
        if self._failure is not None:
            raise _stopped(self._failure)
        if self._stopping:
            raise StoppingError("the log is closing", hint="send it again after the restart")

    def _run(self) -> None:
        """Commit groups until the queue is empty and `stop` was called, or a commit failed.

        At most two groups are on their way: one on the disk, and one planned on top of it.
        """
        ahead: _Group | None = None  # being committed by the second thread
        planned: list[Request] = []  # what the next group holds; the disk knows nothing of it
        try:
            while True:
                planned = self._take(ahead)
                if not planned and ahead is None:
                    return
                plan = None
                try:
                    if planned:
                        plan = self._plan(planned, ahead)
                finally:
                    if ahead is not None:
                        self._land(ahead)
                        ahead = None
                if plan is not None:
                    ahead, planned = _Group(planned, plan), []
                    if self._commit(ahead):
                        ahead = None
        except BaseException as error:  # noqa: BLE001  # a bug must not leave callers waiting
            self._let_go()
            self._fail(ahead.requests if ahead else (), planned, error)

    def _take(self, ahead: _Group | None) -> list[Request]:
        """Wait for requests, then return those of the next group; none when there is other work.

        With a group on its way that is: none when it has landed, and some only if much waits.
        """
        taken: list[Request] = []
        with self._arrival:
            while not taken:
                self._wake_at = 1 if ahead is None else AHEAD_EVENTS
                if ahead is None:
                    self._arrival.wait_for(lambda: self._queue or self._stopping)
                else:
                    self._arrival.wait_for(lambda: self._landed or self._much_waits())
                    if self._landed:
                        return []
                if not self._queue:
                    return []
                room = self._limits.group_events
                while self._queue and self._queue[0].size <= room:
                    request = self._queue.popleft()
                    self._queued_events -= request.size
                    if request.start():
                        room -= request.size
                        taken.append(request)
        return taken

    def _much_waits(self) -> bool:
        return self._queued_events >= AHEAD_EVENTS

    def _plan(self, requests: Sequence[Request], ahead: _Group | None) -> Plan:
        """Compute the group of these requests. Stop here: nothing happened."""
        digests = b"".join([request.digests for request in requests])
        return self._state.plan(digests, ahead.plan if ahead else None)

    def _commit(self, group: _Group) -> bool:
        """Take a group to the disk, and return whether it has landed already.

        It has not if much waits: then the second thread has it, and the writer plans meanwhile.
        """
        self._commit_lock.acquire()
        self._holds_lock = True
        puts = group.plan.puts()
        with self._arrival:
            self._landed = False
            much = self._much_waits()
        if much and self._hand_over(group, puts):
            return False
        self._database.commit(puts)
        self._land(group)
        return True

    def _hand_over(self, group: _Group, puts: list[Put]) -> bool:
        """Return whether the second thread has taken a group; it has not where there is none.

        At a program's end no thread begins any more, yet what is queued is committed. Once refused,
        it is not asked again: what it was to do then may lie in its queue, and must never be done.
        """
        if self._second is None:
            return False
        try:
            group.commit = self._second.submit(self._database.commit, puts)
        except RuntimeError:
            self._second = None
            return False
        group.commit.add_done_callback(self._notice)
        return True

    def _notice(self, _commit: Future[None]) -> None:
        """Wake the writer: the second thread is done."""
        with self._arrival:
            self._landed = True
            self._arrival.notify()

    def _land(self, group: _Group) -> None:
        """Wait until a group is on disk, show it to readers, and tell its callers.

        Stop before it is shown: the events are in the log and their callers do not know. Sending
        them again gives them a second version. If the commit raised, they may be in the log or
        not: the log stops, and opening it again looks at what is there.
        """
        if group.commit is not None:
            group.commit.result()
        self._state.accept(group.plan)
        self._let_go()
        _answer(group.requests, group.plan)

    def _let_go(self) -> None:
        if self._holds_lock:
            self._holds_lock = False
            self._commit_lock.release()

    def _fail(
        self, given: Sequence[Request], planned: Sequence[Request], error: BaseException
    ) -> None:
        """Stop for good: refuse what comes, fail what was given to the disk and what waits."""
        failure = _name_failure(error)
        with self._arrival:
            self._failure = failure
            waiting, self._queue = self._queue, deque()
            self._queued_events = 0
        for request in given:
            request.tell(_unknown(failure))
        for request in planned:
            request.tell(_stopped(failure))
        for request in waiting:
            if request.start():
                request.tell(_stopped(failure))


def _answer(requests: Sequence[Request], plan: Plan) -> None:
    """Give each request its part of the group. Acknowledged means on disk."""
    roots, hyper_digest = plan.history.roots, plan.head.hyper_digest
    version, start = plan.first_version, 0
    for request in requests:
        stop = start + len(request.digests)
        request.tell(Added(version, request.digests, roots[start:stop], hyper_digest))
        version += request.size
        start = stop


def _name_failure(error: BaseException) -> FatalError:
    """Return why the log has stopped."""
    if isinstance(error, FatalError):
        failure = copy.copy(error)
    else:
        failure = FatalError(f"the writer stopped at {type(error).__name__}: {error}")
    failure.hint = failure.hint or "start again, then look the events up before adding them again"
    failure.__cause__ = error
    return failure


def _unknown(failure: FatalError) -> FatalError:
    """Return what the callers of a group are told whose commit has failed."""
    outcome = copy.copy(failure)
    outcome.message = f"{failure.message}; whether the events are in the log shows its next start"
    return outcome


def _stopped(failure: FatalError) -> FatalError:
    """Return the refusal of a request that the disk knows nothing of."""
    refusal = copy.copy(failure)
    refusal.message = f"nothing was added, the log has stopped: {failure.message}"
    return refusal


def _busy(what: str) -> BusyError:
    return BusyError(
        f"the queue is full: {what} wait for the disk", hint="send it again in a second"
    )
