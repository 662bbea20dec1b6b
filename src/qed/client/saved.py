"""A proof in a file, with the question that it answers: what `--save` writes, `qed verify` reads.

`docs/saved-proofs.md` specifies the file byte by byte. It holds no digest to trust: those are for
who verifies it to bring.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qed.client.verify_answers import (
    root_at,
    roots_needed,
    verify_incremental_answer,
    verify_membership_answer,
)
from qed.client.verify_many import Answer
from qed.durable import read_file, storage_errors, write_file
from qed.errors import ConflictError, MalformedError, NewerFormatError
from qed.trees.values import IncrementalProof, MembershipProof
from qed.wire.bounds import BOUNDS
from qed.wire.fields import (
    format_base64,
    read_digest,
    read_exact,
    read_object,
    read_text,
    read_u64,
)
from qed.wire.flat import read_digest_query
from qed.wire.json_text import parse_answer
from qed.wire.proofs import (
    encode_membership,
    format_incremental,
    format_membership,
    read_incremental,
    read_membership,
)
from qed.wire.requests import encode_digest_query

FORMAT = "qed/proof/v1"
_MEMBERSHIP = f'{{"Format":"{FORMAT}","Kind":"membership","Question":'.encode("ascii")
_ANSWER = b',"Answer":'
_END = b"}\n"
MAX_SAVED_BYTES = BOUNDS.proof_bytes + 1024  # the answer, and the question around it


@dataclass(frozen=True, slots=True)
class SavedMembership:
    """The question "is this digest in the log, as of this version" and its answer."""

    digest: bytes
    version: int | None
    proof: MembershipProof


@dataclass(frozen=True, slots=True)
class SavedIncremental:
    """The question "does the log of `end` extend that of `start`" and its answer."""

    start: int
    end: int
    proof: IncrementalProof


SavedProof = SavedMembership | SavedIncremental


def encode_saved(saved: SavedProof) -> bytes:
    """Return the bytes of the file: one line of JSON."""
    if isinstance(saved, SavedMembership):
        kind, answer = "membership", format_membership(saved.proof)
        version = "null" if saved.version is None else str(saved.version)
        question = f'{{"KeyDigest":"{format_base64(saved.digest)}","Version":{version}}}'
    else:
        kind, answer = "incremental", format_incremental(saved.proof)
        question = f'{{"Start":{saved.start},"End":{saved.end}}}'
    text = f'{{"Format":"{FORMAT}","Kind":"{kind}","Question":{question},"Answer":{answer}}}\n'
    return text.encode("ascii")


def decode_saved(data: bytes) -> SavedProof:
    """Return the question and the answer of a file's bytes.

    Raises:
        MalformedError: the bytes are not exactly those that `encode_saved` writes for any proof.
        NewerFormatError: a later version of this program wrote them.
    """
    fields = read_object(parse_answer(data, max_bytes=MAX_SAVED_BYTES), "the file")
    written = read_text(fields.get("Format"), "Format")
    if written != FORMAT:
        if written.startswith("qed/proof/v"):
            raise NewerFormatError(f"the file has the format {written[:64]!r}, this is {FORMAT!r}")
        raise MalformedError(f"the file is not a saved proof: its format is {written[:64]!r}")
    fields = dict(read_exact(fields, "the file", ("Format", "Kind", "Question", "Answer")))
    kind = read_text(fields["Kind"], "Kind")
    saved: SavedProof
    if kind == "membership":
        saved = _read_saved_membership(fields["Question"], fields["Answer"])
    elif kind == "incremental":
        saved = _read_saved_incremental(fields["Question"], fields["Answer"])
    else:
        raise MalformedError(f"the kind {kind[:64]!r} is neither membership nor incremental")
    if encode_saved(saved) != data:
        raise MalformedError("the file is not in canonical form")
    return saved


def decode_saved_answer(data: bytes) -> Answer:
    """Return the question of a saved membership proof and its answer, unread: for `verify_many`.

    Raises:
        MalformedError: the file holds no membership proof, or is not in canonical form.
        NewerFormatError: a later version of this program wrote it.
    """
    question_end = data.find(_ANSWER, len(_MEMBERSHIP))
    if data.startswith(_MEMBERSHIP) and data.endswith(_END) and len(data) <= MAX_SAVED_BYTES:
        question = data[len(_MEMBERSHIP) : question_end]
        query = read_digest_query(question)
        # Written again and compared: only the canonical spelling is split here.
        if query is not None and encode_digest_query(*query) == question:
            return Answer(*query, data[question_end + len(_ANSWER) : -len(_END)])
    saved = decode_saved(data)
    if not isinstance(saved, SavedMembership):
        raise MalformedError("the file holds an incremental proof, not one of membership")
    return Answer(saved.digest, saved.version, encode_membership(saved.proof))


def write_saved(path: Path, saved: SavedProof) -> None:
    """Write a proof into a file, as `write_proof_file` does."""
    write_proof_file(path, encode_saved(saved))


def write_proof_file(path: Path, data: bytes) -> None:
    """Write a file of any kind of proof; at every instant the old content or the new one is there.

    A link is followed. Something else than a file under the name is a ConflictError: the rename
    would put a file in the place of a device.
    """
    with storage_errors("look at", path):
        target = Path(os.path.realpath(path))
        in_the_way = path.exists() and not path.is_file()
    if in_the_way:
        raise ConflictError(f"{path} is in the way: it is not a file")
    write_file(target, data)


def read_saved(path: Path) -> SavedProof:
    """Return the proof in a file.

    Raises:
        RequestError: the file is missing, too large, or no saved proof.
        StorageError: the system cannot read it.
    """
    return decode_saved(read_file(path, MAX_SAVED_BYTES))


def verify_saved(
    saved: SavedProof,
    *,
    hyper_digests: Mapping[int, bytes] | None = None,
    history_digests: Mapping[int, bytes],
) -> None:
    """Return when the saved answer is true, against digests that the caller trusts.

    Args:
        saved: question and answer.
        hyper_digests: hyper digests by version; a membership proof needs that of its
            `current_version`.
        history_digests: history digests by version; a membership proof needs what `roots_needed`
            says, an incremental proof those of `start` and `end`.

    Raises:
        RequestError: a digest that is needed is not given, or the log was empty.
        VerificationError: the answer is false or answers another question.
    """
    if isinstance(saved, SavedIncremental):
        start = root_at(history_digests, saved.start, "history")
        end = root_at(history_digests, saved.end, "history")
        verify_incremental_answer(saved.proof, start=start, end=end)
        return
    needed = roots_needed(saved.proof)
    version = needed.history_version
    verify_membership_answer(
        saved.proof,
        digest=saved.digest,
        version=saved.version,
        hyper=root_at(hyper_digests or {}, needed.hyper_version, "hyper"),
        history=None if version is None else root_at(history_digests, version, "history"),
    )


def _read_saved_membership(question: object, answer: object) -> SavedMembership:
    fields = read_exact(question, "Question", ("KeyDigest", "Version"))
    version = fields["Version"]
    return SavedMembership(
        digest=read_digest(fields["KeyDigest"], "KeyDigest"),
        version=None if version is None else read_u64(version, "Version"),
        proof=read_membership(answer),
    )


def _read_saved_incremental(question: object, answer: object) -> SavedIncremental:
    fields = read_exact(question, "Question", ("Start", "End"))
    return SavedIncremental(
        start=read_u64(fields["Start"], "Start"),
        end=read_u64(fields["End"], "End"),
        proof=read_incremental(answer),
    )
