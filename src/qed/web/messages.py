"""A request as a handler sees it, and an answer as it leaves; no server is known here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

Header = tuple[bytes, bytes]

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
RAW = b"application/octet-stream"
_MAX_ACCEPT_BYTES = 1024
NO_STORE = b"no-store"
IMMUTABLE = b"public, max-age=31536000, immutable"  # the same bytes for ever, under this path
_NO_CONTENT = 204


async def _stay() -> None:
    """Never return: a client that is not known to be able to leave."""
    await asyncio.get_running_loop().create_future()


@dataclass(frozen=True, slots=True)
class Request:
    """One whole request: the body is read and within its bound."""

    method: str
    path: str
    query: bytes
    headers: Sequence[Header]  # names in lower case
    body: bytes
    # Done when nobody waits for the answer any more, or the client has ended its side: for answers
    # that take long because they wait for something. At most once a request.
    left: Callable[[], Awaitable[None]] = _stay

    def accepts(self, *media_types: str) -> bool:
        """Return whether `Accept` names one of these types itself (a wildcard names none)."""
        return accepts(self.headers, *media_types)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a body and its type; `headers` are the ones beyond length, type and caching."""

    status: int
    body: bytes = b""
    content_type: bytes = b""
    headers: tuple[Header, ...] = ()
    cache_control: bytes = NO_STORE


def build_headers(answer: Answer) -> list[Header]:
    """Return every header of an answer but the date; its length, if it has one, stands last."""
    headers = [(b"cache-control", answer.cache_control), *answer.headers]
    if answer.content_type:
        headers.append((b"content-type", answer.content_type))
    if answer.status != _NO_CONTENT:  # which has no length either
        headers.append((b"content-length", b"%d" % len(answer.body)))
    return headers


def accepts(headers: Sequence[Header], *media_types: str) -> bool:
    """Return whether an `Accept` header names one of these types with a weight above zero."""
    for name, value in headers:
        if name == b"accept":
            for part in value[:_MAX_ACCEPT_BYTES].decode("latin-1").lower().split(","):
                media_type, *parameters = (piece.strip() for piece in part.split(";"))
                if media_type in media_types and not _weighs_nothing(parameters):
                    return True
    return False


def _weighs_nothing(parameters: Sequence[str]) -> bool:
    for parameter in parameters:
        name, _, weight = parameter.partition("=")
        if name.strip() == "q":
            return weight.strip().rstrip("0") in {"", "0", "0."}
    return False
