"""The native history tree over many chunks: what it lets go of, reads back, and never moves."""

from __future__ import annotations

import gc
import random
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels import native, needs_native
from qed.errors import DamagedError
from qed.trees import history
from qed.trees.twin import History
from qed.trees.values import Position

pytestmark = needs_native

CHUNK = 32_768  # versions whose digests are forgotten together
BLOCK = 256  # versions that are read back together
EVENTS = 3 * CHUNK + 1500


def draws(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same in every run


ALL = draws(4).randbytes(32 * EVENTS)


@pytest.fixture(name="judge", scope="module")
def the_judge() -> History:
    judge = History()
    judge.freeze(ALL)
    return judge


class Disk:
    """Reads digests back, and keeps count of what was asked."""

    def __init__(self) -> None:
        """Start with nothing asked."""
        self.asked: list[tuple[int, int]] = []

    def read(self, first: int, stop: int) -> bytes:
        self.asked.append((first, stop))
        return ALL[32 * first : 32 * stop]


def some(first: int, stop: int) -> bytes:
    return ALL[32 * first : 32 * stop]


def told(disk: Disk | None, size: int) -> Any:
    assert native is not None
    tree = native.History(disk.read if disk else None)
    tree.freeze(some(0, size))
    return tree


def check(tree: Any, judge: History, start: int, end: int) -> None:
    """Ask everything about two versions."""
    assert tree.root(end) == judge.root(end)
    assert tree.digest(start) == judge.digest(start)
    assert tree.prove_membership(start, end) == judge.prove_membership(start, end)
    assert tree.prove_incremental(start, end) == judge.prove_incremental(start, end)


EDGES = sorted(
    {0, 1, EVENTS - 1}
    | {
        at + off
        for at in (BLOCK, 2 * BLOCK, CHUNK, 2 * CHUNK, 3 * CHUNK, CHUNK + CHUNK // 2)
        for off in (-257, -17, -2, -1, 0, 1, 15, 16, 17, 256)
        if at + off >= 0
    }
)


@pytest.mark.parametrize("forget", [False, True])
def test_proofs_between_all_edges(judge: History, *, forget: bool) -> None:
    tree = told(Disk(), EVENTS)
    if forget:
        tree.forget(0)
    for end in EDGES:
        for start in EDGES:
            if start <= end:
                check(tree, judge, start, end)


def test_groups_over_the_ends_of_chunks(judge: History) -> None:
    tree = told(None, CHUNK - 700)
    plan = None
    while tree.size < EVENTS - 1400:
        plan = tree.plan(some(tree.size, tree.size + 1399))
        assert plan.roots[:32] == judge.root(plan.first_version)
        assert plan.roots[-32:] == judge.root(plan.size - 1)
        tree.accept(plan)
    large = tree.plan(some(tree.size, EVENTS), None)
    tree.accept(large)
    whole = told(None, 0).plan(ALL)
    assert whole.roots[-32:] == tree.root(EVENTS - 1)
    draw = draws(1)
    for _ in range(300):
        end = draw.randrange(EVENTS)
        assert whole.roots[32 * end : 32 * end + 32] == judge.root(end)
        check(tree, judge, draw.randrange(end + 1), end)


# --- forgetting ---


def test_forgetting_lets_go_of_the_oldest_chunks_and_keeps_the_newest() -> None:
    tree = told(Disk(), 2 * CHUNK + 1)
    held = tree.memory_bytes
    assert tree.forget(held) == 0
    freed = tree.forget(held - 1)
    assert 32 * CHUNK <= freed <= 38 * CHUNK
    assert tree.memory_bytes == held - freed
    assert tree.forget(0) == freed, "the second one"
    assert tree.forget(0) == 0, "the newest stays"
    assert tree.forget(-5) == 0
    assert tree.memory_bytes < 38 * CHUNK + 2 * 8192 + 8192


def test_without_a_reader_nothing_is_forgotten() -> None:
    tree = told(None, 2 * CHUNK)
    assert tree.forget(0) == 0
    assert tree.digest(0) == some(0, 1)


def test_memory_is_what_the_digests_need_and_little_more() -> None:
    tree = told(Disk(), 3 * CHUNK)
    assert 36 < tree.memory_bytes / (3 * CHUNK) < 36.5
    tree.forget(0)
    assert tree.memory_bytes < 36.5 * CHUNK + 2 * CHUNK * 0.3


def test_reads_back_whole_blocks_and_only_what_is_forgotten(judge: History) -> None:
    disk = Disk()
    tree = told(disk, EVENTS)
    tree.forget(0)
    newest = 3 * CHUNK
    check(tree, judge, newest, EVENTS - 1)
    assert disk.asked == []
    tree.digest(700)
    assert disk.asked == [(700, 701)]
    disk.asked.clear()
    tree.prove_membership(700, EVENTS - 1)
    assert disk.asked == [(512, 768)]
    disk.asked.clear()
    tree.prove_incremental(700, CHUNK + 700)
    assert disk.asked == [(512, 768), (CHUNK + 512, CHUNK + 768)]
    disk.asked.clear()
    tree.prove_membership(700, 701)
    assert disk.asked == [(512, 768)]
    disk.asked.clear()
    tree.root(CHUNK + 1)
    assert disk.asked == [(CHUNK, CHUNK + 256)]


def test_an_answer_is_right_when_the_log_goes_on_and_forgets_while_it_reads(
    judge: History,
) -> None:
    pairs = [(300, CHUNK + 77), (300, 2 * CHUNK - 1), (CHUNK - 1, 2 * CHUNK - 1), (5, 5)]
    for start, end in pairs:
        disk = Disk()

        class Busy:
            """Appends and forgets while the first reading is in work."""

            tree: Any = None

            def read(self, first: int, stop: int) -> bytes:
                if self.tree.size < EVENTS:
                    self.tree.accept(self.tree.plan(some(self.tree.size, EVENTS)))
                    self.tree.forget(0)
                return disk.read(first, stop)  # noqa: B023  # used within this turn

        for ask in ("prove_membership", "prove_incremental"):
            busy = Busy()
            assert native is not None
            tree = busy.tree = native.History(busy.read)
            tree.freeze(some(0, 2 * CHUNK))
            tree.forget(0)
            assert getattr(tree, ask)(start, end) == getattr(judge, ask)(start, end)
            assert tree.size == EVENTS


@pytest.mark.parametrize("allocations", range(1, 12))
@pytest.mark.parametrize("ask", ["root", "prove_membership", "prove_incremental"])
def test_an_answer_is_right_when_other_code_runs_in_the_midst_of_it(
    judge: History, ask: str, allocations: int
) -> None:
    tree = told(Disk(), 2 * CHUNK + 3)
    versions = [CHUNK + 40] if ask == "root" else [5, CHUNK + 40]
    expected = judge.root(*versions) if ask == "root" else getattr(judge, ask)(*versions)
    usual = gc.get_threshold()

    # Garbage collection comes with an allocation, and may run anybody's code: here, the writer's.
    def forget(_phase: str, _info: object) -> None:
        tree.forget(0)

    gc.collect()
    gc.callbacks.append(forget)
    gc.set_threshold(allocations)
    try:
        answer = getattr(tree, ask)(*versions)
    finally:
        gc.set_threshold(*usual)
        gc.callbacks.remove(forget)
    assert answer == expected


def test_what_is_read_back_wrongly_is_found_out() -> None:
    good = Disk()
    answer: list[Any] = []

    def read(first: int, stop: int) -> Any:
        return answer[0](good.read(first, stop))

    assert native is not None
    tree = native.History(read)
    tree.freeze(some(0, EVENTS))
    tree.forget(0)

    def fail(_: bytes) -> bytes:
        raise OSError("the disk is gone")

    asks = [
        lambda: tree.prove_membership(3, EVENTS - 1),
        lambda: tree.prove_membership(3 * CHUNK, 3 * CHUNK + 5) and tree.prove_membership(7, 900),
        lambda: tree.prove_incremental(3, CHUNK),
        lambda: tree.root(CHUNK + 2),
    ]
    for ask in asks:
        answer[:] = [lambda digests: digests]
        ask()
        answer[:] = [lambda digests: digests[:40] + bytes([digests[40] ^ 1]) + digests[41:]]
        with pytest.raises(DamagedError, match="are not those of the history tree"):
            ask()
        for wrong in (lambda digests: digests[:-1], bytearray, lambda _: None):
            answer[:] = [wrong]
            with pytest.raises(DamagedError, match="are gone"):
                ask()
        answer[:] = [fail]
        with pytest.raises(OSError, match="the disk is gone"):
            ask()


# --- everything together ---


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.sampled_from([0, 5, CHUNK - 9, CHUNK, 2 * CHUNK - 300, 3 * CHUNK - 20]),
    steps=st.lists(
        st.sampled_from(["plan", "plan", "drop", "accept", "freeze", "forget", "ask", "ask"]),
        max_size=30,
    ),
    draw=st.randoms(use_true_random=False),
)
def test_any_course_of_events(
    judge: History, size: int, steps: list[str], draw: random.Random
) -> None:
    disk = Disk()
    tree = told(disk, size)
    plans: list[Any] = []
    for step in steps:
        end = plans[-1].size if plans else tree.size
        count = min(draw.choice([1, 2, 15, 16, 17, 300, 2100]), EVENTS - end)
        if step == "plan" and count:
            plans.append(tree.plan(some(end, end + count), plans[-1] if plans else None))
            assert plans[-1].roots[-32:] == judge.root(end + count - 1)
            assert plans[-1].roots[:32] == judge.root(end)
        elif step == "drop":
            plans = plans[: draw.randrange(len(plans) + 1)]
        elif step == "accept" and plans:
            tree.accept(plans.pop(0))
        elif step == "freeze" and not plans:
            tree.freeze(some(tree.size, tree.size + count))
        elif step == "forget":
            before = tree.memory_bytes
            freed = tree.forget(draw.randrange(before + 1))
            assert tree.memory_bytes == before - freed
        elif tree.size:
            last = draw.choice([tree.size - 1, draw.randrange(tree.size)])
            disk.asked.clear()
            check(tree, judge, draw.randrange(last + 1), last)
            assert len(disk.asked) <= 6
            assert all(first // CHUNK < (tree.size - 1) // CHUNK for first, _ in disk.asked)


def test_readers_and_one_writer(judge: History) -> None:
    tree = told(Disk(), CHUNK - 500)
    wrong: list[object] = []
    done: list[bool] = []

    def read() -> None:
        draw = draws(9)
        while not done and not wrong:
            end = draw.randrange(tree.size)
            start = draw.randrange(end + 1)
            try:
                check(tree, judge, start, end)
            except BaseException as error:  # noqa: BLE001  # shown by the test
                wrong.append(error)

    readers = [Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        plan = tree.plan(some(tree.size, tree.size + 1000))
        while plan.size + 1000 <= EVENTS:
            following = tree.plan(some(plan.size, plan.size + 1000), plan)
            tree.accept(plan)
            tree.forget(0)
            plan = following
    finally:
        done.append(True)
        for reader in readers:
            reader.join()
    assert wrong == []


# --- positions far beyond what memory holds ---


@pytest.mark.parametrize(
    "size",
    [2**31 - 3, 2**32 - 1, 2**40 - 5, 2**40, 2**40 + 12345, 2**48 - 100, 2**62 - 7, 2**63 - 40],
)
def test_positions_at_the_far_end(size: int) -> None:
    assert native is not None
    draw = draws(size)
    nodes: dict[Position, bytes] = {at: draw.randbytes(32) for at in history.peaks(size)}
    group = some(0, 39)
    digests = [group[i : i + 32] for i in range(0, len(group), 32)]
    frozen, roots = history.extend(lambda wanted: [nodes[at] for at in wanted], size, digests)
    nodes |= dict(frozen)

    def peaks(events: int) -> bytes:
        return b"".join(nodes[at] for at in history.peaks(events))

    assert native.extend_history(size, peaks(size), group) == (peaks(size + 39), b"".join(roots))


def test_no_group_goes_beyond_the_last_version() -> None:
    assert native is not None
    peaks = bytes(63 * 32)
    with pytest.raises(ValueError, match="no log has"):
        native.extend_history(2**63 - 1, peaks, bytes(64))
    after, roots = native.extend_history(2**63 - 1, peaks, bytes(32))
    assert (len(after), len(roots)) == (32, 32)


def test_peaks_of_any_size_with_and_without_the_digests(judge: History) -> None:
    disk = Disk()
    tree = told(disk, EVENTS)
    for forgotten in (False, True):
        for size in (0, *(edge + 1 for edge in EDGES)):
            assert tree.peaks(size) == judge.peaks(size)
        assert bool(disk.asked) == forgotten
        tree.forget(0)


def test_peaks_of_another_logs_digests_are_refused() -> None:
    assert native is not None
    tree = native.History(lambda first, stop: bytes(32 * (stop - first)))
    tree.freeze(some(0, EVENTS))
    tree.forget(0)
    with pytest.raises(DamagedError, match="are not those of the history tree"):
        tree.peaks(CHUNK + 7)
