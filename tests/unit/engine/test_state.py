from hashlib import sha256

import pytest

from harness import events
from model import history_root
from qed.engine.group import Plan, plan_group
from qed.engine.state import State, View, empty_head
from qed.trees import history, hyper


def empty_state() -> State:
    return State(View(empty_head(b"i" * 16), None))


def plan(state: State, digests: list[bytes]) -> Plan:
    return plan_group(state.view.head, state.view.tree, state.frozen, digests)


def test_an_empty_log_stands_at_nothing() -> None:
    head = empty_head(b"i" * 16)
    assert (head.epoch, head.sequence, head.size) == (0, 0, 0)
    assert head.history_digest == bytes(32)
    assert head.hyper_digest == hyper.DEFAULTS[256]


@pytest.mark.parametrize("sizes", [[1] * 20, [20], [3, 1, 9, 7]])
def test_replayed_leaves_are_those_of_accepted_plans(sizes) -> None:
    accepted, replayed = empty_state(), empty_state()
    for size in sizes:
        start = accepted.size
        digests = events(start, start + size)
        accepted.accept(plan(accepted, digests))
        replayed.freeze(digests)
        replayed.end_group(accepted.view.head.hyper_digest)
        assert replayed._levels == accepted._levels
        assert replayed.ends_digest == accepted.ends_digest
        assert replayed.history_root() == accepted.view.head.history_digest
        assert replayed.history_root() == history_root(events(0, start + size), start + size - 1)
    assert replayed.size == accepted.size == 20


def test_a_replayed_state_shows_nothing_before_it_stands_somewhere() -> None:
    state, other = empty_state(), empty_state()
    other.accept(plan(other, events(0, 4)))
    state.freeze(events(0, 4))
    assert state.view.head.size == 0
    state.stand_at(other.view.head, other.view.tree)
    assert state.view == other.view


def test_frozen_nodes_are_read_by_position() -> None:
    state = empty_state()
    state.freeze(events(0, 6))
    leaves = [history.leaf_hash(digest, version) for version, digest in enumerate(events(0, 6))]
    pair = history.inner_hash(leaves[2], leaves[3], (2, 1))
    assert state.frozen([(5, 0), (2, 1)]) == [leaves[5], pair]
    assert state.frozen([]) == []


@pytest.mark.parametrize("position", [(6, 0), (6, 1)])
def test_a_node_that_is_not_frozen_is_a_bug(position) -> None:
    state = empty_state()
    state.freeze(events(0, 6))
    with pytest.raises(AssertionError, match="not frozen yet"):
        state.frozen([position])


def test_a_plan_cannot_be_accepted_twice() -> None:
    state = empty_state()
    made = plan(state, events(0, 2))
    state.accept(made)
    with pytest.raises(AssertionError, match="not the next one"):
        state.accept(made)


def test_an_older_view_stays_as_it_was() -> None:
    state = empty_state()
    state.accept(plan(state, events(0, 3)))
    view = state.view
    state.accept(plan(state, events(3, 9)))
    assert view.head.size == 3
    assert hyper.get(view.tree, events(3, 4)[0]) is None
    assert history.root(state.frozen, 2) == view.head.history_digest


def test_the_ends_are_counted_in_order() -> None:
    state = empty_state()
    state.end_group(b"a" * 32)
    state.end_group(b"b" * 32)
    assert state.ends_digest == sha256(b"a" * 32 + b"b" * 32).digest()
