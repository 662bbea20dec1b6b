"""How many hashes a group needs, counted from positions and digests, not by what computes them.

This is the physical limit of an add. With no hash computed twice a group costs:

- *history*: as each version has a root of its own, every node on the way from its leaf to that
  root. At a zero bit of the version the node is partial and has one child: 42 bytes, one block of
  SHA-256, as has the leaf. At a one bit it has two children: 74 bytes, two blocks.
- *hyper*: each node above one of the group's digests once, and each leaf whose place is new: those
  of the group, and those that a neighbour pushes further down. 98 and 66 bytes, two blocks.

Source: SPEC 2 and 3.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass

KEY_BITS = 256
SHORTCUT_DEPTH = 24  # a lone member hangs there, one with neighbours where they part
DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class Needed:
    """Hashes of one block and of two; one block takes half the time."""

    one_block: int
    two_blocks: int

    @property
    def two_block_equivalents(self) -> float:
        """All of them, those of one block counting half."""
        return self.two_blocks + self.one_block / 2

    def __add__(self, other: Needed) -> Needed:
        """Return the sum."""
        return Needed(self.one_block + other.one_block, self.two_blocks + other.two_blocks)


def history_hashes(first_version: int, count: int) -> Needed:
    """Return what the roots of some consecutive versions need."""
    one_block = two_blocks = 0
    for version in range(first_version, first_version + count):
        two_blocks += version.bit_count()
        one_block += 1 + version.bit_length() - version.bit_count()
    return Needed(one_block, two_blocks)


def frozen_hashes(first_version: int, count: int) -> Needed:
    """Return what the frozen nodes alone need: all that replay without roots has to compute."""
    stop = first_version + count
    inner = sum((stop >> h) - (first_version >> h) for h in range(1, stop.bit_length() + 1))
    return Needed(count, inner)


class Members:
    """The digests in a hyper tree, as far as they can meet a few digests that are known before."""

    def __init__(self, groups: Iterable[bytes]) -> None:
        """Remember which prefixes of 24 bits will matter: those of the groups' digests."""
        prefixes = {key >> KEY_BITS - SHORTCUT_DEPTH for group in groups for key in _keys(group)}
        # The members below a prefix, in ascending order.
        self._below: dict[int, list[int]] = {prefix: [] for prefix in prefixes}

    def add(self, digests: bytes) -> None:
        """Put digests into the tree without counting."""
        width = SHORTCUT_DEPTH // 8
        for start in range(0, len(digests), DIGEST_BYTES):
            prefix = int.from_bytes(digests[start : start + width], "big")
            if prefix in self._below:
                key = int.from_bytes(digests[start : start + DIGEST_BYTES], "big")
                if key not in self._below[prefix]:
                    insort(self._below[prefix], key)

    def add_group(self, digests: bytes) -> Needed:
        """Put one of the groups into the tree and return what its root needs."""
        keys = sorted(set(_keys(digests)))
        before: dict[int, int] = {}  # members beside the group's, with the depth they hang at
        for key in keys:
            for neighbour in self._neighbours(key):
                before[neighbour] = self._depth(neighbour)
        new = [key for key in keys if not self._has(key)]
        for key in new:
            insort(self._below[key >> KEY_BITS - SHORTCUT_DEPTH], key)
        moved = before.keys() - set(keys)
        leaves = len(keys) + sum(self._depth(key) != before[key] for key in moved)
        inner = 0
        previous: int | None = None
        for key in keys:
            # The nodes above `key` that are not above the key before it too.
            shared = 0 if previous is None else common_bits(previous, key) + 1
            inner += self._depth(key) - shared
            previous = key
        return Needed(0, leaves + inner)

    def _has(self, key: int) -> bool:
        return key in self._below[key >> KEY_BITS - SHORTCUT_DEPTH]

    def _neighbours(self, key: int) -> list[int]:
        """Return the members right before and after a key, below the same prefix."""
        members = self._below[key >> KEY_BITS - SHORTCUT_DEPTH]
        at = bisect_left(members, key)
        after = at + 1 if at < len(members) and members[at] == key else at
        return members[max(at - 1, 0) : at] + members[after : after + 1]

    def _depth(self, key: int) -> int:
        """Return how many nodes are above the place where a member hangs."""
        parting = (common_bits(key, other) + 1 for other in self._neighbours(key))
        return max(SHORTCUT_DEPTH, *parting, 0)


def common_bits(one: int, other: int) -> int:
    """Return how many of the highest bits two keys share."""
    return KEY_BITS - (one ^ other).bit_length()


def _keys(digests: bytes) -> list[int]:
    starts = range(0, len(digests), DIGEST_BYTES)
    return [int.from_bytes(digests[start : start + DIGEST_BYTES], "big") for start in starts]
