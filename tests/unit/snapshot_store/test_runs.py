"""Leaves as columns: whatever way they are cut and joined, they stay the same leaves."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qed.snapshot_store.runs import ROW_LEAVES, Run, join
from signed_log import SignedLog

LOG = SignedLog(700)
WHOLE = Run.of_snapshots(LOG.snapshots)
PLACES = st.lists(st.integers(1, 699), unique=True, max_size=8).map(sorted)


def test_a_run_holds_what_it_was_made_of():
    assert (WHOLE.first, WHOLE.stop, WHOLE.size) == (0, 700, 700)
    assert list(WHOLE.snapshots()) == LOG.snapshots
    assert WHOLE.leaves() == [LOG.leaf(version) for version in range(700)]
    assert WHOLE.hash_leaves() == b"".join(LOG.hashes[0])
    assert [count for count, _ in WHOLE.ends] == [3] * 233 + [1]


@given(PLACES)
def test_cut_anywhere_and_joined_it_is_the_same(places):
    edges = [0, *places, 700]
    parts = [WHOLE.cut(first, stop) for first, stop in itertools.pairwise(edges)]
    for part in parts:
        assert list(part.snapshots()) == LOG.snapshots[part.first : part.stop]
        assert part.hash_leaves() == b"".join(LOG.hashes[0][part.first : part.stop])
    assert join(parts) == WHOLE


@given(st.integers(0, 698), st.integers(1, 700))
def test_no_part_of_a_split_reaches_over_a_row(first, size):
    run = WHOLE.cut(first, min(700, first + size))
    parts = list(run.split())
    assert join(parts) == run
    for part in parts:
        assert part.first // ROW_LEAVES == (part.stop - 1) // ROW_LEAVES
    for part in parts[1:]:
        assert part.first % ROW_LEAVES == 0


def test_what_is_not_inside_or_does_not_follow_is_a_bug():
    for first, stop in ((5, 5), (9, 8), (600, 701)):
        with pytest.raises(AssertionError):
            WHOLE.cut(first, stop)
    with pytest.raises(AssertionError):
        join([WHOLE.cut(0, 5), WHOLE.cut(6, 7)])
