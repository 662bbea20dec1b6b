"""Make a receipt of what a server and a published log answer, and verify it before it is kept.

Two are asked: the server for a membership proof (but not for a `logged` receipt of a version that
is known), and whoever publishes the log (the server too, or a store, or a mirror) for the leaf and
its path. Neither is believed: the ten steps of `receipts` judge the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

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


def request_published_receipt(
    published: Publisher,
    client: Asker,
    *,
    digest: bytes,
    kind: str = LOGGED,
    version: int | None = None,
) -> tuple[bytes, Verified]:
    """Return the bytes of a receipt, and what it proves.

    Args:
        published: where the log is read, with its key; says how long it waits for a checkpoint.
        client: who answers membership queries.
        digest: of the event.
        kind: "logged", "newest" or "absent".
        version: which version of the event a `logged` receipt is for; the newest one without. The
            other kinds are as of now and take none.

    Raises:
        NotProvenError: the log says the opposite (nothing of that is verified), or is empty.
        NotPublishedError: no checkpoint covered the version in time.
        VerificationError: what was answered does not hold.
        ContradictionError: the log contradicts the checkpoint that is trusted.
        RequestError, UnavailableError: as the server answers.
    """
    return _request(
        lambda version: published.prove([version])[version],
        client,
        published.key,
        (digest, kind, version),
    )


def request_receipt(  # noqa: PLR0913 (whom to ask, what is trusted, and a question of three parts)
    source: Source,
    client: Asker,
    trusted: Trusted,
    *,
    digest: bytes,
    kind: str = LOGGED,
    version: int | None = None,
    timeout_s: float | None = 10.0,
) -> tuple[bytes, Verified]:
    """Return the bytes of a receipt, and what it proves, from a source that the caller holds.

    `trusted` is extended by the checkpoint that covers the version, which is waited for.
    Raises: as `request_published_receipt`.
    """

    def prove(version: int) -> Proven:
        wait_for_size(source, trusted, version + 1, timeout_s=timeout_s)
        return prove_version(source, trusted, version)

    return _request(prove, client, trusted.key, (digest, kind, version))


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


def _request(
    prove: Callable[[int], Proven],
    client: Asker,
    key: VerifierKey,
    question: tuple[bytes, str, int | None],
) -> tuple[bytes, Verified]:
    digest, kind, version = question
    if kind not in KINDS:
        raise MalformedError(f"the kind {kind[:64]!r} is none of {', '.join(KINDS)}")
    if version is not None and kind != LOGGED:
        raise MalformedError(f"a receipt of the kind {kind} is as of now: leave the version out")
    answer = None
    if version is None:
        answer = _ask(client, digest, kind)
        version = answer.actual_version if kind == LOGGED else answer.current_version
    data = make_receipt(prove(version), kind=kind, answer=None if kind == LOGGED else answer)
    # The log's answer and its leaf are claims until here.
    return data, verify_under_key(data, key, digest=digest, kind=kind)


def _ask(client: Asker, digest: bytes, kind: str) -> MembershipProof:
    """Return the answer as of now, which must be one that a receipt of the kind can be made of."""
    answer = client.membership(digest=digest)
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
    return answer
