"""A published log as it is read: checkpoints, tiles and leaves from a server, a store or a mirror.

Everything here has been bounded and parsed, and nothing has been *verified*: that is for `trusted`,
to which a source gives the hashes that a proof needs. So a source may lie, and it may be slow, and
the worst that comes of it is an error.

    source = open_source("http://127.0.0.1:8888", timeout_s=10)
    note = source.checkpoint(after=3, wait_s=10)

Full tiles never change, so the newest are kept in memory. A partial tile that is not served (any
more) is read from the full one, which c2sp.org/tlog-tiles lets a log keep instead of it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from qed import wire
from qed.client.calls import Request, Response
from qed.client.places import Place, ServerPlace, open_place
from qed.client.refusals import read_refusal
from qed.errors import MalformedError, NotFoundError, VerificationError
from qed.trees.snapshot_log import LEAF_BYTES, TILE_HASHES
from qed.trees.tiles import (
    ENTRIES,
    Node,
    Tile,
    decode_bundle,
    format_tile_path,
    node_from_tile,
    tile_of,
    tile_width,
)
from qed.trees.values import DIGEST_BYTES
from qed.wire.bounds import BOUNDS as WIRE_BOUNDS
from qed.wire.topology import InfoValue

T = TypeVar("T")

_OK = 200
_ACCEPT = {"accept": "*/*, application/problem+json"}
_ENTRY_BYTES = 2 + LEAF_BYTES  # a leaf in a bundle, after its length


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large what a source serves may be, and how much of it is kept."""

    checkpoint_bytes: int = 256 * 1024
    """A note with 64 signatures, the largest of them 3.3 KiB of base64, has 212 KiB."""

    answer_bytes: int = 1024 * 1024
    """Any other answer, unless its caller says more."""

    kept_tiles: int = 512
    """Full tiles in memory, 8 KiB each."""

    wait_s: float = 60.0
    """The longest wait for news that servers take in one request."""


BOUNDS = Bounds()


class Source:
    """Where a log is read. Belongs to one thread; `close` it or leave its block."""

    def __init__(self, place: Place, *, timeout_s: float) -> None:
        """Read from a place; `timeout_s` bounds each request as a whole, 0 does not."""
        self._place = place
        self._timeout_s = timeout_s
        self._tiles: OrderedDict[Tile, bytes] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection; the next request opens it again."""
        self._place.close()

    @property
    def name(self) -> str:
        """The address or the directory, for people."""
        return self._place.name

    def forget(self) -> None:
        """Drop the tiles in memory: after a proof made of them was false, they are read again."""
        self._tiles.clear()

    def checkpoint(self, after: int | None = None, wait_s: float = 0) -> bytes:
        """Return the newest signed note, unread.

        With `after` a server answers as soon as its checkpoint is of more leaves than that, and
        with what it has when `wait_s` is over; a static mirror never waits.
        """
        path, timeout_s = "/checkpoint", self._timeout_s
        if after is not None:
            wait_s = min(max(wait_s, 0), BOUNDS.wait_s)
            path += f"?after={after}&wait={round(wait_s * 1000)}ms"
            timeout_s = timeout_s + wait_s if timeout_s else 0
        request = Request("GET", path, _ACCEPT, max_answer_bytes=BOUNDS.checkpoint_bytes)
        return self._expect(request, timeout_s)

    def tile(self, level: int, index: int, width: int = TILE_HASHES) -> bytes:
        """Return the first `width` hashes of a tile, end to end.

        Raises:
            NotFoundError: neither the tile of this width nor the full one is there.
            VerificationError: what is served is no tile.
            UnavailableError: by the answer, or there was none.
        """
        tile = Tile(level, index, width)
        full = Tile(level, index)
        if full in self._tiles:
            self._tiles.move_to_end(full)
            return self._tiles[full][: width * DIGEST_BYTES]
        read, found = self._fetch(tile, DIGEST_BYTES)
        if len(read) != found.width * DIGEST_BYTES:
            raise self._false(found, f"{len(read)} bytes")
        if found == full:
            self._keep(full, read)
        return read[: width * DIGEST_BYTES]

    def bundle(self, index: int, width: int = TILE_HASHES) -> list[bytes]:
        """Return the first `width` leaves of a bundle, their versions 256 * index and following.

        Raises: as `tile`.
        """
        read, found = self._fetch(Tile(ENTRIES, index, width), _ENTRY_BYTES)
        try:
            return decode_bundle(read, found.width, index=index)[:width]
        except MalformedError as error:
            raise self._false(found, error.message) from error

    def read_nodes(self, nodes: Sequence[Node], size: int) -> list[bytes]:
        """Return the hashes of perfect subtrees of the tree of `size`, for a proof.

        Each tile is asked for once. Raises: as `tile`.
        """
        wanted = {node: tile_of(node, size) for node in nodes}
        tiles = {
            tile: self.tile(tile.level, tile.index, tile.width) for tile in set(wanted.values())
        }
        return [node_from_tile(node, tiles[wanted[node]]) for node in nodes]

    def info(self) -> dict[str, InfoValue]:
        """Return what the server says about itself; a mirror says nothing (NotFoundError)."""
        request = Request("GET", "/info", _ACCEPT, max_answer_bytes=WIRE_BOUNDS.topology_bytes)
        return self.parse(request.path, wire.decode_info, self._expect(request, self._timeout_s))

    def get(self, path: str, *, max_answer_bytes: int = BOUNDS.answer_bytes) -> Response:
        """Return the answer to any path, whatever its status."""
        return self._place.send(
            Request("GET", path, max_answer_bytes=max_answer_bytes), self._timeout_s
        )

    def post(self, path: str, body: bytes, content_type: str) -> Response:
        """Send a body and return the answer, whatever its status. Never sent twice."""
        return self._place.send(_build_post(path, body, content_type), self._timeout_s)

    def post_many(self, path: str, bodies: Sequence[bytes], content_type: str) -> list[Response]:
        """Send bodies that may be sent twice, and return the answers in order.

        To a server several are on the way at a time, which costs both a fraction of `post`.
        """
        requests = [_build_post(path, body, content_type) for body in bodies]
        if isinstance(self._place, ServerPlace):
            return self._place.send_many(requests, self._timeout_s)
        return [self._place.send(request, self._timeout_s) for request in requests]

    def parse(self, path: str, decode: Callable[[bytes], T], data: bytes) -> T:
        """Return what a body says; one that does not parse is a false claim of its source's."""
        try:
            return decode(data)
        except MalformedError as error:
            raise VerificationError(
                f"{self.name} serves what does not parse as {path}: {error.message}", step="answer"
            ) from error

    def _fetch(self, tile: Tile, entry_bytes: int) -> tuple[bytes, Tile]:
        """Return the bytes of a tile, or of the full one where only that is there, and which."""
        try:
            return self._expect(_build_tile(tile, entry_bytes), self._timeout_s), tile
        except NotFoundError:
            if tile.width == TILE_HASHES:
                raise
            missing = tile
        full = Tile(missing.level, missing.index)
        try:
            return self._expect(_build_tile(full, entry_bytes), self._timeout_s), full
        except NotFoundError as error:
            raise NotFoundError(
                f"{self.name} has neither {format_tile_path(missing)} nor the full tile"
            ) from error

    def _expect(self, request: Request, timeout_s: float) -> bytes:
        answer = self._place.send(request, timeout_s)
        if answer.status == _OK:
            return answer.body
        where = f"{request.method} {self.name}{request.path}"
        refusal = read_refusal(answer, where)
        if isinstance(refusal, NotFoundError):
            raise NotFoundError(f"{self.name} has no {request.path.removeprefix('/')}")
        raise refusal

    def _keep(self, tile: Tile, hashes: bytes) -> None:
        self._tiles[tile] = hashes
        if len(self._tiles) > BOUNDS.kept_tiles:
            self._tiles.popitem(last=False)

    def _false(self, tile: Tile, why: str) -> VerificationError:
        return VerificationError(
            f"{self.name} serves what is no {format_tile_path(tile)}: {why}", step="tile"
        )


def open_source(
    place: str, *, timeout_s: float = 10.0, dial_timeout_s: float = 5.0, insecure: bool = False
) -> Source:
    """Return the source at an address (`http://`, `https://`) or in a directory.

    Nothing is asked yet.

    Args:
        place: `http://<host>[:<port>][/<path>]`, the same with `https`, or a directory.
        timeout_s: bound of each request as a whole; 0 is none.
        dial_timeout_s: bound of opening a connection; 0 is none.
        insecure: take a TLS certificate that nobody vouches for.

    Raises:
        MalformedError: an address that is none.
        NotFoundError: there is no such directory.
    """
    opened = open_place(place, dial_timeout_s=dial_timeout_s, insecure=insecure)
    return Source(opened, timeout_s=timeout_s)


def leaves(source: Source, first: int, stop: int) -> Iterator[list[bytes]]:
    """Yield the leaves [first, stop), those of one bundle at a time.

    `stop` is a size that was published, so that the partial bundle at its end is there.
    Raises: as `Source.tile`.
    """
    while first < stop:
        index, skipped = divmod(first, TILE_HASHES)
        bundle = source.bundle(index, tile_width(ENTRIES, index, stop))
        yield bundle[skipped:]
        first = (index + 1) * TILE_HASHES


def _build_post(path: str, body: bytes, content_type: str) -> Request:
    headers = {
        "content-type": content_type,
        "accept": "application/json, application/problem+json",
    }
    return Request("POST", path, headers, body, BOUNDS.answer_bytes)


def _build_tile(tile: Tile, entry_bytes: int) -> Request:
    return Request(
        "GET", f"/{format_tile_path(tile)}", _ACCEPT, max_answer_bytes=tile.width * entry_bytes
    )
