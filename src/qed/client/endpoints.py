"""Where a call goes, when it goes again, and what an answer that is none means.

All of it without I/O: an operation is a generator that yields a `Send` or a `Pause` and is sent
back what came of it, a `Response`, a `Failure`, or None after a pause; it returns the result of the
call or raises. A face is a loop that does what is yielded. To write another one:

    steps = endpoints.exchange(call)
    step = next(steps)
    while True:                     # StopIteration carries the result
        step = steps.send(<do the step>)

As QED's client does, a call first asks `GET /info/shards`, then `HEAD /healthcheck` of the leader
named there, then goes to that leader; both are believed for a while. Source: SPEC 5.

**Making a call again.** `max_retries` counts repetitions. An addition is repeated only where it is
certain that nothing was done: no connection was opened, or the server answered 503. When it was
sent and no answer came, it may be in the log, and sending it again would add it a second time; then
UnreachableError is raised and the caller decides (a membership query tells). Queries are repeated
in either case.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from qed.client.calls import (
    Call,
    Request,
    Response,
    build_health_check,
    build_shards,
)
from qed.client.config import ClientConfig, parse_endpoint
from qed.client.refusals import read_refusal
from qed.errors import (
    BusyError,
    MalformedError,
    QedError,
    RequestError,
    UnavailableError,
    UnreachableError,
    VerificationError,
)
from qed.wire import Shards

T = TypeVar("T")

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0
_NOTHING_WAS_DONE = 503


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request to an address.

    `timeout_s` bounds the wait for the answer and for all of it, `connect_timeout_s` each step of
    opening a connection; None is no bound.
    """

    base_url: str
    request: Request
    timeout_s: float | None
    connect_timeout_s: float | None

    @property
    def url(self) -> str:
        """The whole URL."""
        return self.base_url + self.request.path


@dataclass(frozen=True, slots=True)
class Pause:
    """Do nothing for a while."""

    duration_s: float


@dataclass(frozen=True, slots=True)
class Failure:
    """No usable answer. `sent`: whether the request may have reached a server."""

    error: QedError
    sent: bool


Step = Send | Pause
Outcome = Response | Failure | None
Steps = Generator[Step, Outcome, T]


def not_sent(step: Send, cause: Exception) -> Failure:
    """Return the outcome of a connection that could not be opened."""
    return Failure(
        UnreachableError(f"cannot connect to {step.base_url}: {_say(cause)}"), sent=False
    )


def no_answer(step: Send, cause: Exception) -> Failure:
    """Return the outcome of a request that went out, in part at least, and was not answered."""
    where = f"{step.request.method} {step.url}"
    return Failure(UnreachableError(f"{where} was not answered: {_say(cause)}"), sent=True)


def oversized(step: Send) -> Failure:
    """Return the outcome of an answer longer than its bound; the rest of it was not read."""
    where, bound = f"{step.request.method} {step.url}", step.request.max_answer_bytes
    sentence = f"{where} was answered with more than {bound} bytes"
    return Failure(VerificationError(sentence, step="answer"), sent=True)


def too_slow(step: Send) -> Failure:
    """Return the outcome of an answer that was not whole in time."""
    return no_answer(step, TimeoutError(f"it was not whole after {step.timeout_s:g} s"))


class Endpoints:
    """What one client knows about its servers.

    Not locked: `_target` and `_checked_s` are replaced whole, and two threads that look at once do
    the same look twice.
    """

    def __init__(self, config: ClientConfig, clock: Callable[[], float] = monotonic) -> None:
        """Know nothing yet. `clock` counts seconds from anywhere."""
        self._config = config
        self._clock = clock
        self._target: str | None = None
        self._checked_s = 0.0

    def exchange(self, call: Call[T]) -> Steps[T]:
        """Make a call on the data port.

        Raises:
            RequestError: the server's answer.
            UnavailableError: the server's answer; UnreachableError when there is none.
            VerificationError: the answer does not parse, or is about something else.
        """
        return (yield from self._repeat(call, self._find_target))

    def exchange_management(self, call: Call[T]) -> Steps[T]:
        """Make a call on the management port, which needs no discovery. Raises as `exchange`."""
        return (yield from self._repeat(call, self._management_target))

    def _repeat(self, call: Call[T], find: Callable[[], Steps[str | Failure]]) -> Steps[T]:
        attempt = 0
        while True:
            target = yield from find()
            if isinstance(target, Failure):
                outcome: Outcome = target
                error = target.error
            else:
                outcome = yield self._send(target, call.request, self._config.timeout_s)
                if isinstance(outcome, Response) and outcome.status == call.expected:
                    return _read(call, outcome, target)
                error = _error_of(outcome, f"{call.request.method} {target}{call.request.path}")
            if not isinstance(error, BusyError):
                self._target = None  # another server may lead by now
            if attempt >= self._config.max_retries or not _may_repeat(call, outcome, error):
                raise error
            yield Pause(_pause_s(attempt, outcome))
            attempt += 1

    def _management_target(self) -> Steps[str | Failure]:
        yield from ()
        return self._config.management_endpoint

    def _find_target(self) -> Steps[str | Failure]:
        """Return the address that answers for the log, or why none does."""
        known, age_s = self._target, self._clock() - self._checked_s
        if known is not None and age_s < self._config.health_check_interval_s:
            return known
        failures: list[Failure] = []
        for _ in range(2 if self._config.attempt_to_revive_endpoints else 1):
            for endpoint in self._config.endpoints:
                found = yield from self._ask(endpoint)
                if isinstance(found, str):
                    self._target, self._checked_s = found, self._clock()
                    return found
                failures.append(found)
        return _summary(failures)

    def _ask(self, endpoint: str) -> Steps[str | Failure]:
        """Return the address of the leader that an endpoint names, once that answers."""
        target = endpoint
        if self._config.enable_topology_discovery:
            topology = yield from self._try(endpoint, build_shards(), self._config.timeout_s)
            if isinstance(topology, Failure):
                return topology
            try:
                target = leader_endpoint(endpoint, topology)
            except VerificationError as error:
                return Failure(error, sent=False)
        if self._config.enable_health_checks:
            check = build_health_check()
            health = yield from self._try(target, check, self._config.health_check_timeout_s)
            if isinstance(health, Failure):
                return health
        return target

    def _try(self, base_url: str, call: Call[T], timeout_s: float) -> Steps[T | Failure]:
        """Make a call that only looks; whatever comes of it, the call meant is still unsent."""
        outcome = yield self._send(base_url, call.request, timeout_s)
        if isinstance(outcome, Response) and outcome.status == call.expected:
            try:
                return call.read(outcome)
            except MalformedError as error:
                where = f"{call.request.method} {base_url}{call.request.path}"
                return Failure(
                    VerificationError(
                        f"the answer to {where} does not parse: {error.message}",
                        step="answer",
                        hint="is this the data port of a log server?",
                    ),
                    sent=False,
                )
        where = f"{call.request.method} {base_url}{call.request.path}"
        return Failure(_error_of(outcome, where), sent=False)

    def _send(self, base_url: str, request: Request, timeout_s: float) -> Send:
        """Return the step with its bounds, in which a time of 0 has become None."""
        opening = [timeout_s, self._config.dial_timeout_s]
        if base_url.startswith("https://"):
            # The HTTP library has one bound for dialling and for the handshake: the larger.
            handshake_s = self._config.handshake_timeout_s
            opening[1] = max(opening[1], handshake_s) if opening[1] and handshake_s else 0.0
        bounds = [bound for bound in opening if bound]
        return Send(base_url, request, timeout_s or None, min(bounds) if bounds else None)


def leader_endpoint(endpoint: str, topology: Shards) -> str:
    """Return the address of the leader that a topology names.

    Raises:
        VerificationError: it is not an address, or would turn `https` into `http`.
    """
    address = topology.shards[topology.leader_id].http_addr
    try:
        leader = parse_endpoint(f"{topology.uri_scheme}://{address}")
    except MalformedError as error:
        raise VerificationError(
            f"{endpoint} names no address of the leader: {error.message}", step="answer"
        ) from error
    if endpoint.startswith("https://") and not leader.startswith("https://"):
        raise VerificationError(
            f"{endpoint} names {leader} as the leader, which would leave TLS",
            step="answer",
            hint="switch topology discovery off to stay with the endpoint",
        )
    return leader


def _read(call: Call[T], answer: Response, target: str) -> T:
    """Return what an answer to the call itself says.

    One that does not parse is no mistake of the caller's: somebody claims what cannot be, so it is
    a `VerificationError` like every other false claim.
    """
    try:
        return call.read(answer)
    except MalformedError as error:
        where = f"{call.request.method} {target}{call.request.path}"
        raise VerificationError(
            f"the answer to {where} does not parse: {error.message}",
            step="answer",
            hint="" if call.repeatable else "it may have been done all the same: look first",
        ) from error


def _error_of(outcome: Outcome, where: str) -> QedError:
    if isinstance(outcome, Response):
        return read_refusal(outcome, where)
    if isinstance(outcome, Failure):
        return outcome.error
    raise AssertionError("a Send was answered with nothing")


def _may_repeat(call: Call[T], outcome: Outcome, error: QedError) -> bool:
    """Return whether making the call again can do no harm and may do some good."""
    if isinstance(error, RequestError) or not isinstance(error, UnavailableError):
        return False
    if isinstance(outcome, Failure):
        return call.repeatable or not outcome.sent
    certain = isinstance(outcome, Response) and outcome.status == _NOTHING_WAS_DONE
    return call.repeatable or certain


def _pause_s(attempt: int, outcome: Outcome) -> float:
    """Return how long to wait: what the server asks for, else twice as long each time."""
    if isinstance(outcome, Response):
        asked = outcome.headers.get("retry-after", "")
        if asked.isascii() and asked.isdigit() and len(asked) <= len("3600"):
            return min(float(asked), _LONGEST_PAUSE_S)
    return min(_FIRST_PAUSE_S * 2.0 ** min(attempt, 10), _LONGEST_PAUSE_S)


def _summary(failures: list[Failure]) -> Failure:
    """Return the one failure, or all of them as one."""
    sentences = list(dict.fromkeys(failure.error.message for failure in failures))
    if len(sentences) == 1:
        return failures[0]
    return Failure(UnreachableError("no endpoint answers: " + "; ".join(sentences)), sent=False)


def _say(cause: Exception) -> str:
    return str(cause) or type(cause).__name__
