"""The naive log: a list and a dictionary, everything recomputed for every answer. The judge.

Written from SPEC 1 to 4 alone; it knows nothing of `qed.trees.history`, `hyper` or `verify`, only
the shapes of `values`. Slow on purpose: a root costs as many hashes as the tree has nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256

from qed.trees.values import (
    NO_VERSION,
    HyperLeaf,
    IncrementalProof,
    MembershipProof,
    Position,
    Snapshot,
)

Members = Mapping[int, int]  # event digest as a number -> version


class NotProvenError(Exception):
    """The log has no proof of what was asked; the text is QED's."""


class Model:
    """A log in memory. Answers as of any time are made from `digests` and `members` alone."""

    def __init__(self) -> None:
        """Start with an empty log."""
        self.digests: list[bytes] = []
        self.members: dict[int, int] = {}
        self.snapshots: list[Snapshot] = []

    def add(self, digests: Sequence[bytes]) -> list[Snapshot]:
        """Add one group and return its snapshots."""
        first = len(self.digests)
        self.digests += digests
        # Backwards, so that of equal digests in one group the first has the last word.
        for version in reversed(range(first, len(self.digests))):
            self.members[number(self.digests[version])] = version
        hyper_digest = hyper_root(self.members)
        added = [
            Snapshot(version, digest, history_root(self.digests, version), hyper_digest)
            for version, digest in enumerate(digests, first)
        ]
        self.snapshots += added
        return added

    def membership(self, digest: bytes, version: int | None = None) -> MembershipProof:
        """Answer whether a digest is in the log."""
        current = len(self.digests) - 1 if self.digests else NO_VERSION
        query = current if version is None else version
        as_of = min(query, current)
        path, end = hyper_walk(self.members, number(digest))
        if end is None or end[0] != number(digest):
            leaf = None
            if end is not None:
                history = history_path(self.digests, end[1], current)
                leaf = HyperLeaf(end[0].to_bytes(32, "big"), end[1], history)
            return MembershipProof(
                exists=False,
                hyper=path,
                history=None,
                current_version=current,
                query_version=query,
                actual_version=as_of,
                key_digest=digest,
                hyper_leaf=leaf,
            )
        actual = end[1]
        if actual > as_of:
            raise NotProvenError(
                f"actual version {actual} is greater than the query version which is {as_of}"
            )
        return MembershipProof(
            exists=True,
            hyper=path,
            history=history_path(self.digests, actual, as_of),
            current_version=current,
            query_version=query,
            actual_version=actual,
            key_digest=digest,
        )

    def incremental(self, start: int, end: int) -> IncrementalProof:
        """Answer whether the log at `end` begins with the log at `start`."""
        if not start <= end < len(self.digests):
            raise NotProvenError("unable to process proof from history tree: invalid range")
        return IncrementalProof(start, end, incremental_path(self.digests, start, end))


def h(*parts: bytes) -> bytes:
    """Hash the concatenation."""
    return sha256(b"".join(parts)).digest()


def number(digest: bytes) -> int:
    """Read a digest as a 256-bit integer."""
    return int.from_bytes(digest, "big")


# SPEC 2, the history tree


def history_position(index: int, height: int) -> bytes:
    return index.to_bytes(8, "big") + height.to_bytes(2, "big")


def history_node(digests: Sequence[bytes], index: int, height: int, version: int) -> bytes | None:
    """Hash a node as of a version, None when it starts after it."""
    if index > version:
        return None
    if height == 0:
        return h(digests[index], history_position(index, 0))
    left = history_node(digests, index, height - 1, version)
    right = history_node(digests, index + 2 ** (height - 1), height - 1, version)
    assert left is not None
    return h(left, right or b"", history_position(index, height))


def history_root(digests: Sequence[bytes], version: int) -> bytes:
    root = history_node(digests, 0, version.bit_length(), version)
    assert root is not None
    return root


def history_path(digests: Sequence[bytes], leaf: int, version: int) -> dict[Position, bytes]:
    """Collect the siblings on the way from the root as of a version to a leaf."""
    path = {}
    index, height = 0, version.bit_length()
    while height > 0:
        height -= 1
        middle = index + 2**height
        went, beside = (middle, index) if leaf >= middle else (index, middle)
        sibling = history_node(digests, beside, height, version)
        if sibling is not None:
            path[beside, height] = sibling
        index = went
    return path


def incremental_path(digests: Sequence[bytes], start: int, end: int) -> dict[Position, bytes]:
    """Collect what the descent from the root of `end` with the targets {start, end} collects."""
    path: dict[Position, bytes] = {}

    def descend(index: int, height: int) -> None:
        node = history_node(digests, index, height, end)
        if node is None:
            return
        if height == 0 or not {start, end} & set(range(index, index + 2**height)):
            path[index, height] = node
            return
        descend(index, height - 1)
        descend(index + 2 ** (height - 1), height - 1)

    descend(0, end.bit_length())
    return path


# SPEC 3, the hyper tree


def default_hashes() -> list[bytes]:
    hashes = [h(b"\x00", b"\x00")]
    for _ in range(256):
        hashes.append(h(hashes[-1], hashes[-1]))
    return hashes


DEFAULT = default_hashes()


def hyper_position(index: int, height: int) -> bytes:
    return height.to_bytes(2, "big") + index.to_bytes(32, "big")


def below(members: Members, index: int, height: int) -> Members:
    """Return the members under a position."""
    if not members:
        return members
    return {key: v for key, v in members.items() if index <= key < index + 2**height}


def hyper_node(members: Members, index: int, height: int) -> bytes:
    """Hash the node of a position, given the members under it."""
    if not members:
        return DEFAULT[height]
    if len(members) == 1 and height <= 232:
        (version,) = members.values()
        return h(version.to_bytes(32, "big"), hyper_position(index, height))
    middle = index + 2 ** (height - 1)
    left = hyper_node(below(members, index, height - 1), index, height - 1)
    right = hyper_node(below(members, middle, height - 1), middle, height - 1)
    return h(right, left, hyper_position(index, height))


def hyper_root(members: Members) -> bytes:
    return hyper_node(members, 0, 256)


def hyper_walk(members: Members, key: int) -> tuple[dict[Position, bytes], tuple[int, int] | None]:
    """Return the siblings on the way to a key, and the (key, version) of the leaf at its end."""
    path: dict[Position, bytes] = {}
    index, height = 0, 256
    while members and not (len(members) == 1 and height <= 232):
        height -= 1
        middle = index + 2**height
        went, beside = (middle, index) if key >= middle else (index, middle)
        path[beside, height] = hyper_node(below(members, beside, height), beside, height)
        members, index = below(members, went, height), went
    return path, next(iter(members.items()), None)


def snapshot_log_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root of a snapshot log, as RFC 6962 writes MTH in section 2.1 (SPEC 10)."""
    if not leaves:
        return h()
    if len(leaves) == 1:
        return h(b"\x00", leaves[0])
    split = 1
    while 2 * split < len(leaves):
        split *= 2
    return h(b"\x01", snapshot_log_root(leaves[:split]), snapshot_log_root(leaves[split:]))


def snapshot_leaf(snapshot: Snapshot) -> bytes:
    """Return the leaf of a snapshot, 116 bytes (SPEC 10)."""
    return b"".join(
        (
            b"qed/snap/v1\n",
            snapshot.version.to_bytes(8, "big"),
            snapshot.event_digest,
            snapshot.history_digest,
            snapshot.hyper_digest,
        )
    )
