"""Flat proofs: the positions that digest and versions imply, and the way there and back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mutations
import vector_files
from laws import digests, logs
from pure_log import PureLog, event_digests
from qed.trees import history, hyper, paths
from qed.trees.values import NO_VERSION, FlatMembership, HyperLeaf, IncrementalProof

SIZES = range(1, 40)


def log_of(count: int) -> PureLog:
    log = PureLog()
    log.add(event_digests(count))
    return log


def memberships() -> list:
    """Every answer of the vectors, wherever it stands in them."""

    def collect(value):
        if isinstance(value, dict):
            if "Exists" in value:
                return [vector_files.membership(value)]
            value = list(value.values())
        return [one for inner in value for one in collect(inner)] if isinstance(value, list) else []

    names = ("membership", "edges", "near_digests", "absence")
    return [proof for name in names for proof in collect(vector_files.load(f"{name}.json"))]


def test_history_positions_are_in_the_order_of_the_prover():
    for size in SIZES:
        log = log_of(size)
        for version in range(size):
            for leaf in range(version + 1):
                path = history.prove_membership(log.read, leaf, version)
                assert paths.membership_positions(leaf, version) == list(path)
                path = history.prove_incremental(log.read, leaf, version)
                assert paths.incremental_positions(leaf, version) == list(path)


@given(st.dictionaries(digests, st.integers(0, 99), min_size=1, max_size=20), digests)
def test_hyper_positions_are_in_the_order_of_the_prover(members, digest):
    walk = hyper.walk(hyper.insert(None, list(members.items())), digest)

    assert paths.hyper_positions(digest, len(walk.path)) == list(walk.path)


@pytest.mark.parametrize(("leaf", "version"), [(0, NO_VERSION), (NO_VERSION, NO_VERSION)])
def test_the_largest_versions_have_positions(leaf, version):
    assert len(paths.membership_positions(leaf, version)) == 64
    assert len(paths.incremental_positions(leaf, version)) == (65 if leaf == version else 128)
    assert len(paths.hyper_positions(b"\xff" * 32, 256)) == 256


@given(logs, digests, st.none() | st.integers(0, 60))
def test_a_proof_of_membership_goes_there_and_back(groups, digest, version):
    log = PureLog()
    for group in groups:
        log.add(group)
    as_of = len(log.snapshots) - 1 if version is None else version
    for wanted in {digest, groups[0][0], groups[-1][-1]}:
        if (hyper.get(log.tree, wanted) or 0) > min(as_of, len(log.snapshots) - 1):
            continue
        proof = log.membership(wanted, version)
        flat = paths.flatten_membership(proof)

        assert flat is not None
        assert paths.unflatten_membership(flat) == proof
        assert paths.unflatten_membership(flat, b"event").key == b"event"


def test_every_answer_of_the_vectors_goes_there_and_back():
    proofs = memberships()
    assert len(proofs) > 200
    for proof in proofs:
        flat = paths.flatten_membership(proof)
        assert flat is not None
        assert paths.unflatten_membership(flat) == proof


def test_the_answer_of_an_empty_log_is_flat():
    flat = paths.flatten_membership(PureLog().membership(bytes(32)))

    assert flat == FlatMembership(
        exists=False,
        current_version=NO_VERSION,
        query_version=NO_VERSION,
        actual_version=NO_VERSION,
        key_digest=bytes(32),
        hyper=b"",
        history=None,
    )


def test_a_proof_of_an_increment_goes_there_and_back():
    log = log_of(21)
    for end in range(21):
        for start in range(end + 1):
            proof = log.incremental(start, end)
            flat = paths.flatten_incremental(proof)
            assert flat is not None
            assert paths.unflatten_incremental(flat) == proof


def test_a_flat_form_never_hides_a_change():
    """What has a flat form comes back from it as it was, whatever was done to it."""
    log = log_of(11)
    present, absent = log.membership(event_digests(4)[3], 7), log.membership(bytes(32))
    met = log.membership(event_digests(4)[3][:31] + b"\x00")
    assert met.hyper_leaf is not None
    changed = [
        *mutations.hyper_paths(present),
        *mutations.history_paths(present),
        *mutations.membership_numbers(present),
        *mutations.membership_numbers(absent),
        *mutations.hyper_paths(met),
        *mutations.hyper_leaves(met),
    ]
    for what, proof in changed:
        flat = paths.flatten_membership(proof)
        back = flat and replace(paths.unflatten_membership(flat), key=proof.key)
        assert flat is None or back == proof, what
    for what, increment in mutations.incremental_proofs(log.incremental(3, 8)):
        flat = paths.flatten_incremental(increment)
        assert flat is None or paths.unflatten_incremental(flat) == increment, what


@pytest.mark.parametrize(
    "changes",
    [
        {"exists": False},
        {"history": None},
        {"hyper_leaf": HyperLeaf(bytes(32), 0, {})},
        {"hyper_leaf": HyperLeaf(bytes(31), 0, {})},
        {"key_digest": bytes(31)},
        {"actual_version": True},
        {"actual_version": 11},
        {"current_version": -1},
        {"query_version": NO_VERSION + 1},
        {"hyper": {(0, height): bytes(32) for height in range(257)}},
        {"hyper": {}, "history": {(0, 0): bytearray(32)}},
    ],
)
def test_what_has_no_flat_form(changes):
    proof = log_of(11).membership(event_digests(4)[3])

    assert paths.flatten_membership(replace(proof, **changes)) is None


@pytest.mark.parametrize(("start", "end"), [(1, 0), (-1, 0), (0, NO_VERSION + 1), (True, 1)])
def test_an_increment_of_other_numbers_has_no_flat_form(start, end):
    assert paths.flatten_incremental(IncrementalProof(start, end, {})) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"hyper": bytes(33)},
        {"history": bytes(32)},
        {"actual_version": 11},
        {"leaf_digest": bytes(32)},
    ],
)
def test_a_flat_proof_that_contradicts_itself_is_a_bug(changes):
    flat = paths.flatten_membership(log_of(11).membership(event_digests(4)[3]))
    assert flat is not None

    with pytest.raises(AssertionError):
        paths.unflatten_membership(flat._replace(**changes))
