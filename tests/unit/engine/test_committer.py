"""The writer on a database of our own, which stops, fails, and fails after it has written."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future

import pytest

from harness import event, events
from model import Model
from qed.database import Put
from qed.engine.committer import AHEAD_EVENTS, Committer
from qed.engine.requests import Added, Limits
from qed.engine.state import State, empty_head
from qed.errors import (
    BusyError,
    FatalError,
    MalformedError,
    QedError,
    StoppingError,
    StorageError,
    TooLargeError,
)


class FakeDatabase:
    """Holds groups back at a gate, and fails as it is told."""

    def __init__(self) -> None:
        self.commits: list[Sequence[Put]] = []
        self.arrived = threading.Semaphore(0)  # a commit has begun
        self.gate = threading.Semaphore(0)  # a commit may end
        self.open = True  # the gate is not asked
        self.before: BaseException | None = None  # raised, nothing written
        self.after: BaseException | None = None  # raised, all written

    def commit(self, puts: Sequence[Put]) -> None:
        self.arrived.release()
        if not self.open:
            self.gate.acquire()
        if self.before is not None:
            raise self.before
        self.commits.append(puts)
        if self.after is not None:
            raise self.after

    @property
    def group_sizes(self) -> list[int]:
        return [len(puts[0][2]) // 32 for puts in self.commits]


class Rig:
    def __init__(self) -> None:
        self.database = FakeDatabase()
        self.state = State(empty_head(b"i" * 16))
        self._committers: list[Committer] = []

    def start(self, limits: Limits = Limits()) -> Committer:  # noqa: B008 - a frozen value
        committer = Committer(self.database, self.state, limits)  # type: ignore[arg-type]
        self._committers.append(committer)
        return committer

    def stop(self) -> None:
        self.database.open = True
        for _ in range(100):
            self.database.gate.release()
        for committer in self._committers:
            committer.stop()


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.stop()


@pytest.fixture
def held(rig: Rig) -> Rig:
    """A rig whose first group is being committed; what comes now gathers."""
    rig.database.open = False
    return rig


def hold_first(rig: Rig, limits: Limits = Limits()) -> tuple[Committer, Future[Added]]:  # noqa: B008 - a frozen value
    committer = rig.start(limits)
    first = committer.submit([event(0)])
    assert rig.database.arrived.acquire(timeout=10)
    return committer, first


def let_go(rig: Rig) -> None:
    rig.database.open = True
    rig.database.gate.release()


def test_an_answer_is_the_models(rig) -> None:
    committer, model = rig.start(), Model()
    for digests in (events(0, 3), [event(0)], [event(3), event(3)]):
        added = committer.submit(digests).result(timeout=10)
        assert added.snapshots() == model.add(digests)


def test_what_arrives_during_a_commit_joins_into_one_group(held) -> None:
    committer, first = hold_first(held)
    futures = [committer.submit(digests) for digests in (events(1, 3), [event(1)], events(3, 5))]
    let_go(held)
    answers = [future.result(timeout=10) for future in (first, *futures)]
    assert held.database.group_sizes == [1, 5]
    assert [answer.first_version for answer in answers] == [0, 1, 3, 4]
    model = Model()
    expected = [*model.add([event(0)]), *model.add([*events(1, 3), event(1), *events(3, 5)])]
    assert [snapshot for answer in answers for snapshot in answer.snapshots()] == expected


def test_the_first_of_equal_events_keeps_the_entry_across_joined_requests(held) -> None:
    committer, _ = hold_first(held)
    last = [committer.submit([event(7)]) for _ in range(3)][-1]
    let_go(held)
    last.result(timeout=10)
    model = Model()
    model.add([event(0)])
    model.add([event(7)] * 3)
    assert held.state.head.hyper_digest == model.snapshots[-1].hyper_digest


def test_a_request_is_never_split(held) -> None:
    committer, _ = hold_first(held, Limits(group_events=5))
    futures = [committer.submit(events(n, n + 3)) for n in (1, 4, 7)]
    small = committer.submit([event(99)])
    let_go(held)
    versions = [future.result(timeout=10).first_version for future in (*futures, small)]
    assert held.database.group_sizes == [1, 3, 3, 4]
    assert versions == [1, 4, 7, 10], "in order of arrival"


def test_rows_are_committed_before_anybody_sees_them(held) -> None:
    committer, first = hold_first(held)
    assert held.state.head.size == 0
    assert not first.done()
    let_go(held)
    first.result(timeout=10)
    assert held.state.head.size == 1
    committer.stop()


@pytest.mark.parametrize(
    ("digests", "error"),
    [
        ([], MalformedError),
        ([b"x" * 31], MalformedError),
        ([event(0), b"x" * 64], MalformedError),
        (events(0, 4), TooLargeError),
    ],
)
def test_requests_that_no_group_can_hold_are_refused_at_once(rig, digests, error) -> None:
    committer = rig.start(Limits(group_events=3))
    with pytest.raises(error):
        committer.submit(digests)
    committer.stop()
    assert rig.database.commits == []


def test_a_full_queue_is_busy_by_requests(held) -> None:
    committer, _ = hold_first(held, Limits(queue_requests=2))
    futures = [committer.submit([event(n)]) for n in (1, 2)]
    with pytest.raises(BusyError, match="2 requests wait") as busy:
        committer.submit([event(3)])
    assert busy.value.hint
    let_go(held)
    assert [future.result(timeout=10).first_version for future in futures] == [1, 2]
    assert committer.submit([event(3)]).result(timeout=10).first_version == 3


def test_a_full_queue_is_busy_by_events(held) -> None:
    committer, _ = hold_first(held, Limits(group_events=100, queue_events=10))
    large = committer.submit(events(1, 40))  # alone in the queue, it is taken whatever its size
    with pytest.raises(BusyError, match="39 events wait"):
        committer.submit([event(50)])
    let_go(held)
    assert large.result(timeout=10).first_version == 1
    assert committer.submit(events(50, 60)).result(timeout=10).first_version == 40


def test_a_request_cancelled_in_time_adds_nothing(held) -> None:
    committer, first = hold_first(held)
    cancelled, kept = committer.submit([event(1)]), committer.submit([event(2)])
    assert cancelled.cancel()
    assert not first.cancel(), "its group is being committed"
    let_go(held)
    assert kept.result(timeout=10).first_version == 1
    assert held.state.head.size == 2


def test_stop_commits_what_is_queued_and_refuses_the_rest(held) -> None:
    committer, first = hold_first(held)
    queued = committer.submit([event(1)])
    stopper = threading.Thread(target=committer.stop)
    stopper.start()
    with committer._arrival:
        assert committer._arrival.wait_for(lambda: committer._stopping, timeout=10)
    with pytest.raises(StoppingError):
        committer.submit([event(2)])
    let_go(held)
    stopper.join()
    assert first.result(timeout=0).first_version == 0
    assert queued.result(timeout=0).first_version == 1
    committer.stop()


def test_at_rest_no_group_is_committed(held) -> None:
    committer, first = hold_first(held)
    assert committer._commit_lock.locked(), "a commit keeps out who needs the database at rest"
    let_go(held)
    first.result(timeout=10)
    with committer.at_rest():
        waiting = committer.submit([event(1)])
        assert not waiting.done()
    assert waiting.result(timeout=10).first_version == 1


Break = Callable[[FakeDatabase, BaseException], None]


def fail_not_applied(database: FakeDatabase, error: BaseException) -> None:
    database.before = error


def fail_but_applied(database: FakeDatabase, error: BaseException) -> None:
    database.after = error


@pytest.mark.parametrize("break_it", [fail_not_applied, fail_but_applied])
@pytest.mark.parametrize(
    "error", [StorageError("cannot write", errno=28, hint="free some space"), RuntimeError("a bug")]
)
def test_a_failed_commit_stops_the_log(held, break_it: Break, error) -> None:
    committer, first = hold_first(held)
    joined = [committer.submit([event(n)]) for n in (1, 2)]
    break_it(held.database, error)
    let_go(held)
    failure = first.exception(timeout=10)
    assert isinstance(failure, FatalError)
    assert "whether the events are in the log shows its next start" in str(failure)
    for future in joined:
        waited = future.exception(timeout=10)
        assert isinstance(waited, FatalError)
        assert str(waited).startswith("nothing was added, the log has stopped: ")
        assert "shows its next start" not in str(waited), "that is known already"
    with pytest.raises(FatalError, match="nothing was added, the log has stopped"):
        committer.submit([event(3)])
    assert isinstance(committer.failure, FatalError)
    assert held.state.head.size == 0, "nobody sees what may not be there"
    assert len(held.database.commits) == (break_it is fail_but_applied)
    committer.stop()


def test_the_reason_of_a_failure_is_kept(held) -> None:
    committer, first = hold_first(held)
    held.database.before = StorageError("cannot write", errno=28, hint="free some space")
    let_go(held)
    failure = first.exception(timeout=10)
    assert isinstance(failure, StorageError)
    assert failure.errno == 28
    assert failure.hint == "free some space"
    assert committer.failure is not None
    with pytest.raises(StorageError) as refused:
        committer.submit([event(1)])
    assert refused.value.errno == 28


def test_a_plan_that_fails_leaves_nobody_waiting(rig, monkeypatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(rig.state, "plan", broken)
    committer = rig.start()
    failure = committer.submit([event(0)]).exception(timeout=10)
    assert isinstance(failure, FatalError)
    assert "ZeroDivisionError" in str(failure)
    assert rig.database.commits == []


def test_many_threads_get_each_version_once(rig) -> None:
    committer = rig.start(Limits(group_events=7))
    versions: list[int] = []
    errors: list[QedError] = []

    def add(thread: int) -> None:
        for number in range(20):
            try:
                added = committer.submit([event(100 * thread + number)]).result(timeout=10)
                versions.append(added.first_version)
            except QedError as error:
                errors.append(error)

    threads = [threading.Thread(target=add, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(versions) == list(range(160))
    assert max(rig.database.group_sizes) <= 7


def test_a_callback_is_told_on_the_writers_thread_in_order(held) -> None:
    committer, first = hold_first(held)
    told: list[tuple[object, str]] = []
    everybody = threading.Event()

    def done(outcome: object) -> None:
        told.append((outcome, threading.current_thread().name))
        if len(told) == 3:
            everybody.set()

    for number in range(1, 4):
        committer.submit_with(event(number), done)
    let_go(held)
    assert first.result(timeout=10).first_version == 0
    assert everybody.wait(timeout=10)
    assert [outcome.first_version for outcome, _ in told] == [1, 2, 3]
    assert {thread for _, thread in told} == {"qed-writer"}


def test_a_callbacks_digests_are_whole(rig) -> None:
    committer = rig.start()
    for digests in (b"", b"x" * 33):
        with pytest.raises(MalformedError):
            committer.submit_with(digests, lambda _: None)
    committer.stop()
    assert rig.database.commits == []


@pytest.mark.parametrize("failing", [False, True])
def test_a_callback_that_raises_is_logged_and_the_others_are_told(held, caplog, failing) -> None:
    committer, first = hold_first(held)
    told: list[object] = []
    everybody = threading.Event()

    def broken(_outcome: object) -> None:
        raise ZeroDivisionError

    def done(outcome: object) -> None:
        told.append(outcome)
        everybody.set()

    committer.submit_with(event(1), broken)
    committer.submit_with(event(2), done)
    if failing:
        fail_not_applied(held.database, StorageError("cannot write", errno=5))
    let_go(held)
    first.exception(timeout=10)
    assert everybody.wait(timeout=10)
    assert isinstance(told[0], FatalError) == failing
    assert (committer.failure is not None) == failing
    assert [record.exc_info[0] for record in caplog.records] == [ZeroDivisionError]


def pipelined(held: Rig) -> tuple[Committer, list[Future[Added]]]:
    """Hold the second group at the disk, by the second thread, and let a third wait behind it."""
    committer, first = hold_first(held, Limits(group_events=AHEAD_EVENTS))
    many = [events(n * 1000, n * 1000 + AHEAD_EVENTS) for n in range(1, 4)]
    futures = [first, *(committer.submit(digests) for digests in many)]
    held.database.gate.release()  # the first lands; the second goes to the disk
    assert held.database.arrived.acquire(timeout=10)
    return committer, futures


def note_plans_ahead(held: Rig, monkeypatch) -> threading.Semaphore:
    """Return what is released whenever a plan on top of another was made."""
    planned = threading.Semaphore(0)
    plan = held.state.plan

    def noted(digests, base=None):
        made = plan(digests, base)
        if base is not None:
            planned.release()
        return made

    monkeypatch.setattr(held.state, "plan", noted)
    return planned


def test_the_next_group_is_planned_while_this_one_is_on_its_way(held, monkeypatch) -> None:
    planned = note_plans_ahead(held, monkeypatch)
    _, futures = pipelined(held)
    assert planned.acquire(timeout=10), "on top of a group that is not on disk"
    assert not futures[1].done(), "nobody is told before the disk has it"
    assert held.state.head.size == 1, "nobody sees it either"
    let_go(held)
    for _ in range(3):
        held.database.gate.release()
    answers = [future.result(timeout=10) for future in futures]
    model = Model()
    for answer in answers:
        assert answer.snapshots() == model.add(answer.event_digests)
    assert held.database.group_sizes == [1, *[AHEAD_EVENTS] * 3]


@pytest.mark.parametrize("break_it", [fail_not_applied, fail_but_applied])
def test_a_failed_commit_drops_the_plan_on_top_of_it(held, break_it: Break, monkeypatch) -> None:
    planned = note_plans_ahead(held, monkeypatch)
    committer, futures = pipelined(held)
    assert planned.acquire(timeout=10)
    break_it(held.database, StorageError("cannot write", errno=5))
    let_go(held)
    outcomes = [str(future.exception(timeout=10)) for future in futures[1:]]
    assert "whether the events are in the log shows its next start" in outcomes[0]
    assert not outcomes[0].startswith("nothing was added")
    assert all(outcome.startswith("nothing was added") for outcome in outcomes[1:])
    assert held.state.head.size == 1
    assert len(held.database.commits) == 1 + (break_it is fail_but_applied)
    with committer.at_rest():
        pass  # the lock was given back


def test_a_plan_that_fails_lets_the_group_before_it_land(held, monkeypatch) -> None:
    plan, tried = held.state.plan, threading.Event()

    def broken(digests, base=None):
        if base is not None:
            tried.set()
            raise ZeroDivisionError
        return plan(digests)

    monkeypatch.setattr(held.state, "plan", broken)
    committer, futures = pipelined(held)
    assert tried.wait(timeout=10)
    let_go(held)
    assert futures[1].result(timeout=10).first_version == 1
    for future in futures[2:]:
        assert "ZeroDivisionError" in str(future.exception(timeout=10))
    assert held.state.head.size == 1 + AHEAD_EVENTS
    with committer.at_rest():
        pass


def test_a_failure_while_others_are_at_rest_leaves_them_alone(rig, monkeypatch) -> None:
    monkeypatch.setattr(rig.state, "plan", lambda *_: 1 / 0)
    committer = rig.start()
    with committer.at_rest():
        assert committer.submit([event(0)]).exception(timeout=10) is not None
        assert committer._commit_lock.locked()
