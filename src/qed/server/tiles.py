"""The log's own tiles and snapshots, made from rows whenever somebody asks. Source: SPEC 7 and 10.

Nothing of them is stored: the newest leaves are in memory for those that keep up, older ones are
read and hashed again, in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from qed.engine.leaves import Leaves
from qed.errors import DamagedError, MalformedError, NotFoundError, VerificationError
from qed.server.metrics import Counts
from qed.server.recent_leaves import RecentLeaves
from qed.signing.checkpoint import read_checkpoint
from qed.trees.snapshot_log import TILE_HASHES, decode_leaf
from qed.trees.tiles import ENTRIES, Node, Tile, node_from_tile, prove_inclusion, tile_of
from qed.trees.verify_log import hash_leaf, verify_inclusion
from qed.web.application import Route
from qed.web.messages import JSON, Answer, Request
from qed.web.queries import parse_number, read_query
from qed.web.tiles import Published
from qed.wire.batches import encode_signed_snapshot


class TiledLog(Protocol):
    """What tiles are made from; `qed.engine.log.Log` is one."""

    def read_leaves(self, first: int, stop: int) -> Leaves:
        """Read a range of leaves from rows."""

    def read_nodes(self, level: int, first: int, stop: int) -> bytes:
        """Read hashes of complete tiles: of level 1, those over 256 leaves each."""


class PublishedLog(Protocol):
    """What is published of it; `qed.server.publication.Publication` is one."""

    @property
    def published(self) -> Published:
        """The newest checkpoint."""

    @property
    def recent(self) -> RecentLeaves:
        """The newest leaves under it."""


class LogTiles:
    """The tiles of a log; `web.tiles` asks only for what is under the checkpoint."""

    def __init__(self, log: TiledLog, publication: PublishedLog) -> None:
        """Serve what a publication has published of a log."""
        self._log = log
        self._publication = publication

    def published(self) -> Published:
        """Return the newest checkpoint."""
        return self._publication.published

    def tile(self, level: int, index: int, width: int) -> bytes:
        """Return the first hashes of a tile.

        Cost: of old leaves, what `Log.read_leaves` costs; of a higher level, one read a hash.
        """
        first = index * TILE_HASHES
        if level:
            return self._log.read_nodes(level, first, first + width)
        return self._read(first, first + width).hashes()

    def bundle(self, index: int, width: int) -> bytes:
        """Return the first entries of a bundle; the cost is as for a tile of leaves."""
        first = index * TILE_HASHES
        return self._read(first, first + width).encode_bundle()

    def at_once(self, tile: Tile) -> bytes | None:
        """Return a tile of leaves that are in memory, or a bundle of them, None for any other.

        Cost: at most 0.1 ms, which is less than to have another thread do it.
        """
        if tile.level > 0:
            return None
        first = tile.index * TILE_HASHES
        found = self._publication.recent.read(first, first + tile.width)
        if found is None:
            return None
        return found.encode_bundle() if tile.level == ENTRIES else found.hashes()

    def leaf(self, version: int) -> bytes:
        """Return the leaf of one published version, as the checkpoint has it.

        It is about to be signed, so rows are not believed: a leaf that is made from them is
        followed up to the root that was signed. One that does not lead there is a `DamagedError`.

        Cost: of a leaf that is not in memory, a tile of each level, about 2 ms.
        """
        found = self._publication.recent.read(version, version + 1)
        if found is not None:
            return found.leaf(version)  # the signer has made it
        leaf = self._log.read_leaves(version, version + 1).leaf(version)
        signed = read_checkpoint(self.published().note)
        path = prove_inclusion(partial(self._read_nodes, signed.size), version, signed.size)
        try:
            verify_inclusion(hash_leaf(leaf), version, signed.size, path, signed.root)
        except VerificationError as error:
            raise DamagedError(
                f"the rows of version {version} do not lead to the root that was signed",
                hint="nothing was signed for it: run qed check on the database",
            ) from error
        return leaf

    def _read_nodes(self, size: int, nodes: Sequence[Node]) -> list[bytes]:
        wanted = [tile_of(node, size) for node in nodes]
        read = {tile: self.tile(tile.level, tile.index, tile.width) for tile in set(wanted)}
        return [node_from_tile(node, read[tile]) for node, tile in zip(nodes, wanted, strict=True)]

    def _read(self, first: int, stop: int) -> Leaves:
        found = self._publication.recent.read(first, stop)
        return self._log.read_leaves(first, stop) if found is None else found


class SnapshotPort:
    """The snapshots of published versions, each signed when it is asked for."""

    def __init__(self, tiles: LogTiles, sign: Callable[[bytes], bytes], counts: Counts) -> None:
        """Serve the leaves of `tiles`; `sign` makes a leaf's signature."""
        self._tiles = tiles
        self._sign = sign
        self._counts = counts
        self._turn = asyncio.Semaphore(1)  # held while a thread reads and signs

    def routes(self) -> list[Route]:
        """Return the one route, which a snapshot store has too."""
        return [Route("GET", "/snapshot", self.snapshot)]

    async def snapshot(self, request: Request) -> Answer:
        """Answer one signed snapshot; what no checkpoint covers yet is 404, as in a store."""
        self._counts.snapshot += 1
        version = _read_version(request.query)
        if version >= self._tiles.published().size:
            raise NotFoundError(f"Version not found: {version}")
        async with self._turn:
            return Answer(200, await asyncio.to_thread(self._make, version), JSON)

    def _make(self, version: int) -> bytes:
        leaf = self._tiles.leaf(version)
        return encode_signed_snapshot(decode_leaf(leaf), self._sign(leaf))


def _read_version(query: bytes) -> int:
    """Return `v` of a query; missing, twice or not a number of 64 bits is a `MalformedError`."""
    text = read_query(query, "v").get("v")
    if text is None:
        raise MalformedError("the query names no version", hint="write /snapshot?v=<version>")
    return parse_number(text, "v")
