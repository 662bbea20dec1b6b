from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from qed.trees.tiles import Tile
from qed.web.application import Application
from qed.web.limits import WebLimits
from qed.web.tiles import THREADS, Published, TilePort
from qed.web.tls import server_context
from serving import DEADLINE_S, Serving, Wire, ask, eventually, serving

FOR_EVER = "public, max-age=31536000, immutable"


@dataclass
class FakeTiles:
    """Tiles whose bytes say what was asked for."""

    now: Published | None = None
    gate: threading.Event | None = None  # what holds every tile back
    at_work: list[str] = field(default_factory=list)
    most_at_work: int = 0

    def published(self) -> Published | None:
        return self.now

    def tile(self, level: int, index: int, width: int) -> bytes:
        return self._make(f"tile {level} {index} {width}")

    def bundle(self, index: int, width: int) -> bytes:
        return self._make(f"bundle {index} {width}")

    def _make(self, name: str) -> bytes:
        self.at_work.append(name)
        self.most_at_work = max(self.most_at_work, len(self.at_work))
        if self.gate is not None:
            assert self.gate.wait(DEADLINE_S)
        self.at_work.remove(name)
        return name.encode()


@dataclass
class Log:
    """A published log that is served."""

    tiles: FakeTiles
    port: TilePort
    server: Serving

    def publish(self, size: int) -> None:
        self.tiles.now = Published(b"checkpoint of %d\n" % size, size)
        self.port.notify()

    def ask(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        reply = ask(self.server.port, method, path)
        return reply.status, reply.body

    def wait(self, number: int) -> None:
        eventually(lambda: self.port.waiters == number, f"{number} readers wait")


@contextlib.contextmanager
def serving_tiles(
    size: int | None = None, gate: threading.Event | None = None, **limits: float
) -> Iterator[Log]:
    tiles = FakeTiles(None if size is None else Published(b"checkpoint of %d\n" % size, size), gate)
    bounds = WebLimits(**limits)
    port = TilePort(tiles, bounds)
    with serving(Application(port.routes(), bounds), on_stop=port.release) as server:
        yield Log(tiles, port, server)


@pytest.fixture
def log() -> Iterator[Log]:
    with serving_tiles(70_000) as log:
        yield log


def request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode()


def test_the_checkpoint_is_text_that_nobody_keeps(log: Log) -> None:
    reply = ask(log.server.port, "GET", "/checkpoint")
    assert (reply.status, reply.body) == (200, b"checkpoint of 70000\n")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/tile/0/000", b"tile 0 0 256"),
        ("/tile/0/272", b"tile 0 272 256"),
        ("/tile/0/273.p/112", b"tile 0 273 112"),
        ("/tile/0/273.p/7", b"tile 0 273 7"),
        ("/tile/0/000.p/255", b"tile 0 0 255"),
        ("/tile/1/000", b"tile 1 0 256"),
        ("/tile/1/001.p/17", b"tile 1 1 17"),
        ("/tile/2/000.p/1", b"tile 2 0 1"),
        ("/tile/entries/272", b"bundle 272 256"),
        ("/tile/entries/273.p/112", b"bundle 273 112"),
    ],
)
def test_a_tile_under_the_checkpoint_is_kept_for_ever(log: Log, path: str, body: bytes) -> None:
    reply = ask(log.server.port, "GET", path)
    assert (reply.status, reply.body) == (200, body)
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["cache-control"] == FOR_EVER


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/tile/0/273", "112 hashes"),
        ("/tile/0/273.p/113", "112 hashes"),
        ("/tile/0/274.p/1", "0 hashes"),
        ("/tile/1/001.p/18", "17 hashes"),
        ("/tile/2/000.p/2", "1 hashes"),
        ("/tile/3/000.p/1", "0 hashes"),
        ("/tile/63/x999/999.p/255", "0 hashes"),
        ("/tile/entries/273.p/113", "112 entries"),
        ("/tile/entries/273", "112 entries"),
    ],
)
def test_beyond_the_checkpoint_nothing_is_made_and_nothing_is_kept(
    log: Log, path: str, there: str
) -> None:
    reply = ask(log.server.port, "GET", path)
    assert reply.status == 404
    assert f"{there} under the checkpoint of size 70000" in reply.body.decode()
    assert reply.headers["cache-control"] == "no-store"
    assert log.tiles.most_at_work == 0


@pytest.mark.parametrize(
    "path",
    [
        "/tile/",
        "/tile/0",
        "/tile/0/",
        "/tile/0/0",
        "/tile/00/000",
        "/tile/64/000",
        "/tile/-1/000",
        "/tile/+1/000",
        "/tile/0/1234",
        "/tile/0/x000/000",
        "/tile/0/000/000",
        "/tile/0/000.p/0",
        "/tile/0/000.p/256",
        "/tile/0/000.p/01",
        "/tile/0/000.p/",
        "/tile/0/000.p",
        "/tile/data/000",
        "/tile/entries/000.p/",
        "/tile//tile/0/000",
        "/tile/0/000%0a",
        "/tile/0/" + "x000/" * 3000 + "000",
    ],
)
def test_at_any_other_path_nothing_is(log: Log, path: str) -> None:
    assert log.ask(path) == (404, b"404 page not found\n")


def test_other_methods_are_405_and_head_is_answered(log: Log) -> None:
    for path in ("/checkpoint", "/tile/0/000", "/tile/nonsense"):
        reply = ask(log.server.port, "POST", path)
        assert (reply.status, reply.headers["allow"], reply.body) == (405, "GET, HEAD", b"")
    reply = ask(log.server.port, "HEAD", "/tile/0/000")
    assert (reply.status, reply.headers["content-length"]) == (200, str(len("tile 0 0 256")))


def test_before_the_first_checkpoint_there_is_nothing() -> None:
    with serving_tiles(None) as log:
        assert log.ask("/checkpoint") == (404, b"no checkpoint has been published here yet\n")
        assert log.ask("/tile/0/000.p/1")[0] == 404
        with Wire(log.server.port) as wire:
            wire.send(request("/checkpoint?after=0&wait=60s"))
            log.wait(1)
            log.publish(1)
            assert wire.read().body == b"checkpoint of 1\n"


@pytest.mark.parametrize(
    "query",
    [
        "after=69999&wait=60s",
        "after=0",
        "after=70000",
        "after=70000&wait=0s",
        "x=1&after=0&wait=1m",
    ],
)
def test_what_is_news_already_or_need_not_be_is_answered_at_once(log: Log, query: str) -> None:
    started_s = time.monotonic()
    assert log.ask(f"/checkpoint?{query}") == (200, b"checkpoint of 70000\n")
    assert time.monotonic() - started_s < 30


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("after=", b"after '' is not a number"),
        ("after=-1", b"after '-1' is not a number"),
        ("after=%2B5", b"after '+5' is not a number"),
        ("after=05", b"after '05' is not a number"),
        ("after=" + "9" * 20, b"is not a number"),
        ("after=1&after=2", b"the query says after twice"),
        ("wait=1s", b"wait without after"),
        ("after=1&wait=61s", b"wait '61s' is not a time of at most 60s"),
        ("after=1&wait=2m", b"wait '2m' is not a time"),
        ("after=1&wait=5", b"wait '5' is not a time"),
        ("after=1&wait=-5s", b"wait '-5s' is not a time"),
        ("after=1&wait=1.5s", b"wait '1.5s' is not a time"),
        ("after=1&wait=%D9%A1s", b"is not a time"),
        ("after=1&wait=1s&wait=1s", b"the query says wait twice"),
        ("x=" + "1" * 1024, b"the query is longer"),
    ],
)
def test_a_question_that_means_nothing_is_400(log: Log, query: str, sentence: bytes) -> None:
    status, body = log.ask(f"/checkpoint?{query}")
    assert (status, sentence in body) == (400, True), body


def test_a_reader_waits_until_there_is_news_for_it(log: Log) -> None:
    with Wire(log.server.port) as soon, Wire(log.server.port) as later:
        soon.send(request("/checkpoint?after=70000&wait=60s"))
        later.send(request("/checkpoint?after=70001&wait=60s"))
        log.wait(2)
        log.publish(70_001)
        assert soon.read().body == b"checkpoint of 70001\n"
        assert log.port.waiters == 1
        log.publish(70_002)
        assert later.read().body == b"checkpoint of 70002\n"
        log.wait(0)


def test_when_the_wait_is_over_the_checkpoint_is_what_it_was(log: Log) -> None:
    assert log.ask("/checkpoint?after=70000&wait=20ms") == (200, b"checkpoint of 70000\n")
    assert log.port.waiters == 0


def test_one_reader_too_many_is_busy_and_may_still_ask_without_waiting() -> None:
    with serving_tiles(1, waiting_readers=2) as log, contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(log.server.port)) for _ in range(2)]
        for wire in wires:
            wire.send(request("/checkpoint?after=1&wait=60s"))
        log.wait(2)
        reply = ask(log.server.port, "GET", "/checkpoint?after=1&wait=60s")
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert reply.body == b"2 readers wait for news already: ask again without wait\n"
        assert log.ask("/checkpoint?after=1")[0] == 200
        log.publish(2)
        assert [wire.read().status for wire in wires] == [200, 200]


@pytest.mark.parametrize("how", ["close", "half", "reset"])
def test_nothing_is_held_by_a_reader_that_goes_away(log: Log, how: str) -> None:
    with Wire(log.server.port) as wire:
        wire.send(request("/checkpoint?after=70000&wait=60s"))
        log.wait(1)
        if how == "half":
            wire.socket.shutdown(socket.SHUT_WR)
            assert wire.read().body == b"checkpoint of 70000\n"
            assert wire.closed()
        elif how == "reset":
            linger = (1).to_bytes(4, "little") + bytes(4)
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    log.wait(0)


def test_nothing_is_held_by_a_reader_that_goes_away_over_tls(
    certificate: tuple[Path, Path],
) -> None:
    port = TilePort(FakeTiles(Published(b"checkpoint", 1)), WebLimits())
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    application = Application(port.routes(), WebLimits())
    with serving(application, tls=server_context(*certificate)) as server:
        with Wire(server.port, trusting) as wire:
            wire.send(request("/checkpoint?after=1&wait=60s"))
            eventually(lambda: port.waiters == 1, "it waits")
        eventually(lambda: port.waiters == 0, "it waits no longer")


def test_nothing_is_held_by_a_reader_that_goes_away_with_more_requests_waiting(log: Log) -> None:
    with Wire(log.server.port) as wire:
        wire.send(request("/checkpoint?after=70000&wait=60s") + request("/checkpoint"))
        log.wait(1)
    log.wait(0)


def test_a_reader_that_waits_is_answered_before_what_it_asks_behind(log: Log) -> None:
    with Wire(log.server.port) as wire:
        wire.send(request("/checkpoint?after=70000&wait=60s") + request("/tile/0/000"))
        log.wait(1)
        log.publish(70_001)
        assert wire.read().body == b"checkpoint of 70001\n"
        assert wire.read().body == b"tile 0 0 256"


def test_a_stop_releases_all_that_wait_at_once_and_nobody_waits_afterwards() -> None:
    with serving_tiles(1) as log, contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(log.server.port)) for _ in range(20)]
        for wire in wires:
            wire.send(request("/checkpoint?after=1&wait=60s"))
        log.wait(20)
        last = stack.enter_context(Wire(log.server.port))
        assert last.ask("GET", "/checkpoint").status == 200
        log.server.stop.request()
        assert {wire.read().body for wire in wires} == {b"checkpoint of 1\n"}
        last.send(request("/checkpoint?after=1&wait=60s"))
        assert last.read().body == b"checkpoint of 1\n"


def test_tiles_are_made_one_after_the_other_however_many_ask() -> None:
    gate = threading.Event()
    with serving_tiles(70_000, gate) as log, contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(log.server.port)) for _ in range(THREADS * 3)]
        for number, wire in enumerate(wires):
            wire.send(request(f"/tile/0/{number:03}"))
        eventually(lambda: log.port.counts.tile == len(wires), "all have asked")
        assert log.ask("/checkpoint")[0] == 200  # and nobody else waits for them
        gate.set()
        bodies = [wire.read().body for wire in wires]
    assert bodies == [b"tile 0 %d 256" % number for number in range(len(wires))]
    assert log.tiles.most_at_work == THREADS


def test_what_is_in_memory_needs_no_thread() -> None:
    def at_once(tile: Tile) -> bytes | None:
        return b"here" if tile == Tile(0, 1) else None

    tiles = FakeTiles(Published(b"checkpoint", 70_000))
    port = TilePort(tiles, WebLimits(), at_once=at_once)
    with serving(Application(port.routes(), WebLimits())) as server:
        reply = ask(server.port, "GET", "/tile/0/001")
        assert (reply.body, reply.headers["cache-control"]) == (b"here", FOR_EVER)
        assert tiles.most_at_work == 0
        assert ask(server.port, "GET", "/tile/0/002").body == b"tile 0 2 256"
        assert ask(server.port, "GET", "/tile/0/274").status == 404
    assert port.counts.tile == 3


def test_requests_are_counted_by_route(log: Log) -> None:
    for path in ("/checkpoint", "/checkpoint?after=", "/tile/0/000", "/tile/9/000"):
        log.ask(path)
    log.ask("/tile/entries/000")
    assert log.port.counts.checkpoint == 2
    assert (log.port.counts.tile, log.port.counts.entries) == (2, 1)


def test_a_refusal_is_a_problem_document_for_who_accepts_one(log: Log) -> None:
    reply = ask(log.server.port, "GET", "/tile/9/000", headers={"Accept": "application/json"})
    assert json.loads(reply.body)["code"] == "not-found"


def test_news_for_nobody_and_after_the_end_is_harmless() -> None:
    with serving_tiles(1) as log:
        log.port.notify()  # no loop is known yet
        assert log.ask("/checkpoint?after=1&wait=1ms")[0] == 200
    log.port.notify()  # the loop is closed
