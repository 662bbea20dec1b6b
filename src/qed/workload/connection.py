"""One connection to a log server on the event loop: a request out, an answer in, nothing between.

No task, no stream, no future for a request: the answer is handed on from where it is read.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from qed.client.config import create_tls_context
from qed.errors import MalformedError, UnreachableError
from qed.version import VERSION
from qed.wire.bounds import BOUNDS
from qed.workload.plan import ADD, BULK, DIGESTS, INCREMENTAL, MEMBERSHIP
from qed.workload.questions import PATHS, Question
from qed.workload.responses import Head, Response, ResponseReader

_JSON = ("application/json", "application/json, application/problem+json")
_RAW = ("application/octet-stream", "application/octet-stream, application/problem+json")
_PORTS = {"http": 80, "https": 443}
_REFUSAL_BYTES = 64 * 1024  # room for a sentence where a short answer was expected
_ANSWER_BYTES = {
    ADD: BOUNDS.snapshot_bytes + _REFUSAL_BYTES,
    BULK: BOUNDS.snapshots_bytes,
    DIGESTS: BOUNDS.snapshots_bytes,
    MEMBERSHIP: BOUNDS.proof_bytes,
    INCREMENTAL: BOUNDS.proof_bytes,
}
NEVER_S = float("inf")


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go, and the part of their heads that is always the same."""

    endpoint: str
    host: str
    port: int
    tls: ssl.SSLContext | None
    heads: Mapping[str, bytes]
    """By kind: everything up to the number of `Content-Length`."""

    known_heads: dict[bytes, Head] = field(default_factory=dict)
    """What heads of answers said; shared by the connections."""


def read_target(endpoint: str, *, insecure: bool) -> Target:
    """Return the target of an endpoint in the form that `parse_endpoint` gives it."""
    parts = urlsplit(endpoint)
    tls = None
    if parts.scheme == "https":
        tls = create_tls_context(insecure=insecure, scheme=parts.scheme)
    heads = {kind: _head(parts.netloc, parts.path + path, kind) for kind, path in PATHS.items()}
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    return Target(endpoint, host, port, tls, heads)


def _head(host: str, path: str, kind: str) -> bytes:
    sent, accepted = _RAW if kind == DIGESTS else _JSON
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        f"User-Agent: qed-workload/{VERSION}",
        f"Content-Type: {sent}",
        f"Accept: {accepted}",
        "Content-Length: ",
    ]
    return "\r\n".join(lines).encode("ascii")


class Owner(Protocol):
    """Who is told what comes of a request."""

    def answered(self, connection: Connection, response: Response) -> None:
        """Take an answer; the connection is free again."""

    def lost(self, connection: Connection, reason: str) -> None:
        """Take note that a connection is gone, and with it the answer to its question, if any."""


class Connection(asyncio.Protocol):
    """One request at a time; its owner reads and sets what belongs to the request."""

    __slots__ = (
        "_owner",
        "_reader",
        "_transport",
        "attempts",
        "due_s",
        "floor",
        "question",
        "sent_s",
        "target",
    )

    def __init__(self, owner: Owner, target: Target) -> None:
        """Belong to an owner."""
        self.target = target
        self.question: Question | None = None
        self.floor = -1
        self.due_s = 0.0
        self.sent_s = NEVER_S
        self.attempts = 0
        self._owner = owner
        self._reader = ResponseReader(_REFUSAL_BYTES, target.known_heads)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]  # create_connection gives no other

    def ask(self, question: Question, floor: int, due_s: float, now_s: float) -> None:
        """Send a question; the owner is told what comes of it."""
        self.question = question
        self.floor = floor
        self.due_s = due_s
        self.attempts = 0
        self.send(now_s)

    def send(self, now_s: float) -> None:
        """Send the question in hand, again too."""
        question, transport = self.question, self._transport
        assert question is not None  # noqa: S101 - only called with one
        assert transport is not None  # noqa: S101 - only called on an open connection
        self.sent_s = now_s
        self._reader.limit_bytes = _ANSWER_BYTES[question.kind]
        body = question.body
        transport.write(b"%b%d\r\n\r\n%b" % (self.target.heads[question.kind], len(body), body))

    def data_received(self, data: bytes) -> None:
        """Hand an answer on once it is whole."""
        try:
            response = self._reader.feed(data)
        except MalformedError as error:
            self.give_up(f"the answer is not understood: {error.message}")
            return
        if response is None:
            return
        if self.question is None:
            self.give_up("an answer came to no request")
            return
        self._owner.answered(self, response)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner, unless it has given the connection up itself."""
        if self._transport is not None:
            self._transport = None
            said = f": {exc}" if exc is not None else ""
            self._owner.lost(self, f"the server closed the connection{said}")

    def give_up(self, reason: str) -> None:
        """Cut the connection and tell the owner why."""
        if self._transport is not None:
            self.close()
            self._owner.lost(self, reason)

    def close(self) -> None:
        """Cut the connection; nobody is told."""
        if self._transport is not None:
            transport, self._transport = self._transport, None
            transport.abort()


async def open_connection(owner: Owner, target: Target, timeout_s: float) -> Connection:
    """Return a new connection.

    Raises:
        UnreachableError: nobody listens there, or not in time, or TLS fails.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            _, connection = await loop.create_connection(
                lambda: Connection(owner, target), target.host, target.port, ssl=target.tls
            )
    except (OSError, TimeoutError) as error:
        said = str(error) or f"no answer within {timeout_s:g} s"
        raise UnreachableError(f"cannot connect to {target.endpoint}: {said}") from error
    return connection
