"""A snapshot log of any size in memory, made by `snapshot_log.extend`; its tiles, proofs and notes.

The snapshots in it are made up: what is judged is the log over them. `publishing.PublishedLog` has
true ones, and few.
"""

from __future__ import annotations

from pathlib import Path

from naive_log import leaf
from qed.signing.checkpoint import sign_checkpoint
from qed.signing.note import NoteSigner
from qed.trees import snapshot_log, tiles
from qed.trees.tiles import ENTRIES, Node, Tile


class TiledLog:
    """Leaves 0 to `size` - 1, and of each level the hashes that its tiles hold."""

    def __init__(self, signer: NoteSigner, size: int) -> None:
        self.signer = signer
        self.size = size
        self.leaves = [leaf(version) for version in range(size)]
        hashes = b"".join(map(snapshot_log.hash_leaf, self.leaves))
        peaks, nodes = b"", []
        # In groups of different lengths, as a log grows.
        start, step = 0, 1
        while start < size:
            stop = min(size, start + step)
            peaks, more = snapshot_log.extend(start, peaks, hashes[32 * start : 32 * stop])
            nodes += more
            start, step = stop, step % 700 + 13
        self._levels: dict[int, list[bytes]] = {0: []}
        for at in range(0, len(hashes), 32):
            self._levels[0].append(hashes[at : at + 32])
        for level, index, value in nodes:
            self._levels.setdefault(level, [])
            assert index == len(self._levels[level])
            self._levels[level].append(value)
        self._known: dict[Node, bytes] = {}

    def tile(self, tile: Tile) -> bytes:
        """Return the bytes of a tile or of a bundle."""
        start, stop = 256 * tile.index, 256 * tile.index + tile.width
        if tile.level == ENTRIES:
            return tiles.encode_bundle(self.leaves[start:stop])
        return b"".join(self._levels[tile.level][start:stop])

    def read(self, nodes: list[Node]) -> list[bytes]:
        """Answer a prover from the tiles."""
        for node in nodes:
            if node not in self._known:
                place = tiles.tile_of(node, self.size)
                self._known[node] = tiles.node_from_tile(node, self.tile(place))
        return [self._known[node] for node in nodes]

    def root(self, size: int) -> bytes:
        return tiles.compute_root(self.read, size)

    def note(self, size: int) -> bytes:
        return sign_checkpoint(self.signer, size, self.root(size))

    def write_directory(self, directory: Path, size: int) -> None:
        """Write what a server of that size serves, as a static mirror has it."""
        wanted = list(tiles.tiles_of(size))
        wanted += [Tile(ENTRIES, one.index, one.width) for one in wanted if one.level == 0]
        for one in wanted:
            path = directory / tiles.format_tile_path(one)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.tile(one))
        (directory / "checkpoint").write_bytes(self.note(size))
