"""A load while it runs: which connection sends what and when, and what comes of each request.

Everything happens on the event loop's thread, in the callbacks of connections and of two timers.
A *closed* loop sends a connection's next request when it has the answer to the last; an *open* one
when a request is due and a connection is free. The life of a request:

    questions.next -> connection.ask -> answered (right: counted; refused: sent again or an error)
                                     -> lost     (an error; an addition may have happened)

The load ends when nothing more is to be sent and nothing is under way, or at a false claim.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from qed.client.calls import Response as Answer
from qed.client.refusals import read_refusal
from qed.errors import QedError, RequestError, UnreachableError, VerificationError
from qed.workload.answers import Judge
from qed.workload.connection import NEVER_S, Connection, Target
from qed.workload.histogram import Histogram
from qed.workload.ledger import Ledger
from qed.workload.pacing import Schedule
from qed.workload.plan import ADDING_KINDS, EVERYTHING, SAMPLE, Plan
from qed.workload.pool import Pool
from qed.workload.questions import Question, Questions
from qed.workload.responses import Response
from qed.workload.tally import Errors, Tally

TICK_S = 0.001  # of an open loop; what is due in between leaves with the next tick
LOOK_S = 0.1  # how often timeouts, samples and progress are looked after
SAMPLES = 16  # proofs of a kind that wait for their verification
REFUSALS = 10  # how often one request is made again in a closed loop
LONGEST_PAUSE_S = 5.0
_FIRST_PAUSE_S = 0.1
_LOST_PAUSE_S = 0.2  # before a connection that was lost while idle is opened again
_REFUSED = 400
_TOO_LATE = frozenset({408, 429, 503})  # nothing was done

Progress = Callable[[float, float], None]


class Load:
    """One load; made, run and read on one event loop."""

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        plan: Plan,
        targets: list[Target],
        questions: Questions,
        ledger: Ledger,
        judge: Judge,
        *,
        clock: Callable[[], float] = time.perf_counter,
        on_window: Callable[[], None] | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Prepare; nothing is opened before `run`. `clock` counts seconds from anywhere."""
        self.plan = plan
        self.errors = Errors()
        self.tallies = {kind: Tally(kind) for kind in plan.kinds}
        self.failure: QedError | None = None
        self.refused = 0
        self.unsent = 0
        self.waits = Histogram()  # of the unsent, until the end
        self.events_unknown = 0
        self.window_s = (0.0, 0.0)
        self.cpu_s = 0.0
        self.late_s = 0.0
        self.late_count = 0
        self._targets = targets
        self._questions = questions
        self._ledger = ledger
        self._judge = judge
        self._clock = clock
        self._on_window = on_window
        self._progress = progress
        self._pool = Pool(self, self.errors, plan.timeout_s, clock)
        self._idle: list[Connection] = []
        self._under_way = 0
        self._answered = 0
        self._stopping = False
        self._deadline_s = NEVER_S
        self._window_from_s = NEVER_S
        self._begun_s = 0.0
        self._schedule: Schedule | None = None
        self._samples: dict[str, list[tuple[Question, bytes]]] = {
            kind: [] for kind in plan.kinds if kind not in ADDING_KINDS
        }
        self._timers: list[asyncio.TimerHandle] = []

    async def run(self) -> None:
        """Run to the end.

        Raises:
            UnreachableError: not one connection could be opened; nothing was sent.
        """
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()
        await self._pool.open_all(self._targets, self.plan.connections)
        self._begin()
        try:
            await self._done
        finally:
            self._end()

    def stop(self) -> None:
        """Send nothing more; the load ends with the answers that are still to come."""
        self._stopping = True
        self._finish_if_over()

    def abort(self) -> None:
        """End at once."""
        self._stopping = True
        self._finish()

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._done.done()

    # --- the beginning and the end

    def _begin(self) -> None:
        plan, now_s = self.plan, self._clock()
        self._begun_s = now_s
        length_s = None if plan.duration_s is None else plan.warmup_s + plan.duration_s
        if plan.rate is not None:
            limit = self._questions.limit
            self._schedule = Schedule(plan.rate, now_s, limit=limit, length_s=length_s)
        if length_s is not None:
            self._deadline_s = now_s + length_s
            self._after(length_s, self._time_is_up)
        self._window_from_s = now_s + plan.warmup_s
        if plan.warmup_s:
            self._after(plan.warmup_s, self._open_window)
        else:
            self._open_window()
        self._idle = list(reversed(self._pool.connections))
        self._look()
        if self._schedule is not None:
            self._tick()
            return
        for _ in range(len(self._idle)):
            self._go_on(self._idle.pop(), self._clock())
        self._finish_if_over()

    def _open_window(self) -> None:
        """Begin to measure. Which requests count, their due time alone says: timers are late."""
        self.window_s = (self._window_from_s, self._window_from_s)
        self.cpu_s = -time.process_time()
        if self._on_window is not None:
            self._on_window()

    def _time_is_up(self) -> None:
        """Send nothing more; what was due and not sent is counted with its wait until now."""
        self._deadline_s = min(self._deadline_s, self._clock())
        if self._schedule is not None:
            self._give_up_unsent()
        self._finish_if_over()

    def _give_up_unsent(self) -> None:
        assert self._schedule is not None  # noqa: S101 - the caller's condition
        now_s = self._clock()
        waiting = [due for due in self._schedule.give_up(now_s) if due >= self._window_from_s]
        self.unsent += len(waiting)
        for due_s in waiting:
            self.waits.record(int((now_s - due_s) * 1e6))

    def _finish_if_over(self) -> None:
        if not self._under_way and (self._nothing_to_send() or self._pool.empty):
            self._finish()

    def _nothing_to_send(self) -> bool:
        if self._stopping or self._clock() >= self._deadline_s:
            return True
        if self._schedule is not None:
            return self._schedule.ended
        return self._questions.issued == self._questions.limit

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _end(self) -> None:
        if self.window_s[0]:
            self.window_s = (self.window_s[0], self._clock())
            self.cpu_s += time.process_time()
        for timer in self._timers:
            timer.cancel()
        for connection in self._pool.connections:
            if connection.question is not None:
                self._count_unknown(connection.question)
        self._pool.close()
        if self.failure is None:
            self._verify_samples(everything=True)

    def _after(self, delay_s: float, what: Callable[[], None]) -> None:
        self._timers = [timer for timer in self._timers if timer.when() > self._loop.time()]
        self._timers.append(self._loop.call_later(delay_s, what))

    # --- sending

    def _go_on(self, connection: Connection, now_s: float) -> None:
        """Give a free connection its next request, or let it be idle."""
        due_s: float | None = now_s
        if self._stopping or now_s >= self._deadline_s:
            due_s = None
        elif self._schedule is not None:
            due_s = self._schedule.take(now_s)
        question = None if due_s is None else self._questions.next()
        if question is None or due_s is None:
            self._idle.append(connection)
            return
        self._under_way += 1
        connection.ask(question, self._ledger.highest, due_s, now_s)

    def _tick(self) -> None:
        """Send what is due while a connection is free; an open loop only."""
        while self._idle:
            now_s = self._clock()
            connection = self._idle.pop()
            self._go_on(connection, now_s)
            if connection.question is None:
                break
            self.late_s += now_s - connection.due_s
            self.late_count += 1
        if self._nothing_to_send():
            self._finish_if_over()
        else:
            self._loop.call_later(TICK_S, self._tick)

    # --- what comes of a request

    def answered(self, connection: Connection, response: Response) -> None:
        """Judge an answer, count it, and send the next request."""
        now_s = self._clock()
        question = connection.question
        assert question is not None  # noqa: S101 - the connection hands on no other answer
        head, body = response
        if head.status == question.expected_status:
            try:
                items = self._judge.check(question, connection.floor, body)
                if question.kind in self._samples:
                    self._sample(question, body)
            except VerificationError as error:
                self._fail(error)
                return
            self._answered += 1
            if connection.due_s >= self._window_from_s:
                self.tallies[question.kind].record(now_s - connection.due_s, items)
        elif self._refusal(connection, question, response):
            return
        connection.question = None
        connection.sent_s = NEVER_S
        self._under_way -= 1
        if head.closes:
            self._replace(connection, 0.0 if head.status < _REFUSED else _pause_s(response))
        else:
            self._go_on(connection, now_s)
        if not self._under_way:
            self._finish_if_over()

    def lost(self, connection: Connection, reason: str) -> None:
        """Count what the connection was waiting for as failed, and open another."""
        question = connection.question
        if question is not None:
            connection.question = None
            self._under_way -= 1
            self._count_error(question, connection.due_s, reason.partition(":")[0], reason)
            self._count_unknown(question)
        self._replace(connection, _LOST_PAUSE_S if question is None else 0.0)
        self._finish_if_over()

    def _refusal(self, connection: Connection, question: Question, response: Response) -> bool:
        """Take an answer that is a refusal; return whether the request is made again.

        A refusal that says "fix the call" ends the load: every call is made like this one.
        """
        head = response.head
        if head.status in _TOO_LATE:
            self.refused += 1
            connection.attempts += 1
            again = self._schedule is None and connection.attempts <= REFUSALS
            if again and not self._stopping and not head.closes:
                connection.sent_s = NEVER_S
                self._after(_pause_s(response), lambda: self._send_again(connection))
                return True
        where = f"{question.kind} at {connection.target.endpoint}"
        answer = Answer(head.status, {"content-type": head.media_type}, response.body)
        error = read_refusal(answer, where)
        self._count_error(question, connection.due_s, f"status {head.status}", error.message)
        if head.status in _TOO_LATE:
            return False
        if isinstance(error, RequestError):
            connection.question = None
            self._fail(error)
            return True
        self._count_unknown(question)
        return False

    def _send_again(self, connection: Connection) -> None:
        if connection.question is not None and connection in self._pool.connections:
            connection.send(self._clock())

    def _count_error(self, question: Question, due_s: float, name: str, sentence: str) -> None:
        self.errors.count(name, sentence)
        if due_s >= self._window_from_s:
            self.tallies[question.kind].errors += 1

    def _count_unknown(self, question: Question) -> None:
        if question.kind in ADDING_KINDS:
            self.events_unknown += question.count

    def _fail(self, error: QedError) -> None:
        if self.failure is None:
            self.failure = error
        self._stopping = True
        self._finish()

    # --- connections that come and go

    def needs_connections(self) -> bool:
        """Whether there is still something to send."""
        return not self._nothing_to_send()

    def opened(self, connection: Connection) -> None:
        """Use a connection that was opened in the place of another."""
        self._go_on(connection, self._clock())
        self._finish_if_over()

    def given_up(self, error: UnreachableError) -> None:
        """Take note that a place stays empty; without any connection the load has failed."""
        if self._pool.empty:
            self.failure = error
        self._finish_if_over()

    def _replace(self, connection: Connection, after_s: float) -> None:
        with suppress(ValueError):
            self._idle.remove(connection)
        self._pool.replace(connection, after_s)

    # --- now and then

    def _look(self) -> None:
        """Give up answers that take too long, verify a sample, and tell how far it is."""
        now_s = self._clock()
        for connection in list(self._pool.connections):
            if now_s - connection.sent_s > self.plan.timeout_s:
                connection.give_up(f"no answer within {self.plan.timeout_s:g} s")
        self._verify_samples()
        if self._progress is not None:
            self._tell_progress(now_s)
        if not self._done.done():
            self._after(LOOK_S, self._look)

    def _tell_progress(self, now_s: float) -> None:
        assert self._progress is not None  # noqa: S101 - the caller's condition
        plan = self.plan
        if plan.duration_s is not None:
            self._progress(now_s - self._begun_s, plan.warmup_s + plan.duration_s)
        else:
            self._progress(self._answered, self._questions.limit or 0)

    def _sample(self, question: Question, body: bytes) -> None:
        """Verify a proof at once, or keep it to be verified, while there is room."""
        if self.plan.verify == EVERYTHING:
            self._judge.verify(question, body)
        elif self.plan.verify == SAMPLE:
            samples = self._samples[question.kind]
            if len(samples) < SAMPLES:
                samples.append((question, body))

    def _verify_samples(self, *, everything: bool = False) -> None:
        """Verify one kept proof of each kind, so that no answer waits long for it, or all."""
        try:
            for samples in self._samples.values():
                while samples:
                    question, body = samples.pop(0)
                    self._judge.verify(question, body)
                    if not everything:
                        break
        except VerificationError as error:
            self._fail(error)


def _pause_s(response: Response) -> float:
    """Return how long to wait after a refusal: what the server asks for, within a bound."""
    asked_s = response.head.retry_after_s
    return _FIRST_PAUSE_S if asked_s is None else min(asked_s, LONGEST_PAUSE_S)
