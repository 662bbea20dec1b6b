"""Several requests over one connection before the first is answered (RFC 9112, 9.3.2).

For who asks a server thousands of small questions: one call of the system carries sixteen of them,
and reading an answer costs a tenth of what a general reader of HTTP takes. Only the usual form of
an answer is read, the one with a length; at anything else this stops, and what is not answered yet
is for the caller to ask in the general way, over another connection.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from qed.client.calls import Request, Response
from qed.version import VERSION

AT_ONCE: Final = 16
"""Requests on the way; as many as our server answers before it looks at other connections."""

_READ_BYTES = 256 * 1024
_MAX_HEAD_BYTES = 16 * 1024
_END = b"\r\n\r\n"
_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2}) [\x20-\x7e]*\Z")
_FIELD = re.compile(
    rb"([!#-'*+.0-9A-Z^_`a-z|~-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?[ \t]*\Z"
)
_LENGTH = re.compile(r"(?:0|[1-9][0-9]{0,11})\Z")


@dataclass(frozen=True, slots=True)
class _Head:
    """What the head of an answer says."""

    status: int
    headers: dict[str, str]
    length: int


def exchange(
    sock: socket.socket, host: str, requests: Sequence[Request], deadline_s: float | None
) -> list[Response]:
    """Send requests and return the answers to the first of them, up to the first unusual one.

    With fewer answers than requests, or an error, the connection is of no use any more.

    Args:
        sock: a connection on which nothing is on the way.
        host: for the field `Host`.
        requests: at most `AT_ONCE`, each of which may be made twice.
        deadline_s: when all answers have to be there, by `time.monotonic`; None is no bound.

    Raises:
        OSError: the connection is broken, or the time is over.
    """
    _set_timeout(sock, deadline_s)
    sock.sendall(b"".join([_encode(host, request) for request in requests]))
    reader = _Reader(sock, deadline_s)
    answers: list[Response] = []
    for request in requests:
        answer = reader.read(request.max_answer_bytes)
        if answer is None:
            break
        answers.append(answer)
        if answer.headers.get("connection", "").lower() not in {"", "keep-alive"}:
            break
    else:
        if reader.left:  # bytes that belong to no request: the last answers cannot be told apart
            answers = answers[:-1]
    return answers


class _Reader:
    """Reads the answers that come over one connection."""

    def __init__(self, sock: socket.socket, deadline_s: float | None) -> None:
        self._sock = sock
        self._deadline_s = deadline_s
        self._data = bytearray()
        self._known: dict[bytes, _Head | None] = {}

    @property
    def left(self) -> int:
        """The bytes that have come beyond what was read."""
        return len(self._data)

    def read(self, max_bytes: int) -> Response | None:
        """Return the next answer, None for one that is unusual or too long."""
        end = self._data.find(_END)
        while end < 0:
            if len(self._data) > _MAX_HEAD_BYTES:
                return None
            self._receive()
            end = self._data.find(_END)
        line = bytes(self._data[:end])
        if line not in self._known:
            self._known[line] = _parse_head(line)
        head = self._known[line]
        if head is None or head.length > max_bytes:
            return None
        start = end + len(_END)
        stop = start + head.length
        while len(self._data) < stop:
            self._receive()
        body = bytes(self._data[start:stop])
        del self._data[:stop]
        return Response(head.status, head.headers, body)

    def _receive(self) -> None:
        _set_timeout(self._sock, self._deadline_s)
        data = self._sock.recv(_READ_BYTES)
        if not data:
            raise ConnectionResetError("the server closed the connection before it answered")
        self._data += data


def _parse_head(data: bytes) -> _Head | None:
    """Return what a head says, None where it says anything that is unusual."""
    lines = data.split(b"\r\n")
    status = _STATUS_LINE.match(lines[0])
    headers: dict[str, str] = {}
    for line in lines[1:]:
        field = _FIELD.match(line)
        if field is None:
            return None
        name = field[1].decode("ascii").lower()
        if name in headers:
            return None
        headers[name] = (field[2] or b"").decode("ascii")
    length = headers.get("content-length", "")
    if status is None or not _LENGTH.match(length) or "transfer-encoding" in headers:
        return None
    return _Head(int(status[1]), headers, int(length))


def _encode(host: str, request: Request) -> bytes:
    lines = [
        f"{request.method} {request.path} HTTP/1.1",
        f"host: {host}",
        f"user-agent: qed/{VERSION}",
        "accept-encoding: identity",
        *(f"{name}: {value}" for name, value in request.headers.items()),
        f"content-length: {len(request.body)}",
        "",
        "",
    ]
    return "\r\n".join(lines).encode("ascii") + request.body


def _set_timeout(sock: socket.socket, deadline_s: float | None) -> None:
    if deadline_s is None:
        sock.settimeout(None)
        return
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("the answers were not there in time")
    sock.settimeout(left_s)
