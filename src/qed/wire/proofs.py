"""The bodies that answer the proof routes. Source: SPEC 4 and 5.

`HyperLeaf`, which turns "it is not there" into a proof, is beyond QED: it stands last, only when
`Exists` is false, and an answer of the original, which lacks it, is read as if it were null.
"""

from __future__ import annotations

from qed.errors import MalformedError
from qed.trees.values import HyperLeaf, IncrementalProof, MembershipProof
from qed.wire.bounds import BOUNDS
from qed.wire.fields import (
    format_base64,
    read_bool,
    read_bytes,
    read_digest,
    read_exact,
    read_u64,
)
from qed.wire.json_text import parse_answer
from qed.wire.positions import (
    format_history_path,
    format_hyper_path,
    read_history_path,
    read_hyper_path,
)

_MEMBERSHIP_FIELDS = (
    "Exists",
    "Hyper",
    "History",
    "CurrentVersion",
    "QueryVersion",
    "ActualVersion",
    "KeyDigest",
    "Key",
)
_LEAF_FIELDS = ("KeyDigest", "Version", "History")
_INCREMENTAL_FIELDS = ("Start", "End", "AuditPath")


def format_membership(proof: MembershipProof) -> str:
    """Return the JSON object of a membership proof; `HyperLeaf` last, when it does not exist."""
    history = "null" if proof.history is None else format_history_path(proof.history)
    key = "null" if proof.key is None else f'"{format_base64(proof.key)}"'
    leaf = "" if proof.exists else f',"HyperLeaf":{_format_leaf(proof.hyper_leaf)}'
    return (
        f'{{"Exists":{"true" if proof.exists else "false"}'
        f',"Hyper":{format_hyper_path(proof.hyper)}'
        f',"History":{history}'
        f',"CurrentVersion":{proof.current_version}'
        f',"QueryVersion":{proof.query_version}'
        f',"ActualVersion":{proof.actual_version}'
        f',"KeyDigest":"{format_base64(proof.key_digest)}"'
        f',"Key":{key}{leaf}}}'
    )


def read_membership(value: object) -> MembershipProof:
    """Return a membership proof from its parsed object.

    Raises:
        MalformedError: a field is missing, unknown, of another type or not canonical; `History` is
            null when it exists or not null when it does not; `HyperLeaf` stands where it exists.
    """
    fields = read_exact(value, "the proof", _MEMBERSHIP_FIELDS, ("HyperLeaf",))
    exists = read_bool(fields["Exists"], "Exists")
    history = fields["History"]
    if exists and history is None:
        raise MalformedError("History is null although Exists is true")
    if not exists and history is not None:
        raise MalformedError("History is not null although Exists is false")
    if exists and "HyperLeaf" in fields:
        raise MalformedError("HyperLeaf is given although Exists is true")
    key, leaf = fields["Key"], fields.get("HyperLeaf")
    return MembershipProof(
        exists=exists,
        hyper=read_hyper_path(fields["Hyper"], "Hyper"),
        history=None if history is None else read_history_path(history, "History"),
        current_version=read_u64(fields["CurrentVersion"], "CurrentVersion"),
        query_version=read_u64(fields["QueryVersion"], "QueryVersion"),
        actual_version=read_u64(fields["ActualVersion"], "ActualVersion"),
        key_digest=read_digest(fields["KeyDigest"], "KeyDigest"),
        key=None if key is None else read_bytes(key, "Key"),
        hyper_leaf=None if leaf is None else _read_leaf(leaf),
    )


def encode_membership(proof: MembershipProof) -> bytes:
    """Return the body that answers a membership query."""
    return format_membership(proof).encode("ascii")


def decode_membership(body: bytes, *, max_bytes: int = BOUNDS.proof_bytes) -> MembershipProof:
    """Return the proof of `encode_membership`'s body, or raise MalformedError.

    Args:
        body: the answer as received.
        max_bytes: a longer body is refused unread; to be raised only by who sent the event itself
            and gets it back as `Key`.
    """
    return read_membership(parse_answer(body, max_bytes=max_bytes))


def format_incremental(proof: IncrementalProof) -> str:
    """Return `{"Start","End","AuditPath"}`."""
    return (
        f'{{"Start":{proof.start},"End":{proof.end}'
        f',"AuditPath":{format_history_path(proof.audit_path)}}}'
    )


def read_incremental(value: object) -> IncrementalProof:
    """Return an incremental proof from its parsed object, or raise MalformedError."""
    fields = read_exact(value, "the proof", _INCREMENTAL_FIELDS)
    return IncrementalProof(
        start=read_u64(fields["Start"], "Start"),
        end=read_u64(fields["End"], "End"),
        audit_path=read_history_path(fields["AuditPath"], "AuditPath"),
    )


def encode_incremental(proof: IncrementalProof) -> bytes:
    """Return the body that answers an incremental query."""
    return format_incremental(proof).encode("ascii")


def decode_incremental(body: bytes) -> IncrementalProof:
    """Return the proof of `encode_incremental`'s body, or raise MalformedError."""
    return read_incremental(parse_answer(body, max_bytes=BOUNDS.proof_bytes))


def _format_leaf(leaf: HyperLeaf | None) -> str:
    if leaf is None:
        return "null"
    return (
        f'{{"KeyDigest":"{format_base64(leaf.key_digest)}","Version":{leaf.version}'
        f',"History":{format_history_path(leaf.history)}}}'
    )


def _read_leaf(value: object) -> HyperLeaf:
    fields = read_exact(value, "HyperLeaf", _LEAF_FIELDS)
    return HyperLeaf(
        key_digest=read_digest(fields["KeyDigest"], "KeyDigest of HyperLeaf"),
        version=read_u64(fields["Version"], "Version of HyperLeaf"),
        history=read_history_path(fields["History"], "History of HyperLeaf"),
    )
