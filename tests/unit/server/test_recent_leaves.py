from __future__ import annotations

import hashlib
from dataclasses import dataclass

import pytest

from qed.server.recent_leaves import ENTRY_BYTES, RecentLeaves
from qed.trees.snapshot_log import encode_leaf, hash_leaf
from qed.trees.tiles import decode_bundle, encode_bundle


@dataclass(frozen=True)
class SomeLeaves:
    """Leaves whose digests say which version they are of."""

    first_version: int
    stop: int

    def leaf(self, version: int) -> bytes:
        digest = hashlib.sha256(b"%d" % version).digest()
        return encode_leaf(version, digest, digest, digest)

    def _all(self) -> list[bytes]:
        return [self.leaf(version) for version in range(self.first_version, self.stop)]

    def encode_bundle(self) -> bytes:
        return encode_bundle(self._all())

    def hashes(self) -> bytes:
        return b"".join(map(hash_leaf, self._all()))


def test_a_range_is_given_out_as_a_bundle_has_it() -> None:
    recent = RecentLeaves()
    for first, stop in ((0, 3), (3, 4), (4, 10)):
        recent.add(SomeLeaves(first, stop))
    assert recent.entries(2, 7) == SomeLeaves(2, 7).encode_bundle()
    assert recent.hashes(2, 7) == SomeLeaves(2, 7).hashes()
    assert len(recent.entries(2, 7)) == 5 * ENTRY_BYTES
    assert decode_bundle(recent.entries(0, 10), 10, index=0)[9] == SomeLeaves(9, 10).leaf(9)


@pytest.mark.parametrize(("first", "stop"), [(0, 1), (4, 6), (5, 11), (10, 11), (7, 7)])
def test_a_range_that_is_not_all_here_is_not_given_out(first: int, stop: int) -> None:
    recent = RecentLeaves()
    recent.add(SomeLeaves(5, 10))
    assert recent.entries(first, stop) is None
    assert recent.hashes(first, stop) is None


def test_no_more_than_the_bound_is_kept() -> None:
    recent = RecentLeaves(most_leaves=4)
    for first in range(0, 12, 3):
        recent.add(SomeLeaves(first, first + 3))
    assert recent.entries(7, 12) is None
    assert recent.entries(8, 12) == SomeLeaves(8, 12).encode_bundle()
    recent.add(SomeLeaves(12, 22))
    assert recent.hashes(18, 22) == SomeLeaves(18, 22).hashes()
    assert recent.hashes(17, 22) is None


def test_leaves_that_come_from_elsewhere_begin_anew() -> None:
    recent = RecentLeaves()
    recent.add(SomeLeaves(0, 5))
    recent.add(SomeLeaves(9, 11))
    assert recent.entries(0, 5) is None
    assert recent.entries(9, 11) == SomeLeaves(9, 11).encode_bundle()


def test_no_new_leaves_are_no_change() -> None:
    recent = RecentLeaves()
    recent.add(SomeLeaves(0, 5))
    recent.add(SomeLeaves(5, 5))
    assert recent.hashes(0, 5) == SomeLeaves(0, 5).hashes()
