"""The snapshot log of both kernels: one body of laws, and the native one against its twin."""

from __future__ import annotations

import random
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import kernels, native, needs_native
from qed.trees import snapshot_log, twin


def draws(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same in every run


SOME = draws(10).randbytes(32 * 5000)
SHARED = draws(11).randbytes(32)
# Where batches of 32, segments of 2,048 and tiles begin and end.
COUNTS = [0, 1, 2, 11, 12, 15, 16, 17, 31, 32, 33, 64, 255, 256, 257, 2047, 2048, 2049, 4097]
SIZES = [0, 1, 2, 255, 256, 257, 2047, 4095, 65_535, 65_536, 2**32 - 300, 2**40 - 1, 2**56 - 7]


@pytest.fixture(name="kernel", params=kernels)
def a_kernel(request: pytest.FixtureRequest) -> ModuleType:
    kernel: ModuleType = request.param
    return kernel


def peaks_of(size: int) -> bytes:
    return SOME[: 32 * size.bit_count()]


# --- both kernels ---


@pytest.mark.parametrize("count", [1, 2, 40])
def test_leaf_hashes_are_those_of_the_leaves(kernel: ModuleType, count: int) -> None:
    digests, roots = SOME[: 32 * count], SOME[3200 : 3200 + 32 * count]
    found = kernel.hash_leaves(2**40 + 254, digests, roots, SHARED)
    for at in range(count):
        here = slice(32 * at, 32 * at + 32)
        leaf = snapshot_log.encode_leaf(2**40 + 254 + at, digests[here], roots[here], SHARED)
        assert found[here] == snapshot_log.hash_leaf(leaf)
    assert len(found) == 32 * count


@pytest.mark.parametrize("size", [1, 3, 64, 299, 300])
def test_a_history_goes_on_from_its_peaks(kernel: ModuleType, size: int) -> None:
    digests = SOME[: 32 * 300]
    tree = kernel.History()
    plan = tree.plan(digests)
    tree.accept(plan)
    before, roots = kernel.extend_history(0, b"", digests[: 32 * size])
    after, more = kernel.extend_history(size, before, digests[32 * size :])
    assert (before, after) == (tree.peaks(size), tree.peaks(300))
    assert roots + more == plan.roots


def test_peaks_of_no_event_are_none(kernel: ModuleType) -> None:
    assert kernel.History().peaks(0) == b""
    assert kernel.extend_history(0, b"", b"") == (b"", b"")


@pytest.mark.parametrize("size", [-1, 4, 2**63, 2**64, 2**70])
def test_peaks_of_more_than_there_is_are_refused(kernel: ModuleType, size: int) -> None:
    tree = kernel.History()
    tree.freeze(SOME[:96])
    with pytest.raises(ValueError, match="among 3"):
        tree.peaks(size)


@pytest.mark.parametrize(
    ("size", "peaks", "more"),
    [
        (0, 32, 0),
        (1, 0, 32),
        (3, 32, 32),
        (4, 64, 32),
        (1, 33, 32),
        (1, 32, 31),
        (-1, 0, 0),
        (-1, 32, 32),
        (2**63, 32, 32),
        (2**63 - 1, 63 * 32, 64),
        (2**64, 32, 0),
        (2**70, 32, 0),
    ],
)
@pytest.mark.parametrize("name", ["extend_snapshots", "extend_history"])
def test_peaks_of_another_size_and_hashes_that_are_none_are_refused(
    kernel: ModuleType, name: str, size: int, peaks: int, more: int
) -> None:
    with pytest.raises(ValueError, match=r"peaks|digests|leaves"):
        getattr(kernel, name)(size, bytes(peaks), bytes(more))


def test_the_last_leaf_that_there_can_be(kernel: ModuleType) -> None:
    size = 2**63 - 1
    peaks, nodes = kernel.extend_snapshots(size, peaks_of(size), SHARED)
    assert len(peaks) == 32
    assert [node[:2] for node in nodes] == [
        (level, 2 ** (63 - 8 * level) - 1) for level in range(1, 8)
    ]
    assert kernel.extend_snapshots(size + 1, peaks, b"") == (peaks, [])


@pytest.mark.parametrize(
    ("first", "digests", "roots", "hyper"),
    [
        (0, 32, 64, 32),
        (0, 33, 32, 32),
        (0, 32, 33, 32),
        (0, 32, 32, 31),
        (0, 32, 32, 0),
        (-1, 32, 32, 32),
        (2**63, 32, 32, 32),
    ],
)
def test_what_is_no_group_is_refused(
    kernel: ModuleType, first: int, digests: int, roots: int, hyper: int
) -> None:
    with pytest.raises(ValueError, match=r"digests|leaves"):
        kernel.hash_leaves(first, bytes(digests), bytes(roots), bytes(hyper))


# --- the native one against its twin ---


@needs_native
@pytest.mark.parametrize("count", COUNTS)
def test_leaves_of_any_number_are_those_of_the_twin(count: int) -> None:
    assert native is not None
    digests, roots = SOME[: 32 * count], SOME[-32 * count :] if count else b""
    for first in (0, 255, 2**63 - 5000):
        made = native.hash_leaves(first, digests, roots, SHARED)
        assert made == twin.hash_leaves(first, digests, roots, SHARED)


@needs_native
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", COUNTS)
def test_extending_by_any_number_is_that_of_the_twin(size: int, count: int) -> None:
    assert native is not None
    asked = size, peaks_of(size), SOME[: 32 * count]
    assert native.extend_snapshots(*asked) == twin.extend_snapshots(*asked)


@needs_native
@given(st.integers(0, 2**60), st.integers(0, 700), st.integers(0, 700))
def test_going_on_from_anywhere_is_that_of_the_twin(size: int, first: int, more: int) -> None:
    assert native is not None
    peaks = peaks_of(size)
    found = []
    for kernel in (native, twin):
        after, nodes = kernel.extend_snapshots(size, peaks, SOME[: 32 * first])
        last, others = kernel.extend_snapshots(
            size + first, after, SOME[-32 * more :] if more else b""
        )
        roots = kernel.extend_history(size, peaks, SOME[: 32 * min(first, 50)])
        found.append((after, last, nodes + others, roots))
    assert found[0] == found[1]


@needs_native
def test_nodes_of_several_levels_come_as_they_are_completed() -> None:
    assert native is not None
    size = 2**16 - 300
    _, nodes = native.extend_snapshots(size, peaks_of(size), SOME[: 32 * 900])
    assert [node[:2] for node in nodes] == [(1, 254), (1, 255), (2, 0), (1, 256), (1, 257)]
