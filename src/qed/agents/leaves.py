"""Published leaves, authenticated before anybody uses one.

Leaves are read from a source (a server, a store, a mirror) as whole bundles, up to a checkpoint
that was verified, and are given on only when their hashes lead to its root. So that a reader of a
billion leaves holds some thousands at a time, the nodes of height 14 between where it stands and
the checkpoint are read first: together with the leaves at both ends they make the root, and then
each of them judges the leaves below itself.

```
        frontier                                         checkpoint
 ...-------|-------#--------------#--------------#----------|
            leaves     node 14        node 14       leaves      read first: must make the root
                   [ leaves below ][ leaves below ]             read later: must make the node
```
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain

from qed.client import feed
from qed.errors import VerificationError
from qed.signing.checkpoint import Checkpoint
from qed.trees import kernel, snapshot_log
from qed.trees.values import DIGEST_BYTES, Snapshot

PART_HEIGHT = 14
PART_LEAVES = 1 << PART_HEIGHT
# Whoever has the key can sign any size, and a node a part is held: so many are 70 billion leaves.
MAX_PARTS = 1 << 22

_LEAF = struct.Struct(">12sQ32s32s32s")


@dataclass(frozen=True, slots=True)
class Frontier:
    """How much of a snapshot log was read, and the peaks over it: all that going on needs."""

    size: int = 0
    peaks: bytes = b""

    @property
    def root(self) -> bytes:
        """The root over what was read."""
        return snapshot_log.root(self.peaks)

    def extend(self, hashes: bytes) -> Frontier:
        """Return where reading more leaves leads, given their hashes end to end."""
        peaks, _ = kernel.extend_snapshots(self.size, self.peaks, hashes)
        return Frontier(self.size + len(hashes) // DIGEST_BYTES, peaks)


@dataclass(frozen=True, slots=True)
class Part:
    """Some leaves that follow on, by column. `digests` and `history_digests` lie end to end."""

    first_version: int
    digests: bytes
    history_digests: bytes
    hyper_digests: tuple[bytes, ...]  # one a leaf
    hashes: bytes  # of the leaves, end to end

    @property
    def stop(self) -> int:
        """The version after the last one."""
        return self.first_version + len(self.hyper_digests)

    def hyper_digest(self, version: int) -> bytes:
        """Return the hyper digest of a version of the part."""
        return self.hyper_digests[version - self.first_version]

    def snapshot(self, version: int) -> Snapshot:
        """Return the snapshot of a version of the part."""
        start = (version - self.first_version) * DIGEST_BYTES
        here = slice(start, start + DIGEST_BYTES)
        hyper_digest = self.hyper_digest(version)
        return Snapshot(version, self.digests[here], self.history_digests[here], hyper_digest)

    def split(self, version: int) -> tuple[Part, Part]:
        """Return the leaves before a version of the part, and those from it on."""
        at = version - self.first_version
        cut = at * DIGEST_BYTES
        before = Part(
            self.first_version,
            self.digests[:cut],
            self.history_digests[:cut],
            self.hyper_digests[:at],
            self.hashes[:cut],
        )
        after = Part(
            version,
            self.digests[cut:],
            self.history_digests[cut:],
            self.hyper_digests[at:],
            self.hashes[cut:],
        )
        return before, after


def join_parts(parts: Sequence[Part]) -> Part:
    """Return parts that follow on as one."""
    if len(parts) == 1:
        return parts[0]
    return Part(
        parts[0].first_version,
        b"".join([part.digests for part in parts]),
        b"".join([part.history_digests for part in parts]),
        tuple(chain.from_iterable(part.hyper_digests for part in parts)),
        b"".join([part.hashes for part in parts]),
    )


def read_part(source: feed.Source, first: int, stop: int) -> Part:
    """Return the leaves [first, stop) as the source has them; nothing is authenticated.

    Raises:
        VerificationError: they are not these leaves, in order; `step` is "leaves".
    """
    leaves = [leaf for some in feed.leaves(source, first, stop) for leaf in some]
    return parse_part(source.name, first, stop, leaves)


def parse_part(name: str, first: int, stop: int, leaves: Sequence[bytes]) -> Part:
    """Return leaves by column; `name` is for the sentence only.

    Raises:
        VerificationError: they are not the leaves [first, stop), in order; `step` is "leaves".

    Cost: about a microsecond a leaf.
    """
    whole = len(leaves) == stop - first and all(
        len(leaf) == snapshot_log.LEAF_BYTES for leaf in leaves
    )
    if not whole or not leaves:
        raise VerificationError(
            f"{name} has {len(leaves)} leaves where [{first}, {stop}) were asked for, "
            "or some that are no leaves",
            step="leaves",
        )
    tags, versions, digests, history_digests, hyper_digests = zip(
        *_LEAF.iter_unpack(b"".join(leaves)), strict=True
    )
    if set(tags) != {snapshot_log.TAG} or versions != tuple(range(first, stop)):
        raise VerificationError(
            f"{name} has other leaves where [{first}, {stop}) were asked for", step="leaves"
        )
    hashes = b"".join([sha256(b"\x00" + leaf).digest() for leaf in leaves])
    return Part(first, b"".join(digests), b"".join(history_digests), hyper_digests, hashes)


def read_leaves(
    source: feed.Source, frontier: Frontier, checkpoint: Checkpoint, part_leaves: int = PART_LEAVES
) -> Iterator[Part]:
    """Yield the leaves from the frontier to a verified checkpoint, each part authenticated.

    Parts have at most `part_leaves` leaves, a power of two from 256 on. Nothing is yielded that
    the signed root does not cover, and nothing before all of it was seen to be there.

    Raises:
        VerificationError: what the source has does not lead from the frontier to the checkpoint
            (`step` is "leaves" or "nodes"); the error says between which versions. Or the
            checkpoint is of more than anybody could read (`step` is "size").

    Cost: three hashes a leaf; memory for three parts.
    """
    first, stop = frontier.size, checkpoint.size
    if first > stop:
        return
    middle = min(stop, -(-first // part_leaves) * part_leaves)
    last = max(middle, stop // part_leaves * part_leaves)
    height = part_leaves.bit_length() - 1
    if (last - middle) >> height > MAX_PARTS:
        raise VerificationError(
            f"the checkpoint says {stop} versions, and {first} were read: no log grows by so many",
            step="size",
        )
    head = read_part(source, first, middle) if first < middle else None
    tail = read_part(source, last, stop) if last < stop else None
    here = frontier if head is None else frontier.extend(head.hashes)
    wanted = [(height, index) for index in range(middle >> height, last >> height)]
    nodes = list(source.read_nodes(wanted, stop)) if wanted else []
    if wanted:
        # Nodes of one height combine as leaves do, so the peaks over them are those of the log.
        peaks, _ = kernel.extend_snapshots(middle >> height, here.peaks, b"".join(nodes))
        here = Frontier(last, peaks)
    if tail is not None:
        here = here.extend(tail.hashes)
    if here.root != checkpoint.root:
        raise VerificationError(
            f"what {source.name} has of versions {first} to {stop - 1} leads to the root "
            f"{here.root.hex()}, the checkpoint of size {stop} says {checkpoint.root.hex()}",
            step="leaves",
        )
    if head is not None:
        yield head
    for (_, index), node in zip(wanted, nodes, strict=True):
        part = read_part(source, index << height, index + 1 << height)
        if Frontier().extend(part.hashes).root != node:
            raise VerificationError(
                f"the leaves of versions {part.first_version} to {part.stop - 1} that "
                f"{source.name} has do not lead to the node above them",
                step="nodes",
            )
        yield part
    if tail is not None:
        yield tail
