"""What memory holds of a log: what replay makes is what accepting makes, and the bound is kept."""

from hashlib import sha256

import pytest

from harness import event, events
from model import history_root
from qed.engine.state import State, empty_head
from qed.trees import hyper


def empty_state() -> State:
    return State(empty_head(b"i" * 16))


def test_an_empty_log_stands_at_nothing() -> None:
    head = empty_head(b"i" * 16)
    assert (head.epoch, head.sequence, head.size) == (0, 0, 0)
    assert head.history_digest == bytes(32)
    assert head.hyper_digest == hyper.DEFAULTS[256]


@pytest.mark.parametrize("sizes", [[1] * 20, [20], [3, 1, 9, 7]])
def test_a_replayed_state_is_that_of_accepted_plans(sizes) -> None:
    accepted, replayed = empty_state(), empty_state()
    for size in sizes:
        start = accepted.size
        digests = b"".join(events(start, start + size))
        accepted.accept(accepted.plan(digests))
        replayed.history.freeze(digests)
        roots = replayed.hyper.extend(digests, [size])
        replayed.end_groups(roots)
        assert roots == accepted.head.hyper_digest == replayed.hyper.root
        assert replayed.ends_digest == accepted.ends_digest
        assert replayed.history_root() == accepted.head.history_digest
        assert replayed.history_root() == history_root(events(0, start + size), start + size - 1)
    assert replayed.size == accepted.size == 20


def test_a_replayed_state_shows_nothing_before_it_stands_somewhere() -> None:
    state, other = empty_state(), empty_state()
    other.accept(other.plan(b"".join(events(0, 4))))
    state.history.freeze(b"".join(events(0, 4)))
    assert state.head.size == 0
    state.stand_at(other.head)
    assert state.head == other.head


def test_a_plan_cannot_be_accepted_twice() -> None:
    state = empty_state()
    made = state.plan(event(0))
    state.accept(made)
    with pytest.raises(ValueError, match="after 1 events"):
        state.accept(made)
    assert state.head.size == 1


def test_who_follows_the_log_is_told_after_each_group() -> None:
    state = empty_state()
    assert not state.changed.is_set()
    state.accept(state.plan(event(0)))
    assert state.changed.is_set()
    assert state.frontier.size == state.head.size == 1
    state.changed.clear()
    state.accept(state.plan(event(1)))
    assert state.changed.is_set()


def test_the_ends_are_counted_in_order() -> None:
    state = empty_state()
    state.end_groups(b"a" * 32)
    state.end_groups(b"b" * 32 + b"c" * 32)
    assert state.ends_digest == sha256(b"a" * 32 + b"b" * 32 + b"c" * 32).digest()


class Trees:
    """Both trees as the bound sees them."""

    def __init__(self, memory_bytes: int) -> None:
        self.memory_bytes = memory_bytes
        self.budget_bytes: int | None = None
        self.kept: list[int] = []

    def forget(self, keep_bytes: int) -> int:
        self.kept.append(keep_bytes)
        freed = max(0, self.memory_bytes - max(keep_bytes, 10))  # ten can never be let go of
        self.memory_bytes -= freed
        return freed


@pytest.mark.parametrize(
    ("history", "hyper_bytes", "kept", "budget"),
    [
        (40, 50, [], 60),  # both fit: the hyper tree may take what is left
        (60, 50, [50], 50),  # digests go first
        (60, 95, [5], 90),  # some digests always stay
        (60, 120, [0], 90),  # and the hyper tree goes to its pages
    ],
)
def test_the_bound_of_memory_is_shared(history, hyper_bytes, kept, budget) -> None:
    state = State(empty_head(b"i" * 16), cache_bytes=100)
    digests, tree = Trees(history), Trees(hyper_bytes)
    state.history, state.hyper = digests, tree  # type: ignore[assignment]
    state.trim()
    assert digests.kept == kept
    assert tree.budget_bytes == budget
