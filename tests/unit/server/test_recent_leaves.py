from __future__ import annotations

import hashlib

import pytest

from qed.engine.leaves import Leaves
from qed.server.recent_leaves import RecentLeaves
from qed.trees.snapshot_log import decode_leaf, hash_leaf
from qed.trees.tiles import decode_bundle


def digest_of(kind: str, number: int) -> bytes:
    return hashlib.sha256(f"{kind} {number}".encode()).digest()


def some_leaves(first: int, stop: int, group: int = 3) -> Leaves:
    """Leaves whose digests say which version they are of, in groups of `group` from version 0."""
    versions = range(first, stop)
    lasts = sorted({version // group * group + group - 1 for version in versions})
    return Leaves(
        first,
        b"".join(digest_of("event", version) for version in versions),
        b"".join(digest_of("history", version) for version in versions),
        tuple((last, digest_of("hyper", last)) for last in lasts),
    )


def test_a_range_is_what_rows_would_give() -> None:
    recent = RecentLeaves()
    for first, stop in ((0, 3), (3, 6), (6, 12)):
        recent.add(some_leaves(first, stop))
    for first, stop in ((0, 12), (2, 7), (3, 4), (5, 6), (11, 12), (0, 1)):
        found = recent.read(first, stop)
        assert found.ends == some_leaves(first, stop).ends
        assert found.encode_bundle() == some_leaves(first, stop).encode_bundle()
        assert found.hashes() == some_leaves(first, stop).hashes()
    leaves = decode_bundle(recent.read(0, 12).encode_bundle(), 12, index=0)
    assert b"".join(map(hash_leaf, leaves)) == recent.read(0, 12).hashes()
    assert decode_leaf(recent.read(4, 12).leaf(9)).hyper_digest == digest_of("hyper", 11)


@pytest.mark.parametrize(("first", "stop"), [(0, 1), (5, 7), (6, 13), (12, 13), (7, 7), (8, 7)])
def test_a_range_that_is_not_all_here_is_not_given_out(first: int, stop: int) -> None:
    recent = RecentLeaves()
    assert recent.read(first, stop) is None
    recent.add(some_leaves(6, 12))
    assert recent.read(first, stop) is None


def test_no_more_than_the_bound_is_kept() -> None:
    recent = RecentLeaves(most_leaves=4)
    for first in range(0, 12, 3):
        recent.add(some_leaves(first, first + 3))
    assert recent.read(7, 12) is None
    assert recent.read(8, 12).encode_bundle() == some_leaves(8, 12).encode_bundle()
    recent.add(some_leaves(12, 24))
    assert recent.read(20, 24).encode_bundle() == some_leaves(20, 24).encode_bundle()
    assert recent.read(19, 24) is None
    assert len(recent._ends) == 2


def test_leaves_that_come_from_elsewhere_begin_anew() -> None:
    recent = RecentLeaves()
    recent.add(some_leaves(0, 6))
    recent.add(some_leaves(9, 12))
    assert recent.read(0, 6) is None
    assert recent.read(9, 12).encode_bundle() == some_leaves(9, 12).encode_bundle()


def test_no_new_leaves_are_no_change() -> None:
    recent = RecentLeaves()
    recent.add(some_leaves(0, 6))
    recent.add(some_leaves(6, 6))
    assert recent.read(0, 6).hashes() == some_leaves(0, 6).hashes()
