"""The hyper tree: a sparse Merkle tree of height 256 from an event's digest to its version.

```
height 256   inner            The digest's bits, highest first, say right (1) or left (0).
...          inner            Above height 232 a node with any member is inner, so a lone member
height 232   leaf  inner      hangs at 232 or, where it has neighbours, just below the node in which
height 231         leaf leaf  they part. An empty node has the default hash of its height.
```

Held as a compressed trie of immutable tuples: a *leaf* for each member, a *fork* where two members
part, nothing for the one-sided chains between (their siblings are empty, so a chain is hashed when
it changes or is asked for). A tree is never changed: inserting returns a new root that shares all
that it did not touch, so a plan is made beside the state and a reader keeps the root that it has.
The tree is a function of its members alone, never of the order of insertion. Keys are held as
integers. Source: SPEC 3 and 4.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeAlias

from qed.trees.values import HYPER_HEIGHT, SHORTCUT_HEIGHT, Position

# A node *hangs* at the height just below the fork above it, or at 256; its hash is the one there.
# A leaf is (hash, key, version). A fork is (hash, key of its leftmost member, height, left, right):
# its members part at `height`, and its children hang at height - 1. Told apart by their length.
# Plain tuples, because the garbage collector soon stops tracking those that lead to no cycle.
_Leaf: TypeAlias = tuple[bytes, int, int]
_Fork: TypeAlias = tuple[bytes, int, int, "_Node", "_Node"]
_Node: TypeAlias = _Leaf | _Fork
Tree: TypeAlias = _Node | None

_LEAF_FIELDS: Final = 3
_HASH: Final = 0
_HEIGHTS = tuple(height.to_bytes(2, "big") for height in range(HYPER_HEIGHT + 1))
_MASKS = tuple((1 << HYPER_HEIGHT) - (1 << height) for height in range(HYPER_HEIGHT + 1))


def _defaults() -> tuple[bytes, ...]:
    hashes = [sha256(b"\x00\x00").digest()]
    for _ in range(HYPER_HEIGHT):
        hashes.append(sha256(hashes[-1] * 2).digest())
    return tuple(hashes)


DEFAULTS = _defaults()  # the hash of an empty node, by height


@dataclass(frozen=True, slots=True)
class Walk:
    """Where the way to a digest ended: the siblings met, and the leaf or None for an empty node.

    `path` goes from the root down; `leaf` is (digest, version), of this digest or of another.
    """

    path: dict[Position, bytes]
    leaf: tuple[bytes, int] | None


def root(tree: Tree) -> bytes:
    """Return the root hash, in an empty tree the default one."""
    return DEFAULTS[HYPER_HEIGHT] if tree is None else tree[_HASH]


def get(tree: Tree, digest: bytes) -> int | None:
    """Return the version that the tree holds for a digest, None when it holds none."""
    if tree is None:
        return None
    key = int.from_bytes(digest, "big")
    node = tree
    while len(node) != _LEAF_FIELDS:
        _, _, height, left, right = node
        node = right if key >> (height - 1) & 1 else left
    return node[2] if node[1] == key else None


def insert(tree: Tree, entries: Sequence[tuple[bytes, int]]) -> Tree:
    """Return the tree with a group of (digest, version) in it; a known digest gets the new version.

    No digest may come twice in one group: the caller keeps the first. The given tree stays valid.

    Cost: one hash for each node above a member of the group down to where the member hangs (24 or
    a little more), those above several members once; about 400 bytes a new member.
    Source: SPEC 3.
    """
    if not entries:
        return tree
    versions = {int.from_bytes(digest, "big"): version for digest, version in entries}
    if len(versions) != len(entries):
        raise AssertionError("a digest comes twice in one group")
    return _merge(tree, sorted(versions), versions, HYPER_HEIGHT)


def _merge(node: Tree, keys: list[int], versions: dict[int, int], hang: int) -> _Node:
    """Return the node with the keys in it, to hang at `hang`; keys are sorted and not empty."""
    if node is None:
        return _grow(keys, versions, hang)
    if len(node) == _LEAF_FIELDS:
        _, key, version = node
        if key not in versions:
            versions[key] = version
            insort(keys, key)
        return _grow(keys, versions, hang)
    _, member, height, left, right = node
    # The keys are sorted: if the first and the last share the fork's bits above it, all do.
    apart = ((member ^ keys[0]) | (member ^ keys[-1])) >> height
    if apart:
        return _split(node, height + apart.bit_length(), keys, versions, hang)
    cut = bisect_left(keys, (member & _MASKS[height]) | 1 << (height - 1))
    if cut:
        left = _merge(left, keys[:cut], versions, height - 1)
    if cut < len(keys):
        right = _merge(right, keys[cut:], versions, height - 1)
    return _fork(height, left, right, hang)


def _split(fork: _Fork, height: int, keys: list[int], versions: dict[int, int], hang: int) -> _Node:
    """Return a new fork at `height`, above the given one, where some of the keys part from it."""
    _, member, fork_height, fork_left, fork_right = fork
    cut = bisect_left(keys, (member & _MASKS[height]) | 1 << (height - 1))
    lower, upper = keys[:cut], keys[cut:]
    own, others = (upper, lower) if member >> (height - 1) & 1 else (lower, upper)
    beside = _grow(others, versions, height - 1)
    if own:
        below = _merge(fork, own, versions, height - 1)
    else:
        below = _fork(fork_height, fork_left, fork_right, height - 1)
    left, right = (below, beside) if others is upper else (beside, below)
    return _fork(height, left, right, hang)


def _grow(keys: list[int], versions: dict[int, int], hang: int) -> _Node:
    """Return the node of these members alone, to hang at `hang`; keys are sorted, not empty."""
    first = keys[0]
    if len(keys) == 1:
        return _lift_leaf(first, versions[first], hang), first, versions[first]
    height = (first ^ keys[-1]).bit_length()
    cut = bisect_left(keys, (first & _MASKS[height]) | 1 << (height - 1))
    left = _grow(keys[:cut], versions, height - 1)
    right = _grow(keys[cut:], versions, height - 1)
    return _fork(height, left, right, hang)


def _fork(height: int, left: _Node, right: _Node, hang: int) -> _Fork:
    """Return the fork of two nodes that hang at height - 1, itself to hang at `hang`."""
    key = left[1]
    node = _fork_hash(key, height, left, right)
    return (_lift(node, key, height, hang) if hang > height else node), key, height, left, right


def _fork_hash(key: int, height: int, left: _Node, right: _Node) -> bytes:
    """Return the hash of a fork at its own height: H(right || left || position)."""
    index = (key & _MASKS[height]).to_bytes(32, "big")
    return sha256(right[_HASH] + left[_HASH] + _HEIGHTS[height] + index).digest()


def _lift_leaf(key: int, version: int, hang: int) -> bytes:
    """Return the hash at `hang` of a lone member: its shortcut leaf and the chain above it."""
    height = min(hang, SHORTCUT_HEIGHT)
    index = (key & _MASKS[height]).to_bytes(32, "big")
    leaf = sha256(version.to_bytes(32, "big") + _HEIGHTS[height] + index).digest()
    return _lift(leaf, key, height, hang)


def _lift(node: bytes, key: int, height: int, hang: int) -> bytes:
    """Return the hash at `hang` of a node of `height` whose siblings in between are all empty."""
    for h in range(height, hang):
        index = (key & _MASKS[h + 1]).to_bytes(32, "big")
        children = node + DEFAULTS[h] if key >> h & 1 else DEFAULTS[h] + node  # right first
        node = sha256(children + _HEIGHTS[h + 1] + index).digest()
    return node


def walk(tree: Tree, digest: bytes) -> Walk:
    """Return the siblings on the way to a digest and where it ends: a leaf or an empty node.

    Stops at the first empty node or leaf; neither is in the path. An empty tree has no path.

    Cost: as many entries as the end is deep; at most some 25 hashes, when it leaves a chain.
    Source: SPEC 4.
    """
    if tree is None:
        return Walk({}, None)
    path: dict[Position, bytes] = {}
    key = int.from_bytes(digest, "big")
    node, hang = tree, HYPER_HEIGHT
    while len(node) != _LEAF_FIELDS:
        _, member, height, left, right = node
        if (member ^ key) >> height:
            end = _fork_hash(member, height, left, right)
            return Walk(path | _leave_chain(key, member, (height, hang), end), None)
        _collect_defaults(path, key, hang, height)
        near, far = (right, left) if key >> (height - 1) & 1 else (left, right)
        path[_sibling(key, height - 1)] = far[_HASH]
        node, hang = near, height - 1
    _, member, version = node
    height = min(hang, SHORTCUT_HEIGHT)
    if (member ^ key) >> height:
        end = _lift_leaf(member, version, height)
        return Walk(path | _leave_chain(key, member, (height, hang), end), None)
    _collect_defaults(path, key, hang, height)
    return Walk(path, (member.to_bytes(32, "big"), version))


def _leave_chain(
    key: int, member: int, chain: tuple[int, int], end: bytes
) -> dict[Position, bytes]:
    """Return what is collected where the way to a key leaves a chain for an empty node.

    The chain leads to `member`, from where it hangs, chain[1], down to chain[0], where its hash is
    `end`. What is met last is the chain itself, beside the empty node.
    """
    height, hang = chain
    parting = height + ((member ^ key) >> height).bit_length() - 1
    path: dict[Position, bytes] = {}
    _collect_defaults(path, key, hang, parting + 1)
    path[_sibling(key, parting)] = _lift(end, member, height, parting)
    return path


def _collect_defaults(path: dict[Position, bytes], key: int, hang: int, height: int) -> None:
    """Collect the empty siblings of a chain from `hang` down to `height`."""
    for h in reversed(range(height, hang)):
        path[_sibling(key, h)] = DEFAULTS[h]


def _sibling(key: int, height: int) -> Position:
    """Return the position beside the node of `height` that is on the way to the key."""
    return ((key & _MASKS[height]) ^ 1 << height, height)
