"""A file that shows offline that a log grew and nothing before changed: two linked checkpoints.

One line of JSON: `Format`, `Older` and `Newer` (signed notes), `Proof` (RFC 9162, 2.1.4, base64
each). `docs/receipts.md` specifies it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from qed.client.evidence_frame import (
    format_bytes_as_text,
    format_hashes,
    read_hashes,
    read_text_as_bytes,
)
from qed.client.known import Known, open_under_policy
from qed.client.receipt_text import LATER
from qed.errors import MalformedError, VerificationError
from qed.signing.checkpoint import Checkpoint
from qed.signing.policy import Policy
from qed.trees.verify_log import verify_consistency
from qed.wire.bounds import BOUNDS
from qed.wire.fields import read_exact, read_object, read_text
from qed.wire.json_text import parse_answer

FORMAT: Final = "qed/consistency/v1"
MAX_CONSISTENCY_BYTES: Final = 4 * 2**20  # two notes of 1 MiB, with escapes

_START = b'{"Format":"qed/consistency/'


@dataclass(frozen=True, slots=True)
class Consistency:
    """Two signed notes and the hashes that link them; nothing of it is verified."""

    older: bytes
    newer: bytes
    proof: tuple[bytes, ...]


def looks_like_consistency(data: bytes) -> bool:
    """Return whether the file says that it is one, of whatever format number."""
    return data.startswith(_START)


def encode_consistency(consistency: Consistency) -> bytes:
    """Return the bytes of the file."""
    return (
        f'{{"Format":"{FORMAT}","Older":{format_bytes_as_text(consistency.older)}'
        f',"Newer":{format_bytes_as_text(consistency.newer)}'
        f',"Proof":{format_hashes(consistency.proof)}}}\n'
    ).encode("ascii")


def decode_consistency(data: bytes) -> Consistency:
    """Return what a file holds; nothing of it is verified.

    Raises:
        VerificationError: the bytes are not exactly those that `encode_consistency` writes.
    """
    try:
        consistency = _decode(data)
    except MalformedError as error:
        raise VerificationError(
            f"the consistency file does not parse: {error.message}", step="file", hint=error.hint
        ) from error
    if encode_consistency(consistency) != data:
        raise VerificationError("the consistency file is not in canonical form", step="file")
    return consistency


def verify_consistency_file(
    data: bytes, *, policy: Policy, known: Sequence[bytes] = ()
) -> tuple[Checkpoint, Checkpoint]:
    """Return the older and the newer checkpoint when the log of the newer begins with the older.

    No quorum of witnesses is asked for; `known` are signed notes that are known already.

    Raises:
        VerificationError: a note is not signed by the key of a log that the policy knows, the two
            are of two logs or in the wrong order, or the proof does not link them.
        ContradictionError: two roots were signed for one size.
    """
    consistency = decode_consistency(data)
    older = open_under_policy(consistency.older, policy)
    newer = open_under_policy(consistency.newer, policy)
    seen = Known(policy, known)
    seen.take(consistency.older, older)
    # Two roots of one size are no false proof: somebody signed both.
    seen.compare(consistency.newer, newer)
    if older.origin != newer.origin:
        raise VerificationError(
            f"the checkpoints are of {older.origin} and {newer.origin}: two logs", step="origin"
        )
    verify_consistency(older.size, older.root, newer.size, newer.root, consistency.proof)
    return older, newer


def _decode(data: bytes) -> Consistency:
    fields = read_object(parse_answer(data, max_bytes=MAX_CONSISTENCY_BYTES), "the file")
    written = read_text(fields.get("Format"), "Format")
    if written != FORMAT:
        if written.startswith("qed/consistency/v"):
            raise MalformedError(f"its format is {written[:64]!r}, this is {FORMAT!r}", hint=LATER)
        raise MalformedError(f"its format is {written[:64]!r}")
    read_exact(fields, "the file", ("Format", "Older", "Newer", "Proof"))
    return Consistency(
        older=read_text_as_bytes(fields["Older"], "Older"),
        newer=read_text_as_bytes(fields["Newer"], "Newer"),
        proof=read_hashes(fields["Proof"], "Proof", BOUNDS.file_proof),
    )
