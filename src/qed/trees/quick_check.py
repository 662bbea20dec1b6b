"""Proofs with known verdicts: what stands between a wrong native verifier and its use.

No prover is asked for them: the hashes beside the way are made up, and the roots are what follows
from them. Each proof is then told wrong in one place after the other; the verdicts must be those of
the readable verifier. Takes some milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from types import ModuleType

from qed.trees import quick_twin
from qed.trees.paths import hyper_positions, incremental_positions, membership_positions
from qed.trees.values import DIGEST_BYTES, FlatIncremental, FlatMembership, Position, split_digests
from qed.trees.verify import Root

_CURRENT, _ACTUAL = 99, 37
_Claim = tuple[FlatMembership, bytes, int | None, Root, Root | None]
_Increment = tuple[FlatIncremental, Root, Root]


def find_fault(native: ModuleType) -> str | None:
    """Return what a module says otherwise than the readable verifier; None when it is right.

    Nothing that it raises gets out: that is an answer too.
    """
    try:
        return _find_fault(native)
    except Exception as error:  # noqa: BLE001 (whatever it is, this module is not used)
        return f"it failed: {type(error).__name__}: {error}"


def _find_fault(native: ModuleType) -> str | None:
    many = list(claims())
    wanted = quick_twin.verify_memberships(many)
    if [native.verify_membership(*claim) for claim in many] != wanted:
        return "it judges a membership otherwise than the readable verifier"
    if native.verify_memberships(many) != wanted:
        return "it judges many memberships otherwise than the readable verifier"
    for increment in increments():
        if native.verify_incremental(*increment) is not quick_twin.verify_incremental(*increment):
            return "it judges an increment otherwise than the readable verifier"
    return None


def claims() -> Iterator[_Claim]:
    """Yield a presence and both kinds of absence, right and told wrong in each part."""
    present, beside, nowhere = _present(), _beside(), _nowhere()
    yield from (present, beside, nowhere)
    for flat, digest, version, hyper, history in (present, beside, nowhere):
        for wrong in _wrong(flat):
            yield wrong, digest, version, hyper, history
        yield flat, _flip(digest, 0), version, hyper, history
        yield flat, digest, _ACTUAL, hyper, history
        yield flat, digest, version, _wrong_root(hyper), history
        yield flat, digest, version, Root(_CURRENT + 1, hyper.digest), history
        yield flat, digest, version, hyper, None
        if history is not None:
            yield flat, digest, version, hyper, _wrong_root(history)
            yield flat, digest, version, hyper, Root(_ACTUAL, history.digest)


def increments() -> Iterator[_Increment]:
    """Yield an increment, right and told wrong in each part."""
    positions = incremental_positions(_ACTUAL, _CURRENT)
    flat = FlatIncremental(_ACTUAL, _CURRENT, _made_up(len(positions), 5))
    nodes = dict(zip(positions, split_digests(flat.hashes), strict=True))
    start, end = _history_root(nodes, _ACTUAL), _history_root(nodes, _CURRENT)
    yield flat, start, end
    yield flat, _wrong_root(start), end
    yield flat, start, _wrong_root(end)
    yield flat._replace(start=_ACTUAL - 1), Root(_ACTUAL - 1, start.digest), end
    yield flat._replace(hashes=flat.hashes[DIGEST_BYTES:]), start, end
    for at in range(0, len(flat.hashes), DIGEST_BYTES):
        yield flat._replace(hashes=_flip(flat.hashes, at)), start, end


def _wrong(flat: FlatMembership) -> Iterator[FlatMembership]:
    """Yield a proof with one of its parts changed."""
    yield flat._replace(exists=not flat.exists)
    yield flat._replace(current_version=_CURRENT + 1)
    yield flat._replace(query_version=_CURRENT + 1)
    yield flat._replace(actual_version=flat.actual_version - 1)
    yield flat._replace(key_digest=_flip(flat.key_digest, 31))
    yield flat._replace(hyper=flat.hyper[:-DIGEST_BYTES])
    yield flat._replace(leaf_digest=None, leaf_version=None, leaf_history=None)
    if flat.leaf_version is not None:
        yield flat._replace(leaf_version=flat.leaf_version + 1)
    for at in range(0, len(flat.hyper), DIGEST_BYTES):
        yield flat._replace(hyper=_flip(flat.hyper, at))
    for at in range(0, len(flat.history or b""), DIGEST_BYTES):
        yield flat._replace(history=_flip(flat.history or b"", at))
    for at in range(0, len(flat.leaf_history or b""), DIGEST_BYTES):
        yield flat._replace(leaf_history=_flip(flat.leaf_history or b"", at))
    if flat.leaf_digest is not None:
        yield flat._replace(leaf_digest=_flip(flat.leaf_digest, 0))


def _present() -> _Claim:
    digest, siblings = _made_up(1, 1), _made_up(25, 2)
    history = _made_up(len(membership_positions(_ACTUAL, _CURRENT)), 3)
    flat = FlatMembership(
        exists=True,
        current_version=_CURRENT,
        query_version=_CURRENT,
        actual_version=_ACTUAL,
        key_digest=digest,
        hyper=siblings,
        history=history,
    )
    root = _hyper_root(_shortcut_leaf(digest, _ACTUAL, 25), digest, siblings)
    return flat, digest, None, root, _leaf_root(digest, _ACTUAL, history)


def _beside() -> _Claim:
    """Return an absence whose way ends at the leaf of a digest with other last bits."""
    flat, other, version, hyper, history = _present()
    digest = _flip(other, DIGEST_BYTES - 1)
    absent = flat._replace(
        exists=False,
        actual_version=_CURRENT,
        key_digest=digest,
        history=None,
        leaf_digest=other,
        leaf_version=_ACTUAL,
        leaf_history=flat.history,
    )
    return absent, digest, version, hyper, history


def _nowhere() -> _Claim:
    """Return an absence whose way ends at an empty node."""
    digest, siblings = _made_up(1, 1), _made_up(9, 4)
    empty = sha256(b"\x00\x00").digest()
    for _ in range(256 - 9):
        empty = sha256(empty * 2).digest()
    flat = FlatMembership(
        exists=False,
        current_version=_CURRENT,
        query_version=_CURRENT,
        actual_version=_CURRENT,
        key_digest=digest,
        hyper=siblings,
        history=None,
    )
    return flat, digest, None, _hyper_root(empty, digest, siblings), None


def _shortcut_leaf(digest: bytes, version: int, depth: int) -> bytes:
    height = 256 - depth
    index = int.from_bytes(digest, "big") >> height << height
    place = height.to_bytes(2, "big") + index.to_bytes(32, "big")
    return sha256(version.to_bytes(32, "big") + place).digest()


def _hyper_root(node: bytes, digest: bytes, siblings: bytes) -> Root:
    """Return the root over a node at the end of a way whose siblings are given, as a snapshot's."""
    positions = hyper_positions(digest, len(siblings) // DIGEST_BYTES)
    for (index, height), sibling in reversed(
        list(zip(positions, split_digests(siblings), strict=True))
    ):
        is_left = index >> height & 1  # the sibling is right: it comes first
        children = sibling + node if is_left else node + sibling
        parent = index >> (height + 1) << (height + 1)
        place = (height + 1).to_bytes(2, "big") + parent.to_bytes(32, "big")
        node = sha256(children + place).digest()
    return Root(_CURRENT, node)


def _leaf_root(digest: bytes, leaf: int, siblings: bytes) -> Root:
    nodes = dict(zip(membership_positions(leaf, _CURRENT), split_digests(siblings), strict=True))
    nodes[leaf, 0] = sha256(digest + leaf.to_bytes(8, "big") + b"\x00\x00").digest()
    return _history_root(nodes, _CURRENT)


def _history_root(nodes: dict[Position, bytes], version: int) -> Root:
    return Root(version, _history_node(nodes, 0, version.bit_length(), version))


def _history_node(nodes: dict[Position, bytes], index: int, height: int, version: int) -> bytes:
    if (index, height) in nodes:
        return nodes[index, height]
    middle = index + (1 << height - 1)
    children = _history_node(nodes, index, height - 1, version)
    if middle <= version:
        children += _history_node(nodes, middle, height - 1, version)
    return sha256(children + index.to_bytes(8, "big") + height.to_bytes(2, "big")).digest()


def _made_up(count: int, kind: int) -> bytes:
    return b"".join(sha256(bytes([kind, number])).digest() for number in range(count))


def _flip(value: bytes, at: int) -> bytes:
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]


def _wrong_root(root: Root) -> Root:
    return Root(root.version, _flip(root.digest, DIGEST_BYTES - 1))
