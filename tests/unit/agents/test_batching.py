"""Batches: whole groups, no leaf lost, none twice, and no more than fits."""

from itertools import pairwise

import pytest

from qed.agents.batching import cut_batches
from qed.agents.leaves import Part


def leaves(groups, first=0):
    """Return leaves in groups of these sizes."""
    hypers = [bytes([number % 256]) * 32 for number, size in enumerate(groups) for _ in range(size)]
    digests = b"".join(b"%032d" % (first + n) for n in range(len(hypers)))
    return Part(first, digests, digests, tuple(hypers), digests)


def in_parts(part, sizes):
    """Cut leaves into parts of these sizes, the last of them repeated."""
    found, at = [], 0
    while part.stop - part.first_version > sizes[min(at, len(sizes) - 1)]:
        before, part = part.split(part.first_version + sizes[min(at, len(sizes) - 1)])
        found.append(before)
        at += 1
    return [*found, part]


def cut(groups, sizes, batch_leaves, first=0):
    whole = leaves(groups, first)
    return list(cut_batches(in_parts(whole, sizes), whole.stop, batch_leaves)), whole


def ends_of(groups, first=0):
    ends, at = set(), first
    for size in groups:
        at += size
        ends.add(at)
    return ends


GROUPS = [
    [1],
    [5],
    [1] * 40,
    [3, 1, 7, 2, 2, 9, 1, 1, 1, 4],
    [30, 1, 1, 30],
    [1, 1, 100],
    [100, 1],
    [8, 8, 8, 8],
]


@pytest.mark.parametrize("groups", GROUPS, ids=str)
@pytest.mark.parametrize("sizes", [[1], [3], [8], [2, 8], [1000]], ids=str)
@pytest.mark.parametrize("batch_leaves", [1, 4, 8, 1000])
def test_every_leaf_once_cut_at_group_ends(groups, sizes, batch_leaves):
    batches, whole = cut(groups, sizes, batch_leaves, first=17)

    assert b"".join(batch.digests for batch in batches) == whole.digests
    assert [batch.stop for batch in batches[:-1]] == [b.first_version for b in batches[1:]]
    ends = ends_of(groups, 17)
    assert {batch.stop for batch in batches} <= ends
    for batch in batches:
        inside = [end for end in ends if batch.first_version < end < batch.stop]
        assert batch.stop - batch.first_version <= batch_leaves or not inside


def test_batches_are_as_large_as_they_may_be():
    batches, _ = cut([1] * 100, [16], 10)
    assert [batch.stop - batch.first_version for batch in batches] == [10] * 10


def test_a_group_larger_than_a_batch_is_one_batch():
    batches, _ = cut([2, 50, 3], [8], 10)
    assert [batch.stop - batch.first_version for batch in batches] == [2, 50, 3]


def test_a_full_batch_does_not_wait_for_the_end():
    whole = leaves([1] * 100)
    parts = iter(in_parts(whole, [8]))
    found = cut_batches(parts, whole.stop, 10)
    assert next(found).stop == 10
    assert sum(1 for _ in parts) == 11  # two of thirteen were read


def test_no_leaves_are_no_batch():
    assert list(cut_batches([], 10)) == []


def test_the_groups_of_these_tests_have_roots_of_their_own():
    assert all(one != other for one, other in pairwise(leaves([1] * 40).hyper_digests))
