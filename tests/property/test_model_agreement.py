"""Law: the trees say what the naive judge says, in snapshots and in proofs, and it verifies."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laws import digests, logs
from model import Model, NotProvenError
from pure_log import PureLog
from qed.errors import VerificationError


@given(logs, st.lists(digests, max_size=3), st.data())
def test_snapshots_and_proofs_are_those_of_the_judge(groups, others, data):
    log, judge = PureLog(), Model()
    for group in groups:
        assert log.add(group) == judge.add(group)
    size = len(judge.digests)

    for digest in {*judge.digests, *others}:
        version = data.draw(st.none() | st.integers(0, size + 2))
        compare(log, judge, digest, version)
    start = data.draw(st.integers(0, size - 1))
    end = data.draw(st.integers(start, size - 1))
    proof = log.incremental(start, end)
    assert proof == judge.incremental(start, end)
    log.verify_incremental(proof, start, end)


def compare(log, judge, digest, version) -> None:
    try:
        expected = judge.membership(digest, version)
    except NotProvenError:
        newest = judge.members[int.from_bytes(digest, "big")]
        assert version is not None
        assert version < newest, "refused only because of a later version"
        return
    proof = log.membership(digest, version)

    assert proof == expected
    log.verify(proof, digest, version)


@given(logs)
def test_every_digest_is_present_or_absent_and_never_both(groups):
    log = PureLog()
    for group in groups:
        log.add(group)
        for digest in {digest for group in groups for digest in group}:
            proof = log.membership(digest)
            added = any(digest == snapshot.event_digest for snapshot in log.snapshots)

            assert proof.exists is added
            log.verify(proof, digest)
            with pytest.raises(VerificationError):
                log.verify(opposite(proof), digest)


def opposite(proof):
    """Return the same nodes with the contrary claim."""
    leaf = proof.hyper_leaf
    return replace(
        proof,
        exists=not proof.exists,
        history=None if proof.exists else (leaf and leaf.history),
        actual_version=proof.current_version if proof.exists or leaf is None else leaf.version,
        hyper_leaf=None,
    )
