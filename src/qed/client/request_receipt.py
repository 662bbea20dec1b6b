"""Make a receipt of what a server and a published log answer, and verify it before it is kept.

Two are asked: the server for a membership proof (but not for a `logged` receipt of a version that
is known), and whoever publishes the log (the server too, or a store, or a mirror) for the leaf and
its path. Neither is believed: the ten steps of `receipts` judge the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from qed.client.feed import Source
from qed.client.published import Proven, wait_for_size
from qed.client.receipt_text import ABSENT, KINDS, LOGGED, NEWEST, Receipt, format_receipt
from qed.client.receipts import Verified, verify_under_key
from qed.client.trusted import Trusted
from qed.errors import MalformedError, NotProvenError, VerificationError
from qed.signing.note import VerifierKey
from qed.trees.snapshot_log import TILE_HASHES
from qed.trees.tiles import ENTRIES, tile_width
from qed.trees.values import NO_VERSION, MembershipProof


class Asker(Protocol):
    """What is needed of a client."""

    def membership(
        self, *, event: bytes | None = None, digest: bytes | None = None, version: int | None = None
    ) -> MembershipProof:
        """Return an answer, not verified."""


class Publisher(Protocol):
    """What is needed of `published.Published`: snapshots under a checkpoint of a pinned key."""

    @property
    def key(self) -> VerifierKey:
        """The pinned key."""

    def prove(self, versions: Iterable[int]) -> Mapping[int, Proven]:
        """Return the snapshots of versions with their proofs; waits for a checkpoint over them."""


class FreshReceipt(NamedTuple):
    """The bytes of a receipt's file, and what it was found to prove."""

    data: bytes
    verified: Verified


def request_receipt(  # noqa: PLR0913 (whom to ask, what is trusted, and a question of three parts)
    source: Source,
    client: Asker,
    trusted: Trusted,
    *,
    digest: bytes,
    kind: str = LOGGED,
    version: int | None = None,
    timeout_s: float | None = 10.0,
) -> FreshReceipt:
    """Return a receipt, verified, of a log that is read where the caller says.

    Args:
        source: who serves the published log.
        client: who answers membership queries.
        trusted: the log's key and what is known of it; extended by the receipt's checkpoint.
        digest: of the event.
        kind: "logged", "newest" or "absent".
        version: which version of the event a `logged` receipt is for; the newest one without. The
            other kinds are as of now and take none.
        timeout_s: how long to wait for a checkpoint that covers the version; None is no bound.

    Raises:
        NotProvenError: the log says the opposite (nothing of that is verified), or is empty, or
            the version asked for is another event.
        NotPublishedError: no checkpoint covered the version in time.
        VerificationError: what was answered does not hold.
        ContradictionError: the log contradicts the checkpoint that is trusted.
        RequestError, UnavailableError: as the server answers.
    """

    def prove(version: int) -> Proven:
        wait_for_size(source, trusted, version + 1, timeout_s=timeout_s)
        return prove_version(source, trusted, version)

    answer = client.membership(digest=digest) if needs_answer(kind, version) else None
    return _finish(prove, trusted.key, digest, (kind, version), answer)


def finish_receipt(
    published: Publisher,
    answer: MembershipProof | None,
    *,
    digest: bytes,
    kind: str = LOGGED,
    version: int | None = None,
) -> FreshReceipt:
    """Return a receipt, verified, whose question was asked already where `needs_answer` says so.

    `published` is where the log is read, with its key; it says how long it waits for a checkpoint.
    Raises: as `request_receipt`.
    """
    return _finish(
        lambda at: published.prove([at])[at], published.key, digest, (kind, version), answer
    )


def needs_answer(kind: str, version: int | None) -> bool:
    """Return whether the server is to be asked about the digest, as of now.

    Raises:
        MalformedError: no kind, or a version for one that is as of now.
    """
    if kind not in KINDS:
        raise MalformedError(f"the kind {kind[:64]!r} is none of {', '.join(KINDS)}")
    if version is not None and kind != LOGGED:
        raise MalformedError(f"a receipt of the kind {kind} is as of now: leave the version out")
    return version is None


def prove_version(source: Source, trusted: Trusted, version: int) -> Proven:
    """Return the snapshot of a version that the trusted checkpoint covers, and its path.

    Raises:
        VerificationError: what the source serves is not under the checkpoint.
        RequestError, UnavailableError: as the source answers.
    """
    index, place = divmod(version, TILE_HASHES)
    leaf = source.bundle(index, tile_width(ENTRIES, index, trusted.size))[place]
    path = trusted.prove(source.read_nodes, leaf, version)
    snapshot = trusted.authenticate(leaf, version, path)
    return Proven(snapshot, tuple(path), trusted.note)


def make_receipt(
    proven: Proven, *, kind: str = LOGGED, answer: MembershipProof | None = None
) -> bytes:
    """Return the file of a receipt made of parts at hand; whether it holds is not looked at.

    `answer` is None for `logged`, else the answer asked as of the version of `proven`.
    """
    return format_receipt(
        Receipt(
            kind=kind,
            snapshot=proven.snapshot,
            answer=answer,
            index=proven.snapshot.version,
            path=proven.path,
            note=proven.note,
        )
    )


def _finish(
    prove: Callable[[int], Proven],
    key: VerifierKey,
    digest: bytes,
    question: tuple[str, int | None],
    answer: MembershipProof | None,
) -> FreshReceipt:
    kind, version = question
    if needs_answer(kind, version):
        if answer is None:
            raise AssertionError("the question was not asked")
        _check_answer(answer, kind)
        version = answer.actual_version if kind == LOGGED else answer.current_version
    if version is None:
        raise AssertionError("a receipt without an answer is of a version")
    proven = prove(version)
    if kind == LOGGED and answer is None and proven.snapshot.event_digest != digest:
        raise NotProvenError(  # the caller's version, so nobody has said what is not true
            f"version {version} of the log is another event",
            hint="leave the version out for the newest one of this event",
        )
    data = make_receipt(proven, kind=kind, answer=None if kind == LOGGED else answer)
    # The log's answer and its leaf are claims until here.
    return FreshReceipt(data, verify_under_key(data, key, digest=digest, kind=kind))


def _check_answer(answer: MembershipProof, kind: str) -> None:
    """Return if an answer as of now is one that a receipt of the kind can be made of."""
    if answer.current_version == NO_VERSION:
        raise NotProvenError(
            "the log is empty, so it has no receipt",
            hint="its checkpoint says it: qed client checkpoint",
        )
    if answer.query_version != answer.current_version:
        raise VerificationError("the answer is not as of the current version", step="question")
    if answer.actual_version > answer.current_version:
        raise VerificationError("the answer names a version that is not there", step="numbers")
    if answer.exists and kind == ABSENT:
        raise NotProvenError(
            f"the log says that the event is in it, at version {answer.actual_version}",
            hint=f"ask for a receipt of the kind {NEWEST} or {LOGGED}",
        )
    if not answer.exists and kind != ABSENT:
        raise NotProvenError(
            "the log says that the event is not in it",
            hint=f"ask for a receipt of the kind {ABSENT}, which proves that",
        )
