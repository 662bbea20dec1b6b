"""Proofs from one moment of a log, as flat hashes whose positions the question implies.

QED's texts for what cannot be proven (its 412) are exact here. Source: SPEC 4.
"""

from __future__ import annotations

from qed.engine.state import State
from qed.errors import MalformedError, NotProvenError
from qed.trees.values import DIGEST_BYTES, NO_VERSION, FlatIncremental, FlatMembership

_INVALID_RANGE = "unable to process proof from history tree: invalid range"


def prove_membership(state: State, digest: bytes, version: int | None) -> FlatMembership:
    """Return the answer to "is this digest in the log, as of `version`", for or against.

    Without a version, or with one beyond the log, it is as of the newest. A digest whose newest
    entry is later than the version asked for is a `NotProvenError`; one of another length than 32,
    or a version outside u64, a `MalformedError`.

    Cost: one walk down the hyper tree, one or two paths of log2(size) history nodes.
    Source: SPEC 4.
    """
    if len(digest) != DIGEST_BYTES:
        raise MalformedError(f"an event digest has {DIGEST_BYTES} bytes, not {len(digest)}")
    # One call, hence one version: everything below asks for what is there since, for ever.
    size, siblings, met = state.hyper.walk(digest)
    current = size - 1 if size else NO_VERSION
    query = current if version is None else _check_version(version)
    asked = min(query, current)
    history = state.history
    leaf_digest = None if met is None else history.digest(met)
    if leaf_digest == digest and met is not None:
        if met > asked:
            raise NotProvenError(
                f"actual version {met} is greater than the query version which is {asked}"
            )
        return FlatMembership(
            exists=True,
            current_version=current,
            query_version=query,
            actual_version=met,
            key_digest=digest,
            hyper=siblings,
            history=history.prove_membership(met, asked),
            leaf_digest=None,
            leaf_version=None,
            leaf_history=None,
        )
    return FlatMembership(
        exists=False,
        current_version=current,
        query_version=query,
        actual_version=asked,
        key_digest=digest,
        hyper=siblings,
        history=None,
        # Another digest's leaf proves the absence only with the path that binds its key.
        leaf_digest=leaf_digest,
        leaf_version=met,
        leaf_history=None if met is None else history.prove_membership(met, current),
    )


def prove_incremental(state: State, start: int, end: int) -> FlatIncremental:
    """Return the nodes that tie the history digests of both versions together.

    `start` after `end`, either beyond the log, or an empty log: `NotProvenError`. A number outside
    u64 is a `MalformedError`.
    Source: SPEC 4.
    """
    _check_version(start)
    _check_version(end)
    if not start <= end < state.head.size:
        raise NotProvenError(_INVALID_RANGE)
    return FlatIncremental(start, end, state.history.prove_incremental(start, end))


def _check_version(version: int) -> int:
    if not 0 <= version <= NO_VERSION:
        raise MalformedError(f"a version lies between 0 and {NO_VERSION}, not at {version}")
    return version
