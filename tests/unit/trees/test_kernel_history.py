"""The history tree of both kernels: one body of laws over the readable twin and the native one."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import kernels, native, needs_native
from pure_log import PureLog, event_digests
from qed.trees import history, paths, twin

EVENTS = 300
DIGESTS = event_digests(EVENTS)


@pytest.fixture(name="kernel", params=kernels)
def a_kernel(request: pytest.FixtureRequest) -> ModuleType:
    kernel: ModuleType = request.param
    return kernel


@pytest.fixture(name="judge", scope="module")
def the_judge() -> PureLog:
    judge = PureLog()
    frozen, roots = history.extend(lambda _: [], 0, DIGESTS)
    judge.frozen.update(frozen)
    judge.snapshots = roots  # type: ignore[assignment]  # the roots alone
    return judge


def joined(digests: Sequence[bytes]) -> bytes:
    return b"".join(digests)


def cut(sizes: Sequence[int]) -> list[bytes]:
    """The first digests as groups of these sizes."""
    starts = [sum(sizes[:n]) for n in range(len(sizes))]
    return [joined(DIGESTS[start : start + n]) for start, n in zip(starts, sizes, strict=True)]


def told(kernel: ModuleType, sizes: Sequence[int]) -> Any:
    """A history tree with groups of these sizes, the plan of each made of the one before."""
    tree = kernel.History()
    plans: list[Any] = []
    for group in cut(sizes):
        plans.append(tree.plan(group, plans[-1] if plans else None))
    for plan in plans:
        tree.accept(plan)
    return tree


# --- what a plan says ---


def test_a_plan_says_what_the_group_would_be(kernel: ModuleType, judge: PureLog) -> None:
    tree = told(kernel, [5])
    plan = tree.plan(joined(DIGESTS[5:12]))
    assert (plan.first_version, plan.size, tree.size) == (5, 12, 5)
    assert plan.digests == joined(DIGESTS[5:12])
    assert plan.roots == joined(judge.snapshots[5:12])  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 17, 100])
def test_groups_of_any_size_give_the_roots_of_the_judge(
    kernel: ModuleType, judge: PureLog, size: int
) -> None:
    tree = kernel.History()
    roots = []
    for start in range(0, EVENTS, size):
        plan = tree.plan(joined(DIGESTS[start : start + size]))
        tree.accept(plan)
        roots.append(plan.roots)
    assert joined(roots) == joined(judge.snapshots)  # type: ignore[arg-type]


@given(st.lists(st.integers(1, 90), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_plans_on_plans_and_dropped_ones(sizes: list[int], draw: random.Random) -> None:
    sizes = [size for n, size in enumerate(sizes) if sum(sizes[: n + 1]) <= EVENTS]
    modules = [twin] if native is None else [twin, native]
    trees = [kernel.History() for kernel in modules]
    waiting: list[list[Any]] = []
    for group in cut(sizes):
        bases = waiting[-1] if waiting else [None] * len(trees)
        for tree, base in zip(trees, bases, strict=True):
            tree.plan(group[::-1], base)  # dropped at once
        plans = [tree.plan(group, base) for tree, base in zip(trees, bases, strict=True)]
        assert len({plan.roots for plan in plans}) == 1
        waiting.append(plans)
        for accepted in waiting[: draw.randrange(len(waiting) + 1)]:
            for tree, plan in zip(trees, accepted, strict=True):
                tree.accept(plan)
            waiting.remove(accepted)
    for tree in trees:
        for version in range(tree.size):
            assert tree.root(version) == trees[0].root(version)
            leaf = draw.randrange(version + 1)
            assert tree.prove_membership(leaf, version) == (
                trees[0].prove_membership(leaf, version)
            )


# --- what is proven ---


@pytest.mark.parametrize("frozen", [0, 131, EVENTS])
def test_every_root_and_path_is_that_of_the_judge(
    kernel: ModuleType, judge: PureLog, frozen: int
) -> None:
    tree = kernel.History()
    tree.freeze(joined(DIGESTS[:frozen]))
    if frozen < EVENTS:
        tree.accept(tree.plan(joined(DIGESTS[frozen:])))
    # Both ends of each block of 16 and of 256, and versions between.
    step = 1 if kernel is native and frozen == 0 else 7
    for end in range(0, EVENTS, step):
        assert tree.root(end) == judge.snapshots[end]
        assert tree.digest(end) == DIGESTS[end]
        for start in range(end + 1):
            path = history.prove_membership(judge.read, start, end)
            assert tree.prove_membership(start, end) == joined(list(path.values()))
            path = history.prove_incremental(judge.read, start, end)
            assert tree.prove_incremental(start, end) == joined(list(path.values()))


@pytest.mark.parametrize("size", [1, 2, 15, 16, 17, 31, 32, 64, 65, 127, 128, 255, 256, 257])
def test_paths_as_of_the_newest_version(kernel: ModuleType, judge: PureLog, size: int) -> None:
    planned = told(kernel, [size - 1, 1] if size > 1 else [1])
    replayed = kernel.History()
    replayed.freeze(joined(DIGESTS[:size]))
    for tree in (planned, replayed):
        assert tree.root(size - 1) == judge.snapshots[size - 1]
        for leaf in range(size):
            path = history.prove_membership(judge.read, leaf, size - 1)
            assert tree.prove_membership(leaf, size - 1) == joined(list(path.values()))
            assert list(path) == paths.membership_positions(leaf, size - 1)


def test_freezing_goes_on_where_planning_stopped(kernel: ModuleType, judge: PureLog) -> None:
    tree = told(kernel, [37])
    tree.freeze(b"")
    tree.freeze(joined(DIGESTS[37:200]))
    plan = tree.plan(joined(DIGESTS[200:]))
    assert plan.roots == joined(judge.snapshots[200:])  # type: ignore[arg-type]


# --- what is refused ---


def test_what_is_no_group_is_refused(kernel: ModuleType) -> None:
    tree = told(kernel, [3])
    with pytest.raises(ValueError, match="at least one event"):
        tree.plan(b"")
    for refused in (tree.plan, tree.freeze):
        with pytest.raises(ValueError, match="33 bytes are no whole number of digests"):
            refused(b"x" * 33)
    assert tree.size == 3


def test_versions_that_are_not_there_are_refused(kernel: ModuleType) -> None:
    tree = told(kernel, [3])
    for version in (3, -1, 2**63, 2**64 - 1, 2**64, -(2**64)):
        for ask in (tree.root, tree.digest):
            with pytest.raises(ValueError, match=f"version {version} is not among 3 events"):
                ask(version)
        for ask in (tree.prove_membership, tree.prove_incremental):
            with pytest.raises(ValueError, match=f"version {version} is not among 3 events"):
                ask(0, version)
            with pytest.raises(ValueError, match=r"no (path|increment) from"):
                ask(2, 1)
            with pytest.raises(ValueError, match=r"no (path|increment) from"):
                ask(-1, 1)
    with pytest.raises(ValueError, match="version 0 is not among 0 events"):
        kernel.History().root(0)


def test_plans_are_accepted_in_order_and_once(kernel: ModuleType) -> None:
    tree = kernel.History()
    first = tree.plan(DIGESTS[0])
    second = tree.plan(DIGESTS[1], first)
    with pytest.raises(ValueError, match="a plan for version 1 after 0 events"):
        tree.accept(second)
    tree.accept(first)
    with pytest.raises(ValueError, match="a plan for version 0 after 1 events"):
        tree.accept(first)
    tree.accept(second)
    assert tree.size == 2


@needs_native
def test_a_plan_that_stands_on_a_dropped_one_is_refused() -> None:
    assert native is not None
    tree = native.History()
    second = tree.plan(DIGESTS[1], tree.plan(DIGESTS[0]))
    tree.accept(tree.plan(DIGESTS[2]))
    with pytest.raises(ValueError, match="does not stand on this tree"):
        tree.accept(second)


@needs_native
def test_what_is_no_plan_and_no_bytes_is_refused() -> None:
    assert native is not None
    tree = native.History()
    with pytest.raises(TypeError, match=r"made by History\.plan"):
        type(tree.plan(DIGESTS[0]))()
    for wrong in (None, bytearray(32), "x" * 32):
        with pytest.raises(TypeError):
            tree.plan(wrong)
    with pytest.raises(TypeError):
        tree.accept(None)


CHANGES: dict[str, Callable[[Any, Any], None]] = {
    "plan": lambda tree, group: tree.plan(group.digests),
    "freeze": lambda tree, group: tree.freeze(group.digests[: 32 * 70_000]),
    "accept": lambda tree, group: tree.accept(group),
}


@needs_native
@pytest.mark.parametrize("change", CHANGES)
def test_each_failure_to_get_memory_changes_nothing(judge: PureLog, change: str) -> None:
    assert native is not None
    tree = native.History()
    tree.freeze(joined(DIGESTS[:10]))
    held = tree.memory_bytes
    group = tree.plan(joined(DIGESTS) * 2000)  # more chunks than their first table has room for
    failures = 0
    while True:
        tree._fail_after(failures + 1)
        try:
            CHANGES[change](tree, group)
        except MemoryError:
            failures += 1
            assert tree.size == 10
            assert tree.memory_bytes - held < 4096, "at most a larger table of chunks"
            assert tree.root(9) == judge.snapshots[9]
        else:
            break
    assert failures == {"plan": 1, "freeze": 13, "accept": 36}[change]
    tree._fail_after(0)
    if change == "plan":
        tree.accept(group)
    assert tree.root(tree.size - 1) == group.roots[32 * tree.size - 352 : 32 * tree.size - 320]
