"""The roots that a proof implies are those of the log that made it."""

import dataclasses

import pytest

from pure_log import PureLog, event_digests, flip_bit
from qed.errors import VerificationError
from qed.trees.values import MembershipProof
from qed.workload import roots


@pytest.fixture(name="log")
def log_of_many():
    log = PureLog()
    digests = event_digests(37)
    log.add(digests[:10])
    for digest in digests[10:]:
        log.add([digest])
    return log


@pytest.mark.parametrize("number", [0, 5, 9, 10, 36])
def test_a_proof_of_presence_implies_both_roots(log, number):
    digest = event_digests(37)[number]
    proof = log.membership(digest)

    assert roots.hyper_root(proof) == log.snapshots[36].hyper_digest
    implied = roots.history_root(proof.history, digest, proof.actual_version, 36)
    assert implied == log.snapshots[36].history_digest


@pytest.mark.parametrize("bit", [0, 31, 100, 250, 255])
def test_a_proof_of_absence_implies_them_too(log, bit):
    proof = log.membership(flip_bit(event_digests(37)[3], bit))

    assert not proof.exists
    assert roots.hyper_root(proof) == log.snapshots[36].hyper_digest
    leaf = proof.hyper_leaf
    if leaf is not None:
        implied = roots.history_root(leaf.history, leaf.key_digest, leaf.version, 36)
        assert implied == log.snapshots[36].history_digest


@pytest.mark.parametrize(("start", "end"), [(0, 0), (0, 36), (7, 8), (31, 32), (35, 36), (5, 30)])
def test_an_incremental_proof_implies_two_roots(log, start, end):
    implied = roots.history_roots(log.incremental(start, end))

    assert implied == (log.snapshots[start].history_digest, log.snapshots[end].history_digest)


def test_a_node_too_few_is_said(log):
    digest = event_digests(1)[0]
    proof = log.membership(digest)
    for position in list(proof.hyper)[:-1]:  # without the last it would be a shorter path
        less = {key: node for key, node in proof.hyper.items() if key != position}
        with pytest.raises(VerificationError, match="lacks"):
            roots.hyper_root(dataclasses.replace(proof, hyper=less))
    for position in proof.history:
        less = {key: node for key, node in proof.history.items() if key != position}
        with pytest.raises(VerificationError, match="lacks"):
            roots.history_root(less, digest, 0, 36)


def test_an_incremental_path_too_short_is_said(log):
    proof = log.incremental(3, 30)
    for position in proof.audit_path:
        less = {key: node for key, node in proof.audit_path.items() if key != position}
        with pytest.raises(VerificationError, match="lacks the leaf"):
            roots.history_roots(dataclasses.replace(proof, audit_path=less))


def test_a_range_backwards_is_said(log):
    proof = dataclasses.replace(log.incremental(3, 30), start=31)

    with pytest.raises(VerificationError, match="after the end"):
        roots.history_roots(proof)


def test_a_path_of_more_than_256_nodes_is_said():
    path = {(n, 0): bytes(32) for n in range(257)}
    proof = MembershipProof(True, path, {}, 0, 0, 0, bytes(32))  # noqa: FBT003 - its first field

    with pytest.raises(VerificationError, match="256"):
        roots.hyper_root(proof)
