r"""The history tree: an append-only Merkle tree over event digests, in the order of adding.

```
height 2          (0,2)                 as of version 2 the node (2,1) is partial: its right child
                 /     \                 does not exist yet, so its hash is that of the left child
height 1     (0,1)     (2,1)            and of its position alone. (0,1) is frozen: its last leaf
             /   \     /                is there, and its hash never changes again.
height 0  (0,0) (1,0) (2,0)
version     0     1     2
```

A node is named `(index of its first leaf, height)`; the root as of version v is
`(0, bit_length(v))`. Only frozen nodes are ever stored or read: every hash as of an older version
is recomputed from them. Nothing here keeps state: a function that needs frozen nodes is given a
reader and asks it once, with the complete list. Source: SPEC 2 and 4; Crosby and Wallach,
"Efficient Data Structures for Tamper-Evident Logging", 2009.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

from qed.trees.values import Position

# Given frozen positions, returns their hashes in the same order.
FrozenReader = Callable[[Sequence[Position]], Sequence[bytes]]


def leaf_hash(event_digest: bytes, version: int) -> bytes:
    """Return the hash of the leaf of `version`: H(event digest || position)."""
    return sha256(event_digest + _encode((version, 0))).digest()


def inner_hash(left: bytes, right: bytes | None, position: Position) -> bytes:
    """Return the hash of an inner node; `right` is None while its right child has no leaf yet."""
    return sha256(left + (right or b"") + _encode(position)).digest()


def extend(
    read: FrozenReader, size: int, digests: Sequence[bytes]
) -> tuple[list[tuple[Position, bytes]], list[bytes]]:
    """Return what a group adds to a log of `size` events: its frozen nodes and its roots.

    The frozen nodes come in the order in which they freeze, about two an event; the roots are one
    a version, in order. Asks `read` once for at most log2(size) + 1 nodes (the `peaks(size)`), and
    not at all for an empty log. Changes nothing: the caller stores the nodes or drops them.

    Cost: 1 + bit_length(v) hashes for version v.
    Source: SPEC 2.
    """
    steps = _first_steps(read, size)
    frozen: list[tuple[Position, bytes]] = []
    roots: list[bytes] = []
    for version, digest in enumerate(digests, size):
        node = sha256(digest + _encode((version, 0))).digest()
        frozen.append(((version, 0), node))
        # 1. While this leaf is the last one below the next node, that node freezes now.
        height = 0
        while version >> height & 1:
            before, after = steps[height]
            node = sha256(before + node + after).digest()
            height += 1
            frozen.append(((version + 1 - (1 << height), height), node))
        peak = node
        # 2. The nodes above are partial: their hashes are right for this version alone.
        for before, after in steps[height:]:
            node = sha256(before + node + after).digest()
        roots.append(node)
        # 3. The next version goes left below `height`, and right of this peak there. The version
        #    after 2^k - 1 has a root one higher, hence a step more.
        following = version + 1
        for lower in range(height):
            steps[lower] = (b"", _encode((following, lower + 1)))
        parent = following >> (height + 1) << (height + 1)
        steps[height : height + 1] = [(peak, _encode((parent, height + 1)))]
    return frozen, roots


def _first_steps(read: FrozenReader, size: int) -> list[tuple[bytes, bytes]]:
    """Return what stands before and after the climbing hash at each height, for version `size`.

    `steps[h]` makes the node of height h + 1: before it the left sibling (empty when the climb
    comes from the left), after it the position.
    """
    wanted = peaks(size)
    hashes = dict(zip(wanted, read(wanted), strict=True)) if wanted else {}
    steps = []
    for height in range(size.bit_length()):
        parent = size >> (height + 1) << (height + 1)
        sibling = hashes[parent, height] if size >> height & 1 else b""
        steps.append((sibling, _encode((parent, height + 1))))
    return steps


def peaks(size: int) -> list[Position]:
    """Return the largest frozen nodes of a log of `size` events, left to right; one a set bit."""
    return list(_cover(0, size))


def root(read: FrozenReader, version: int) -> bytes:
    """Return the root as of `version`, which must be in the log.

    Asks `read` once for the peaks of version + 1: at most log2(version + 1) + 1 nodes.
    """
    wanted = peaks(version + 1)
    return _fold(wanted, read(wanted), version.bit_length())


def prove_membership(read: FrozenReader, leaf: int, version: int) -> dict[Position, bytes]:
    """Return the path that ties the leaf of version `leaf` to the root as of `version`.

    It holds the siblings on the way from the root to the leaf, from the root down; a sibling that
    contains `version` inside is its hash as of then, one that starts after it does not exist.
    `leaf <= version`, and both are in the log. Asks `read` once, for at most 2 * log2(version) + 1
    nodes (nothing for the log of one event).

    Source: SPEC 4.
    """
    if not 0 <= leaf <= version:
        raise AssertionError(f"no path from leaf {leaf} as of version {version}")
    siblings = []
    for height in reversed(range(version.bit_length())):
        start = (leaf >> height ^ 1) << height
        if start <= version:
            stop = min(start + (1 << height), version + 1)
            siblings.append(((start, height), list(_cover(start, stop))))
    wanted = [position for _, cover in siblings for position in cover]
    hashes = iter(read(wanted) if wanted else ())
    return {
        sibling: _fold(cover, [next(hashes) for _ in cover], sibling[1])
        for sibling, cover in siblings
    }


def prove_incremental(read: FrozenReader, start: int, end: int) -> dict[Position, bytes]:
    """Return the nodes from which anyone can recompute the roots of both versions.

    The way down from the root of `end` splits where `start` or `end` lies below; what contains
    neither, and both leaves, is collected, left to right. `start <= end`, and both are in the log.
    All of these nodes are frozen: asks `read` once for just them, at most 2 * log2(end) + 2.

    Source: SPEC 4.
    """
    if not 0 <= start <= end:
        raise AssertionError(f"no increment from version {start} to {end}")
    wanted = list(_untouched((0, end.bit_length()), start, end))
    return dict(zip(wanted, read(wanted), strict=True))


def _untouched(position: Position, start: int, end: int) -> Iterator[Position]:
    """Yield, below a node, the leaves of `start` and `end` and the largest nodes without them."""
    index, height = position
    if index > end:
        return
    last = index + (1 << height) - 1
    if height == 0 or not (index <= start <= last or index <= end <= last):
        yield position
        return
    yield from _untouched((index, height - 1), start, end)
    yield from _untouched((index + (1 << height - 1), height - 1), start, end)


def _cover(start: int, stop: int) -> Iterator[Position]:
    """Yield the largest nodes that together hold exactly the leaves [start, stop), left to right.

    `start` is the first leaf of a node that holds them all, so each next one is smaller.
    """
    while start < stop:
        height = (stop - start).bit_length() - 1
        yield start, height
        start += 1 << height


def _fold(cover: Sequence[Position], hashes: Sequence[bytes], height: int) -> bytes:
    """Return the hash of the node of `height` over a cover, as of the cover's last leaf."""
    (index, start_height), node = cover[-1], hashes[-1]
    lefts = iter(reversed(hashes[:-1]))
    for h in range(start_height, height):
        parent = (index >> (h + 1) << (h + 1), h + 1)
        from_right = index >> h & 1
        node = (
            inner_hash(next(lefts), node, parent) if from_right else inner_hash(node, None, parent)
        )
    return node


def _encode(position: Position) -> bytes:
    """Return u64(index) || u16(height), the form in which a position is hashed."""
    index, height = position
    return (index << 16 | height).to_bytes(10, "big")
