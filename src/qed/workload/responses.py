"""An HTTP/1.1 answer out of the bytes of one connection: bounded, strict, and cheap. Pure.

One answer at a time, as a client without pipelining gets them. Most heads are byte for byte the
last one's, so what a head says is remembered.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from qed.errors import MalformedError

HEAD_LIMIT_BYTES = 16 * 1024
_KNOWN_HEADS = 4096  # remembered at most, about 300 bytes each

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n]*)?\r\n")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*?)[ \t]*\r\n")
_DECIMAL = re.compile(rb"[0-9]{1,19}\Z")
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
_NO_BODY = frozenset({204, 304})


class Head(NamedTuple):
    """What matters of an answer's head."""

    status: int
    length: int | None
    """Bytes of the body; None when it comes in chunks."""

    closes: bool
    """Whether the server closes the connection after it."""

    retry_after_s: float | None
    media_type: str


class Response(NamedTuple):
    """A whole answer."""

    head: Head
    body: bytes


class ResponseReader:
    """Collects the bytes of one answer after the other; one owner.

    `heads` may be shared by all connections to one kind of server. `limit_bytes` bounds the body of
    the next answer.
    """

    __slots__ = ("_buffer", "_head", "_need", "_start", "heads", "limit_bytes")

    def __init__(self, limit_bytes: int, heads: dict[bytes, Head]) -> None:
        """Take bodies up to a size."""
        self.heads = heads
        self.limit_bytes = limit_bytes
        self._buffer: bytes | bytearray = b""
        self._head: Head | None = None
        self._start = 0  # of the body, in the buffer
        self._need = 0  # no answer is whole before the buffer has as many bytes

    @property
    def waiting(self) -> bool:
        """Whether a part of an answer is here."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Response | None:
        """Take what came; return the answer once it is whole.

        Raises:
            MalformedError: it is no HTTP answer, larger than a bound, or more than one.
        """
        if self._buffer:
            if isinstance(self._buffer, bytes):
                self._buffer = bytearray(self._buffer)
            self._buffer += data
            if len(self._buffer) < self._need:
                return None
        else:
            self._buffer = data
        if self._head is None and not self._read_head():
            return None
        head = self._head
        assert head is not None  # noqa: S101 - set by the line above
        if head.length is None:
            return self._take_chunks(head)
        end = self._start + head.length
        size = len(self._buffer)
        if size < end:
            self._need = end
            return None
        if size > end:
            raise MalformedError("more came than the answer to the request")
        return self._take(head, bytes(self._buffer[self._start :]))

    def _take(self, head: Head, body: bytes) -> Response:
        self._buffer, self._head, self._need = b"", None, 0
        return Response(head, body)

    def _read_head(self) -> bool:
        """Find the head; False when it is not whole yet."""
        end = self._buffer.find(b"\r\n\r\n", 0, HEAD_LIMIT_BYTES)
        if end < 0:
            if len(self._buffer) >= HEAD_LIMIT_BYTES:
                raise MalformedError(f"the head is larger than {HEAD_LIMIT_BYTES} bytes")
            return False
        text = bytes(self._buffer[: end + 2])
        head = self.heads.get(text)
        if head is None:
            head = parse_head(text)
            if len(self.heads) >= _KNOWN_HEADS:
                self.heads.clear()
            self.heads[text] = head
        if head.length is not None and head.length > self.limit_bytes:
            raise MalformedError(f"the answer is larger than {self.limit_bytes} bytes")
        self._head, self._start = head, end + 4
        return True

    def _take_chunks(self, head: Head) -> Response | None:
        """Join the chunks of a body, once the last one is here.

        Cost: each call begins again; a server sends an answer in a few pieces at most.
        """
        data, at = bytes(self._buffer), self._start
        parts: list[bytes] = []
        total = 0
        while True:
            size = _CHUNK.match(data, at)
            if size is None:
                _check_begun(data[at:])
                return None
            length = int(size[1], 16)
            total += length
            if total > self.limit_bytes:
                raise MalformedError(f"the answer is larger than {self.limit_bytes} bytes")
            at = size.end()
            if length == 0:
                break
            if len(data) < at + length + 2:
                self._need = at + length + 2
                return None
            if data[at + length : at + length + 2] != b"\r\n":
                raise MalformedError("a chunk of the answer does not end where it should")
            parts.append(data[at : at + length])
            at += length + 2
        if len(data) < at + 2:
            return None
        if data[at:] != b"\r\n":
            raise MalformedError("more came than the answer to the request")
        return self._take(head, b"".join(parts))


def parse_head(text: bytes) -> Head:
    """Return what a head says: status line and fields, each with its line end.

    Raises:
        MalformedError: it is none, is informational, or does not say how long the body is.
    """
    first = _STATUS.match(text)
    if first is None:
        raise MalformedError(f"{text[:64]!r} is not the beginning of an HTTP answer")
    fields: dict[bytes, bytes] = {}
    at = first.end()
    while at < len(text):
        field = _FIELD.match(text, at)
        if field is None:
            raise MalformedError(f"{text[at : at + 64]!r} is no field of an HTTP head")
        name, value = field[1].lower(), field[2]
        if name == b"content-length" and fields.get(name, value) != value:
            raise MalformedError("the answer has two lengths")
        fields[name] = value
        at = field.end()
    status = int(first[2])
    if status < 200:  # noqa: PLR2004 - 1xx
        raise MalformedError(f"the status {status} was not asked for")
    connection = fields.get(b"connection", b"").lower()
    closes = connection == b"close" if first[1] == b"1" else connection != b"keep-alive"
    retry = fields.get(b"retry-after", b"")
    return Head(
        status=status,
        length=0 if status in _NO_BODY else _body_length(fields),
        closes=closes,
        retry_after_s=float(retry) if _DECIMAL.match(retry) else None,
        media_type=fields.get(b"content-type", b"").decode("latin-1"),
    )


def _body_length(fields: dict[bytes, bytes]) -> int | None:
    length, coding = fields.get(b"content-length"), fields.get(b"transfer-encoding")
    if coding is not None:
        if length is not None or coding.lower() != b"chunked":
            raise MalformedError("the answer's length is said in a way that is not understood")
        return None
    if length is None or _DECIMAL.match(length) is None:
        raise MalformedError("the answer does not say how long it is")
    return int(length)


def _check_begun(line: bytes) -> None:
    """Refuse what cannot become the line of a chunk's size any more."""
    if b"\n" in line or len(line) > HEAD_LIMIT_BYTES:
        raise MalformedError("the answer has a chunk without a size")
