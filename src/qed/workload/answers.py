"""Which answers are right: each against its question, and against what was answered before. Pure.

Of every answer: its form, that it is about what was asked, its numbers, and that it fits the
ledger. Of a proof the paths are read and verified only where that is asked for (`proofs`).
Texts are compared as the server writes them; another spelling of the same is read by `wire`.

Cost: about 2 us an answer about one event or proof, 1 us an event of a bulk.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass

from qed import wire
from qed.errors import MalformedError, VerificationError
from qed.trees.values import NO_VERSION, Snapshot
from qed.workload.ledger import Ledger
from qed.workload.plan import ADD, BULK, DIGESTS, INCREMENTAL, MEMBERSHIP
from qed.workload.proofs import verify_proof
from qed.workload.questions import Question

_B64 = rb"[A-Za-z0-9+/]{43}="
_NUMBER = rb"(0|[1-9][0-9]{0,19})"
_SNAPSHOT = re.compile(
    rb'\{"EventDigest":"(%b)","HistoryDigest":"%b","HyperDigest":"(%b)","Version":%b\}'
    % (_B64, _B64, _B64, _NUMBER)
)
_SNAPSHOT_CHARS = len('{"EventDigest":"","HistoryDigest":"","HyperDigest":"","Version":}') + 3 * 44
_PRESENT_HEAD = b'{"Exists":true,"Hyper":{"'
_ABSENT_HEAD = b'{"Exists":false,"Hyper":{'
_TAIL_MARK = b',"CurrentVersion":'
_TAIL = re.compile(
    rb',"CurrentVersion":%b,"QueryVersion":%b,"ActualVersion":%b,"KeyDigest":"(%b)","Key":null'
    rb'(\}|,"HyperLeaf":.*\})' % (_NUMBER, _NUMBER, _NUMBER, _B64)
)


@dataclass(slots=True)
class Counts:
    """What has been checked; owned by the judge."""

    answers: int = 0
    absent: int = 0
    proofs_verified: int = 0
    against_snapshots: int = 0


@dataclass(frozen=True, slots=True)
class Membership:
    """The numbers of a membership answer."""

    exists: bool
    current: int
    query: int
    actual: int
    about: bytes
    """Base64 of the digest."""


class Judge:
    """Holds answers against their questions and a ledger; one owner.

    `fresh` is False where several servers are asked, of which one may lag behind another.
    """

    def __init__(self, ledger: Ledger, *, fresh: bool = True) -> None:
        """Judge for the run that the ledger belongs to."""
        self.counts = Counts()
        self._ledger = ledger
        self._fresh = fresh
        self._checks: dict[str, Callable[[Question, int, bytes], int]] = {
            ADD: self._check_add,
            BULK: self._check_bulk,
            DIGESTS: self._check_digests,
            MEMBERSHIP: self._check_membership,
            INCREMENTAL: self._check_incremental,
        }

    def check(self, question: Question, floor: int, body: bytes) -> int:
        """Return how many events were added, or proofs brought, by an answer that is right.

        Args:
            question: what was asked.
            floor: `ledger.highest` when the request was sent.
            body: of an answer with the expected status.

        Raises:
            VerificationError: it is not; the sentence names the request.
        """
        try:
            items = self._checks[question.kind](question, floor, body)
        except MalformedError as error:
            raise VerificationError(
                f"the answer to {describe(question)} does not parse: {error.message}",
                step="answer",
            ) from error
        except VerificationError as error:
            raise VerificationError(
                f"{describe(question)}: {error.message}", step=error.step, hint=error.hint
            ) from error
        self.counts.answers += 1
        return items

    def verify(self, question: Question, body: bytes) -> None:
        """Verify the proof of an answer in full. Raises as `check`."""
        try:
            from_snapshots = verify_proof(self._ledger, question, body)
        except VerificationError as error:
            raise VerificationError(
                f"{describe(question)}: {error.message}", step=error.step, hint=error.hint
            ) from error
        if from_snapshots is None:
            return
        self.counts.proofs_verified += 1
        self.counts.against_snapshots += from_snapshots

    def _check_add(self, question: Question, floor: int, body: bytes) -> int:
        match = _SNAPSHOT.fullmatch(body)
        if match is None:
            about, _, version = _fields(wire.decode_snapshot(body))
        else:
            about, version = match[1], int(match[3])
        _check_about(question, about, 0)
        self._ledger.acknowledge(version, 1, floor=floor, number=question.number, last=body)
        return 1

    def _check_bulk(self, question: Question, floor: int, body: bytes) -> int:
        found = _read_snapshots(body)
        count = question.count
        _check_count(len(found), count)
        first = int(found[0][2])
        for at, (about, hyper, version) in enumerate(found):
            _check_about(question, about, at)
            if int(version) != first + at:
                raise VerificationError(
                    f"version {int(version)} came back where {first + at} follows",
                    step="version",
                )
            if hyper != found[0][1]:
                raise VerificationError(
                    f"versions {first} and {int(version)} of one bulk have different hyper digests",
                    step="group",
                )
        # The last snapshot as a body of its own: it begins where the one before it ended.
        last = body[body.rfind(b"{") : body.rfind(b"}") + 1]
        self._ledger.acknowledge(first, count, floor=floor, number=question.number, last=last)
        return count

    def _check_digests(self, question: Question, floor: int, body: bytes) -> int:
        first, hyper, histories = wire.decode_added(body)
        count = question.count
        _check_count(len(histories), count)
        last = Snapshot(first + count - 1, question.about[-1], histories[-1], hyper)
        self._ledger.acknowledge(first, count, floor=floor, number=question.number, last=last)
        return count

    def _check_membership(self, question: Question, floor: int, body: bytes) -> int:
        answer = _read_membership(body)
        if answer.about != question.about[0]:
            asked = question.about[0].decode()
            raise VerificationError(
                f"the answer is about the digest {answer.about.decode()}, not {asked}",
                step="question",
            )
        if answer.query != answer.current:
            raise VerificationError(
                f"the answer is about version {answer.query}, not the current {answer.current}",
                step="question",
            )
        self._ledger.see_current(answer.current, floor=floor if self._fresh else None)
        if answer.exists:
            if answer.actual > answer.current or answer.current == NO_VERSION:
                raise VerificationError(
                    f"version {answer.actual} is not in the log of version {answer.current}",
                    step="numbers",
                )
            return 1
        if question.known:
            raise VerificationError(
                "the event is in the log, and is said to be absent",
                step="absent",
                hint="unless it was never added: the size of the plan says which events are there",
            )
        if answer.actual != answer.current:
            raise VerificationError(
                f"actual version {answer.actual} of an absence must be {answer.current}",
                step="numbers",
            )
        self.counts.absent += 1
        return 1

    def _check_incremental(self, question: Question, floor: int, body: bytes) -> int:
        del floor
        start, end = question.number, question.number + question.count
        head = b'{"Start":%d,"End":%d,"AuditPath":{"' % (start, end)
        if body.startswith(head) and body.endswith(b'"}}'):
            return 1
        proof = wire.decode_incremental(body)
        if (proof.start, proof.end) != (start, end):
            raise VerificationError(
                f"the answer is about versions {proof.start} to {proof.end}", step="question"
            )
        return 1


def describe(question: Question) -> str:
    """Return what was asked, for a sentence."""
    if question.kind == INCREMENTAL:
        return f"incremental {question.number} to {question.number + question.count}"
    if question.kind in {BULK, DIGESTS}:
        return (
            f"{question.kind} of events {question.number} to {question.number + question.count - 1}"
        )
    return f"{question.kind} of event {question.number}"


def _read_snapshots(body: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Return event digest and hyper digest in base64 and the version of each snapshot."""
    found: list[tuple[bytes, bytes, bytes]] = _SNAPSHOT.findall(body)
    size = sum(_SNAPSHOT_CHARS + len(version) for _, _, version in found)
    # What findall passed over would make the body longer.
    if found and len(body) == size + len(found) + 1 and body[:2] == b"[{" and body[-2:] == b"}]":
        return found
    snapshots = wire.decode_snapshots(body)
    return [(about, hyper, b"%d" % version) for about, hyper, version in map(_fields, snapshots)]


def _fields(snapshot: Snapshot) -> tuple[bytes, bytes, int]:
    digests = (snapshot.event_digest, snapshot.hyper_digest)
    about, hyper = (base64.b64encode(digest) for digest in digests)
    return about, hyper, snapshot.version


def _read_membership(body: bytes) -> Membership:
    at = body.rfind(_TAIL_MARK)
    tail = _TAIL.fullmatch(body, at) if at > 0 else None
    exists = body.startswith(_PRESENT_HEAD)
    if tail is None or not (exists or body.startswith(_ABSENT_HEAD)):
        proof = wire.decode_membership(body)
        return Membership(
            proof.exists,
            proof.current_version,
            proof.query_version,
            proof.actual_version,
            base64.b64encode(proof.key_digest),
        )
    if exists and tail[5] != b"}":
        raise MalformedError("HyperLeaf is given although Exists is true")
    return Membership(exists, int(tail[1]), int(tail[2]), int(tail[3]), tail[4])


def _check_count(got: int, want: int) -> None:
    if got != want:
        raise VerificationError(f"{want} events were sent, {got} snapshots came back", step="count")


def _check_about(question: Question, about: bytes, at: int) -> None:
    wanted = question.about[at]
    if about != wanted:
        raise VerificationError(
            f"the snapshot of event {question.number + at} has the digest {about.decode()},"
            f" not {wanted.decode()}",
            step="event-digest",
        )
