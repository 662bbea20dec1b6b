"""Every call that a client makes: what is sent, and what the answer means. Pure.

A `build_` function returns a `Call`: the request, and the function that reads its answer into a
result or raises. What can be checked against the question alone is checked there: that the digest
is the event's, that versions follow each other, that the proof is about what was asked. Whether a
proof is *true* is for `verify_answers`, which needs the digests of a snapshot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from qed import wire
from qed.errors import MalformedError, RequestError, VerificationError
from qed.trees.values import (
    DIGEST_BYTES,
    NO_VERSION,
    IncrementalProof,
    MembershipProof,
    Snapshot,
)
from qed.wire.bounds import BOUNDS, MAX_U64
from qed.wire.topology import InfoValue

T = TypeVar("T")

_JSON = "application/json, application/problem+json"
_RAW = "application/octet-stream, application/problem+json"
_JSON_BODY = {"content-type": "application/json", "accept": _JSON}
_NO_BODY = {"accept": _JSON}
_EMPTY_ANSWER_BYTES = 64 * 1024  # room for a refusal

_OK, _CREATED, _NO_CONTENT = 200, 201, 204


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request without the address it goes to."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    max_answer_bytes: int = _EMPTY_ANSWER_BYTES


@dataclass(frozen=True, slots=True)
class Response:
    """One whole HTTP answer; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def media_type(self) -> str:
        """The type of the body without its parameters, empty when none is given."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request and how to read its answer.

    `read` is only given an answer of the status `expected`. `repeatable` says that making the call
    twice does no more than making it once; adds and new backups are not.
    """

    request: Request
    expected: int
    read: Callable[[Response], T]
    repeatable: bool = True


def build_add(event: bytes) -> Call[Snapshot]:
    """Add one event."""
    request = Request(
        "POST",
        "/events",
        _JSON_BODY,
        wire.encode_add(_check_event(event)),
        BOUNDS.snapshot_bytes + _EMPTY_ANSWER_BYTES,
    )
    digest = hashlib.sha256(event).digest()
    return Call(request, _CREATED, partial(read_add, digest=digest), repeatable=False)


def read_add(response: Response, digest: bytes) -> Snapshot:
    """Return the snapshot of the event added; a snapshot of another one is a VerificationError."""
    snapshot = wire.decode_snapshot(response.body)
    _check_added([snapshot], [digest])
    return snapshot


def build_add_bulk(events: Sequence[bytes]) -> Call[list[Snapshot]]:
    """Add events in one request: one group, or nothing."""
    if not events:
        raise MalformedError("a bulk has at least one event")
    request = Request(
        "POST",
        "/events/bulk",
        _JSON_BODY,
        wire.encode_bulk([_check_event(event) for event in events]),
        BOUNDS.snapshots_bytes,
    )
    digests = [hashlib.sha256(event).digest() for event in events]
    return Call(request, _CREATED, partial(read_add_bulk, digests=digests), repeatable=False)


def read_add_bulk(response: Response, digests: Sequence[bytes]) -> list[Snapshot]:
    """Return one snapshot an event, in order; anything else is a VerificationError."""
    snapshots = wire.decode_snapshots(response.body)
    _check_added(snapshots, digests)
    return snapshots


def build_add_digests(digests: Sequence[bytes]) -> Call[list[Snapshot]]:
    """Add events by their digests: they never leave the client, and the bodies are short."""
    if not digests:
        raise MalformedError("a bulk has at least one digest")
    for digest in digests:
        _check_digest(digest)
    headers = {"content-type": "application/octet-stream", "accept": _RAW}
    body = wire.encode_digests(digests)
    request = Request("POST", "/events/digests", headers, body, BOUNDS.snapshots_bytes)
    reader = partial(read_add_digests, digests=list(digests))
    return Call(request, _CREATED, reader, repeatable=False)


def read_add_digests(response: Response, digests: Sequence[bytes]) -> list[Snapshot]:
    """Return one snapshot a digest, in order; another number of them is a VerificationError."""
    first_version, hyper_digest, history_digests = wire.decode_added(response.body)
    _check_count(len(history_digests), len(digests))
    return [
        Snapshot(first_version + at, digest, history_digest, hyper_digest)
        for at, (digest, history_digest) in enumerate(zip(digests, history_digests, strict=True))
    ]


def build_membership(
    *, event: bytes | None = None, digest: bytes | None = None, version: int | None = None
) -> Call[MembershipProof]:
    """Ask whether an event, or the event of a digest, is in the log, as of a version or now.

    Only the digest is sent, so the event stays here.
    """
    asked = digest_of(event=event, digest=digest)
    if version is not None:
        check_version(version)
    body = wire.encode_digest_query(asked, version)
    request = Request("POST", "/proofs/digest-membership", _JSON_BODY, body, BOUNDS.proof_bytes)
    return Call(request, _OK, partial(read_membership, digest=asked, version=version))


def read_membership(response: Response, digest: bytes, version: int | None) -> MembershipProof:
    """Return the proof, not verified; one about another question is a VerificationError."""
    proof = wire.decode_membership(response.body)
    if proof.key_digest != digest:
        raise VerificationError(
            f"the answer is about the digest {proof.key_digest.hex()}, not {digest.hex()}",
            step="question",
        )
    asked = proof.current_version if version is None else version
    if proof.query_version != asked:
        raise VerificationError(
            f"the answer is about version {proof.query_version}, not {asked}", step="question"
        )
    return proof


def build_incremental(start: int, end: int) -> Call[IncrementalProof]:
    """Ask for the proof that the log of version `end` extends that of version `start`."""
    body = wire.encode_incremental_query(check_version(start), check_version(end))
    request = Request("POST", "/proofs/incremental", _JSON_BODY, body, BOUNDS.proof_bytes)
    return Call(request, _OK, partial(read_incremental, start=start, end=end))


def read_incremental(response: Response, start: int, end: int) -> IncrementalProof:
    """Return the proof, not verified; one about another question is a VerificationError."""
    proof = wire.decode_incremental(response.body)
    if (proof.start, proof.end) != (start, end):
        raise VerificationError(
            f"the answer is about versions {proof.start} to {proof.end}, not {start} to {end}",
            step="question",
        )
    return proof


def build_info() -> Call[dict[str, InfoValue]]:
    """Ask the server who it is."""
    request = Request("GET", "/info", _NO_BODY, max_answer_bytes=BOUNDS.topology_bytes)
    return Call(request, _OK, lambda response: wire.decode_info(response.body))


def build_shards() -> Call[wire.Shards]:
    """Ask which nodes there are and who leads them."""
    request = Request("GET", "/info/shards", _NO_BODY, max_answer_bytes=BOUNDS.topology_bytes)
    return Call(request, _OK, lambda response: wire.decode_shards(response.body))


def build_health_check() -> Call[None]:
    """Ask whether the server answers at all."""
    return Call(Request("HEAD", "/healthcheck", _NO_BODY), _NO_CONTENT, _read_nothing)


def build_create_backup() -> Call[None]:
    """Make a backup, on the management port."""
    return Call(Request("POST", "/backup", _NO_BODY), _OK, _read_nothing, repeatable=False)


def build_backups() -> Call[list[wire.BackupEntry]]:
    """List the backups, on the management port."""
    request = Request("GET", "/backups", _NO_BODY, max_answer_bytes=BOUNDS.backups_bytes)
    return Call(request, _OK, lambda response: wire.decode_backups(response.body))


def build_delete_backup(backup_id: int) -> Call[None]:
    """Delete one backup, on the management port."""
    if isinstance(backup_id, bool) or not 0 < backup_id <= MAX_U64:
        raise MalformedError(f"{backup_id} is not the id of a backup; ids start at 1")
    request = Request("DELETE", f"/backup?backupID={backup_id}", _NO_BODY)
    # Not repeatable: the second deletion would answer that there is no such backup.
    return Call(request, _NO_CONTENT, _read_nothing, repeatable=False)


def digest_of(*, event: bytes | None, digest: bytes | None) -> bytes:
    """Return the digest asked about, given itself or as the event, and exactly one of them."""
    if (event is None) == (digest is None):
        raise RequestError("give the event or its digest, and not both")
    if digest is not None:
        return _check_digest(digest)
    return hashlib.sha256(_check_event(event or b"")).digest()


def _read_nothing(_: Response) -> None:
    """The status said it all."""


def _check_event(event: bytes) -> bytes:
    if not event:
        raise MalformedError("the event is empty; an event has at least one byte")
    return event


def _check_digest(digest: bytes) -> bytes:
    if len(digest) != DIGEST_BYTES:
        raise MalformedError(f"a digest has {DIGEST_BYTES} bytes, not {len(digest)}")
    return digest


def check_version(version: int) -> int:
    """Return a version; MalformedError for a number that is none."""
    if isinstance(version, bool) or not 0 <= version <= MAX_U64:
        raise MalformedError(f"{version} is not a version; versions go from 0 to 2^64 - 1")
    return version


def _check_count(got: int, want: int) -> None:
    if got != want:
        raise VerificationError(f"{want} events were sent, {got} snapshots came back", step="count")


def _check_added(snapshots: Sequence[Snapshot], digests: Sequence[bytes]) -> None:
    """Refuse snapshots that are not of these events, in this order, in one group."""
    _check_count(len(snapshots), len(digests))
    first = snapshots[0]
    if first.version + len(snapshots) > NO_VERSION:
        raise VerificationError(
            f"no event has the version {snapshots[-1].version}, which came back", step="version"
        )
    for at, (snapshot, digest) in enumerate(zip(snapshots, digests, strict=True)):
        if snapshot.event_digest != digest:
            raise VerificationError(
                f"the snapshot of version {snapshot.version} is of the event "
                f"{snapshot.event_digest.hex()}, not {digest.hex()}",
                step="event-digest",
            )
        if snapshot.version != first.version + at:
            raise VerificationError(
                f"version {snapshot.version} came back where {first.version + at} follows",
                step="version",
            )
        if snapshot.hyper_digest != first.hyper_digest:
            raise VerificationError(
                f"versions {first.version} and {snapshot.version} of one bulk have different "
                "hyper digests",
                step="group",
            )
