r"""The snapshot log: an RFC 6962 Merkle tree whose leaf v is the snapshot of version v.

```
size 3: the root is H(1 || peak || peak)          peaks: the roots of the largest perfect subtrees,
             /          \                         left to right, one a set bit of the size. They are
         peak(0,1)    peak(2)                     all that is needed to go on: a hash that has a
        /        \        |                       right neighbour of its height becomes one with it.
   leaf 0      leaf 1   leaf 2
```

A leaf is hashed as H(0 || leaf), a node as H(1 || left || right); nothing here is in any hash of
the two trees, and nothing of this is secret or needs one. The tree is stored in *tiles*: a tile of
level L and index n holds the 256 hashes of height 8 * L below one node of height 8 * (L + 1). A
hash of level L >= 1 is kept as soon as its subtree is complete, for it never changes; those of
level 0 are made again from the leaves. Hashes travel as one `bytes`, 32 bytes each, end to end.

Pure, and the readable twin of the native functions; `kernel` picks one of the two. Source: SPEC 10;
RFC 6962, section 2.1; c2sp.org/tlog-tiles.
"""

from __future__ import annotations

from hashlib import sha256

from qed.errors import MalformedError
from qed.trees.values import DIGEST_BYTES, Snapshot, split_digests

TAG = b"qed/snap/v1\n"
LEAF_BYTES = 116
EMPTY_ROOT = sha256(b"").digest()
TILE_HEIGHT = 8
TILE_HASHES = 1 << TILE_HEIGHT
MAX_SIZE = 1 << 63  # versions beyond have no room in the native kernel's counters

_VERSION_BYTES = 8

# A hash that is kept: its level (height // 8, at least 1), its index there, and itself.
StoredNode = tuple[int, int, bytes]


def encode_leaf(
    version: int, event_digest: bytes, history_digest: bytes, hyper_digest: bytes
) -> bytes:
    """Return the leaf of a version: tag, u64 version and three digests, 116 bytes.

    A digest that has not 32 bytes, or a version that is no u64: `ValueError`.
    """
    digests = event_digest + history_digest + hyper_digest
    if not len(event_digest) == len(history_digest) == len(hyper_digest) == DIGEST_BYTES:
        raise ValueError(f"a digest has {DIGEST_BYTES} bytes")
    if not 0 <= version < 1 << 64:
        raise ValueError(f"{version} is no version")
    return TAG + version.to_bytes(_VERSION_BYTES, "big") + digests


def decode_leaf(leaf: bytes) -> Snapshot:
    """Return the snapshot that a leaf says; other bytes are a `MalformedError`."""
    if len(leaf) != LEAF_BYTES or not leaf.startswith(TAG):
        raise MalformedError(
            f"{len(leaf)} bytes are no leaf of a snapshot log: it has {LEAF_BYTES}, "
            f"of which the first are {TAG!r}"
        )
    start = len(TAG) + _VERSION_BYTES
    version = int.from_bytes(leaf[len(TAG) : start], "big")
    return Snapshot(version, *split_digests(leaf[start:]))


def hash_leaf(leaf: bytes) -> bytes:
    """Return the hash of a leaf: H(0 || leaf)."""
    return sha256(b"\x00" + leaf).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node: H(1 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def hash_leaves(
    first_version: int, digests: bytes, history_digests: bytes, hyper_digest: bytes
) -> bytes:
    """Return the leaf hashes of one group, or of a part of one, end to end.

    Args:
        first_version: of the events.
        digests: their event digests, end to end.
        history_digests: the history digest as of each version, as many.
        hyper_digest: the one after the whole group.

    Raises:
        ValueError: bytes that are no digests, not as many of both, or versions beyond `MAX_SIZE`.

    Cost: a hash of two blocks an event.
    """
    events, roots = split_digests(digests), split_digests(history_digests)
    if len(events) != len(roots) or len(hyper_digest) != DIGEST_BYTES:
        raise ValueError(f"{len(roots)} history digests for {len(events)} events")
    _check_size(first_version, len(events))
    return b"".join(
        hash_leaf(encode_leaf(version, event, root, hyper_digest))
        for version, (event, root) in enumerate(zip(events, roots, strict=True), first_version)
    )


def extend(size: int, peaks: bytes, hashes: bytes) -> tuple[bytes, list[StoredNode]]:
    """Return the peaks after more leaves, and the nodes of level 1 and above completed on the way.

    `peaks` are those of `size` leaves, the largest subtree's first; `hashes` are the hashes of the
    leaves that follow. The nodes come in the order in which their last leaf does, lower ones first.
    Peaks that cannot be those of the size, or no whole number of hashes: `ValueError`.

    Cost: a hash of two blocks a leaf. Source: RFC 6962, 2.1.
    """
    leaves = split_digests(hashes)
    _check_size(size, len(leaves))
    stack = split_digests(peaks)
    if len(stack) != size.bit_count():
        raise ValueError(f"{len(stack)} peaks are not those of {size} leaves")
    nodes: list[StoredNode] = []
    for version, leaf in enumerate(leaves, size):
        node = leaf
        height = 0
        while version >> height & 1:
            node = hash_node(stack.pop(), node)
            height += 1
            if height % TILE_HEIGHT == 0:
                nodes.append((height // TILE_HEIGHT, version >> height, node))
        stack.append(node)
    return b"".join(stack), nodes


def root(peaks: bytes) -> bytes:
    """Return the root over the leaves that these peaks stand for; `EMPTY_ROOT` over none.

    Cost: a hash a peak but one. No whole number of hashes: `ValueError`.
    """
    stack = split_digests(peaks)
    if not stack:
        return EMPTY_ROOT
    node = stack.pop()
    while stack:
        node = hash_node(stack.pop(), node)
    return node


def _check_size(size: int, more: int) -> None:
    if not 0 <= size <= MAX_SIZE - more:
        raise ValueError(f"no log has {size} leaves and {more} more")
