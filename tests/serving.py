"""Real servers for tests: on port 0 of the loopback, in a thread, spoken to with raw bytes."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

from qed.web.addresses import Address, bind, bound_address
from qed.web.application import Application
from qed.web.run import Site, run
from qed.web.stop import Stop

DEADLINE_S = 20.0


@dataclass
class Serving:
    """A server that runs in a thread until the block around it ends."""

    ports: list[int]
    stop: Stop = field(default_factory=Stop)
    outcome: list[object] = field(default_factory=list)  # what `run` returned or raised
    stopping: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        return self.ports[0]

    def join(self) -> object:
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive(), "the server did not stop"
        return self.outcome[0]


@contextlib.contextmanager
def serving(
    *applications: Application,
    tls: ssl.SSLContext | None = None,
    drain_s: float = DEADLINE_S,
    on_stop: Callable[[], None] = lambda: None,
) -> Iterator[Serving]:
    """Serve each application on a port of its own for the length of the block."""
    sites = []
    for number, application in enumerate(applications):
        address = Address("127.0.0.1", 0)
        listener = bind(address, "--test-addr")
        bound = bound_address(address, listener)
        sites.append(Site(f"site {number}", "--test-addr", bound, listener, application, tls))
    ready = threading.Event()
    server = Serving([site.address.port for site in sites])

    def stopping() -> None:
        on_stop()
        server.stopping.set()

    def target() -> None:
        try:
            answered = run(
                sites,
                stop=server.stop,
                drain_s=drain_s,
                on_ready=ready.set,
                on_stop=stopping,
            )
            server.outcome.append(answered)
        except BaseException as error:  # noqa: BLE001  # shown by the test that asks for it
            server.outcome.append(error)
        finally:
            ready.set()

    server.thread = threading.Thread(target=target)
    server.thread.start()
    try:
        assert ready.wait(DEADLINE_S)
        assert not server.outcome, server.outcome
        yield server
    finally:
        server.stop.request()
        server.join()


@dataclass
class Reply:
    """An answer as it came: status, headers in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """One connection, bytes out and answers in."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Reply:
        lines = [f"{method} {path} HTTP/1.1", "Host: test"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return self.read(head_only=method == "HEAD")

    def read(self, *, head_only: bool = False) -> Reply:
        head = self._until(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines if line)
        }
        length = 0 if head_only else int(headers.get("content-length", "0"))
        while len(self.buffer) < length:
            self._more()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Reply(int(first.split()[1]), headers, body)

    def closed(self) -> bool:
        """Wait for the end of the connection; any further byte is an error."""
        try:
            rest = self.buffer + self.socket.recv(1)
        except ConnectionResetError:
            return True
        assert rest == b"", rest
        return True

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(mark, 1)
        return head

    def _more(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError(f"the server closed after {self.buffer!r}")
        self.buffer += data


def ask(
    port: int,
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
) -> Reply:
    """Make one request on a connection of its own."""
    with Wire(port) as wire:
        return wire.ask(method, path, body, headers)


def admitted(port: int) -> bool:
    """Return whether a new connection is let in; the server has a route `GET /echo`."""
    try:
        return ask(port, "GET", "/echo").status == 200
    except OSError:
        return False


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Poll a condition that has no signal of its own; fail after a deadline."""
    waiting = threading.Event()
    for _ in range(int(DEADLINE_S / 0.005)):
        if condition():
            return
        waiting.wait(0.005)
    raise AssertionError(f"never happened: {what}")
