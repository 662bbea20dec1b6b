"""What stands between an agent and whom it asks, and may change the answers.

A `Proxy` passes on each request as it came and returns the answer as it came, until a test gives it
a lie: another place to ask, a function that changes answers, or silence. Connections are kept and
requests on the way at the same time are answered in order, as by the real ones.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from qed.client.feed import open_source

PATIENCE_S = 90.0  # longer than the longest wait for news


@dataclass(frozen=True, slots=True)
class Said:
    """An answer on its way to who asked."""

    path: str  # that was asked for, without what stands behind `?`
    status: int
    content_type: str
    body: bytes


Lie = Callable[[Said], Said]


class Proxy:
    """Answers at `url` with what `target` answers, changed by `lie`.

    `target` and `lie` may be set at any time, and hold for the next answer. While `silent` is set
    nobody is answered, and no connection is kept.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.lie: Lie = lambda said: said
        self.silent = False
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def keep_old_checkpoint(self) -> None:
        """From now on serve the checkpoint that the target has now, and all else as it is."""
        with open_source(self.target) as source:
            old = source.checkpoint()
        self.lie = lambda said: changed(said, old) if said.path == "/checkpoint" else said

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def changed(said: Said, body: bytes) -> Said:
    """Return an answer with another body."""
    return Said(said.path, 200, said.content_type, body)


@contextlib.contextmanager
def proxy(target: str) -> Iterator[Proxy]:
    """Stand before a place, honestly at first."""
    made = Proxy(target)
    made.start()
    try:
        yield made
    finally:
        made.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a connection ends when the agent does
    proxy: Proxy

    def handle_error(self, *_: Any) -> None:
        """Whoever asked is gone, or was killed by the test."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        proxy = self.server.proxy
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            said = None if proxy.silent else self._ask(proxy, body)
        except OSError:
            said = None  # the target does not answer, so we do not
        if said is None or proxy.silent:
            self.close_connection = True
            return
        self._answer(proxy.lie(said))

    do_POST = do_HEAD = do_GET  # noqa: N815 - the names are http.server's

    def _ask(self, proxy: Proxy, body: bytes) -> Said:
        target = urlsplit(proxy.target)
        assert target.hostname is not None
        connection = http.client.HTTPConnection(target.hostname, target.port, timeout=PATIENCE_S)
        passed_on = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in {"host", "connection", "content-length"}
        }
        with contextlib.closing(connection):
            connection.request(self.command, self.path, body or None, passed_on)
            answer = connection.getresponse()
            path, kind = self.path.partition("?")[0], answer.getheader("content-type", "")
            return Said(path, answer.status, kind, answer.read())

    def _answer(self, said: Said) -> None:
        self.send_response(said.status)
        if said.content_type:
            self.send_header("content-type", said.content_type)
        self.send_header("content-length", str(len(said.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said.body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
