"""Plans beside the state, also on top of one another."""

from harness import event, events
from model import Model, snapshot_leaf, snapshot_log_root
from qed.engine.group import Plan, plan_group
from qed.engine.state import State, empty_head


def empty_state() -> State:
    return State(empty_head(b"i" * 16))


def plan(state: State, digests: list[bytes], base: Plan | None = None) -> Plan:
    return plan_group(state, b"".join(digests), base)


GROUPS = [events(0, 3), [event(0)], [event(3), event(3), event(1)], events(4, 12)]


def assert_judged(made: Plan, model: Model, digests: list[bytes]) -> None:
    sequence = made.head.sequence
    snapshots = model.add(digests)
    assert made.first_version == snapshots[0].version
    assert made.history.roots == b"".join(snapshot.history_digest for snapshot in snapshots)
    assert made.head.hyper_digest == snapshots[-1].hyper_digest
    assert made.head.history_digest == snapshots[-1].history_digest
    assert made.head.size == len(model.digests)
    assert made.head.sequence == sequence
    assert made.head.log_id == b"i" * 16
    leaves = list(map(snapshot_leaf, model.snapshots))
    assert (made.frontier.size, made.frontier.root) == (len(leaves), snapshot_log_root(leaves))


def test_a_plan_is_what_the_model_adds() -> None:
    state, model = empty_state(), Model()
    for number, digests in enumerate(GROUPS):
        made = plan(state, digests)
        assert_judged(made, model, digests)
        assert made.head.sequence == number + 1
        state.accept(made)


def test_a_plan_on_a_plan_is_what_the_model_adds() -> None:
    state, model = empty_state(), Model()
    ahead: Plan | None = None
    for digests in GROUPS:
        made = plan(state, digests, ahead)
        assert_judged(made, model, digests)
        if ahead is not None:
            state.accept(ahead)
        ahead = made


def test_a_dropped_plan_leaves_no_trace() -> None:
    state = empty_state()
    state.accept(plan(state, events(0, 5)))
    first = plan(state, events(5, 9))
    second = plan(state, events(9, 12), first)
    assert second.frontier.size == 12
    del first, second
    again = plan(state, events(20, 22))
    state.accept(again)
    model = Model()
    model.add(events(0, 5))
    assert again.head.hyper_digest == model.add(events(20, 22))[-1].hyper_digest


def test_a_plan_changes_nothing_and_comes_out_the_same_again() -> None:
    state = empty_state()
    state.accept(plan(state, events(0, 5)))
    head, digest = state.head, state.ends_digest
    first, second = (plan(state, events(5, 9)) for _ in range(2))
    assert first.head == second.head
    assert first.history.roots == second.history.roots
    assert state.head is head
    assert state.ends_digest == digest
    assert state.hyper.root == head.hyper_digest


def test_the_rows_of_a_plan() -> None:
    state = empty_state()
    state.accept(plan(state, events(0, 2)))
    puts = plan(state, events(2, 5)).puts()
    assert [(family, key) for family, key, _ in puts] == [
        ("log", (2).to_bytes(8, "big")),
        ("ends", (4).to_bytes(8, "big")),
        ("default", b"head"),
        ("default", b"snapshots"),
    ]
    assert puts[0][2] == b"".join(events(2, 5))


def test_a_plan_on_a_plan_keeps_the_nodes_that_it_completes() -> None:
    state, model = empty_state(), Model()
    first = plan(state, events(0, 255))
    second = plan(state, events(255, 260), first)
    assert first.nodes == []
    (node,) = second.nodes
    model.add(events(0, 255))
    model.add(events(255, 260))
    expected = snapshot_log_root([snapshot_leaf(each) for each in model.snapshots[:256]])
    assert node == (1, 0, expected)
    assert ("default", b"node\x01" + bytes(8), expected) in second.puts()
    state.accept(first)
    state.accept(second)
    assert state.frontier == second.frontier
