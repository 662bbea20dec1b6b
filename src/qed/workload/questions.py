"""What is sent: the body of each request, and what its answer must be about. Pure.

Cost: about 2 us a question about one event; an event of a bulk about 1 us.
"""

from __future__ import annotations

import random
from binascii import b2a_base64
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from qed.errors import MalformedError, NotProvenError
from qed.workload.ledger import Ledger
from qed.workload.plan import (
    ADD,
    ADDING_KINDS,
    BULK,
    DIGESTS,
    INCREMENTAL,
    MEMBERSHIP,
    MIXED,
    Plan,
    event_of,
)

PATHS: Final = {
    ADD: "/events",
    BULK: "/events/bulk",
    DIGESTS: "/events/digests",
    MEMBERSHIP: "/proofs/digest-membership",
    INCREMENTAL: "/proofs/incremental",
}
CREATED, OK = 201, 200
EXPECTED_STATUS: Final = {kind: CREATED if kind in ADDING_KINDS else OK for kind in PATHS}
_CYCLE = 4096  # kinds of a mix drawn in advance


class Question:
    """A request without its head, and what is needed to judge the answer."""

    __slots__ = ("about", "body", "count", "kind", "known", "number")

    def __init__(  # noqa: PLR0913 - one for each field
        self, kind: str, number: int, body: bytes, about: list[bytes], *, count: int, known: bool
    ) -> None:
        """Keep the parts.

        Args:
            kind: the kind of request.
            number: of the first event; of an incremental proof the start version.
            body: the request's body.
            about: base64 of each event's digest (raw digests for DIGESTS); none for INCREMENTAL.
            count: events that are added; for INCREMENTAL the number of versions between.
            known: the log must have the event that is asked about.
        """
        self.kind = kind
        self.number = number
        self.body = body
        self.about = about
        self.count = count
        self.known = known

    @property
    def expected_status(self) -> int:
        """The one status of an answer that is no refusal."""
        return EXPECTED_STATUS[self.kind]


def ask_add(label: bytes, number: int) -> Question:
    """Return the addition of one event."""
    event = event_of(label, number)
    body = b'{"Event":"%b"}' % b2a_base64(event, newline=False)
    about = b2a_base64(sha256(event).digest(), newline=False)
    return Question(ADD, number, body, [about], count=1, known=False)


def ask_bulk(label: bytes, number: int, count: int) -> Question:
    """Return the addition of some events from a number on, in one request."""
    events = [event_of(label, each) for each in range(number, number + count)]
    texts = b'","'.join([b2a_base64(event, newline=False) for event in events])
    about = [b2a_base64(sha256(event).digest(), newline=False) for event in events]
    return Question(BULK, number, b'{"Events":["%b"]}' % texts, about, count=count, known=False)


def ask_digests(label: bytes, number: int, count: int) -> Question:
    """Return the addition of some events from a number on, by their digests."""
    numbers = range(number, number + count)
    about = [sha256(event_of(label, each)).digest() for each in numbers]
    return Question(DIGESTS, number, b"".join(about), about, count=count, known=False)


def ask_membership(label: bytes, number: int, *, known: bool) -> Question:
    """Return the question whether an event is in the log now, by its digest."""
    digest = sha256(event_of(label, number)).digest()
    return ask_digest(digest, number, known=known)


def ask_digest(digest: bytes, number: int = 0, *, known: bool = False) -> Question:
    """Return the question whether a digest is in the log now."""
    about = b2a_base64(digest, newline=False)
    body = b'{"KeyDigest":"%b","Version":null}' % about
    return Question(MEMBERSHIP, number, body, [about], count=1, known=known)


def ask_incremental(start: int, end: int) -> Question:
    """Return the question for the proof that one version extends another."""
    body = b'{"Start":%d,"End":%d}' % (start, end)
    return Question(INCREMENTAL, start, body, [], count=end - start, known=True)


class Questions:
    """The questions of a plan, one after the other; one owner."""

    def __init__(self, plan: Plan, ledger: Ledger) -> None:
        """Prepare them for a log in the state that the ledger begins with.

        Raises:
            MalformedError: the plan asks about nothing.
            NotProvenError: the log is shorter than the plan says, or than its questions need.
        """
        self._plan = plan
        self._ledger = ledger
        self._label = plan.label.encode("utf-8", "surrogateescape")
        self._random = None if plan.seed is None else random.Random(plan.seed)  # noqa: S311 - a draw that can be made again
        self.issued = 0
        self.limit = plan.request_limit
        self.next_number = plan.offset + (plan.size or 0)
        self._asked = dict.fromkeys(PATHS, 0)
        self._span = _span(plan, ledger)
        _check_log(plan, ledger)
        makers: dict[str, Callable[[], Question]] = {
            ADD: self._add,
            BULK: self._bulk,
            DIGESTS: self._digests,
            MEMBERSHIP: self._membership,
            INCREMENTAL: self._incremental,
        }
        if plan.kind == MIXED:
            drawn = random.Random(plan.seed or 0)  # noqa: S311 - as above
            kinds = [kind for kind, _ in plan.mix]
            weights = [weight for _, weight in plan.mix]
            self._cycle = [makers[kind] for kind in drawn.choices(kinds, weights, k=_CYCLE)]
        else:
            self._cycle = [makers[plan.kind]]

    def next(self) -> Question | None:
        """Return the next question; None when there are as many as there may be."""
        issued = self.issued
        if issued == self.limit:
            return None
        self.issued = issued + 1
        return self._cycle[issued % len(self._cycle)]()

    def _take(self, count: int) -> int:
        number = self.next_number
        self.next_number = number + count
        return number

    def _group(self) -> int:
        """Return how many events the next bulk has: the last one may have fewer."""
        plan = self._plan
        if plan.num_requests is None or plan.kind == MIXED:
            return plan.bulk_size
        left = plan.num_requests - (self.issued - 1) * plan.bulk_size
        return min(plan.bulk_size, left)

    def _add(self) -> Question:
        return ask_add(self._label, self._take(1))

    def _bulk(self) -> Question:
        count = self._group()
        return ask_bulk(self._label, self._take(count), count)

    def _digests(self) -> Question:
        count = self._group()
        return ask_digests(self._label, self._take(count), count)

    def _membership(self) -> Question:
        """Ask about an event that was there, or, in a mix, also one that is there by now."""
        plan, ledger = self._plan, self._ledger
        if plan.kind != MIXED:
            at = self._choose(MEMBERSHIP, self._span)
            known = plan.size is not None
            return ask_membership(self._label, plan.offset + at, known=known)
        if not self._span and not ledger.recent:
            return self._fallback()
        at = self._choose(MEMBERSHIP, self._span + len(ledger.recent))
        number = plan.offset + at if at < self._span else ledger.recent[at - self._span]
        return ask_membership(self._label, number, known=True)

    def _incremental(self) -> Question:
        plan = self._plan
        if plan.kind != MIXED:
            start = plan.offset + self._choose(INCREMENTAL, self._span)
            return ask_incremental(start, start + plan.incremental_delta)
        highest = self._ledger.highest
        if highest < 0:
            return self._fallback()
        delta = min(plan.incremental_delta, highest)
        start = self._choose(INCREMENTAL, highest - delta + 1)
        return ask_incremental(start, start + delta)

    def _fallback(self) -> Question:
        """Return a question for a mix that has nothing to ask about yet: an addition."""
        for kind, make in ((ADD, self._add), (BULK, self._bulk), (DIGESTS, self._digests)):
            if kind in self._plan.kinds:
                return make()
        raise AssertionError("a mix without additions has been checked to have a log")

    def _choose(self, kind: str, span: int) -> int:
        """Return a number below `span`: the next one in turn, or one at random."""
        if self._random is not None:
            return int(self._random.random() * span)
        turn = self._asked[kind]
        self._asked[kind] = turn + 1
        return turn % span


def _span(plan: Plan, ledger: Ledger) -> int:
    """Return how many events are asked about, or how many versions an incremental starts at."""
    if plan.kind == MIXED:
        return plan.size or 0
    events = ledger.start + 1
    if plan.kind == INCREMENTAL:
        starts = events - plan.incremental_delta - plan.offset
        return max(starts, 0)
    if plan.size is not None:
        return plan.size
    return plan.num_requests or max(events - plan.offset, 1)


def _check_log(plan: Plan, ledger: Ledger) -> None:
    """Refuse a plan whose questions this log cannot be asked."""
    events = ledger.start + 1
    if plan.size is not None and plan.size > events:
        raise NotProvenError(
            f"the log has {events} events, and {plan.size} are said to be there",
            hint="add them first, or say a smaller size",
        )
    if plan.kind == INCREMENTAL and plan.offset + plan.incremental_delta >= events:
        raise NotProvenError(
            f"the log has {events} events: there is no version"
            f" {plan.offset + plan.incremental_delta} to end at",
            hint="add events first, or say a smaller incremental delta or offset",
        )
    if plan.kind == MEMBERSHIP and plan.size == 0:
        raise MalformedError("a size of 0 leaves nothing to ask about")
    if plan.kind != MIXED or plan.adds:
        return
    if MEMBERSHIP in plan.kinds and not plan.size:
        raise MalformedError("a mix that adds nothing needs a size: which events are there")
    if INCREMENTAL in plan.kinds and events == 0:
        raise NotProvenError("the log is empty: there are no versions to ask about")
