"""The hyper tree of both kernels: one body of laws over the readable twin and the native one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import laws
from kernels import kernels, native, needs_native
from model import DEFAULT, Model, hyper_root, hyper_walk, number
from pure_log import event_digests, flip_bit
from qed.trees import twin

DIGESTS = event_digests(64)


@pytest.fixture(name="kernel", params=kernels)
def a_kernel(request: pytest.FixtureRequest) -> ModuleType:
    kernel: ModuleType = request.param
    return kernel


class Told:
    """A hyper tree, the history tree that it asks, and the judge's members."""

    def __init__(self, kernel: ModuleType) -> None:
        """Start empty."""
        self.log: Any = twin.History()
        self.tree: Any = kernel.Hyper(self.log)
        self.judge = Model()

    def add(self, digests: Sequence[bytes]) -> None:
        """Add one group to all three."""
        plan = self.tree.plan(b"".join(digests), self.tree.size)
        self.accept(plan, digests)
        assert plan.root == self.tree.root

    def accept(self, plan: Any, digests: Sequence[bytes]) -> None:
        """Take a plan over, in the order of the engine."""
        self.log.freeze(b"".join(digests))
        self.tree.accept(plan)
        first = len(self.judge.digests)
        self.judge.digests += digests
        for version in reversed(range(first, len(self.judge.digests))):
            self.judge.members[number(self.judge.digests[version])] = version

    def assert_judged(self, probes: Sequence[bytes]) -> None:
        """Compare root and walks with the judge's."""
        members = self.judge.members
        assert self.tree.root == hyper_root(members)
        assert self.tree.size == len(self.judge.digests)
        for digest in probes:
            size, siblings, version = self.tree.walk(digest)
            path, end = hyper_walk(members, number(digest))
            assert size == self.tree.size
            assert siblings == b"".join(path.values())
            assert version == (None if end is None else end[1])


def test_an_empty_tree(kernel):
    told = Told(kernel)

    assert told.tree.size == 0
    assert told.tree.root == DEFAULT[256]
    assert told.tree.walk(DIGESTS[0]) == (0, b"", None)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 16, 64])
def test_events_one_by_one_and_at_once(kernel, size):
    single, whole = Told(kernel), Told(kernel)
    for digest in DIGESTS[:size]:
        single.add([digest])
    whole.add(DIGESTS[:size])

    near = [flip_bit(DIGESTS[0], bit) for bit in range(0, 256, 17)]
    assert single.tree.root == whole.tree.root
    single.assert_judged([*DIGESTS, *near])
    whole.assert_judged([*DIGESTS, *near])


@pytest.mark.parametrize("shared", [0, 1, 18, 19, 20, 21, 22, 23, 24, 25, 62, 63, 64, 65, 100, 255])
@pytest.mark.parametrize("crowd", [2, 5, 9])
def test_digests_that_share_their_first_bits(kernel, shared, crowd):
    """Up to nine that part at a bit or at the few below it: at every bound of the native trie."""
    draw = random.Random(shared)  # noqa: S311 - repeatable examples
    one = number(DIGESTS[1])
    lower = 256 - shared
    others = {(one >> lower << lower) | draw.getrandbits(min(lower, 3)) << max(lower - 3, 0)
              for _ in range(crowd)}  # fmt: skip
    digests = [other.to_bytes(32, "big") for other in sorted(others)]
    probes = [*digests, *(flip_bit(digests[0], bit) for bit in range(0, 256, 5))]

    for order in (digests, digests[::-1]):
        told = Told(kernel)
        for digest in order:
            told.add([digest])
        told.assert_judged(probes)
        told.add(order[:2])
        told.assert_judged(probes[:20])
    told = Told(kernel)
    told.add(digests)
    told.assert_judged(probes)


def test_a_member_for_every_bit_of_a_digest(kernel):
    told = Told(kernel)
    digests = [DIGESTS[0], *(flip_bit(DIGESTS[0], bit) for bit in range(256))]
    random.Random(1).shuffle(digests)  # noqa: S311
    told.add(digests[:100])
    for digest in digests[100:120]:
        told.add([digest])
    told.add(digests[120:])

    assert len(told.tree.walk(DIGESTS[0])[1]) == 256 * 32
    told.assert_judged([DIGESTS[0], *digests[::37]])


@pytest.mark.parametrize("extreme", [bytes(32), b"\xff" * 32])
def test_the_first_and_the_last_digest(kernel, extreme):
    told = Told(kernel)
    told.add([*DIGESTS[:9], extreme])

    told.assert_judged([extreme, *DIGESTS[:12]])


def test_the_first_of_equal_events_keeps_the_entry_and_the_newest_group_wins(kernel):
    told = Told(kernel)
    told.add([DIGESTS[0], DIGESTS[1], DIGESTS[0], DIGESTS[1]])
    assert told.tree.walk(DIGESTS[1])[2] == 1
    told.add([DIGESTS[1], DIGESTS[2], DIGESTS[1]])
    assert told.tree.walk(DIGESTS[1])[2] == 4
    told.assert_judged(DIGESTS[:4])


def test_a_plan_changes_nothing_until_it_is_accepted(kernel):
    told = Told(kernel)
    told.add(DIGESTS[:20])
    root, walk = told.tree.root, told.tree.walk(DIGESTS[25])

    plan = told.tree.plan(b"".join(DIGESTS[10:40]), 20)

    assert (plan.first_version, plan.size) == (20, 50)
    assert (told.tree.root, told.tree.size, told.tree.walk(DIGESTS[25])) == (root, 20, walk)
    told.accept(plan, DIGESTS[10:40])
    assert told.tree.root == plan.root
    told.assert_judged(DIGESTS)


def test_plans_stand_on_plans_and_know_their_digests(kernel):
    """A repeat of an event that no tree has accepted yet, and one that shares 100 bits with it."""
    told = Told(kernel)
    near = flip_bit(DIGESTS[3], 156)
    groups = [DIGESTS[:5], [DIGESTS[3], near, DIGESTS[6]], [near, DIGESTS[0]], [DIGESTS[3]]]
    plans: list[Any] = []
    first = 0
    for group in groups:
        plans.append(told.tree.plan(b"".join(group), first, plans[-1] if plans else None))
        first += len(group)
    for plan, group in zip(plans, groups, strict=True):
        told.accept(plan, group)
        assert told.tree.root == plan.root
    told.assert_judged([*DIGESTS[:8], near])


def test_plans_are_accepted_in_order(kernel):
    told = Told(kernel)
    first = told.tree.plan(b"".join(DIGESTS[:3]), 0)
    second = told.tree.plan(DIGESTS[4], 3, first)

    with pytest.raises(ValueError, match="after 0 events"):
        told.tree.accept(second)
    told.accept(first, DIGESTS[:3])
    with pytest.raises(ValueError, match="after 3 events"):
        told.tree.accept(first)
    told.accept(second, [DIGESTS[4]])
    told.assert_judged(DIGESTS[:6])


@pytest.mark.parametrize(
    ("digests", "first", "message"),
    [
        (b"", 2, "at least one event"),
        (bytes(33), 2, "no whole number"),
        (bytes(32), 1, "a plan for version 1 after 2"),
        (bytes(32), 3, "a plan for version 3 after 2"),
    ],
)
def test_what_is_no_next_group_is_refused(kernel, digests, first, message):
    told = Told(kernel)
    told.add(DIGESTS[:2])

    with pytest.raises(ValueError, match=message):
        told.tree.plan(digests, first)


def test_a_walk_wants_a_whole_digest(kernel):
    with pytest.raises(ValueError, match="32 bytes"):
        Told(kernel).tree.walk(bytes(31))


def test_replay_gives_the_root_of_each_group(kernel):
    told, again = Told(kernel), Told(kernel)
    counts = [1, 3, 2, 30, 1, 27]
    roots = []
    start = 0
    for count in counts:
        told.add(DIGESTS[start : start + count])
        roots.append(told.tree.root)
        start += count
    again.add(DIGESTS[:1])

    assert again.tree.extend(b"".join(DIGESTS[1:]), counts[1:]) == b"".join(roots[1:])
    assert (again.tree.root, again.tree.size) == (told.tree.root, 64)
    assert again.tree.extend(b"", []) == b""


@pytest.mark.parametrize("counts", [[1], [1, 2], [2, 0], [3, -1], []])
def test_replay_refuses_groups_that_are_not_the_digests(kernel, counts):
    with pytest.raises(ValueError, match="not these digests"):
        Told(kernel).tree.extend(b"".join(DIGESTS[:2]), counts)


def bitmap(ends: Sequence[int], size: int) -> bytes:
    bits = sum(1 << end for end in ends)
    return bits.to_bytes(-(-size // 8), "little")


def test_building_at_once_is_adding_group_by_group(kernel):
    told = Told(kernel)
    digests = [*DIGESTS[:10], DIGESTS[3], DIGESTS[3], *DIGESTS[2:30], flip_bit(DIGESTS[9], 3)]
    ends = [0, 4, 10, 20, len(digests) - 1]
    start = 0
    for end in ends:
        told.add(digests[start : end + 1])
        start = end + 1
    built = kernel.Hyper(told.log)
    reports = []
    built.build(bitmap(ends, len(digests)), lambda done, total: reports.append((done, total)))

    assert (built.root, built.size) == (told.tree.root, told.tree.size)
    assert [built.walk(d) for d in DIGESTS] == [told.tree.walk(d) for d in DIGESTS]
    assert reports == sorted(reports)


def test_building_wants_an_empty_tree_and_a_last_group(kernel):
    told = Told(kernel)
    told.add(DIGESTS[:3])

    with pytest.raises(ValueError, match="not empty"):
        told.tree.build(b"\x04")
    with pytest.raises(ValueError, match="ends no group"):
        kernel.Hyper(told.log).build(b"\x02")


@given(laws.logs)
def test_every_log_is_judged_alike(groups):
    for kernel in each_kernel():
        told = Told(kernel)
        for group in groups:
            told.add(group)
        told.assert_judged([digest for group in groups for digest in group])


def each_kernel() -> Iterator[ModuleType]:
    yield twin
    if native is not None:
        yield native


STEPS = st.lists(
    st.tuples(st.sampled_from(["plan", "stand", "accept", "drop"]), laws.groups), max_size=14
)


@needs_native
@given(STEPS)
def test_the_kernels_agree_whatever_is_planned_and_dropped(steps):
    told, other = Told(twin), Told(native)
    waiting: list[tuple[Any, Any, list[bytes]]] = []
    for step, group in steps:
        if step == "accept" and waiting:
            plan, other_plan, digests = waiting.pop(0)
            told.accept(plan, digests)
            other.accept(other_plan, digests)
        elif step == "drop" and waiting:
            waiting.pop()
        else:
            if step == "plan":
                waiting.clear()
            base, other_base, _ = waiting[-1] if waiting else (None, None, None)
            first = told.tree.size if base is None else base.size
            data = b"".join(group)
            plan = told.tree.plan(data, first, base)
            other_plan = other.tree.plan(data, first, other_base)
            assert plan.root == other_plan.root
            waiting.append((plan, other_plan, group))
        assert (told.tree.root, told.tree.size) == (other.tree.root, other.tree.size)
        assert told.tree.walk(group[0]) == other.tree.walk(group[0])
    told.assert_judged([])
