"""What a running server publishes, read as any reader of c2sp.org/tlog-tiles would read it.

The hashes are computed from their definition (`naive_log`), the checkpoint is opened with the key
that the server tells.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

import vector_files
from naive_log import NaiveLog, hash_leaf
from qed import wire
from qed.database import Database, Put
from qed.engine import rows
from qed.engine.log import Log
from qed.errors import DamagedError
from qed.server import start
from qed.signing.checkpoint import Checkpoint, open_checkpoint
from qed.signing.note import VerifierKey, parse_verifier_key
from qed.signing.snapshot_signature import verify_snapshot_signature
from qed.trees.snapshot_log import EMPTY_ROOT, decode_leaf, encode_leaf
from qed.trees.tiles import decode_bundle, format_tile_path, tiles_of
from qed.web.limits import WebLimits
from qed.wire.batches import decode_signed_snapshot
from serving import Reply, Wire, ask, eventually
from unit.server.conftest import Running, local, running

LIVE = {"checkpoint_interval_s": 0.0}


def digests(count: int, first: int = 0) -> bytes:
    return b"".join(sha256(b"%d" % number).digest() for number in range(first, first + count))


@dataclass
class Reader:
    """Somebody who reads a server's log."""

    server: Running

    def get(self, path: str) -> Reply:
        return ask(self.server.data, "GET", path)

    def key(self) -> VerifierKey:
        return parse_verifier_key(json.loads(self.get("/info").body)["verifier_key"])

    def checkpoint(self, size: int) -> Checkpoint:
        """The checkpoint of a log that has come to this size; it is asked for the news."""
        reply = self.get(f"/checkpoint?after={size - 1}&wait=20s" if size else "/checkpoint")
        assert reply.status == 200
        checkpoint = open_checkpoint(reply.body, self.key())
        assert checkpoint.size == size
        return checkpoint

    def add(self, count: int, first: int = 0) -> list[bytes]:
        """Add events as one group; return the leaves that its answer says."""
        body = digests(count, first)
        reply = ask(self.server.data, "POST", "/events/digests", body)
        assert reply.status == 201
        version, hyper_digest, history_digests = wire.decode_added(reply.body)
        return [
            encode_leaf(version + number, body[32 * number :][:32], digest, hyper_digest)
            for number, digest in enumerate(history_digests)
        ]


@contextlib.contextmanager
def reading(db_path: Path, **fields: object) -> Iterator[Reader]:
    with running(local(db_path, **(LIVE | fields))) as server:
        yield Reader(server)


def naive(leaves: list[bytes]) -> NaiveLog:
    log = NaiveLog(0)
    log.leaves, log.hashes = leaves, [hash_leaf(leaf) for leaf in leaves]
    return log


def check_tiles(reader: Reader, leaves: list[bytes]) -> Checkpoint:
    """Every tile and bundle is what the leaves lead to, and so is the signed root."""
    size, log = len(leaves), naive(leaves)
    checkpoint = reader.checkpoint(size)
    assert checkpoint.root == log.root(0, size)
    for tile in tiles_of(size):
        span = 256**tile.level
        first = tile.index * 256
        wanted = [
            log.root(number * span, (number + 1) * span)
            for number in range(first, first + tile.width)
        ]
        reply = reader.get(f"/{format_tile_path(tile)}")
        assert (reply.status, reply.body) == (200, b"".join(wanted)), tile
        if tile.level == 0:
            reply = reader.get(f"/{format_tile_path(tile)}".replace("/0/", "/entries/", 1))
            assert decode_bundle(reply.body, tile.width) == leaves[first : first + tile.width]
    return checkpoint


def test_an_empty_log_is_published_too(tmp_path: Path) -> None:
    with reading(tmp_path / "db") as reader:
        assert reader.checkpoint(0).root == EMPTY_ROOT
        assert reader.get("/tile/entries/000.p/1").status == 404


def test_the_walk_through_is_published_with_the_digests_of_the_original(tmp_path: Path) -> None:
    rows_ = vector_files.load("walkthrough.json")["snapshots"]
    snapshots = [vector_files.snapshot(row) for row in rows_]
    assert snapshots[3].hyper_digest.hex().startswith("7bd6cee5")
    assert snapshots[3].history_digest.hex().startswith("4f95cd9f")
    with reading(tmp_path / "db") as reader:
        for number in range(6):
            body = wire.encode_add(b"event %d" % number)
            assert ask(reader.server.data, "POST", "/events", body).status == 201
        reader.checkpoint(6)
        bundle = decode_bundle(reader.get("/tile/entries/000.p/6").body, 6, index=0)
        assert [decode_leaf(leaf) for leaf in bundle] == snapshots
        for number, leaf in enumerate(bundle):
            snapshot, signature = decode_signed_snapshot(reader.get(f"/snapshot?v={number}").body)
            assert snapshot == snapshots[number]
            verify_snapshot_signature(reader.key(), leaf, signature)
        assert reader.get("/snapshot?v=6").body == b"Version not found: 6\n"


@pytest.mark.parametrize("counts", [(1,), (255, 1), (200, 200, 1, 1, 110), (5,) * 60])
def test_tiles_lead_to_the_signed_root(tmp_path: Path, counts: tuple[int, ...]) -> None:
    leaves: list[bytes] = []
    with reading(tmp_path / "db") as reader:
        for count in counts:
            leaves += reader.add(count, len(leaves))
        before = check_tiles(reader, leaves)
    # From rows, after a restart: nothing is in the memory of a new process.
    with reading(tmp_path / "db") as reader:
        assert check_tiles(reader, leaves) == before


def test_a_log_of_seventy_thousand_has_tiles_on_three_levels(tmp_path: Path) -> None:
    leaves: list[bytes] = []
    with reading(tmp_path / "db") as reader:
        for _ in range(7):
            leaves += reader.add(10_000, len(leaves))
        check_tiles(reader, leaves)
        assert reader.get("/tile/2/000.p/1").status == 200
        assert reader.get("/tile/1/001.p/17").status == 200
        assert reader.get("/tile/0/273").status == 404


def test_what_was_read_before_an_addition_is_the_beginning_of_what_is_read_after(
    tmp_path: Path,
) -> None:
    with reading(tmp_path / "db") as reader:
        leaves = reader.add(300)
        reader.checkpoint(300)
        before = reader.get("/tile/0/001.p/44").body
        leaves += reader.add(100, 300)
        reader.checkpoint(400)
        assert reader.get("/tile/0/001.p/44").body == before
        assert reader.get("/tile/0/001.p/144").body[: len(before)] == before


def test_a_reader_that_waits_is_told_of_the_next_event(tmp_path: Path) -> None:
    with (
        reading(tmp_path / "db", checkpoint_interval_s=0.1) as reader,
        Wire(reader.server.data) as waiting,
    ):
        waiting.send(b"GET /checkpoint?after=0&wait=60s HTTP/1.1\r\nHost: t\r\n\r\n")
        reader.add(1)
        assert open_checkpoint(waiting.read().body, reader.key()).size == 1


def test_a_thousand_readers_wait_and_adds_go_on(tmp_path: Path) -> None:
    limits = WebLimits(connections=1_100, waiting_readers=1_000)
    with contextlib.ExitStack() as stack:
        with reading(tmp_path / "db", limits=limits) as reader:
            wires = [stack.enter_context(Wire(reader.server.data)) for _ in range(1_000)]
            for wire_ in wires:
                wire_.send(b"GET /checkpoint?after=20&wait=60s HTTP/1.1\r\nHost: t\r\n\r\n")
            waiting = b"qed_checkpoint_waiters 1000.0"
            eventually(
                lambda: waiting in ask(reader.server.metrics, "GET", "/metrics").body, "all wait"
            )
            for number in range(20):
                reader.add(1, number)
            assert waiting in ask(reader.server.metrics, "GET", "/metrics").body
            assert reader.get("/checkpoint?after=20&wait=1s").status == 503
            reader.server.stop.request()
            # All at once, although most of them had a minute to wait.
            sizes = {open_note(wire_.read().body) for wire_ in wires}
        assert sizes == {20}


def open_note(note: bytes) -> int:
    return int(note.split(b"\n")[1])


def test_readers_that_stop_reading_hold_nobody_up(tmp_path: Path) -> None:
    with reading(tmp_path / "db") as reader, contextlib.ExitStack() as stack:
        reader.add(256)
        reader.checkpoint(256)
        request = b"GET /tile/entries/000 HTTP/1.1\r\nHost: t\r\n\r\n"
        for _ in range(8):
            stuck = stack.enter_context(Wire(reader.server.data))
            stuck.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.send(request * 200)  # 6 MB of answers that nobody fetches
        assert len(reader.get("/tile/entries/000").body) == 256 * 118
        reader.add(1, 256)
        assert reader.checkpoint(257)


# --- never signed for ---------------------------------------------------------------------------

EVENTS = 300  # a node of level 1 is complete


def flip(put: Put) -> Put:
    """Return a row with its last bit changed."""
    family, key, value = put
    return family, key, value[:-1] + bytes([value[-1] ^ 1])


@dataclass
class Spied:
    """A server whose rows a test can change, and what it has signed."""

    logs: list[Log]
    sizes: list[int]

    def change(self, family: str, key: bytes) -> None:
        """Flip the last bit of a row, as no call of the engine does."""
        database = self.logs[0]._database
        (value,) = database.get(family, [key])
        database.commit([flip((family, key, value))])


@pytest.fixture
def spied(monkeypatch: pytest.MonkeyPatch) -> Spied:
    spied, create, sign = Spied([], []), Log.create, start.sign_checkpoint

    def create_log(*arguments: object, **named: object) -> Log:
        spied.logs.append(create(*arguments, **named))
        return spied.logs[-1]

    def sign_checkpoint(signer: object, size: int, *rest: object, **named: object) -> bytes:
        spied.sizes.append(size)
        return sign(signer, size, *rest, **named)

    monkeypatch.setattr(Log, "create", create_log)
    monkeypatch.setattr(start, "sign_checkpoint", sign_checkpoint)
    return spied


@pytest.mark.parametrize(
    ("family", "key", "named"),
    [
        (rows.LOG, rows.encode_version(0), "log/0"),
        # It contradicts the node above it; nobody can say which of the two is right.
        (rows.ENDS, rows.encode_version(EVENTS - 1), "node/1/0"),
        (rows.META, rows.encode_node_key(1, 0), "node/1/0"),
        (rows.META, rows.SNAPSHOTS_KEY, "default/snapshots"),
        (rows.META, rows.HEAD_KEY, "default/head"),
    ],
)
def test_a_row_that_was_changed_on_disk_is_never_signed_for(
    tmp_path: Path, spied: Spied, family: str, key: bytes, named: str
) -> None:
    config = local(tmp_path / "db", checkpoint_interval_s=3600.0)
    with running(config) as server:
        Reader(server).add(EVENTS)
        spied.change(family, key)
        assert Reader(server).checkpoint(0)
    (outcome,) = server.outcome  # what it had not signed yet it would have signed when it stops
    assert isinstance(outcome, DamagedError), outcome
    assert named in outcome.message
    assert spied.sizes == [0]


def test_a_server_that_finds_a_changed_row_stops_by_itself(
    tmp_path: Path, spied: Spied, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(local(tmp_path / "db", checkpoint_interval_s=0.05)) as server:
        commit = Database.commit

        def change_and_commit(database: Database, puts: Sequence[Put]) -> None:
            commit(database, [flip(put) if put[0] == rows.ENDS else put for put in puts])

        Reader(server).add(3)
        Reader(server).checkpoint(3)
        monkeypatch.setattr(Database, "commit", change_and_commit)
        Reader(server).add(2, 3)
        outcome = server.join()
    assert isinstance(outcome, DamagedError), outcome
    assert "default/head is not what the groups lead to" in outcome.message
    assert spied.sizes == [0, 3]
