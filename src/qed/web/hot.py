"""Hot routes: requests that are so many, small and alike that they skip tasks and ASGI.

A hot route is a short cut for a route of the application. It only ever takes what is ordinary: one
exact request line, headers that change nothing, a small body that its handler knows. All else goes
the ordinary way, whose answers are the ones that count; a test asks both for the same bytes.

Most heads differ from one that came before in nothing, so a head that the parser has judged once is
known by its bytes from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import httptools

from qed.web.limits import KIB, WebLimits
from qed.web.messages import Header, accepts

BODY_BYTES = 128 * KIB  # a larger body is no small matter
_HEAD_BYTES = 2 * KIB
_KNOWN_HEADS = 2_048
_END = b"\r\n\r\n"
_LENGTH_DIGITS = 7
# Each of these makes more of a request than a head and a body of known length.
_UNUSUAL = frozenset(
    {b"content-encoding", b"expect", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)
_JSON_TYPES = ("application/json", "application/problem+json")


class Asker(Protocol):
    """Who asked; answered exactly once, at once or later, on the loop's thread."""

    def answer(self, status: int, content_type: bytes, body: bytes) -> None:
        """Answer. Nobody needs to know whether the client is still there."""

    def fail(self, error: Exception) -> None:
        """Answer as the application would have, had a handler raised this."""


# Given a body, returns whether it was taken: then the asker is or will be answered. What was not
# taken has had no effect, and goes the ordinary way. What it raises is answered as an error.
HotHandler = Callable[[bytes, Asker], bool]


@dataclass(frozen=True, slots=True)
class HotRoute:
    """A short cut for POST on one exact path."""

    path: str
    handler: HotHandler
    negotiates: bool = False  # the form of its answer depends on what the request accepts


@dataclass(frozen=True, slots=True)
class HotHead:
    """A head that was understood."""

    handler: HotHandler
    path: str
    headers: Sequence[Header]  # those that an answer depends on: of strangers, thousands are kept
    length: int  # of the body, in bytes


class HotTable:
    """The hot routes of one application, and the heads that were seen of them."""

    def __init__(self, routes: Sequence[HotRoute], limits: WebLimits) -> None:
        """Know the routes and no head yet."""
        self._routes: Mapping[bytes, HotRoute] = {
            b"POST %b HTTP/1.1" % route.path.encode(): route for route in routes
        }
        self._head_bytes = min(_HEAD_BYTES, limits.head_bytes)
        self._body_bytes = min(BODY_BYTES, limits.body_bytes)
        self._known: dict[bytes, HotHead] = {}

    def find(self, data: bytes, start: int) -> tuple[HotHead, int] | None:
        """Return the hot head that stands whole at `start`, and where its body begins.

        None for anything else; `start` must be where a request begins.

        Cost: a search and a look-up; for a head that is new, one run of the parser.
        """
        end = data.find(_END, start, start + self._head_bytes)
        if end < 0:
            return None
        end += len(_END)
        text = data[start:end]
        head = self._known.get(text) or self._learn(text)
        return None if head is None else (head, end)

    def _learn(self, text: bytes) -> HotHead | None:
        route = self._routes.get(text[: text.index(b"\r\n")])
        if route is None:
            return None
        headers = _read_head(text)
        if headers is None:
            return None
        length = _ordinary_length(headers)
        if length is None or length > self._body_bytes:
            return None
        if route.negotiates and accepts(headers, *_JSON_TYPES):
            return None
        accept = [header for header in headers if header[0] == b"accept"]
        head = HotHead(route.handler, route.path, accept, length)
        if len(self._known) >= _KNOWN_HEADS:
            del self._known[next(iter(self._known))]  # the one that was learned first
        self._known[text] = head
        return head


class _HeadReader:
    """Takes what the parser finds in one head."""

    def __init__(self) -> None:
        self.headers: list[Header] = []
        self.head_ended = False
        self.message_ended = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.head_ended = True

    def on_message_complete(self) -> None:
        self.message_ended = True


def _read_head(text: bytes) -> list[Header] | None:
    """Return the headers of a head that ends at the text's end and has a body to come.

    By the same parser that reads every other request, so that no head has two readings; it also
    knows other names for the end of a connection than `Connection`.
    """
    reader = _HeadReader()
    parser = httptools.HttpRequestParser(reader)
    try:
        parser.feed_data(text[:-1])
        if reader.head_ended:  # by other marks than we look for: a parser that is too kind
            return None
        parser.feed_data(text[-1:])
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    if not reader.head_ended or reader.message_ended:
        return None
    return reader.headers if parser.should_keep_alive() else None


def _ordinary_length(headers: Sequence[Header]) -> int | None:
    """Return the length of the body, None when any header makes the request unusual."""
    lengths = []
    for name, value in headers:
        if name == b"content-length":
            lengths.append(value)
        elif name in _UNUSUAL or (name == b"connection" and value.lower() != b"keep-alive"):
            return None
    if len(lengths) != 1 or not lengths[0].isdigit() or len(lengths[0]) > _LENGTH_DIGITS:
        return None
    return int(lengths[0])
