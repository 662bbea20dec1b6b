"""A log that publishes: checkpoints, tiles and proofs, as a static mirror or over HTTP.

Made of `qed.trees` and `qed.signing` alone, so that what reads a published log is tested without a
server. A test lies by a function a path: it is given what would be served, and returns what is.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pure_log import PureLog
from qed import wire
from qed.errors import MalformedError
from qed.signing.checkpoint import sign_checkpoint
from qed.signing.keys import PrivateKey
from qed.signing.note import NoteSigner
from qed.trees import snapshot_log
from qed.trees.tiles import (
    ENTRIES,
    Node,
    Tile,
    encode_bundle,
    format_tile_path,
    node_from_tile,
    parse_tile_path,
    tile_of,
    tile_width,
    tiles_of,
)
from qed.trees.values import Snapshot

ORIGIN = "qed-test"
DEADLINE_S = 20.0

Answer = tuple[int, bytes]
Lie = Callable[[bytes], Answer | bytes]


def make_key(seed: int = 1) -> PrivateKey:
    """Return a key of its own for each number."""
    secret = bytes([seed]) * 32
    public = Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    return PrivateKey(secret, public)


class PublishedLog:
    """A log in memory, its leaves, and the checkpoints signed so far. `lock` guards all of it."""

    def __init__(self, *, origin: str = ORIGIN, seed: int = 1) -> None:
        self.signer = NoteSigner(make_key(seed), origin)
        self.log = PureLog()
        self.leaves: list[bytes] = []
        self.rows: dict[int, list[bytes]] = {0: []}
        self.peaks = b""
        self.notes: list[bytes] = []
        self.size = 0
        self.news = threading.Condition()

    @property
    def key(self) -> Any:
        return self.signer.verifier_key

    @property
    def note(self) -> bytes:
        return self.notes[-1]

    @property
    def snapshots(self) -> list[Snapshot]:
        return self.log.snapshots

    def add(self, *events: bytes, publish: bool = True) -> list[Snapshot]:
        """Add events as one group, and sign what there is then unless told not to."""
        with self.news:
            added = self.log.add([sha256(event).digest() for event in events])
            for one in added:
                self._append(one)
            if publish:
                self.publish()
        return added

    def fill(self, count: int, label: str = "event ") -> None:
        """Add numbered events in groups of 100, and sign at the end."""
        for first in range(0, count, 100):
            names = [f"{label}{n}".encode() for n in range(first, min(first + 100, count))]
            self.add(*names, publish=False)
        self.publish()

    def publish(self) -> bytes:
        """Sign a checkpoint over all that there is."""
        with self.news:
            self.size = len(self.leaves)
            root = snapshot_log.root(self.peaks)
            self.notes.append(sign_checkpoint(self.signer, self.size, root))
            self.news.notify_all()
        return self.note

    def _append(self, one: Snapshot) -> None:
        leaf = snapshot_log.encode_leaf(
            one.version, one.event_digest, one.history_digest, one.hyper_digest
        )
        hashed = snapshot_log.hash_leaf(leaf)
        self.peaks, nodes = snapshot_log.extend(len(self.leaves), self.peaks, hashed)
        self.leaves.append(leaf)
        self.rows[0].append(hashed)
        for level, index, node in nodes:
            row = self.rows.setdefault(level, [])
            assert index == len(row)
            row.append(node)

    def tile(self, tile: Tile) -> bytes:
        """Return the bytes of a tile or a bundle."""
        span = slice(tile.index * 256, tile.index * 256 + tile.width)
        if tile.level == ENTRIES:
            return encode_bundle(self.leaves[span])
        return b"".join(self.rows[tile.level][span])

    def read_nodes(self, nodes: list[Node], size: int) -> list[bytes]:
        """Be what a source is to `trusted`."""
        return [node_from_tile(node, self.tile(tile_of(node, size))) for node in nodes]

    def tiles(self, size: int | None = None) -> Iterator[Tile]:
        """Yield every tile and bundle of a size."""
        size = self.size if size is None else size
        yield from tiles_of(size)
        for index in range((size + 255) // 256):
            yield Tile(ENTRIES, index, tile_width(ENTRIES, index, size))

    def write_mirror(self, directory: Path) -> Path:
        """Write what a static mirror has."""
        directory.mkdir(parents=True, exist_ok=True)
        for tile in self.tiles():
            path = directory / format_tile_path(tile)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.tile(tile))
        (directory / "checkpoint").write_bytes(self.note)
        return directory

    def wait_beyond(self, size: int, wait_s: float) -> None:
        """Wait until more than this is published."""
        with self.news:
            self.news.wait_for(lambda: self.size > size, wait_s)


@dataclass
class Serving:
    """What answers over HTTP, and what it was asked."""

    log: PublishedLog
    port: int = 0
    lies: dict[str, Lie] = field(default_factory=dict)
    info: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        """Answer, and lie where there is a lie for the beginning of the target."""
        self.asked.append(f"{method} {target}")
        self.bodies.append(body)
        path, _, query = target.partition("?")
        answer = self._answer(path, parse_qs(query), body)
        for start, lie in self.lies.items():
            if path.startswith(start):
                told = lie(answer[1])
                answer = told if isinstance(told, tuple) else (answer[0], told)
        return answer

    def _answer(self, path: str, query: dict[str, list[str]], body: bytes) -> Answer:
        log = self.log
        if path == "/checkpoint":
            if "after" in query:
                wait_s = float(query["wait"][0].removesuffix("ms")) / 1000
                log.wait_beyond(int(query["after"][0]), wait_s)
            return (200, log.note) if log.notes else (404, b"no checkpoint yet\n")
        if path.startswith("/tile/"):
            return self._answer_tile(path)
        with log.news:
            return self._answer_call(path, body)

    def _answer_tile(self, path: str) -> Answer:
        try:
            tile = parse_tile_path(path.removeprefix("/"))
        except MalformedError:
            return 400, b"not a tile\n"
        if tile.width > tile_width(tile.level, tile.index, self.log.size):
            return 404, b"beyond the checkpoint\n"
        return 200, self.log.tile(tile)

    def _answer_call(self, path: str, body: bytes) -> Answer:
        log = self.log.log
        if path == "/info":
            return 200, json.dumps(self.info).encode()
        if path == "/events/digests":
            digests = wire.decode_digests(body)
            added = log.add(digests)
            for one in added:
                self.log._append(one)
            histories = b"".join([each.history_digest for each in added])
            return 201, wire.encode_added(added[0].version, added[0].hyper_digest, histories)
        if path == "/proofs/digest-membership":
            return 200, wire.encode_membership(log.membership(*wire.decode_digest_query(body)))
        if path == "/proofs/incremental":
            return 200, wire.encode_incremental(
                log.incremental(*wire.decode_incremental_query(body))
            )
        return 404, b"404 page not found\n"


class Answering(Protocol):
    """What answers over HTTP; it is told its port, and counts its connections."""

    port: int
    connections: int

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        """Return the status and the body of an answer."""


class _Handler(BaseHTTPRequestHandler):
    """Hands every request to the server's `Answering`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = DEADLINE_S
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.answering.connections += 1

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        status, answer = self.server.answering.answer(self.command, self.path, body)
        kind = "text/plain; charset=utf-8" if status >= 400 else "application/octet-stream"
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_HEAD = _handle  # noqa: N815 (the names that http.server calls)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 (its name there)
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # a kept connection ends with its client, or after its timeout

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell what went wrong, but not that a client has hung up on an answer that is too long."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def answering(state: Answering) -> Iterator[None]:
    """Let it answer on a port of its own for the length of the block."""
    with _Server(state) as server:
        state.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


@contextlib.contextmanager
def serving(log: PublishedLog, **fields: Any) -> Iterator[Serving]:
    """Serve a log for the length of the block."""
    state = Serving(log, **fields)
    state.info = {"node_id": "a", **state.info}
    with answering(state):
        yield state
