"""A table of routes as an ASGI application: bounded bodies, errors as answers.

No framework: some twenty exact paths and a few prefixes, each with its methods. A handler is given
a whole request and returns an answer or raises an error of the tree; anything else that it raises
is a bug, which is logged and answered with 500. Nothing is cached unless an answer says so itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog

from qed.errors import FatalError, MalformedError, NotFoundError, QedError, TooLargeError
from qed.web.hot import HotRoute
from qed.web.limits import WebLimits
from qed.web.messages import TEXT, Answer, Header, Request, build_headers
from qed.web.problems import answer_error

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Handler = Callable[[Request], Awaitable[Answer]]

_CLOSE: Header = (b"connection", b"close")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_BUG = Answer(500, b"the server has a bug; its log says where\n", TEXT)


class _DisconnectedError(Exception):
    """The client went away before its request was whole; nobody is there to be answered."""


class _OversizeBodyError(TooLargeError):
    """The body is above its bound and part of it is unread, so the connection cannot go on."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one exact path, or on every path that begins with it."""

    method: str
    path: str
    handler: Handler
    is_prefix: bool = False  # an exact path goes before a prefix, a longer prefix before a shorter


@dataclass(slots=True)
class Application:
    """Answer requests by a table of routes; an ASGI application.

    `on_fatal` is called, on the loop's thread, with each `FatalError` that a handler raised, after
    it was answered: the owner of the process decides to stop.
    """

    routes: Sequence[Route]
    limits: WebLimits
    on_fatal: Callable[[FatalError], None] = lambda _error: None
    hot: Sequence[HotRoute] = ()  # short cuts for some of the routes; see `hot`
    answers: Counter[int] = field(default_factory=Counter)  # by status; the loop's thread
    _table: Mapping[str, Mapping[str, Handler]] = field(init=False)
    _prefixes: Sequence[tuple[str, Mapping[str, Handler]]] = field(init=False)  # longest first

    def __post_init__(self) -> None:
        """Build the look-ups; two routes for one method and path are a bug."""
        self._table = _build_table([route for route in self.routes if not route.is_prefix])
        prefixes = _build_table([route for route in self.routes if route.is_prefix])
        self._prefixes = sorted(prefixes.items(), key=lambda row: -len(row[0]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = scope["headers"]
        try:
            answer = await self._answer(scope, receive)
        except _DisconnectedError:
            return
        except _OversizeBodyError as error:
            answer = self.answer_failure(error, scope["path"], headers)
            await _refuse_body(answer, receive, send, self.limits.linger_s)
            return
        except Exception as error:  # noqa: BLE001  # one bug fails one request
            await _send(send, self.answer_failure(error, scope["path"], headers))
            if isinstance(error, FatalError):
                self.on_fatal(error)
            return
        self.answers[answer.status] += 1
        await _send(send, answer)

    def answer_failure(self, error: Exception, path: str, headers: Sequence[Header]) -> Answer:
        """Return, and count, the answer for what a handler raised; log what is ours to mend."""
        if not isinstance(error, QedError):
            structlog.get_logger().error("bug in a handler", path=path, exc_info=error)
            answer = _BUG
        else:
            if isinstance(error, FatalError):
                structlog.get_logger().error("request failed", path=path, why=error.message)
            answer = answer_error(error, headers)
        self.answers[answer.status] += 1
        return answer

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        path, method, headers = scope["path"], scope["method"], scope["headers"]
        methods = self._table.get(path) or self._find_prefix(path)
        if methods is None:
            raise NotFoundError("404 page not found")  # Go's words, as QED answers
        handler = methods.get(method)
        if handler is None:
            allow = ", ".join(methods).encode()
            return Answer(405, headers=((b"allow", allow),))
        body, is_read = b"", method in _WITH_BODY
        if is_read:
            body = await read_body(headers, receive, self.limits.body_bytes)
        left = partial(_left, receive, is_read=is_read)
        return await handler(Request(method, path, scope["query_string"], headers, body, left))

    def _find_prefix(self, path: str) -> Mapping[str, Handler] | None:
        for prefix, methods in self._prefixes:
            if path.startswith(prefix):
                return methods
        return None


def _build_table(routes: Sequence[Route]) -> dict[str, dict[str, Handler]]:
    table: dict[str, dict[str, Handler]] = {}
    for route in routes:
        methods = table.setdefault(route.path, {})
        if route.method in methods:
            raise AssertionError(f"two routes for {route.method} {route.path}")
        methods[route.method] = route.handler
    return table


async def _left(receive: Receive, *, is_read: bool) -> None:
    """Return when the client has left or has ended its side; see `Request.left`.

    A body that nobody asked for is dropped. What comes after the end of it is no message of a
    client: it is how `guard` says that no more will come.
    """
    while (message := await receive())["type"] == "http.request":
        if is_read:
            return
        is_read = not message.get("more_body", False)


async def read_body(headers: Sequence[Header], receive: Receive, limit_bytes: int) -> bytes:
    """Return the whole body; one above the limit is a `TooLargeError` as early as it shows.

    With a `Content-Length` that is before the first byte is read (and before `100 Continue` is
    sent), without one as soon as more than the limit has arrived.
    """
    for name, value in headers:
        if name == b"content-length" and _number(value) > limit_bytes:
            raise _too_large(limit_bytes)
        if name == b"content-encoding" and value.lower() != b"identity":
            raise MalformedError("a compressed body is not understood: send it as it is")
    chunks: list[bytes] = []
    size_bytes = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _DisconnectedError
        chunk = message.get("body", b"")
        size_bytes += len(chunk)
        if size_bytes > limit_bytes:
            raise _too_large(limit_bytes)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _number(value: bytes) -> int:
    # The parser below has refused everything but digits; the bound keeps int() from long work.
    if not value.isdigit() or len(value) > 20:  # noqa: PLR2004  # digits of a 64-bit number
        raise MalformedError("the Content-Length is not a number of bytes")
    return int(value)


def _too_large(limit_bytes: int) -> _OversizeBodyError:
    return _OversizeBodyError(
        f"the body is larger than the {limit_bytes} bytes that one request may have",
        hint="split it over several requests",
    )


def _head(answer: Answer) -> MutableMapping[str, Any]:
    headers = build_headers(answer)
    return {"type": "http.response.start", "status": answer.status, "headers": headers}


async def _send(send: Send, answer: Answer) -> None:
    await send(_head(answer))
    await send({"type": "http.response.body", "body": answer.body})


async def _refuse_body(answer: Answer, receive: Receive, send: Send, linger_s: float) -> None:
    """Answer at once, read the rest away until it ends or pauses for `linger_s`, and close.

    Closing with unread bytes makes the kernel send a reset, which can overtake the answer: the
    client would see a broken connection instead of the sentence.
    """
    head = _head(Answer(answer.status, answer.body, answer.content_type, (*answer.headers, _CLOSE)))
    await send(head)
    await send({"type": "http.response.body", "body": answer.body, "more_body": True})
    more = True
    with contextlib.suppress(TimeoutError):
        while more:  # the deadline of the whole request ends it at the latest
            async with asyncio.timeout(linger_s):
                more = (await receive()).get("more_body", False)
    await send({"type": "http.response.body", "body": b""})
