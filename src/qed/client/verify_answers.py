"""Is an answer true? Given the question and digests that the caller trusts, and nothing else.

The digests come from a snapshot that the caller kept from an addition, or got from somebody else
than the server that is being checked. Each is given with the version of its snapshot (`Root`):
without it a server could pass an old state off as the current one. Source: SPEC 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from qed.client.calls import digest_of
from qed.errors import MalformedError, NotProvenError
from qed.trees import quick
from qed.trees.values import NO_VERSION, IncrementalProof, MembershipProof, Snapshot
from qed.trees.verify import Root, verify_absence, verify_incremental, verify_membership


@dataclass(frozen=True, slots=True)
class RootsNeeded:
    """Of which versions the digests are needed; `history_version` is None when none is."""

    hyper_version: int
    history_version: int | None


def roots_needed(proof: MembershipProof) -> RootsNeeded:
    """Return which snapshots a membership proof is to be verified against.

    The hyper digest is that of the current version. The history digest is that of the version asked
    for when the event exists (the current one when that is lower); when it does not exist, that of
    the current version, or none when the walk ended at an empty node.

    Raises:
        NotProvenError: the log is empty, so there is no snapshot, and nothing can be verified.
    """
    current = proof.current_version
    if current == NO_VERSION:
        raise NotProvenError("the log is empty: it has no snapshot, so nothing can be verified")
    if proof.exists:
        return RootsNeeded(current, min(proof.query_version, current))
    return RootsNeeded(current, None if proof.hyper_leaf is None else current)


def versions_needed(proof: MembershipProof) -> list[int]:
    """Return the versions of `roots_needed`, each once; raises as that does."""
    needed = roots_needed(proof)
    versions = {needed.hyper_version, needed.history_version}
    return sorted(version for version in versions if version is not None)


def verify_membership_answer(  # noqa: PLR0913 (a question of three parts, and two roots)
    proof: MembershipProof,
    *,
    event: bytes | None = None,
    digest: bytes | None = None,
    version: int | None = None,
    hyper: Root,
    history: Root | None = None,
) -> None:
    """Return when the proof holds: the event is in the log, or, if it says so, it is not.

    Look at `proof.exists` to learn which of the two was proven.

    Args:
        proof: the answer.
        event: what was asked for, or
        digest: its digest; exactly one of them.
        version: as of which version it was asked, None for the current one.
        hyper: the hyper digest of the version that `roots_needed` names.
        history: the history digest of the version that `roots_needed` names.

    Raises:
        RequestError: the question is not one, or the history digest is needed and not given.
        VerificationError: the proof is false, or speaks of other versions; `step` says what failed.
    """
    asked = digest_of(event=event, digest=digest)
    # Quick says yes or nothing; the verifier that can be read judges what it does not know.
    if quick.knows_membership(proof, digest=asked, version=version, hyper=hyper, history=history):
        return
    if not proof.exists:
        verify_absence(proof, digest=asked, version=version, hyper=hyper, history=history)
        return
    if history is None:
        needed = min(proof.query_version, proof.current_version)
        raise MalformedError(f"the history digest of version {needed} is needed")
    verify_membership(proof, digest=asked, version=version, hyper=hyper, history=history)


def verify_with_snapshots(
    proof: MembershipProof,
    *,
    snapshots: Iterable[Snapshot],
    event: bytes | None = None,
    digest: bytes | None = None,
    version: int | None = None,
) -> None:
    """Return when the proof holds, the digests that it needs being taken from trusted snapshots.

    Raises:
        RequestError: as `verify_membership_answer`, or the snapshot of a version that is needed is
            not among those given: on a busy log that of the current version may be somebody else's.
        VerificationError: the proof is false, or speaks of other versions.
    """
    trusted = {snapshot.version: snapshot for snapshot in snapshots}
    needed = roots_needed(proof)
    history = None
    if needed.history_version is not None:
        histories = {number: snapshot.history_digest for number, snapshot in trusted.items()}
        history = root_at(histories, needed.history_version, "history")
    hypers = {number: snapshot.hyper_digest for number, snapshot in trusted.items()}
    hyper = root_at(hypers, needed.hyper_version, "hyper")
    verify_membership_answer(
        proof, event=event, digest=digest, version=version, hyper=hyper, history=history
    )


def verify_incremental_answer(proof: IncrementalProof, *, start: Root, end: Root) -> None:
    """Return when the log of `end` extends that of `start`; both are history digests.

    Raises:
        VerificationError: the proof is false, or speaks of other versions.
    """
    if not quick.knows_incremental(proof, start=start, end=end):
        verify_incremental(proof, start=start, end=end)


def hyper_root(snapshot: Snapshot) -> Root:
    """Return the hyper digest of a snapshot with its version."""
    return Root(snapshot.version, snapshot.hyper_digest)


def history_root(snapshot: Snapshot) -> Root:
    """Return the history digest of a snapshot with its version."""
    return Root(snapshot.version, snapshot.history_digest)


def root_at(digests: Mapping[int, bytes], version: int, tree: str) -> Root:
    """Return the digest of a version out of those given; `tree` is for the sentence only.

    Raises:
        MalformedError: it is not among them.
    """
    if version not in digests:
        raise MalformedError(
            f"the {tree} digest of version {version} is needed",
            hint=f"bring it from the snapshot of version {version}",
        )
    return Root(version, digests[version])
