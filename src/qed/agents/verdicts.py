"""The auditor's rule: whether an answer about a published snapshot is right, and what shows it.

The answer, asked without a version, is about the event of leaf v. It is right iff it verifies
against leaf c, its current version; c is not before v; the event exists; and its actual version is
not before v, or is of the same group, which is the case iff both leaves have one hyper digest. In a
group the first of equal events counts, across groups the newest (SPEC 1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from qed import wire
from qed.agents import claims
from qed.agents.proving import answer_receipt, logged_receipt
from qed.agents.runtime import Station
from qed.client.evidence import new_absence, new_answer, new_outdated
from qed.client.evidence_frame import Evidence
from qed.client.feed import Source
from qed.client.trusted import Trusted
from qed.client.verify_answers import versions_needed
from qed.client.verify_many import Answer, Verdict, verify_many
from qed.errors import MalformedError
from qed.trees.values import NO_VERSION, Snapshot
from qed.wire import flat
from qed.wire.bounds import BOUNDS

FALSE: Final = "false"
BEHIND: Final = "behind"
ABSENT: Final = "absent"
OUTDATED: Final = "outdated"


@dataclass(frozen=True, slots=True)
class Asked:
    """A leaf, and what the server answered about its event, unread.

    `current` is the version that it answers from, None where it names none.
    """

    snapshot: Snapshot
    body: bytes
    current: int | None


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an answer; `actual` is the version that it names, where that is it."""

    kind: str  # FALSE, BEHIND, ABSENT, OUTDATED
    asked: Asked
    text: str
    actual: int | None = None


def read_current(body: bytes) -> int | None:
    """Return the version that an answer is from, None where it names none."""
    proof = flat.decode_membership(body)
    current: int
    if proof is not None:
        current = proof.current_version
    else:
        try:
            current = wire.decode_membership(body).current_version
        except MalformedError:
            return None
    return None if current == NO_VERSION else current


def find_faults(asked: Sequence[Asked], leaves: Mapping[int, Snapshot]) -> Iterator[Fault]:
    """Yield the answers that are wrong, and as OUTDATED all that name an older version.

    Whether such a one is wrong, the leaf of that version says: `is_outdated`. `leaves` are
    authenticated, and those of all current versions are among them.

    Cost: some 15 us an answer with the native modules.
    """
    answers = [Answer(one.snapshot.event_digest, None, one.body) for one in asked]
    verdicts = verify_many(
        answers,
        hyper_digests={version: leaf.hyper_digest for version, leaf in leaves.items()},
        history_digests={version: leaf.history_digest for version, leaf in leaves.items()},
    )
    for one, verdict in zip(asked, verdicts, strict=True):
        fault = _judge(one, verdict)
        if fault is not None:
            yield fault


def _judge(asked: Asked, verdict: Verdict) -> Fault | None:
    version, current, actual = asked.snapshot.version, asked.current, verdict.actual_version
    name = f"the event {asked.snapshot.event_digest.hex()} of version {version}"
    if verdict.error is not None:
        return Fault(FALSE, asked, f"its answer about {name} is false: {verdict.error}")
    if current is None or current < version:
        return Fault(BEHIND, asked, f"it answers about {name} from version {current}")
    if not verdict.exists or actual is None:
        return Fault(ABSENT, asked, f"its map of version {current} lacks {name}")
    if actual < version:
        text = f"its map of version {current} knows only version {actual} of {name}"
        return Fault(OUTDATED, asked, text, actual)
    return None


def is_outdated(fault: Fault, earlier: Snapshot) -> bool:
    """Return whether the leaf of the actual version is of another group than the leaf asked about.

    One that is of another event cannot be: the answer has been verified.
    """
    return earlier.hyper_digest != fault.asked.snapshot.hyper_digest


def tell_fault(
    station: Station, trusted: Trusted, store: Source, server: str, fault: Fault
) -> None:
    """Tell of a fault, with the evidence where it can be made.

    Raises:
        QedError: the store does not give what the evidence needs; nothing is told yet.
        StorageError: it cannot be told.
    """
    kind = "absence" if fault.kind in {ABSENT, OUTDATED} else "answer"
    claims.tell(station, kind, server, fault.text, _new_evidence(trusted, store, fault) or b"")


def _new_evidence(trusted: Trusted, store: Source, fault: Fault) -> Evidence | None:
    """Return what shows a fault to others; None where an answer is only old, or names no version.

    Nor is there one of an answer that is longer than any answer can be.
    """
    asked = fault.asked
    digest = asked.snapshot.event_digest
    try:
        answer = wire.decode_membership(asked.body)
    except MalformedError:
        if len(asked.body) > BOUNDS.proof_bytes:
            return None
        receipt = logged_receipt(trusted, store, asked.snapshot.version)
        return new_answer(digest, None, asked.body, [receipt], found=fault.text)
    if asked.current is None or fault.kind == BEHIND:
        return None
    if fault.kind == FALSE:
        # Judged by the versions that it names, which need not be those that were asked about.
        receipts = [logged_receipt(trusted, store, one) for one in versions_needed(answer)]
        return new_answer(digest, None, answer, receipts, found=fault.text)
    logged = logged_receipt(trusted, store, asked.snapshot.version)
    about = answer_receipt(trusted, store, answer)
    if fault.kind == ABSENT or fault.actual is None:
        return new_absence(logged, about, found=fault.text)
    earlier = logged_receipt(trusted, store, fault.actual)
    return new_outdated(logged, about, earlier, found=fault.text)
