"""How anyone checks a proof of the snapshot log, on SHA-256 alone: no server and no prover's code.

A function returns None when the claim holds and raises VerificationError, whose `step` names the
check that failed, for everything else. You bring two things that you trust: sizes with their roots,
from signed checkpoints, and the hash of a leaf that you made yourself.

A proof is consumed exactly: how many hashes it has is a function of the numbers asked about, so
nothing can be missing, spare, or out of its place. Source: RFC 9162, 2.1.3.2 and 2.1.4.2; SPEC 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from qed.errors import VerificationError

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
LIMIT = 1 << 64  # sizes are numbers below it


def hash_leaf(leaf: bytes) -> bytes:
    """Return the hash of a leaf, H(0 || leaf), as the tree has it at the bottom."""
    return sha256(b"\x00" + leaf).digest()


def verify_inclusion(
    leaf_hash: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Return if the tree of `size` with this root has at `index` the leaf with this hash.

    Steps: (1) the question makes sense; (2) each hash of the path is on the side that the index
    says, and the path is as long as the tree is high there; (3) the result is the root.

    Raises: VerificationError, and nothing else; its step is "question", "path" or "root".
    Cost: a hash for each of at most 64 entries. Source: RFC 9162, 2.1.3.2.
    """
    # Step 1: the question makes sense.
    _require(0 <= index < size < LIMIT, "question", f"no tree of {size} leaves has leaf {index}")
    _check_hashes([leaf_hash, root], "question")
    # Step 2: a hash for each neighbour on the way up; where there is none, the node goes up alone.
    wanted = _count_entries(index, size - 1)
    _check_path(path, wanted)
    place, last, node = index, size - 1, leaf_hash
    for sibling in path:
        while place == last and not place & 1:  # the rightmost of an odd row has no neighbour
            place, last = place >> 1, last >> 1
        node = _hash_node(sibling, node) if place & 1 else _hash_node(node, sibling)
        place, last = place >> 1, last >> 1
    # Step 3: the result is the root.
    _require(node == root, "root", f"the proof leads to {node.hex()}, the root is {root.hex()}")


def verify_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Return if the tree of `new_size` begins with the tree of `old_size`, both by their roots.

    Steps: (1) the question makes sense; (2) sizes that need no proof: an empty tree is the
    beginning of each, and equal sizes have equal roots; (3) the path is as long as the sizes say;
    (4) the old root and (5) the new root follow from it.

    Raises: VerificationError, and nothing else; its step is "question", "path", "old-root" or
    "new-root". Cost: two hashes for each of at most 65 entries. Source: RFC 9162, 2.1.4.2.
    """
    # Step 1: the question makes sense.
    sizes = f"no tree of {new_size} leaves begins with {old_size}"
    _require(0 <= old_size <= new_size < LIMIT, "question", sizes)
    _check_hashes([old_root, new_root], "question")
    # Step 2: sizes that need no proof.
    if old_size in (0, new_size):
        _check_path(path, 0)
        if old_size == 0:
            _require(old_root == EMPTY_ROOT, "old-root", "an empty tree has another root")
        if old_size == new_size:
            _require(old_root == new_root, "new-root", "two roots for one size")
        return
    # Step 3: the path is as long as the sizes say. The largest subtree that ends where the old
    # tree does is the first entry, or the old root itself when the old tree is nothing else.
    shift = (old_size & -old_size).bit_length() - 1
    place, last = (old_size - 1) >> shift, (new_size - 1) >> shift
    wanted = _count_entries(place, last) + (1 if place else 0)
    _check_path(path, wanted)
    entries = list(path) if place else [old_root, *path]
    old = new = entries[0]
    for sibling in entries[1:]:
        while place == last and not place & 1:
            place, last = place >> 1, last >> 1
        if place & 1:  # on the left: in both trees
            old, new = _hash_node(sibling, old), _hash_node(sibling, new)
        else:  # on the right: in the new one alone
            new = _hash_node(new, sibling)
        place, last = place >> 1, last >> 1
    # Step 4: the old root.
    found = f"the proof leads to {old.hex()}, the old root is {old_root.hex()}"
    _require(old == old_root, "old-root", found)
    # Step 5: the new root.
    found = f"the proof leads to {new.hex()}, the new root is {new_root.hex()}"
    _require(new == new_root, "new-root", found)


def _count_entries(place: int, last: int) -> int:
    """Return how many neighbours lie on the way up from `place` in a row that ends at `last`."""
    count = 0
    while last:
        count += place ^ 1 <= last
        place, last = place >> 1, last >> 1
    return count


def _hash_node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def _check_path(path: Sequence[bytes], wanted: int) -> None:
    _require(len(path) == wanted, "path", f"the path has {len(path)} hashes, not {wanted}")
    _check_hashes(path, "path")


def _check_hashes(hashes: Sequence[bytes], step: str) -> None:
    # A shorter or longer value could move the border between a left and a right child.
    exact = all(type(value) is bytes and len(value) == HASH_BYTES for value in hashes)
    _require(exact, step, f"a hash is not {HASH_BYTES} bytes")


def _require(holds: bool, step: str, message: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise VerificationError(message, step=step)
