"""A server that says exactly what a test tells it to, to the byte, and remembers what it heard.

Each connection is answered by the script given for its requests; after the script it is closed.
What a real server never does (half an answer, a header that never ends) is a script here.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

DEADLINE_S = 20.0


@dataclass
class Scripted:
    """What the server heard: one entry a request, head and body."""

    port: int = 0
    heard: list[tuple[str, bytes]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"


Answer = bytes | Callable[[socket.socket, Scripted], None]


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return a whole answer; names of headers are given with `_` for `-`."""
    lines = [f"HTTP/1.1 {status} Said", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def hang(_: socket.socket, server: Scripted) -> None:
    """Answer nothing until the test is over."""
    server.released.wait(DEADLINE_S)


def drip(chunk: bytes, pause_s: float) -> Answer:
    """Return an answer that never ends: a chunk, then again, until the test is over."""

    def script(connection: socket.socket, server: Scripted) -> None:
        connection.sendall(b"HTTP/1.1 201 Said\r\ncontent-length: 1000000\r\n\r\n")
        with contextlib.suppress(OSError):
            while not server.released.wait(pause_s):
                connection.sendall(chunk)

    return script


@contextlib.contextmanager
def scripted(*answers: Answer) -> Iterator[Scripted]:
    """Answer requests one after the other, a connection each, for the length of the block."""
    server = Scripted()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]
        listener.settimeout(DEADLINE_S)
        thread = threading.Thread(target=_serve, args=(listener, server, answers))
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            with contextlib.suppress(OSError):  # wakes an accept that nobody called
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(DEADLINE_S)
            assert not thread.is_alive()


def _serve(listener: socket.socket, server: Scripted, answers: Sequence[Answer]) -> None:
    for script in answers:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(DEADLINE_S)
            server.heard.append(_read_request(connection))
            if callable(script):
                script(connection, server)
            else:
                with contextlib.suppress(OSError):
                    connection.sendall(script)


def _read_request(connection: socket.socket) -> tuple[str, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk:  # a client whose time was over before it had sent anything
            return data.decode("latin-1"), b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    size = 0
    for line in head.decode("latin-1").lower().split("\r\n"):
        if line.startswith("content-length:"):
            size = int(line.partition(":")[2])
    while len(body) < size:
        chunk = connection.recv(65536)
        if not chunk:
            break
        body += chunk
    return head.decode("latin-1"), body
