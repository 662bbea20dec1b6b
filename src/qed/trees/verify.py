"""How anyone checks a proof, on SHA-256 alone: no server, no key, and no code of the prover.

You bring the question that you asked and snapshots that you trust, each digest *with its version*.
A function returns None when the claim holds and raises VerificationError, whose `step` names the
check that failed, for everything else. Nothing is repaired, skipped or ignored: a proof is exactly
the nodes that the question needs, and every number in it is a function of the question and the
snapshots, so changing anything in it changes the verdict.

Why three things that look alike cannot be taken for one another: under a root, the way to a digest
passes inner nodes only and ends in one place, a leaf or an empty node. What is hashed for them has
different lengths (98 bytes for an inner node, 66 for a leaf, 64 or 2 for an empty node; in the
history tree 42 for a leaf or a partial node, 74 for an inner one), *provided that every value of a
path is 32 bytes long*, and holds the position (an empty node: the height). A leaf and a partial
node of the history tree have one length, but positions of different height. So under one root a
digest cannot be shown in two ways.

What a proof does not say: that the map is complete (replaying the log shows that), or that two
snapshots belong to one log (incremental proofs show that). Source: SPEC 2 to 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from qed.errors import VerificationError
from qed.trees.values import (
    DIGEST_BYTES,
    HYPER_HEIGHT,
    NO_VERSION,
    SHORTCUT_HEIGHT,
    AuditPath,
    HyperLeaf,
    IncrementalProof,
    MembershipProof,
    Position,
)


@dataclass(frozen=True, slots=True)
class Root:
    """A digest out of a trusted snapshot, with the version of that snapshot."""

    version: int
    digest: bytes


def verify_membership(
    proof: MembershipProof, *, digest: bytes, version: int | None, hyper: Root, history: Root
) -> None:
    """Return if the event with this digest is in the log, newest at `proof.actual_version`.

    With c the current version of the answer, q the version asked for (c when None) and v the
    smaller of both, `hyper` is the hyper digest of the snapshot of c and `history` the history
    digest of the snapshot of v.

    Steps: (1) the answer is to this question and of these snapshots; (2) the map of c leads from
    its root to a leaf with the version a, at the digest's place; (3) the history of v has the
    digest at a. The leaf in (2) holds no digest: only (3) says whose it is.

    Raises: VerificationError, and nothing else.
    Source: SPEC 4.
    """
    # Step 1: the answer is to this question.
    asked = _check_question(proof, digest, version, hyper)
    _require(proof.exists, "answer", "the answer says that the event is absent")
    _require(proof.hyper_leaf is None, "answer", "a proof of presence has no HyperLeaf")
    a = proof.actual_version
    _require(0 <= a <= asked, "numbers", f"actual version {a} is not in 0 to {asked}")
    _check_root(history, asked, "history")
    # Step 2: the map has a leaf with this version at the digest's place.
    _verify_leaf(proof.hyper, _key(digest), a, hyper)
    # Step 3: the leaf is this digest's.
    _verify_history(proof.history, digest, a, history)


def verify_absence(
    proof: MembershipProof,
    *,
    digest: bytes,
    version: int | None,
    hyper: Root,
    history: Root | None,
) -> None:
    """Return if no event with this digest is in the log up to its current version c.

    `hyper` and `history` are the digests of one snapshot, that of c; `history` may be None only
    when the proof needs none, which is when its `hyper_leaf` is None. Says nothing about versions
    after c, also when a later one was asked for.

    Steps: (1) the answer is to this question and of these snapshots; then either (2) the map's way
    to the digest ends at an empty node, or (3) it ends at a leaf that is another's: the leaf has
    the version w, and the history of c has at w a digest that is not the one asked for. The leaf
    holds no digest, so without the history in (3) every present event could be called absent.

    Raises: VerificationError, and nothing else.
    Source: SPEC 4.
    """
    # Step 1: the answer is to this question.
    asked = _check_question(proof, digest, version, hyper)
    _require(not proof.exists, "answer", "the answer says that the event is present")
    _require(proof.history is None, "answer", "a proof of absence has no history path of its own")
    a = proof.actual_version
    _require(a == asked, "numbers", f"actual version {a} of an absence must be {asked}")
    if history is not None:
        _check_root(history, hyper.version, "history")
    # Step 2: the way ends at an empty node.
    if proof.hyper_leaf is None:
        _verify_empty(proof.hyper, _key(digest), hyper)
        return
    # Step 3: the way ends at another's leaf.
    if history is None:
        raise VerificationError("this absence needs the history digest as well", step="question")
    _verify_other_leaf(proof.hyper_leaf, proof.hyper, digest, hyper, history)


def verify_incremental(proof: IncrementalProof, *, start: Root, end: Root) -> None:
    """Return if the log of the snapshot `end` begins with the log of the snapshot `start`.

    Both are history digests. Steps: (1) the answer is to this question; (2) the path is exactly
    what both roots are made of; (3) the root of `start` and (4) that of `end` follow from it.

    Raises: VerificationError, and nothing else.
    Source: SPEC 4.
    """
    # Step 1: the answer is to this question.
    s, e = start.version, end.version
    _check_root(start, s, "start")
    _check_root(end, e, "end")
    _require(s <= e, "question", f"start version {s} is after end version {e}")
    _require(proof.start == s, "numbers", f"start version {proof.start} is not {s}")
    _require(proof.end == e, "numbers", f"end version {proof.end} is not {e}")
    # Step 2: the path is what both roots are made of.
    _check_path(proof.audit_path, _incremental_positions(s, e), "incremental-path")
    # Step 3: the root of the older one.
    root = _incremental_root(proof.audit_path, (0, s.bit_length()), s)
    _check_equal(root, start, "start-root")
    # Step 4: the root of the newer one.
    root = _incremental_root(proof.audit_path, (0, e.bit_length()), e)
    _check_equal(root, end, "end-root")


# The question and its numbers


def _check_question(proof: MembershipProof, digest: bytes, version: int | None, hyper: Root) -> int:
    """Check that a proof answers the question; return the version that it answers for, v."""
    _require(len(digest) == DIGEST_BYTES, "question", "the digest asked for is not 32 bytes")
    _require(proof.current_version != NO_VERSION, "empty-log", _EMPTY)
    _check_root(hyper, proof.current_version, "hyper")
    asked = hyper.version if version is None else version
    _require(0 <= asked <= NO_VERSION, "question", f"version {asked} is not in 0 to {NO_VERSION}")
    q = proof.query_version
    _require(q == asked, "numbers", f"query version {q} is not {asked}, which was asked for")
    _require(proof.key_digest == digest, "key", "the answer is about another digest")
    if proof.key is not None:
        _require(sha256(proof.key).digest() == digest, "key", "the answer is about another event")
    return min(asked, hyper.version)


def _check_root(root: Root, version: int, name: str) -> None:
    """Check that a snapshot's digest can be one, and that it is of the version needed."""
    _require(root.version != NO_VERSION, "empty-log", _EMPTY)
    _require(
        0 <= root.version < NO_VERSION, "question", f"{root.version} is not a version of a snapshot"
    )
    _require(
        root.version == version,
        "numbers",
        f"the {name} digest needed is of version {version}, the one given of {root.version}",
    )
    _require(
        len(root.digest) == DIGEST_BYTES, "question", f"the {name} digest given is not 32 bytes"
    )


_EMPTY = "an empty log has no snapshot: nothing can be verified"


# The hyper tree: the digest is a number whose bits, the highest first, say right or left at each of
# 256 heights from the root down


def _verify_leaf(path: AuditPath, key: int, version: int, root: Root) -> None:
    """Check that a map has at the key's place a shortcut leaf with this version.

    A leaf hangs at height 232 or, among neighbours, lower. Below 232 a node with one member is a
    leaf itself, so a leaf there has a sibling: an empty one would mean that it hangs too low.
    """
    height = _check_hyper_path(path, key)
    _require(height <= SHORTCUT_HEIGHT, "hyper-path", f"no leaf hangs at height {height}")
    if height < SHORTCUT_HEIGHT:
        _check_sibling(path, key, height)
    place = _encode_hyper(_own(key, height))
    leaf = sha256(version.to_bytes(32, "big") + place).digest()
    _check_equal(_climb_hyper(leaf, key, path), root, "hyper-root")


def _verify_empty(path: AuditPath, key: int, root: Root) -> None:
    """Check that a map's way to the key ends at an empty node.

    Its parent is not empty, else the way would have ended there, so at any height its sibling has
    a member; an empty path would be the map of an empty log. Below 232 the parent has two members
    at least, both under the sibling: so it is no leaf, and not of height 0. That a sibling of
    height 1 to 231 is no leaf cannot be seen in its hash, and the answer does not rest on it: the
    place of the key is empty either way.
    """
    height = _check_hyper_path(path, key)
    _require(height < HYPER_HEIGHT, "hyper-path", "only the map of an empty log has no path")
    _require(height > 0, "hyper-path", "no way ends at an empty node of height 0")
    _check_sibling(path, key, height)
    _check_equal(_climb_hyper(_DEFAULTS[height], key, path), root, "hyper-root")


def _verify_other_leaf(
    leaf: HyperLeaf, path: AuditPath, digest: bytes, hyper: Root, history: Root
) -> None:
    """Check that the way to the digest ends at a leaf which is another digest's."""
    _require(len(leaf.key_digest) == DIGEST_BYTES, "hyper-leaf", "its key is not 32 bytes")
    _require(leaf.key_digest != digest, "hyper-leaf", "its key is the digest itself: present")
    w, c = leaf.version, history.version
    _require(0 <= w <= c, "hyper-leaf", f"its version {w} is not in 0 to {c}")
    key, other = _key(digest), _key(leaf.key_digest)
    height = _check_hyper_path(path, key)
    _require(
        _own(other, height) == _own(key, height),
        "hyper-leaf",
        f"its key does not lead to where the path ends, at height {height}",
    )
    _verify_leaf(path, other, w, hyper)
    _verify_history(leaf.history, leaf.key_digest, w, history)


def _check_hyper_path(path: AuditPath, key: int) -> int:
    """Check that a path is the siblings from height 255 down; return the height where it ends."""
    _require(len(path) <= HYPER_HEIGHT, "hyper-path", "the path has more than 256 entries")
    lowest = HYPER_HEIGHT - len(path)
    wanted = {_beside(key, height) for height in range(lowest, HYPER_HEIGHT)}
    _check_path(path, wanted, "hyper-path")
    return lowest


def _check_sibling(path: AuditPath, key: int, height: int) -> None:
    """Check that the sibling at the end of a path is not an empty node."""
    _require(
        path[_beside(key, height)] != _DEFAULTS[height],
        "hyper-path",
        f"the deepest sibling, at height {height}, is empty: the way must have ended above it",
    )


def _climb_hyper(node: bytes, key: int, path: AuditPath) -> bytes:
    """Return the root over the node where a path ends: H(right || left || position), upward."""
    for height in range(HYPER_HEIGHT - len(path), HYPER_HEIGHT):
        sibling = path[_beside(key, height)]
        children = node + sibling if key >> height & 1 else sibling + node
        node = sha256(children + _encode_hyper(_own(key, height + 1))).digest()
    return node


def _key(digest: bytes) -> int:
    """Return a digest as the number whose bits are its way through the tree."""
    return int.from_bytes(digest, "big")


def _own(key: int, height: int) -> Position:
    """Return the position of `height` under which the key lies."""
    return key >> height << height, height


def _beside(key: int, height: int) -> Position:
    """Return the position beside the one of `height` under which the key lies."""
    return (key >> height ^ 1) << height, height


def _encode_hyper(position: Position) -> bytes:
    """Return u16(height) || u256(index)."""
    index, height = position
    return height.to_bytes(2, "big") + index.to_bytes(32, "big")


def _default_hashes() -> tuple[bytes, ...]:
    hashes = [sha256(b"\x00\x00").digest()]
    while len(hashes) <= HYPER_HEIGHT:
        hashes.append(sha256(hashes[-1] + hashes[-1]).digest())
    return tuple(hashes)


_DEFAULTS = _default_hashes()  # the hash of an empty node, by height


# The history tree: leaf v is the event of version v; the root as of v is (0, bit_length(v))


def _verify_history(path: AuditPath | None, digest: bytes, leaf: int, root: Root) -> None:
    """Check that the history of root.version has the digest at version `leaf`, which is in it."""
    if path is None:
        raise VerificationError("the proof has no history path", step="history-path")
    heights = range(root.version.bit_length())
    siblings = [(leaf >> height ^ 1) << height for height in heights]
    wanted = {(i, height) for height, i in enumerate(siblings) if i <= root.version}
    _check_path(path, wanted, "history-path")
    node = sha256(digest + _encode_history((leaf, 0))).digest()
    for height, sibling in enumerate(siblings):
        if sibling > root.version:
            children = node  # the right child starts after the version: it does not exist yet
        elif sibling > leaf:
            children = node + path[sibling, height]
        else:
            children = path[sibling, height] + node
        parent = leaf >> (height + 1) << (height + 1)
        node = sha256(children + _encode_history((parent, height + 1))).digest()
    _check_equal(node, root, "history-root")


def _incremental_positions(start: int, end: int) -> set[Position]:
    """Return what both roots are made of: both leaves, and the siblings of both ways up.

    A sibling that starts after `end` does not exist; one that holds the other leaf is no entry,
    but made of entries.
    """
    wanted = {(start, 0), (end, 0)}
    for height in range(end.bit_length()):
        for leaf, other in ((start, end), (end, start)):
            sibling = leaf >> height ^ 1
            if sibling << height <= end and sibling != other >> height:
                wanted.add((sibling << height, height))
    return wanted


def _incremental_root(path: AuditPath, position: Position, version: int) -> bytes:
    """Return the hash of a node as of `version`, from entries that are known to suffice."""
    if position in path:
        return path[position]
    index, height = position
    middle = index + (1 << (height - 1))
    children = _incremental_root(path, (index, height - 1), version)
    if middle <= version:
        children += _incremental_root(path, (middle, height - 1), version)
    return sha256(children + _encode_history(position)).digest()


def _encode_history(position: Position) -> bytes:
    """Return u64(index) || u16(height)."""
    index, height = position
    return index.to_bytes(8, "big") + height.to_bytes(2, "big")


# What every step uses


def _check_path(path: AuditPath, wanted: set[Position], step: str) -> None:
    """Check that a path has exactly the positions wanted, and only values of 32 bytes."""
    missing, spare = wanted - path.keys(), path.keys() - wanted
    _require(not missing, step, f"{len(missing)} positions of the path are missing")
    _require(not spare, step, f"{len(spare)} positions of the path do not belong to it")
    # A shorter or longer value could move the border between a left and a right child.
    exact = all(len(value) == DIGEST_BYTES for value in path.values())
    _require(exact, step, "a value of the path is not 32 bytes")


def _check_equal(computed: bytes, root: Root, step: str) -> None:
    _require(
        computed == root.digest,
        step,
        f"the proof leads to {computed.hex()}, "
        f"the snapshot of version {root.version} says {root.digest.hex()}",
    )


def _require(holds: bool, step: str, message: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise VerificationError(message, step=step)
