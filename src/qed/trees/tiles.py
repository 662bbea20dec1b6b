"""Tiles of the snapshot log: their names, what they hold, and proofs made of them. Pure.

A *node* is `(height, index)`: the perfect subtree over the leaves [index << height, (index + 1) <<
height). A tile of level L holds up to 256 nodes of height 8 * L that lie side by side, so every
perfect subtree can be computed from one tile. What a proof needs of a tree that is not perfect is
made of perfect subtrees too, so a proof is a list of *entries*, each the nodes that one hash of it
is folded from, largest first.

```
inclusion_nodes(4, 7):   [(0, 5)]   [(0, 6)]   [(2, 0)]       leaf 5, leaf 6, leaves 0 to 3
inclusion_nodes(0, 7):   [(0, 1)]   [(1, 1)]   [(1, 2), (0, 6)]            the last: leaves 4 to 6
```

Proofs are in the order of RFC 9162, 2.1.3 and 2.1.4, from the leaf's side up; `verify_log` checks
them and shares no code with this file. Source: SPEC 10; c2sp.org/tlog-tiles.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from qed.errors import MalformedError
from qed.trees.snapshot_log import (
    EMPTY_ROOT,
    LEAF_BYTES,
    TAG,
    TILE_HASHES,
    TILE_HEIGHT,
    decode_leaf,
    hash_node,
)
from qed.trees.values import DIGEST_BYTES

ENTRIES = -1  # the "level" of a bundle of leaves
LEVELS = 64

_PATH_CHARS = 64  # the longest path that means something has 51
_INDEX_BITS = 56  # at most 2 ** 64 leaves, 256 a tile
_PATH = re.compile(
    r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([0-9]{1,3}))?", re.ASCII
)
_PREFIX_BYTES = 2  # of an entry in a bundle: its length
_ENTRY = struct.Struct(f">H{LEAF_BYTES}s")  # of a bundle: a length and a leaf

Node = tuple[int, int]  # height, index
# Asked once, with perfect subtrees only; answers with their hashes in the same order.
Read = Callable[[Sequence[Node]], Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile's address: its level (or `ENTRIES`), its index there, and how many hashes it has."""

    level: int
    index: int
    width: int = TILE_HASHES


# Proofs


def inclusion_nodes(index: int, size: int) -> list[list[Node]]:
    """Return what the proof that leaf `index` is in a tree of `size` is made of, entry by entry.

    Source: RFC 9162, 2.1.3.1.
    """
    _check_bug(0 <= index < size, f"leaf {index} is not in a tree of {size}")
    entries: list[list[Node]] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = _split(start, stop)
        if index < middle:
            entries.append(_perfect_nodes(middle, stop))
            stop = middle
        else:
            entries.append(_perfect_nodes(start, middle))
            start = middle
    return entries[::-1]


def consistency_nodes(old: int, new: int) -> list[list[Node]]:
    """Return what the proof that a tree of `new` begins with one of `old` is made of.

    Nothing for an `old` of 0 or of `new`. Source: RFC 9162, 2.1.4.1.
    """
    _check_bug(0 <= old <= new, f"no tree of {new} leaves begins with {old}")
    if old in (0, new):
        return []
    entries: list[list[Node]] = []
    start, stop = 0, new
    while old != stop:
        middle = _split(start, stop)
        if old <= middle:
            entries.append(_perfect_nodes(middle, stop))
            stop = middle
        else:
            entries.append(_perfect_nodes(start, middle))
            start = middle
    if start > 0:  # else the verifier has it: it is the old root itself
        entries.append(_perfect_nodes(start, stop))
    return entries[::-1]


def peak_nodes(size: int) -> list[Node]:
    """Return the perfect subtrees that a tree of `size` is made of, the largest first."""
    return _perfect_nodes(0, size)


def prove_inclusion(read: Read, index: int, size: int) -> list[bytes]:
    """Return the proof that leaf `index` is in the tree of `size`; `read` is asked once."""
    return _fold_entries(read, inclusion_nodes(index, size))


def prove_consistency(read: Read, old: int, new: int) -> list[bytes]:
    """Return the proof that the tree of `new` begins with that of `old`; `read` is asked once."""
    return _fold_entries(read, consistency_nodes(old, new))


def compute_root(read: Read, size: int) -> bytes:
    """Return the root of the tree of `size` from its peaks; `read` is asked once."""
    return _fold_entries(read, [peak_nodes(size)])[0] if size else EMPTY_ROOT


def _fold_entries(read: Read, entries: list[list[Node]]) -> list[bytes]:
    """Ask for all nodes at once and make one hash of each entry."""
    nodes = [node for entry in entries for node in entry]
    if not nodes:
        return []
    hashes = iter(read(nodes))
    proof = [_fold([next(hashes) for _ in entry]) for entry in entries]
    _check_bug(next(hashes, None) is None, "more hashes than nodes")
    return proof


def _fold(hashes: list[bytes]) -> bytes:
    """Return the hash over perfect subtrees side by side, each smaller than the one before."""
    node = hashes.pop()
    while hashes:
        node = hash_node(hashes.pop(), node)
    return node


def _split(start: int, stop: int) -> int:
    """Return where RFC 6962 parts a range of two or more: after the largest power of two in it."""
    return start + (1 << ((stop - start - 1).bit_length() - 1))


def _perfect_nodes(start: int, stop: int) -> list[Node]:
    """Return the perfect subtrees of a range whose start is a multiple of the largest of them."""
    nodes: list[Node] = []
    while start < stop:
        height = (stop - start).bit_length() - 1
        nodes.append((height, start >> height))
        start += 1 << height
    return nodes


# Where nodes lie


def tile_width(level: int, index: int, size: int) -> int:
    """Return how many hashes a tile has in a tree of `size`: 0 when there is no such tile."""
    complete = size >> (TILE_HEIGHT * max(level, 0))
    return max(0, min(TILE_HASHES, complete - TILE_HASHES * index))


def tile_of(node: Node, size: int) -> Tile:
    """Return the tile, as wide as a tree of `size` has it, from which a node can be computed."""
    level, index, start, stop = _place(node)
    width = tile_width(level, index, size)
    _check_bug(start < stop <= width, f"node {node} is not in a tree of {size}")
    return Tile(level, index, width)


def node_from_tile(node: Node, hashes: bytes) -> bytes:
    """Return a node's hash from those of the tile that `tile_of` names, end to end.

    Cost: a hash of two blocks for each hash below the node in the tile, at most 255.
    """
    _, _, start, stop = _place(node)
    _check_bug(stop * DIGEST_BYTES <= len(hashes), f"node {node} is beyond the tile")
    row = [hashes[DIGEST_BYTES * i : DIGEST_BYTES * (i + 1)] for i in range(start, stop)]
    while len(row) > 1:
        row = [hash_node(row[i], row[i + 1]) for i in range(0, len(row), 2)]
    return row[0]


def tiles_of(size: int) -> Iterator[Tile]:
    """Yield every tile of a tree of `size`, level by level, the partial one of each at its end."""
    for level in range(LEVELS):
        complete = size >> (TILE_HEIGHT * level)
        if not complete:
            return
        for index in range((complete + TILE_HASHES - 1) // TILE_HASHES):
            yield Tile(level, index, tile_width(level, index, size))


def _place(node: Node) -> tuple[int, int, int, int]:
    """Return the level and index of a node's tile, and which of its hashes lie below the node."""
    height, index = node
    level, rest = divmod(height, TILE_HEIGHT)
    tile, start = divmod(index << rest, TILE_HASHES)
    return level, tile, start, start + (1 << rest)


# Names


def format_tile_path(tile: Tile) -> str:
    """Return the path of a tile: `tile/0/x001/234.p/112`, without `.p/` for a full one.

    Source: c2sp.org/tlog-tiles, "Merkle Tree" and "Log entries".
    """
    _check_bug(
        ENTRIES <= tile.level < LEVELS
        and 0 <= tile.index < 1 << _INDEX_BITS
        and 0 < tile.width <= TILE_HASHES,
        f"{tile} is no tile",
    )
    groups = [f"{tile.index % 1000:03}"]
    index = tile.index // 1000
    while index:
        groups.append(f"x{index % 1000:03}")
        index //= 1000
    level = "entries" if tile.level == ENTRIES else str(tile.level)
    partial = "" if tile.width == TILE_HASHES else f".p/{tile.width}"
    return f"tile/{level}/{'/'.join(reversed(groups))}{partial}"


def parse_tile_path(text: str) -> Tile:
    """Return the tile that a path names; MalformedError for one that `format_tile_path` never says.

    Whether a tree has the tile is another question: `tile_width`.
    """
    refused = MalformedError(f"{text[:_PATH_CHARS]!r} is not the path of a tile")
    match = _PATH.fullmatch(text) if len(text) <= _PATH_CHARS else None
    if match is None:
        raise refused
    level, groups, width = match.groups()
    tile = Tile(
        ENTRIES if level == "entries" else int(level),
        int(groups.replace("x", "").replace("/", "")),
        TILE_HASHES if width is None else int(width),
    )
    if (
        tile.level >= LEVELS
        or tile.index >= 1 << _INDEX_BITS
        or not 0 < tile.width <= TILE_HASHES
        or format_tile_path(tile) != text
    ):
        raise refused
    return tile


# Bundles of leaves


def encode_bundle(leaves: Sequence[bytes]) -> bytes:
    """Return leaves as a bundle: each after its length, u16 big-endian."""
    return b"".join(len(leaf).to_bytes(_PREFIX_BYTES, "big") + leaf for leaf in leaves)


def decode_bundle(data: bytes, width: int, *, index: int | None = None) -> list[bytes]:
    """Return the `width` leaves of a bundle, each a snapshot's, with versions that follow.

    The first version is 256 times the bundle's index; without `index`, any multiple of 256.
    Anything else is a MalformedError.
    """
    if len(data) != width * _ENTRY.size or not data:
        raise MalformedError(f"a bundle of {width} leaves has not {len(data)} bytes")
    leaves: list[bytes] = []
    first = None if index is None else index * TILE_HASHES
    for length, leaf in _ENTRY.iter_unpack(data):
        if length != LEAF_BYTES:
            raise MalformedError(f"entry {len(leaves)} of a bundle has not {LEAF_BYTES} bytes")
        if first is None or not leaf.startswith(_version_prefix(first + len(leaves))):
            version = decode_leaf(leaf).version  # what it says, or why it is no leaf
            first = version - version % TILE_HASHES if first is None else first
            if version != first + len(leaves):
                raise MalformedError(f"entry {len(leaves)} of a bundle is of version {version}")
        leaves.append(leaf)
    return leaves


def _version_prefix(version: int) -> bytes:
    """Return what the leaf of a version begins with."""
    return TAG + version.to_bytes(8, "big")


def _check_bug(holds: bool, message: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Stop at what only a caller's mistake brings about."""
    if not holds:
        raise AssertionError(message)
