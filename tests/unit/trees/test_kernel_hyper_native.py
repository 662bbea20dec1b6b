"""What the native hyper tree alone promises: memory, failures, bounds, plans in any order."""

from __future__ import annotations

import gc
import random
import threading
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import pytest

from kernels import native, needs_native
from pure_log import event_digests, flip_bit
from qed.trees import twin

pytestmark = needs_native

DIGESTS = event_digests(600)
# Near ones by the dozen: they share 19 to 250 bits, so that each way to part is taken.
NEAR = [flip_bit(DIGESTS[n % 7], 255 - shared) for n, shared in enumerate(range(19, 251, 7))]


def told(digests: Sequence[bytes] = ()) -> tuple[Any, Any]:
    """Return a history tree and a native hyper tree that hold these digests."""
    log = twin.History()
    log.freeze(b"".join(digests))
    tree = native.Hyper(log)
    if digests:
        tree.accept(tree.plan(b"".join(digests), 0))
    return log, tree


def expected_root(groups: Sequence[Sequence[bytes]]) -> bytes:
    tree = twin.Hyper(twin.History())
    for group in groups:
        tree.accept(tree.plan(b"".join(group), tree.size))
    return tree.root


def in_use(tree: Any) -> tuple[int, ...]:
    """Return the inner nodes, the buckets, the places in them and the pages."""
    counts: tuple[int, ...] = tree._counts()[:-1]
    return counts


def test_what_is_planned_dropped_and_accepted_leaves_no_node_behind():
    draw = random.Random(4)  # noqa: S311 - repeatable examples
    log, tree = told()
    waiting: list[tuple[Any, bytes]] = []
    for _ in range(200):
        group = b"".join(draw.choices(DIGESTS, k=draw.randint(1, 30)) + draw.choices(NEAR, k=2))
        base = waiting[-1][0] if waiting else None
        plan = tree.plan(group, tree.size if base is None else base.size, base)
        match draw.randrange(4):
            case 0:
                waiting.append((plan, group))
            case 1 if waiting:
                waiting.pop()
            case 2 if waiting:
                accepted, digests = waiting.pop(0)
                log.freeze(digests)
                tree.accept(accepted)
        del plan, base
    waiting.clear()
    accepted = None
    members = [digest for digest in {*DIGESTS, *NEAR} if is_member(log, tree, digest)]
    _, fresh = told(members)

    assert tree.members == len(members)
    assert in_use(tree) == in_use(fresh)


def is_member(log: Any, tree: Any, digest: bytes) -> bool:
    version = tree.walk(digest)[2]
    return version is not None and log.digest(version) == digest


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 0, 2]])
def test_plans_are_dropped_in_any_order(order):
    _, tree = told(DIGESTS[:50])
    before = in_use(tree)
    plans: list[Any] = []
    for n in range(3):
        group = b"".join(DIGESTS[50 * n : 50 * n + 60] + NEAR[:5])
        base = plans[-1] if plans else None
        plans.append(tree.plan(group, tree.size if base is None else base.size, base))
        del base
    for n in order:
        plans[n] = None
        gc.collect()

    assert in_use(tree) == before


def test_a_plan_beside_the_accepted_one_is_refused():
    log, tree = told(DIGESTS[:50])
    first, second = (tree.plan(b"".join(DIGESTS[n : n + 20]), 50) for n in (45, 60))
    above = tree.plan(DIGESTS[100], 70, second)
    log.freeze(b"".join(DIGESTS[45:65]))
    tree.accept(first)

    with pytest.raises(ValueError, match="after 70 events"):
        tree.accept(second)
    with pytest.raises(ValueError, match="does not stand"):
        tree.accept(above)
    with pytest.raises(ValueError, match="does not stand"):
        tree.plan(DIGESTS[101], 71, above)
    with pytest.raises(ValueError, match="does not stand"):
        tree.plan(DIGESTS[101], 70, second)
    with pytest.raises(ValueError, match="after 70 events"):
        tree.accept(first)
    del first, second, above
    assert in_use(tree) == in_use(told(DIGESTS[:65])[1])


def test_a_plan_for_another_tree_is_refused():
    _, tree = told()
    _, other = told()
    plan = other.plan(DIGESTS[0], 0)

    with pytest.raises(ValueError, match="another tree"):
        tree.accept(plan)
    with pytest.raises(ValueError, match="another tree"):
        tree.plan(DIGESTS[1], 1, plan)
    with pytest.raises(TypeError):
        native.HyperPlan()


def test_no_replay_beside_an_open_plan():
    _, tree = told(DIGESTS[:10])
    plan = tree.plan(DIGESTS[20], 10)

    with pytest.raises(ValueError, match="neither accepted nor dropped"):
        tree.extend(DIGESTS[21], [1])
    del plan
    tree.extend(DIGESTS[21], [1])
    assert tree.root == expected_root([DIGESTS[:10], [DIGESTS[21]]])


def fail_each(tree: Any, work: Callable[[], None], check: Callable[[], None]) -> int:
    """Let each taking of memory of some work fail, in turn; return how many there were."""
    for takings in range(1, 100_000):
        tree._fail_after(takings)
        try:
            work()
        except MemoryError:
            tree._fail_after(0)
            check()
        else:
            tree._fail_after(0)
            return takings - 1
    raise AssertionError("it never came through")


def test_a_plan_without_memory_changes_nothing():
    groups = [[*DIGESTS[:30], *NEAR[:9]], [*DIGESTS[20:60], *NEAR[5:]], [DIGESTS[3], *NEAR[:3]]]
    _, tree = told(groups[0])
    first = tree.plan(b"".join(groups[1]), len(groups[0]))
    before, root = in_use(tree), tree.root
    made: list[Any] = []

    def work() -> None:
        made.append(tree.plan(b"".join(groups[2]), first.size, first))

    def check() -> None:
        assert (in_use(tree), tree.root, tree.size) == (before, root, len(groups[0]))

    assert fail_each(tree, work, check) > 50
    tree.accept(first)
    tree.accept(made[0])
    assert tree.root == expected_root(groups)


@pytest.mark.parametrize("way", ["extend", "build"])
def test_a_replay_without_memory_leaves_an_empty_tree(way):
    digests = [*DIGESTS[:40], *NEAR[:10], DIGESTS[0], DIGESTS[0]]
    log = twin.History()
    log.freeze(b"".join(digests))
    tree = native.Hyper(log)
    empty = tree.root

    def work() -> None:
        if way == "extend":
            tree.extend(b"".join(digests), [20, 20, 12])
        else:
            ends = 1 << 19 | 1 << 39 | 1 << 51
            tree.build(ends.to_bytes(7, "little"))

    def check() -> None:
        assert (tree.root, tree.size, tree.members, in_use(tree)) == (empty, 0, 0, (0, 0, 0, 0))

    assert fail_each(tree, work, check) > 50
    assert tree.root == expected_root([digests[:20], digests[20:40], digests[40:]])


@pytest.mark.parametrize("limit", [0, 1, 7, 60])
def test_more_nodes_than_a_reference_can_name(limit):
    _, tree = told(DIGESTS[:20])
    before, root = in_use(tree), tree.root
    tree._limit(limit)

    with pytest.raises(OverflowError):
        tree.plan(b"".join(DIGESTS[20:300]), 20)
    assert (in_use(tree), tree.root) == (before, root)
    tree._limit(2**30)
    tree.accept(tree.plan(b"".join(DIGESTS[20:300]), 20))
    assert tree.root == expected_root([DIGESTS[:20], DIGESTS[20:300]])


class Unreadable:
    """A history tree whose digests cannot be read."""

    size = 3

    def digest(self, version: int) -> bytes:
        """Fail."""
        raise OSError(f"version {version}")


def test_what_reading_a_digest_raises_comes_through():
    """Of digests that share 64 bits and more all of them are needed."""
    near = flip_bit(DIGESTS[0], 3)
    tree = native.Hyper(Unreadable())
    tree.accept(tree.plan(DIGESTS[0] + DIGESTS[1], 0))
    before = in_use(tree)

    with pytest.raises(OSError, match="version 0"):
        tree.plan(near, 2)
    with pytest.raises(OSError, match="version 0"):
        native.Hyper(Unreadable()).build(b"\x04")
    assert in_use(tree) == before
    both = native.Hyper(Unreadable())
    both.accept(both.plan(DIGESTS[0] + near, 0))
    with pytest.raises(OSError, match="version"):
        both.walk(DIGESTS[0])


def test_what_a_report_raises_ends_building():
    log, _ = told(DIGESTS[:9])
    tree = native.Hyper(log)

    def report(done: int, total: int) -> None:
        raise KeyError(done, total)

    with pytest.raises(KeyError):
        tree.build(b"\x00\x01", report)
    assert (tree.size, in_use(tree)) == (0, (0, 0, 0, 0))
    tree.build(b"\x00\x01")
    assert tree.size == 9


def test_a_flood_of_equal_beginnings_costs_a_group_beside_it_no_more():
    """50,000 events that share 40 bits: hashes an event of a group of 1,000 beside them."""
    draw = random.Random(5)  # noqa: S311
    flood = [DIGESTS[0][:5] + draw.randbytes(27) for _ in range(50_000)]
    beside = [DIGESTS[0][:5] + draw.randbytes(27) for _ in range(500)]
    group = b"".join([*beside, *DIGESTS[:500]])

    def hashes(digests: Sequence[bytes]) -> int:
        log, tree = told()
        log.freeze(b"".join(digests))
        tree.extend(b"".join(digests), [len(digests)])
        before = tree._counts()[-1]
        tree.plan(group, tree.size)
        return int(tree._counts()[-1] - before)

    ordinary = hashes([draw.randbytes(32) for _ in range(50_000)])
    assert hashes(flood) < 2 * ordinary


def test_memory_follows_the_log():
    _, tree = told()
    draw = random.Random(6)  # noqa: S311
    sizes = []
    for _ in range(4):
        tree.extend(draw.randbytes(32 * 25_000), [1000] * 25)
        sizes.append(tree.memory_bytes)

    assert sizes == sorted(sizes)
    assert sizes[-1] / 100_000 < 200  # 130 of the tree, the rest is what planning needs


def test_readers_see_the_tree_before_or_after_a_group():
    """Walks go on while another thread plans, drops and accepts."""
    log, tree = told(DIGESTS[:100])
    roots = {tree.size: tree.walk(DIGESTS[0])}
    stop = threading.Event()
    wrong: list[Any] = []

    def read() -> None:
        while not stop.is_set():
            size, siblings, version = tree.walk(DIGESTS[0])
            seen = roots.setdefault(size, (size, siblings, version))
            if seen != (size, siblings, version):
                wrong.append((size, seen))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for n in range(150):
            group = b"".join(DIGESTS[(7 * n) % 500 : (7 * n) % 500 + 40])
            tree.plan(group, tree.size)
            log.freeze(group)
            tree.accept(tree.plan(group, tree.size))
            roots.setdefault(tree.size, tree.walk(DIGESTS[0]))
    finally:
        stop.set()
    for reader in readers:
        reader.join()

    assert not wrong
    assert len(roots) == 151


def test_plans_dropped_by_another_thread_while_the_writer_plans():
    _, tree = told(DIGESTS[:100])
    before = in_use(tree)
    handed: list[Any] = []
    stop = threading.Event()

    def drop() -> None:
        while not stop.is_set():
            if handed:
                handed.pop()

    dropper = threading.Thread(target=drop)
    dropper.start()
    try:
        for n in range(100):
            plan = tree.plan(b"".join(DIGESTS[n : n + 200]), 100)
            handed.append(plan)
            del plan
    finally:
        stop.set()
    dropper.join()
    handed.clear()
    tree.accept(tree.plan(DIGESTS[0], 100))

    assert in_use(tree) == before


def bitmap(ends: Sequence[int], size: int) -> bytes:
    return sum(1 << end for end in ends).to_bytes(-(-size // 8), "little")


def test_building_settles_each_of_many_digests_with_equal_first_bits():
    draw = random.Random(5)  # noqa: S311 - repeatable examples
    log, ends = native.History(), []
    tree = native.Hyper(log)
    pool = [bytes(8) + draw.randbytes(24) for _ in range(300)]
    for size in (1, 200, 3, 500, 90, 1, 700):
        # The first of few again and again, then more and more that are new.
        group = b"".join(draw.choices(pool[: max(1, log.size // 2)], k=size))
        history, plan = log.plan(group), tree.plan(group, log.size)
        log.accept(history)
        tree.accept(plan)
        ends.append(log.size - 1)
    built = native.Hyper(log)
    built.build(bitmap(ends, log.size))

    assert (built.root, built.members) == (tree.root, tree.members)
    assert [built.walk(digest) for digest in pool] == [tree.walk(digest) for digest in pool]


def test_building_takes_no_square_of_the_digests_with_equal_first_bits():
    count, group = 30_000, 1_000
    draw = random.Random(6)  # noqa: S311 - repeatable examples
    log = native.History()
    log.freeze(b"".join(bytes(8) + draw.randbytes(24) for _ in range(count)))
    digests = b"".join(map(log.digest, range(count)))
    times = []
    for way in ("extend", "build"):
        tree = native.Hyper(log)
        start = perf_counter()
        if way == "extend":
            tree.extend(digests, [group] * (count // group))
        else:
            tree.build(bitmap(range(group - 1, count, group), count))
        times.append(perf_counter() - start)
    extend_s, build_s = times

    assert build_s < 5 * extend_s, (build_s, extend_s)  # a square takes some thirty times as long
