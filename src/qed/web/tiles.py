"""A published log, as any program here serves it: checkpoint, tiles, and the wait for news.

Source: c2sp.org/tlog-tiles; SPEC 10. Readers keep their own position: the port remembers nothing
of them but the ones that wait, and these are bounded. Tiles that are not in memory are made in
another thread, one after the other, however many ask.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from qed.errors import BusyError, MalformedError, NotFoundError
from qed.trees.tiles import ENTRIES, Tile, parse_tile_path, tile_width
from qed.web.application import Route
from qed.web.limits import WebLimits
from qed.web.messages import IMMUTABLE, RAW, TEXT, Answer, Request
from qed.web.queries import parse_duration, parse_number, read_query

MAX_WAIT_S = 60.0
# At work for tiles at the same time. A second one makes hardly more of them (most of the work holds
# the interpreter) and takes as much again from those that add: measured.
THREADS = 1


@dataclass(frozen=True, slots=True)
class Published:
    """The newest checkpoint, and how many leaves are under it."""

    note: bytes  # the signed note, as it is served
    size: int


class ServedTiles(Protocol):
    """What is served: the log server's own log, or a snapshot store's copy of another's."""

    def published(self) -> Published | None:
        """Return the newest checkpoint, None before the first; on the loop's thread, at once."""

    def tile(self, level: int, index: int, width: int) -> bytes:
        """Return the first hashes of a tile that is under the checkpoint; in any thread."""

    def bundle(self, index: int, width: int) -> bytes:
        """Return the first entries of a bundle that is under the checkpoint; in any thread."""


@dataclass(slots=True)
class TileCounts:
    """Requests since the start, the refused ones too; written on the loop's thread only."""

    checkpoint: int = 0
    tile: int = 0
    entries: int = 0


@dataclass(frozen=True, slots=True)
class _Question:
    """What a request for the checkpoint says beside its path."""

    after: int | None  # None: whatever there is, at once
    wait_s: float


class TilePort:
    """The handlers of a published log; used on the loop's thread only, but for `notify`."""

    def __init__(
        self,
        tiles: ServedTiles,
        limits: WebLimits,
        *,
        at_once: Callable[[Tile], bytes | None] = lambda _tile: None,
    ) -> None:
        """Serve `tiles`; whoever publishes them calls `notify` after each new checkpoint.

        `at_once` is asked first, on the loop's thread: what is in memory needs no other thread.
        """
        self.counts = TileCounts()
        self._tiles = tiles
        self._at_once = at_once
        self._limits = limits
        self._stopping = False
        self._turn = asyncio.Semaphore(THREADS)  # held while a thread works
        self._waiters: dict[asyncio.Future[None], int] = {}  # -> the size that is no news to it
        # Known from the first waiter on. Read by `notify` on another thread: it is set before the
        # waiter looks at what is published, and what is published changes before `notify`.
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def waiters(self) -> int:
        """How many requests wait for news; from any thread."""
        return len(self._waiters)

    def routes(self) -> list[Route]:
        """Return the routes; the tiles are under one prefix."""
        return [
            Route("GET", "/checkpoint", self.checkpoint),
            Route("HEAD", "/checkpoint", self.checkpoint),
            Route("GET", "/tile/", self.tile, is_prefix=True),
            Route("HEAD", "/tile/", self.tile, is_prefix=True),
        ]

    def notify(self) -> None:
        """Let those that wait look at what is published; from any thread."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._wake)

    def release(self) -> None:
        """Answer all that wait, and let nobody wait any more: the server is about to stop."""
        self._stopping = True
        for waiter in self._waiters:
            _finish(waiter)

    async def checkpoint(self, request: Request) -> Answer:
        """Answer the newest checkpoint; with `after` and `wait`, not before it is news."""
        self.counts.checkpoint += 1
        question = _read_question(request.query)
        if question.after is not None and question.wait_s and request.method == "GET":
            await self._await_news(question.after, question.wait_s, request.left)
        published = self._tiles.published()
        if published is None:
            raise NotFoundError("no checkpoint has been published here yet")
        return Answer(200, published.note, TEXT)

    async def tile(self, request: Request) -> Answer:
        """Answer a tile of hashes, or a bundle of entries, of what is under the checkpoint."""
        tile = _read_path(request.path)
        if tile.level == ENTRIES:
            self.counts.entries += 1
        else:
            self.counts.tile += 1
        self._check_published(tile)
        body = self._at_once(tile)
        if body is None:
            async with self._turn:
                body = await asyncio.to_thread(self._make, tile)
        return Answer(200, body, RAW, cache_control=IMMUTABLE)

    def _make(self, tile: Tile) -> bytes:
        if tile.level == ENTRIES:
            return self._tiles.bundle(tile.index, tile.width)
        return self._tiles.tile(tile.level, tile.index, tile.width)

    def _check_published(self, tile: Tile) -> None:
        """Refuse what no published checkpoint covers: it may still become something else."""
        published = self._tiles.published()
        size = 0 if published is None else published.size
        there = tile_width(tile.level, tile.index, size)
        if tile.width > there:
            what = "entries" if tile.level == ENTRIES else "hashes"
            raise NotFoundError(
                f"the tile has {there} {what} under the checkpoint of size {size}, and "
                f"{tile.width} were asked for"
            )

    async def _await_news(
        self, after: int, wait_s: float, left: Callable[[], Awaitable[None]]
    ) -> None:
        """Return when more than `after` is published, the time is over, or the reader has left.

        It holds nothing that grows with time: a future, a timer, and a task that sleeps until the
        reader leaves.
        """
        loop = self._loop = asyncio.get_running_loop()
        if self._stopping or self._is_news(after):
            return
        if len(self._waiters) >= self._limits.waiting_readers:
            raise BusyError(
                f"{self._limits.waiting_readers} readers wait for news already",
                hint="ask again without wait",
            )
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters[waiter] = after
        leaving = asyncio.ensure_future(left())
        leaving.add_done_callback(lambda _task: _finish(waiter))
        timer = loop.call_later(wait_s, _finish, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            leaving.cancel()
            del self._waiters[waiter]

    def _is_news(self, after: int) -> bool:
        published = self._tiles.published()
        return published is not None and published.size > after

    def _wake(self) -> None:
        published = self._tiles.published()
        size = 0 if published is None else published.size
        for waiter, after in self._waiters.items():
            if size > after:
                _finish(waiter)


def _finish(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _read_path(path: str) -> Tile:
    """Return the tile that a path names; nothing is at any other path."""
    try:
        return parse_tile_path(path.removeprefix("/"))
    except MalformedError as error:
        raise NotFoundError("404 page not found") from error


def _read_question(query: bytes) -> _Question:
    """Return `after` and `wait` of a query."""
    values = read_query(query, "after", "wait")
    after, wait_s = None, 0.0
    if "after" in values:
        after = parse_number(values["after"], "after")
    if "wait" in values:
        if after is None:
            raise MalformedError("wait without after: nobody could say what is news")
        wait_s = parse_duration(values["wait"], "wait", at_most_s=MAX_WAIT_S)
    return _Question(after, wait_s)
