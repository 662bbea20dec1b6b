"""Evidence: a file that shows anybody, offline, what a log or somebody who speaks for it did.

Whoever finds a contradiction makes one with a `new_` function and keeps it with `write_evidence`;
`verify_evidence` judges it with nothing but the file and the log's key. The kinds:

| kind | shows | all of it signed |
| --- | --- | --- |
| equivocation | two checkpoints that no one log can have | yes |
| absence | a signed leaf that a signed map of the same version or later lacks | yes |
| outdated | a signed leaf, and a signed map that knows only an older one of that event | yes |
| replay | a signed digest that does not follow from the signed events | yes |
| answer | an answer that is false against signed snapshots | not the answer |
| snapshot | a snapshot served otherwise than it was signed | if its signature is the log's |
| signature | a checkpoint that was served and is not signed | no |
| lag | an old checkpoint that was served, beside a newer one | not when it was served |

`docs/evidence.md` specifies the files.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from qed import durable
from qed.client.evidence_checkpoints import Equivocation, Lag, Signature, origin_of
from qed.client.evidence_frame import (
    FORMAT,
    FRAME,
    MAX_FOUND_CHARS,
    MAX_ORIGIN_CHARS,
    Evidence,
    Finding,
    Frame,
)
from qed.client.evidence_map import Absence, FalseAnswer, Outdated
from qed.client.evidence_replay import Ends, Replay
from qed.client.evidence_snapshot import ServedSnapshot
from qed.client.receipt_text import LATER, parse_receipt
from qed.errors import MalformedError, QedError, VerificationError
from qed.signing.policy import Policy
from qed.trees.values import MembershipProof, Snapshot
from qed.wire.fields import read_exact, read_text, read_u64
from qed.wire.json_text import parse_answer

KINDS: Final[Mapping[str, type[Evidence]]] = {
    kind.kind: kind
    for kind in (
        Equivocation,
        Absence,
        Outdated,
        Replay,
        FalseAnswer,
        ServedSnapshot,
        Signature,
        Lag,
    )
}

MAX_EVIDENCE_BYTES: Final = 8 * 2**20
"""Bytes of a file of any kind but replay: three receipts, or two notes of 1 MiB, with escapes."""

MAX_REPLAY_BYTES: Final = 2**30
"""Bytes of a replay: 10 million events that were added one by one."""

_START = b'{"Format":"qed/evidence/'
_REPLAY = f'{{"Format":"{FORMAT}","Kind":"{Replay.kind}",'.encode("ascii")


def looks_like_evidence(data: bytes) -> bool:
    """Return whether the file says that it is evidence, of whatever format number."""
    return data.startswith(_START)


def decode_evidence(data: bytes) -> Evidence:
    """Return what a file holds; nothing of it is verified.

    Raises:
        VerificationError: the bytes are not exactly those that `encode` writes for any evidence.
    """
    try:
        evidence = _decode(data)
    except MalformedError as error:
        raise VerificationError(
            f"the evidence does not parse: {error.message}", step="evidence", hint=error.hint
        ) from error
    if evidence.encode() != data:
        raise VerificationError("the evidence is not in canonical form", step="evidence")
    return evidence


def verify_evidence(data: bytes, policy: Policy) -> Finding:
    """Return what a file of evidence shows, on the word of the log's key alone.

    Args:
        data: the bytes of the file.
        policy: says which logs' keys are known; no quorum of witnesses is asked for, since what a
            log signed is held against it, whoever saw it.

    Raises:
        VerificationError: it does not parse, is against a log that the policy does not know, or
            shows nothing; `step` says which.

    Cost: below 5 ms, but for a replay: some ten seconds a million events added one by one.
    """
    evidence = decode_evidence(data)
    origin = evidence.frame.origin
    keys = [key for key in policy.logs if key.name == origin]
    if not keys:
        raise VerificationError(
            f"the evidence is against {origin[:80]!r}, whose key is not given", step="origin"
        )
    failures: list[VerificationError] = []
    for key in keys:
        try:
            return evidence.judge(key)
        except VerificationError as error:
            failures.append(error)
    raise failures[0]


def write_evidence(directory: Path, evidence: Evidence | bytes) -> Path:
    """Write a file of evidence durably and return its path; the same finding is not kept twice.

    Its name is `<kind>-<utc>-<8 hex digits>.json`; the digits are of the SHA-256 of its content
    without words and time, so that what is found again an hour later is known.

    Raises: StorageError when it cannot be written.
    """
    held = decode_evidence(evidence) if isinstance(evidence, bytes) else evidence
    content = _content(held)
    name = hashlib.sha256(content).hexdigest()
    durable.make_directory(directory)
    for digits in (name[:8], name):  # all of them where another finding has the first ones
        there = [
            path
            for path in durable.list_directory(directory)
            if path.name.startswith(f"{held.kind}-") and path.name.endswith(f"-{digits}.json")
        ]
        known = [path for path in there if _holds(path, content)]
        if known:
            return known[0]
        if not there:
            break
    utc = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(held.frame.when_s))
    path = directory / f"{held.kind}-{utc}-{digits}.json"
    durable.write_file(path, held.encode())
    return path


def new_equivocation(  # noqa: PLR0913 (two notes, what links them, and the frame)
    older: bytes,
    newer: bytes,
    *,
    root: bytes | None = None,
    consistency: Sequence[bytes] = (),
    found: str = "",
    when_s: int | None = None,
) -> Equivocation:
    """Return the evidence of two signed notes that exclude each other; the older is the smaller.

    For two sizes, `root` is the root at the older's size according to the newer's log, and
    `consistency` proves that against the newer; for one size neither is given.
    """
    frame = _frame(origin_of(older), found, when_s)
    return Equivocation(frame, older, newer, root, tuple(consistency))


def new_absence(
    logged: bytes, absent: bytes, *, found: str = "", when_s: int | None = None
) -> Absence:
    """Return the evidence of a receipt `logged` and a receipt `absent` of one digest."""
    return Absence(_frame(_receipt_origin(logged), found, when_s), logged, absent)


def new_outdated(
    logged: bytes, newest: bytes, earlier: bytes, *, found: str = "", when_s: int | None = None
) -> Outdated:
    """Return the evidence of a logged version that a map of later knows only an older one of.

    `earlier` is the receipt `logged` of the version that `newest` names.
    """
    return Outdated(_frame(_receipt_origin(logged), found, when_s), logged, newest, earlier)


def new_replay(  # noqa: PLR0913 (what both trees and the leaves are made of)
    checkpoint: bytes,
    *,
    digests: bytes,
    ends: Ends,
    history: Mapping[int, bytes] | None = None,
    consistency: Sequence[bytes] = (),
    found: str = "",
    when_s: int | None = None,
) -> Replay:
    """Return the evidence that a signed digest does not follow from the signed events.

    Args:
        checkpoint: a signed note whose log begins with these events.
        digests: the event digests from version 0 on, end to end.
        ends: (last version, hyper digest as signed) of each group among them. A hyper digest is
            judged once the group's end is certain: another group follows, or the checkpoint ends.
        history: signed history digests that are not those that the events give, by version.
        consistency: proves that these leaves begin the checkpoint's; empty when they are all.
        found: for a person.
        when_s: unix seconds; now without.
    """
    return Replay(
        _frame(origin_of(checkpoint), found, when_s),
        checkpoint,
        digests,
        tuple(ends),
        dict(history or {}),
        tuple(consistency),
    )


def new_answer(  # noqa: PLR0913 (a question of two parts, an answer, and its judges)
    digest: bytes,
    version: int | None,
    answer: MembershipProof | bytes,
    receipts: Sequence[bytes],
    *,
    found: str = "",
    when_s: int | None = None,
) -> FalseAnswer:
    """Return the evidence of an answer that is false against the leaves of these receipts.

    They are `logged` receipts of exactly the versions that `roots_needed(answer)` names, one or
    two. For an answer that does not parse, given as the bytes that came, it is one: that of the
    event.
    """
    origin = _receipt_origin(receipts[0]) if receipts else ""
    return FalseAnswer(_frame(origin, found, when_s), digest, version, answer, tuple(receipts))


def new_snapshot(
    receipt: bytes,
    served: Snapshot,
    signature: bytes = b"",
    *,
    found: str = "",
    when_s: int | None = None,
) -> ServedSnapshot:
    """Return the evidence of a snapshot served otherwise than the leaf of the receipt says."""
    frame = _frame(_receipt_origin(receipt), found, when_s)
    return ServedSnapshot(frame, receipt, served, signature)


def new_signature(
    origin: str, note: bytes, *, found: str = "", when_s: int | None = None
) -> Signature:
    """Return the evidence of a note, whatever its bytes, that the key of `origin` did not sign."""
    return Signature(_frame(origin, found, when_s), note)


def new_lag(ahead: bytes, behind: bytes, *, found: str = "", when_s: int | None = None) -> Lag:
    """Return the evidence of an old note that was served, and the newer one that was published."""
    return Lag(_frame(origin_of(ahead), found, when_s), ahead, behind)


def _decode(data: bytes) -> Evidence:
    limit = MAX_REPLAY_BYTES if data.startswith(_REPLAY) else MAX_EVIDENCE_BYTES
    value = parse_answer(data, max_bytes=limit)
    if not isinstance(value, dict):
        raise MalformedError("the file is not an object")
    written = read_text(value.get("Format"), "Format")
    if written != FORMAT:
        if written.startswith("qed/evidence/v"):
            raise MalformedError(f"its format is {written[:64]!r}, this is {FORMAT!r}", hint=LATER)
        raise MalformedError(f"its format is {written[:64]!r}")
    name = read_text(value.get("Kind"), "Kind")
    kind = KINDS.get(name)
    if kind is None:
        raise MalformedError(f"the kind {name[:64]!r} is none of {', '.join(KINDS)}")
    fields = read_exact(value, "the evidence", (*FRAME, *kind.names))
    origin, found = read_text(fields["Origin"], "Origin"), read_text(fields["Found"], "Found")
    if len(origin) > MAX_ORIGIN_CHARS or len(found) > MAX_FOUND_CHARS:
        raise MalformedError("Origin or Found is too long")
    return kind.read_fields(Frame(origin, found, read_u64(fields["When"], "When")), fields)


def _content(evidence: Evidence) -> bytes:
    """Return the kind and its fields as bytes, without the words and the time."""
    fields = "\n".join(evidence.format_fields())
    return f"{evidence.kind}\n{evidence.frame.origin}\n{fields}".encode()


def _holds(path: Path, content: bytes) -> bool:
    try:
        return _content(decode_evidence(durable.read_file(path, MAX_REPLAY_BYTES))) == content
    except QedError:
        return False


def _frame(origin: str, found: str, when_s: int | None) -> Frame:
    when_s = int(time.time()) if when_s is None else when_s
    return Frame(origin[:MAX_ORIGIN_CHARS], found[:MAX_FOUND_CHARS], when_s)


def _receipt_origin(receipt: bytes) -> str:
    return origin_of(parse_receipt(receipt).note)
