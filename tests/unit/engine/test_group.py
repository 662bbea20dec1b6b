from harness import event, events
from model import Model
from qed.engine.group import newest_entries, plan_group
from qed.engine.state import State, View, empty_head
from qed.trees import hyper


def empty_state() -> State:
    return State(View(empty_head(b"i" * 16), None))


def test_a_plan_is_what_the_model_adds() -> None:
    state, model = empty_state(), Model()
    for digests in (events(0, 3), [event(0)], [event(3), event(3), event(1)], events(4, 12)):
        view = state.view
        plan = plan_group(view.head, view.tree, state.frozen, digests)
        snapshots = model.add(digests)
        assert plan.first_version == snapshots[0].version
        assert list(plan.history_digests) == [snapshot.history_digest for snapshot in snapshots]
        assert plan.head.hyper_digest == snapshots[-1].hyper_digest
        assert plan.head.history_digest == snapshots[-1].history_digest
        assert plan.head.size == len(model.digests)
        assert plan.head.sequence == view.head.sequence + 1
        assert plan.head.log_id == b"i" * 16
        state.accept(plan)


def test_a_plan_changes_nothing_and_comes_out_the_same_again() -> None:
    state = empty_state()
    state.accept(plan_group(state.view.head, None, state.frozen, events(0, 5)))
    view, digest = state.view, state.ends_digest
    plans = [plan_group(view.head, view.tree, state.frozen, events(5, 9)) for _ in range(2)]
    assert plans[0] == plans[1]
    assert state.view is view
    assert state.ends_digest == digest
    assert hyper.get(view.tree, event(5)) is None


def test_the_first_of_equal_events_keeps_the_entry() -> None:
    assert newest_entries(7, [event(1), event(2), event(1)]) == {event(1): 7, event(2): 8}


def test_the_rows_of_a_plan() -> None:
    state = empty_state()
    state.accept(plan_group(state.view.head, None, state.frozen, events(0, 2)))
    plan = plan_group(state.view.head, state.view.tree, state.frozen, events(2, 5))
    families = [(family, key) for family, key, _ in plan.puts()]
    assert families == [
        ("log", (2).to_bytes(8, "big")),
        ("ends", (4).to_bytes(8, "big")),
        ("default", b"head"),
    ]
    assert plan.puts()[0][2] == b"".join(events(2, 5))
