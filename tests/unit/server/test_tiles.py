from __future__ import annotations

import contextlib
import functools
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from qed.engine.leaves import Leaves
from qed.errors import DamagedError
from qed.server.metrics import Counts
from qed.server.recent_leaves import RecentLeaves
from qed.server.tiles import LogTiles, SnapshotPort
from qed.signing.checkpoint import sign_checkpoint
from qed.trees.kernel import extend_snapshots
from qed.trees.snapshot_log import decode_leaf, root
from qed.trees.tiles import ENTRIES, Tile
from qed.web.application import Application
from qed.web.limits import WebLimits
from qed.web.tiles import Published
from serving import Reply, ask, serving
from signers import signer
from unit.server.test_recent_leaves import some_leaves


@dataclass
class FakeLog:
    """A log that notes what is read of it."""

    reads: list[tuple[int, ...]] = field(default_factory=list)

    changed: int | None = None  # a version of which the row says something else

    def read_leaves(self, first: int, stop: int) -> Leaves:
        self.reads.append((0, first, stop))
        found = some_leaves(first, stop)
        if self.changed is None or not first <= self.changed < stop:
            return found
        at = (self.changed - first) * 32
        digests = found.digests[:at] + bytes(32) + found.digests[at + 32 :]
        return replace(found, digests=digests)

    def read_nodes(self, level: int, first: int, stop: int) -> bytes:
        self.reads.append((level, first, stop))
        if level > 1:
            return b"node" * 8 * (stop - first)
        return b"".join(root_of(256 * index, 256 * (index + 1)) for index in range(first, stop))


def root_of(first: int, stop: int) -> bytes:
    """The root over leaves; of a tile, the node of level 1."""
    return root(extend_snapshots(0, b"", some_leaves(first, stop).hashes())[0])


@dataclass
class FakePublication:
    """What is published of it."""

    size: int
    recent: RecentLeaves = field(default_factory=RecentLeaves)

    @property
    def published(self) -> Published:
        return published(self.size)


@functools.cache
def published(size: int) -> Published:
    return Published(sign_checkpoint(signer("a.test/log"), size, root_of(0, size)), size)


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


@pytest.fixture
def publication() -> FakePublication:
    return FakePublication(600)


@pytest.fixture
def tiles(log: FakeLog, publication: FakePublication) -> LogTiles:
    return LogTiles(log, publication)


def test_old_leaves_are_made_from_rows(log: FakeLog, tiles: LogTiles) -> None:
    assert tiles.bundle(1, 256) == some_leaves(256, 512).encode_bundle()
    assert tiles.tile(0, 2, 88) == some_leaves(512, 600).hashes()
    assert log.reads == [(0, 256, 512), (0, 512, 600)]


@pytest.mark.parametrize("version", [0, 7, 255, 256, 511, 599])
def test_a_leaf_from_rows_is_under_the_checkpoint_or_is_none(
    log: FakeLog, tiles: LogTiles, version: int
) -> None:
    assert tiles.leaf(version) == some_leaves(version, version + 1).leaf(version)
    for changed in (version, version ^ 1):
        log.changed = changed
        with pytest.raises(DamagedError, match=f"version {version} do not lead to the root"):
            tiles.leaf(version)


def test_a_leaf_that_the_signer_has_made_costs_no_read(
    log: FakeLog, publication: FakePublication, tiles: LogTiles
) -> None:
    publication.recent.add(some_leaves(255, 600))
    assert tiles.leaf(300) == some_leaves(300, 301).leaf(300)
    assert log.reads == []


def test_recent_leaves_cost_no_reads(
    log: FakeLog, publication: FakePublication, tiles: LogTiles
) -> None:
    publication.recent.add(some_leaves(255, 600))
    assert tiles.bundle(2, 88) == some_leaves(512, 600).encode_bundle()
    assert tiles.tile(0, 1, 256) == some_leaves(256, 512).hashes()
    assert log.reads == []
    assert tiles.bundle(0, 256) == some_leaves(0, 256).encode_bundle()
    assert log.reads == [(0, 0, 256)]


def test_recent_leaves_are_there_at_once(
    log: FakeLog, publication: FakePublication, tiles: LogTiles
) -> None:
    assert tiles.at_once(Tile(0, 1)) is None
    publication.recent.add(some_leaves(255, 600))
    assert tiles.at_once(Tile(0, 1)) == some_leaves(256, 512).hashes()
    assert tiles.at_once(Tile(ENTRIES, 2, 88)) == some_leaves(512, 600).encode_bundle()
    assert tiles.at_once(Tile(1, 0, 2)) is None
    assert tiles.at_once(Tile(ENTRIES, 0)) is None
    assert log.reads == []


def test_higher_tiles_are_rows_themselves(log: FakeLog, tiles: LogTiles) -> None:
    assert tiles.tile(1, 0, 2) == root_of(0, 256) + root_of(256, 512)
    tiles.tile(3, 5, 200)
    assert log.reads == [(1, 0, 2), (3, 1280, 1480)]


def test_what_is_published_is_what_was_published_last(
    publication: FakePublication, tiles: LogTiles
) -> None:
    publication.size = 601
    assert tiles.published() == published(601)


@dataclass
class Snapshots:
    """A snapshot port that is served."""

    port: int
    counts: Counts
    threads: list[str]

    def ask(self, query: str) -> Reply:
        return ask(self.port, "GET", f"/snapshot{query}")


@pytest.fixture
def snapshots(tiles: LogTiles) -> Iterator[Snapshots]:
    counts, threads = Counts(), []

    def sign(leaf: bytes) -> bytes:
        threads.append(threading.current_thread().name)
        return leaf[:12]

    port = SnapshotPort(tiles, sign, counts)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving(Application(port.routes(), WebLimits())))
        yield Snapshots(server.port, counts, threads)


def test_a_snapshot_is_signed_when_it_is_asked_for(snapshots: Snapshots) -> None:
    reply = snapshots.ask("?v=599")
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["cache-control"] == "no-store"
    assert list(json.loads(reply.body)) == ["Snapshot", "Signature"]
    snapshot = decode_leaf(some_leaves(599, 600).leaf(599))
    assert json.loads(reply.body)["Snapshot"]["Version"] == snapshot.version == 599
    assert json.loads(reply.body)["Signature"] == "cWVkL3NuYXAvdjEK"
    assert len(snapshots.threads) == 1
    assert "MainThread" not in snapshots.threads[0]


def test_a_version_without_a_checkpoint_is_not_found(snapshots: Snapshots) -> None:
    for version in (600, 2**64 - 1):
        reply = snapshots.ask(f"?v={version}")
        assert (reply.status, reply.body) == (404, b"Version not found: %d\n" % version)
    assert snapshots.threads == []
    assert snapshots.counts.snapshot == 2


@pytest.mark.parametrize(
    "query", ["", "?", "?v=", "?v=-1", "?v=%2B5", "?v=05", "?v=1&v=1", f"?v={2**64}", "?V=1"]
)
def test_what_names_no_version_is_400(snapshots: Snapshots, query: str) -> None:
    assert snapshots.ask(query).status == 400
