import pytest

import model
from harness import ABSENT, event, events
from qed.engine import proofs
from qed.engine.state import State, empty_head
from qed.errors import MalformedError, NotProvenError
from qed.trees.paths import unflatten_incremental, unflatten_membership
from qed.trees.values import NO_VERSION, HyperLeaf


def prove_membership(state: State, digest: bytes, version: int | None):
    return unflatten_membership(proofs.prove_membership(state, digest, version))


def prove_incremental(state: State, start: int, end: int):
    return unflatten_incremental(proofs.prove_incremental(state, start, end))


def state_of(*groups: list[bytes]) -> State:
    state = State(empty_head(b"i" * 16))
    for digests in groups:
        state.accept(state.plan(b"".join(digests)))
    return state


@pytest.fixture
def state() -> State:
    return state_of(events(0, 4), [event(1)], events(4, 7))


def test_proofs_are_the_models(state) -> None:
    judge = model.Model()
    for digests in (events(0, 4), [event(1)], events(4, 7)):
        judge.add(digests)
    for version in (None, 7, 100, NO_VERSION):
        for digest in [*events(0, 7), *ABSENT]:
            proof = prove_membership(state, digest, version)
            assert proof == judge.membership(digest, version)
    assert prove_incremental(state, 2, 6) == judge.incremental(2, 6)


def test_a_later_entry_than_the_version_is_not_proven(state) -> None:
    with pytest.raises(NotProvenError) as refusal:
        prove_membership(state, event(6), 5)
    assert str(refusal.value) == ("actual version 7 is greater than the query version which is 5")
    with pytest.raises(NotProvenError, match=r"actual version 4 .* which is 1"):
        prove_membership(state, event(1), 1)


def test_a_version_beyond_the_log_is_answered_as_of_the_newest(state) -> None:
    proof = prove_membership(state, event(6), 1000)
    assert (proof.query_version, proof.current_version, proof.actual_version) == (1000, 7, 7)


def test_an_absence_carries_the_leaf_that_it_met_as_of_now(state) -> None:
    # The digest shares 30 bytes with one in the log: the walk ends at that one's leaf.
    near = event(2)[:30] + bytes(2)
    proof = prove_membership(state, near, 3)
    assert not proof.exists
    assert proof.history is None
    assert proof.actual_version == 3
    expected = prove_membership(state, event(2), None)
    assert expected.history is not None
    assert proof.hyper_leaf == HyperLeaf(event(2), 2, expected.history)


def test_an_absence_that_ends_at_nothing_carries_no_leaf() -> None:
    state = state_of([b"\xff" * 32])
    proof = prove_membership(state, b"\x00" * 32, None)
    assert not proof.exists
    assert proof.hyper_leaf is None


def test_an_empty_log_knows_nothing() -> None:
    state = state_of()
    proof = prove_membership(state, event(0), None)
    assert (proof.exists, proof.hyper, proof.hyper_leaf) == (False, {}, None)
    assert {proof.current_version, proof.query_version, proof.actual_version} == {NO_VERSION}
    asked = prove_membership(state, event(0), 5)
    assert (asked.query_version, asked.actual_version, asked.current_version) == (5, 5, NO_VERSION)


@pytest.mark.parametrize(("start", "end"), [(1, 0), (0, 8), (8, 8), (3, NO_VERSION)])
def test_a_range_that_is_none_is_not_proven(state, start, end) -> None:
    with pytest.raises(NotProvenError) as refusal:
        prove_incremental(state, start, end)
    assert str(refusal.value) == "unable to process proof from history tree: invalid range"


def test_an_empty_log_has_no_range() -> None:
    state = state_of()
    with pytest.raises(NotProvenError):
        prove_incremental(state, 0, 0)


@pytest.mark.parametrize("version", [-1, NO_VERSION + 1])
def test_numbers_that_are_no_versions_are_refused(state, version) -> None:
    for call in (
        lambda: prove_membership(state, event(0), version),
        lambda: prove_incremental(state, version, 3),
        lambda: prove_incremental(state, 0, version),
    ):
        with pytest.raises(MalformedError, match="a version lies between 0 and"):
            call()


@pytest.mark.parametrize("size", [0, 31, 33])
def test_digests_of_another_length_are_refused(state, size) -> None:
    with pytest.raises(MalformedError, match=f"has 32 bytes, not {size}"):
        prove_membership(state, bytes(size), None)
