"""The tree of the snapshot log as far as it is here: stored leaves, then those of a batch.

`Stored` reads rows. `View` is a tree over the first so many of the stored leaves, followed by
others that are not stored (or not yet): a batch that goes on, or one that goes another way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qed.database import Database
from qed.signing.checkpoint import open_checkpoint
from qed.signing.note import VerifierKey
from qed.snapshot_store import rows
from qed.snapshot_store.claims import Claim
from qed.snapshot_store.runs import ROW_LEAVES, Run, join
from qed.trees import kernel
from qed.trees.snapshot_log import TILE_HASHES, TILE_HEIGHT, hash_node, root
from qed.trees.tiles import (
    Node,
    consistency_nodes,
    node_from_tile,
    peak_nodes,
    prove_consistency,
    tile_of,
)
from qed.trees.values import DIGEST_BYTES


class Stored:
    """What was committed; any thread may read what lies below the store's size."""

    def __init__(self, database: Database) -> None:
        """Read the rows of a store's database."""
        self._database = database

    def run(self, first: int, stop: int) -> Run:
        """Return the leaves [first, stop), at least one; a missing one is a `DamagedError`."""
        return join(list(self._runs(first, stop)))

    def _runs(self, first: int, stop: int) -> Iterator[Run]:
        # No row reaches over a multiple of 256, so the one that holds `first` begins after it.
        start = rows.version_key(first - first % ROW_LEAVES)
        at = first
        for row in self._database.scan(rows.LEAVES, start, rows.version_key(stop)):
            run = rows.decode_run(row)
            if run.stop <= first:
                continue
            if run.first > at:
                break
            yield run.cut(at, min(run.stop, stop))
            at = run.stop
        if at < stop:
            raise rows.damaged(rows.name_row(rows.LEAVES, at), "is missing")

    def one(self, version: int) -> Run:
        """Return the leaf of a version. Cost: one row."""
        row = self._database.last(rows.LEAVES, rows.version_key(version))
        run = None if row is None else rows.decode_run(row)
        if run is None or run.stop <= version:
            raise rows.damaged(rows.name_row(rows.LEAVES, version), "is missing")
        return run.cut(version, version + 1)

    def signature(self, version: int) -> bytes:
        """Return the signature that came with a snapshot, `b""` where none did."""
        (value,) = self._database.get(rows.SIGNATURES, [rows.version_key(version)])
        return rows.decode_signature(version, value)

    def notes(self, first: int, stop: int, key: VerifierKey) -> Iterator[Claim]:
        """Yield the checkpoints with first < size <= stop that are kept."""
        start, end = rows.version_key(first + 1), rows.version_key(stop + 1)
        for _, note in self._database.scan(rows.NOTES, start, end):
            yield Claim(note, open_checkpoint(note, key))

    def hashes(self, level: int, first: int, stop: int) -> bytes:
        """Return the nodes [first, stop) of a level, end to end; those of level 0 are leaves'."""
        if first >= stop:
            return b""
        if level == 0:
            return self.run(first, stop).hash_leaves()
        keys = [rows.node_key(level, index) for index in range(first, stop)]
        values = self._database.get(rows.NODES, keys)
        for index, value in zip(range(first, stop), values, strict=True):
            if value is None or len(value) != DIGEST_BYTES:
                raise rows.damaged(f"nodes/{level}/{index}", "is missing or no hash")
        return b"".join([value for value in values if value is not None])


class View:
    """The tree over the stored leaves [0, base), followed by leaves with these hashes."""

    def __init__(
        self, stored: Stored, base: int, hashes: bytes = b"", *, peaks: bytes | None = None
    ) -> None:
        """Compute its root; `peaks` are those of `base` where the caller has them."""
        self._stored = stored
        self._base = base
        self._hashes = hashes
        self._added: dict[tuple[int, int], bytes] = {}
        self.size = base
        if peaks is None:
            peaks = b"".join(self.read(peak_nodes(base)))
        self.peaks, self.nodes = kernel.extend_snapshots(base, peaks, hashes)
        self._added = {(level, index): node for level, index, node in self.nodes}
        self.size = base + len(hashes) // DIGEST_BYTES
        self.root = root(self.peaks)

    def tile(self, level: int, index: int, width: int) -> bytes:
        """Return the first hashes of a tile, end to end."""
        first = index * TILE_HASHES
        stop = first + width
        known = self._base >> (TILE_HEIGHT * level)  # nodes whose leaves are all stored
        stored = self._stored.hashes(level, first, min(stop, known))
        if level == 0:
            start = max(first, self._base) - self._base
            added = self._hashes[start * DIGEST_BYTES : (stop - self._base) * DIGEST_BYTES]
            return stored + (added if stop > self._base else b"")
        rest = range(max(first, known), stop)
        return stored + b"".join([self._added[level, at] for at in rest])

    def read(self, nodes: Sequence[Node]) -> list[bytes]:
        """Return perfect subtrees' hashes: what proofs are made of."""
        tiles: dict[object, bytes] = {}
        found = []
        for node in nodes:
            tile = tile_of(node, self.size)
            if tile not in tiles:
                tiles[tile] = self.tile(tile.level, tile.index, tile.width)
            found.append(node_from_tile(node, tiles[tile]))
        return found

    def prove(self, old: int, size: int, path: Sequence[bytes]) -> list[bytes]:
        """Return the proof that a tree of `size` begins with the first `old` leaves of this one.

        `size` may be beyond this view; `path` is then the proof, which was verified, that the tree
        of `size` begins with the whole view.
        """
        if size == self.size:
            return prove_consistency(self.read, old, size)
        beyond = {
            span: node
            for span, node in zip(_spans(self.size, size), path, strict=True)
            if span[0] >= self.size
        }
        return [self._fold(start, stop, beyond) for start, stop in _spans(old, size)]

    def _fold(self, start: int, stop: int, beyond: dict[tuple[int, int], bytes]) -> bytes:
        """Return the hash over leaves [start, stop), as the larger tree has it."""
        if start >= self.size:
            return beyond[start, stop]
        if stop <= self.size and (stop - start).bit_count() == 1:
            height = (stop - start).bit_length() - 1
            return self.read([(height, start >> height)])[0]
        middle = start + (1 << ((stop - start - 1).bit_length() - 1))
        left = self._fold(start, middle, beyond)
        return hash_node(left, self._fold(middle, stop, beyond))


def _spans(old: int, size: int) -> list[tuple[int, int]]:
    """Return the leaves under each hash of a proof of consistency."""
    return [
        (entry[0][1] << entry[0][0], (entry[-1][1] + 1) << entry[-1][0])
        for entry in consistency_nodes(old, size)
    ]
