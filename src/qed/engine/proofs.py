"""Proofs from one view of a log. Pure: the view and a reader of frozen nodes are passed in.

QED's texts for what cannot be proven (its 412) are exact here. Source: SPEC 4.
"""

from __future__ import annotations

from qed.engine.state import View
from qed.errors import MalformedError, NotProvenError
from qed.trees import history, hyper
from qed.trees.history import FrozenReader
from qed.trees.values import (
    DIGEST_BYTES,
    NO_VERSION,
    AuditPath,
    HyperLeaf,
    IncrementalProof,
    MembershipProof,
)

_INVALID_RANGE = "unable to process proof from history tree: invalid range"


def prove_membership(
    view: View, read: FrozenReader, digest: bytes, version: int | None
) -> MembershipProof:
    """Return the answer to "is this digest in the log, as of `version`", for or against.

    Without a version, or with one beyond the log, it is as of the view's. A digest whose newest
    entry is later than the version asked for is a `NotProvenError`; one of another length than 32,
    or a version outside u64, a `MalformedError`.

    Cost: at most 256 steps down the hyper tree, one or two paths of log2(size) history nodes.
    Source: SPEC 4.
    """
    if len(digest) != DIGEST_BYTES:
        raise MalformedError(f"an event digest has {DIGEST_BYTES} bytes, not {len(digest)}")
    current = view.head.current_version
    query = current if version is None else _check_version(version)
    asked = min(query, current)
    walk = hyper.walk(view.tree, digest)
    if walk.leaf is None or walk.leaf[0] != digest:
        return MembershipProof(
            exists=False,
            hyper=walk.path,
            history=None,
            current_version=current,
            query_version=query,
            actual_version=asked,
            key_digest=digest,
            hyper_leaf=_bind_leaf(walk.leaf, read, current),
        )
    actual = walk.leaf[1]
    if actual > asked:
        raise NotProvenError(
            f"actual version {actual} is greater than the query version which is {asked}"
        )
    return MembershipProof(
        exists=True,
        hyper=walk.path,
        history=history.prove_membership(read, actual, asked),
        current_version=current,
        query_version=query,
        actual_version=actual,
        key_digest=digest,
    )


def _bind_leaf(
    leaf: tuple[bytes, int] | None, read: FrozenReader, current: int
) -> HyperLeaf | None:
    """Return the leaf met on the way to an absent digest, with the path that binds its key."""
    if leaf is None:
        return None
    key_digest, version = leaf
    path: AuditPath = history.prove_membership(read, version, current)
    return HyperLeaf(key_digest, version, path)


def prove_incremental(view: View, read: FrozenReader, start: int, end: int) -> IncrementalProof:
    """Return the nodes that tie the history digests of both versions together.

    `start` after `end`, either beyond the log, or an empty log: `NotProvenError`. A number outside
    u64 is a `MalformedError`.
    Source: SPEC 4.
    """
    _check_version(start)
    _check_version(end)
    if not start <= end < view.head.size:
        raise NotProvenError(_INVALID_RANGE)
    return IncrementalProof(start, end, history.prove_incremental(read, start, end))


def _check_version(version: int) -> int:
    if not 0 <= version <= NO_VERSION:
        raise MalformedError(f"a version lies between 0 and {NO_VERSION}, not at {version}")
    return version
