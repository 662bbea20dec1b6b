"""A log server for load tests: a log in memory over HTTP, whose answers a test may change.

Connections are kept, each in a thread of its own. `alter` is given each right answer and returns
the one that is sent, so that a lie, a refusal or a stall is one small function of a test.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from pure_log import PureLog
from qed import wire

DEADLINE_S = 20.0


@dataclass
class Said:
    """An answer before it is sent; `alter` changes it, or raises `Hangup` to cut the connection."""

    path: str
    body: bytes
    status: int
    number: int
    """How many requests came before."""

    headers: dict[str, str] = field(default_factory=dict)
    chunked: bool = False


class Hangup(Exception):  # noqa: N818 - an event, no error
    """Close the connection instead of answering."""


Alter = Callable[[Said], None]


@dataclass
class AnsweringLog:
    """The server: its port and its log."""

    port: int
    log: PureLog = field(default_factory=PureLog)
    released: threading.Event = field(default_factory=threading.Event)
    paths: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fill(self, count: int, label: str = "event ") -> None:
        """Add numbered events, each in a group of its own."""
        for number in range(count):
            self.log.add([sha256(f"{label}{number}".encode()).digest()])

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Answer as the server does."""
        log = self.log
        if path.endswith("/events/digests"):
            added = log.add(wire.decode_digests(body))
            histories = b"".join([each.history_digest for each in added])
            return 201, wire.encode_added(added[0].version, added[0].hyper_digest, histories)
        if path.endswith(("/events", "/events/bulk")):
            fields = json.loads(body)
            events = [fields["Event"]] if "Event" in fields else fields["Events"]
            added = log.add([sha256(b64decode(event)).digest() for event in events])
            if "Event" in fields:
                return 201, wire.encode_snapshot(added[0])
            return 201, wire.encode_snapshots(added)
        if path.endswith("/proofs/digest-membership"):
            return 200, wire.encode_membership(log.membership(*wire.decode_digest_query(body)))
        start, end = wire.decode_incremental_query(body)
        if end >= len(log.snapshots):
            return 412, b"unable to process proof from history tree: invalid range\n"
        return 200, wire.encode_incremental(log.incremental(start, end))


@contextlib.contextmanager
def answering_log(alter: Alter | None = None, port: int = 0) -> Iterator[AnsweringLog]:
    """Serve a log in memory for the length of the block."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        server = AnsweringLog(listener.getsockname()[1])
        open_sockets: list[socket.socket] = []
        threads: list[threading.Thread] = []
        counter = itertools.count()

        def accept() -> None:
            with contextlib.suppress(OSError):  # the listener is shut down at the end
                while True:
                    connection, _ = listener.accept()
                    open_sockets.append(connection)
                    connection.settimeout(DEADLINE_S)
                    arguments = (connection, server, alter, counter)
                    thread = threading.Thread(target=_serve, args=arguments)
                    threads.append(thread)
                    thread.start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield server
        finally:
            server.released.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            accepting.join(DEADLINE_S)
            for each in open_sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(DEADLINE_S)
                assert not thread.is_alive()


def _serve(
    connection: socket.socket,
    server: AnsweringLog,
    alter: Alter | None,
    counter: Iterator[int],
) -> None:
    with connection, contextlib.suppress(OSError, Hangup), connection.makefile("rb") as stream:
        while line := stream.readline():
            path = line.split()[1].decode()
            length = 0
            while (field := stream.readline()) != b"\r\n":
                if field.lower().startswith(b"content-length:"):
                    length = int(field.partition(b":")[2])
            body = stream.read(length)
            with server.lock:
                server.paths.append(path)
                status, answer = server.answer(path, body)
                said = Said(path, answer, status, next(counter))
            if alter is not None:
                alter(said)
            connection.sendall(encode(said))


def encode(said: Said) -> bytes:
    """Return an answer as it travels."""
    lines = [f"HTTP/1.1 {said.status} Said"]
    if said.chunked:
        lines.append("Transfer-Encoding: chunked")
        half = len(said.body) // 2
        parts = [part for part in (said.body[:half], said.body[half:]) if part]
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    else:
        lines.append(f"Content-Length: {len(said.body)}")
        body = said.body
    lines += [f"{name}: {value}" for name, value in said.headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
