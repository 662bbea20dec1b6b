"""What `qed verify` finds out about a file that carries its own signatures.

Receipts, consistency files, evidence and checkpoints: each is read within its bound, judged by
`qed.client`, and turned into what is printed. Checkpoints of all files, and the known ones, are
held against each other: two roots of one size in two files are a contradiction of the second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from qed import durable
from qed.client.consistency import (
    MAX_CONSISTENCY_BYTES,
    decode_consistency,
    looks_like_consistency,
    verify_consistency_file,
)
from qed.client.evidence import MAX_REPLAY_BYTES, looks_like_evidence, verify_evidence
from qed.client.known import Known
from qed.client.receipt_text import ABSENT, LOGGED, MAX_RECEIPT_BYTES, looks_like_receipt
from qed.client.receipts import Verified, verify_receipt
from qed.errors import (
    ConflictError,
    ContradictionError,
    MalformedError,
    QedError,
    VerificationError,
)
from qed.signing.checkpoint import Checkpoint
from qed.signing.keys import is_private_key
from qed.signing.note import NOTE_LIMIT_BYTES, parse_note, parse_verifier_key
from qed.signing.policy import Cosigned, Policy, check_checkpoint

Document = dict[str, Any]

CONTRADICTION: Final = "CONTRADICTION"
"""The verdict where two claims exclude each other: neither OK nor merely KO."""

_PEEKED_BYTES = 64
_SIGNATURE_LINE = "\n— ".encode()
_SAVED_START = b'{"Format":"qed/proof/'
_ONLY_SIGNED = "that the checkpoint extends an earlier one: a consistency file shows that"
_ADVICE = "stop trusting this log, keep the file, and show it to others"
_ADVICE_UNSIGNED = (
    "nobody has signed all of it, so anybody could have written it: it says where to look, and is"
    " no reason to stop trusting the log"
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of every file: whose word counts, and about which event of which kind.

    `salted` says that the digest stands for the event under a salt of its own.
    """

    policy: Policy
    digest: bytes | None = None
    kind: str | None = None
    salted: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one file: its document, or the error that says why it proves nothing.

    Evidence that holds has both: what it shows is a contradiction.
    """

    path: Path
    document: Document | None
    error: QedError | None


def is_saved_proof(path: Path) -> bool:
    """Return whether a file is there that says that it is a proof made by `--save`."""
    return path.is_file() and _peek(path).startswith(_SAVED_START)


def carries_signatures(path: Path) -> bool:
    """Return whether a file is one of those that are verified by a log's key, valid or not."""
    head = _peek(path)
    if looks_like_receipt(head) or looks_like_consistency(head) or looks_like_evidence(head):
        return True
    if head.startswith(b"{"):
        return False
    try:
        parse_note(_read(path, NOTE_LIMIT_BYTES))
    except VerificationError:
        return False
    return True


def judge_file(path: Path, question: Question, known: Known) -> Judged:
    """Return what a file proves; `known` grows by its checkpoints when they exclude none."""
    try:
        head = _peek(path)
        for looks_like, limit_bytes, judge in _READERS:
            if looks_like(head):
                data = _read(path, limit_bytes)
                document = judge(data, question, known)
                return Judged(path, {"File": str(path), **document}, _found(document))
    except QedError as error:
        return Judged(path, None, error)
    raise AssertionError("the last reader takes whatever there is")


def _found(document: Document) -> ContradictionError | None:
    """Return the contradiction that a document of evidence tells of."""
    if document["Type"] != "evidence":
        return None
    advice = _ADVICE if document["Signed"] else _ADVICE_UNSIGNED
    return ContradictionError(document["Finding"], step=document["Kind"], hint=advice)


def _peek(path: Path) -> bytes:
    if not path.exists():
        return durable.read_file(path, _PEEKED_BYTES)  # says that it does not exist
    with durable.storage_errors("read", path), path.open("rb") as reader:
        return reader.read(_PEEKED_BYTES)


def _read(path: Path, limit_bytes: int) -> bytes:
    try:
        return durable.read_file(path, limit_bytes)
    except ConflictError as error:
        raise VerificationError(error.message, step="size") from error


# A reader for each kind of file: it returns the document, or raises


def _judge_receipt(data: bytes, question: Question, known: Known) -> Document:
    found = verify_receipt(data, policy=question.policy, digest=question.digest, kind=question.kind)
    if question.salted and found.kind == ABSENT:
        raise VerificationError(
            "the event is blinded by a salt of its own, and such a digest is absent from every log",
            step="blind",
            hint="only --blind-key, whose fingerprint was known before, can prove an absence",
        )
    known.take(found.note, Checkpoint(found.origin, found.size, found.root))
    return receipt_document(found)


def receipt_document(found: Verified) -> Document:
    """Return what a receipt proves, and what it does not."""
    return {
        "Type": "receipt",
        "Kind": found.kind,
        "EventDigest": found.digest.hex(),
        "Version": found.version,
        **({} if found.kind == LOGGED else {"CurrentVersion": found.current}),
        "Origin": found.origin,
        "Size": found.size,
        "Root": found.root.hex(),
        "HistoryDigest": found.snapshot.history_digest.hex(),
        "HyperDigest": found.snapshot.hyper_digest.hex(),
        "Cosigned": _cosigned(found.cosigned),
        "NotProven": list(found.not_proven),
        "Verify": "OK",
    }


def _judge_consistency(data: bytes, question: Question, known: Known) -> Document:
    older, newer = verify_consistency_file(data, policy=question.policy)
    notes = decode_consistency(data)
    known.take(notes.older, older)
    known.take(notes.newer, newer)
    return {
        "Type": "consistency",
        "Origin": newer.origin,
        "OlderSize": older.size,
        "OlderRoot": older.root.hex(),
        "Size": newer.size,
        "Root": newer.root.hex(),
        "Verify": "OK",
    }


def _judge_evidence(data: bytes, question: Question, known: Known) -> Document:
    del known  # what it contradicts is in the file
    finding = verify_evidence(data, question.policy)
    return {
        "Type": "evidence",
        "Kind": finding.kind,
        "Origin": finding.origin,
        "Finding": finding.sentence,
        "Signed": finding.signed,
        "Verify": CONTRADICTION,
    }


def _judge_checkpoint(data: bytes, question: Question, known: Known) -> Document:
    _refuse_unrelated(data)
    checkpoint, cosigned = check_checkpoint(question.policy, data)
    known.take(data, checkpoint)
    return {
        "Type": "checkpoint",
        "Origin": checkpoint.origin,
        "Size": checkpoint.size,
        "Root": checkpoint.root.hex(),
        "Cosigned": _cosigned(cosigned),
        "NotProven": [_ONLY_SIGNED],
        "Verify": "OK",
    }


def _refuse_unrelated(data: bytes) -> None:
    """Raise for a file that was never one of those that are verified here: no line signs it."""
    if _SIGNATURE_LINE in data:
        return
    sentence = "the file is no receipt, checkpoint, consistency file, evidence or saved proof"
    looks, hint = _looks_like(data)
    raise VerificationError(f"{sentence}{looks}", step="note", hint=hint)


def _looks_like(data: bytes) -> tuple[str, str]:
    """Return what an unrelated file looks like and what to do about it, "" where neither shows."""
    if not data:
        return ": it is empty", ""
    if is_private_key(data):
        return ", it looks like a private key", "show it to nobody, and verify what the log gave"
    try:
        parse_verifier_key(data.decode("utf-8").strip())
    except (UnicodeDecodeError, MalformedError):
        return "", ""
    return ", it looks like a verifier key", "give it with --key, and a file to verify"


def _cosigned(cosigned: tuple[Cosigned, ...]) -> list[Document]:
    return [{"Witness": one.witness.name, "Time": one.timestamp_s} for one in cosigned]


_READERS: Final[
    tuple[tuple[Callable[[bytes], bool], int, Callable[[bytes, Question, Known], Document]], ...]
] = (
    (looks_like_receipt, MAX_RECEIPT_BYTES, _judge_receipt),
    (looks_like_consistency, MAX_CONSISTENCY_BYTES, _judge_consistency),
    (looks_like_evidence, MAX_REPLAY_BYTES, _judge_evidence),
    # Whatever else there is was meant as a note, or is told to be none.
    (lambda _: True, NOTE_LIMIT_BYTES, _judge_checkpoint),
)


# What is printed


def format_document(document: Document) -> str:
    """Return the form of one file that holds, as it is printed."""
    shown = {name: value for name, value in document.items() if name not in _NOT_LINES}
    lines = [f"    {name}: {_format_value(value)}" for name, value in shown.items()]
    lines += [
        f"    Cosigned by: {one['Witness']} at {_format_time(one['Time'])}"
        for one in document.get("Cosigned", ())
    ]
    lines += [f"    Not proven: {sentence}" for sentence in document.get("NotProven", ())]
    head = f"\nVerified {document['Type']} {document['File']} with values:\n\n"
    return head + "\n".join(lines) + f"\n\nVerify: {document['Verify']}\n\n"


_NOT_LINES = frozenset({"File", "Type", "Cosigned", "NotProven", "Verify"})


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "none" if value is None else str(value)


def _format_time(time_s: int) -> str:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_s))
    except (OverflowError, OSError, ValueError):
        return str(time_s)
