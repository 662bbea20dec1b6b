"""Several HTTP servers on one loop: bounded reading, one signal to stop, nothing in flight lost.

uvicorn's httptools protocol does the parsing; `GuardedProtocol` closes what it leaves open: heads
without a limit, no deadline for a request. The life of a stop:

1. SIGTERM or SIGINT, or `Stop.request`: the listeners close, so nobody new gets in.
2. Every answer from now on says `Connection: close`; idle connections get `drain_idle_s`, so that
   a request which is on its way to us is still answered.
3. When no connection is left, or after `drain_s`, `run` returns. A second signal ends the wait.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

import structlog
import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from qed.web.addresses import Address, bind_error
from qed.web.application import Application
from qed.web.limits import WebLimits
from qed.web.stop import SIGNALS, Stop

BACKLOG = 2048
_DATE_EVERY_S = 1.0
# Chunk sizes, extensions and trailers: this many raw bytes may come for each byte of a body.
_RAW_BYTES_A_BODY_BYTE = 9
# With an Upgrade the parser takes what follows the head for another protocol and drops the body.
_BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Site:
    """One application on one bound socket."""

    name: str
    flag: str  # the flag that its address came from, for messages
    address: Address
    listener: socket.socket
    application: Application
    tls: ssl.SSLContext | None = None


class _SiteState(ServerState):
    """uvicorn's state of one server, the bounds of its connections, and whether it is stopping."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.limits = site.application.limits
        self.draining = False
        self.empty = asyncio.Event()  # set while no connection is open


class GuardedProtocol(HttpToolsProtocol):
    """One connection, with bounds on how many there are, on heads, and on the time of a request."""

    server_state: _SiteState

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Start at the beginning of a first request that has not come yet."""
        super().__init__(*arguments, **named)
        self._limits: WebLimits = self.server_state.limits
        self._raw_bytes = 0  # received since the request in hand began
        self._body_bytes = 0  # of these, bytes of its body
        self._whole = False  # nothing is missing of any request that has begun
        self._refused = False  # nothing more is read
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or answer 503 when there are as many as there may be."""
        super().connection_made(transport)
        self.server_state.empty.clear()
        self._arm_deadline()
        if len(self.connections) > 2 * self._limits.connections:
            transport.abort()  # a flood is not even told why
        elif len(self.connections) > self._limits.connections:
            self._refuse(503, "the server has as many connections as it may: try again later")

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the timers, and tell a stop that waits for the last connection."""
        super().connection_lost(exc)
        self._disarm_deadline()
        self._unset_keepalive_if_required()
        if not self.connections:
            self.server_state.empty.set()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, then look at what the request in hand has cost so far."""
        if self._refused:
            return
        self._whole = False
        self._raw_bytes += len(data)
        super().data_received(data)
        if self._whole or self._refused:
            return
        if self._raw_bytes - _RAW_BYTES_A_BODY_BYTE * self._body_bytes > self._limits.head_bytes:
            self._refuse(431, f"the head is larger than {self._limits.head_bytes} bytes")
        elif self._deadline is None:
            self._arm_deadline()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer what is whole, although no more will come: closing now would lose the answer."""
        # Over TLS there is no such half of a connection.
        return self.transport.get_extra_info("sslcontext") is None and self._answer_and_close()

    def on_headers_complete(self) -> None:
        """Start the application, unless the head that came in one piece is above its bound."""
        size_bytes = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size_bytes > self._limits.head_bytes:
            self._refuse(431, f"the head is larger than {self._limits.head_bytes} bytes")
        if self.parser.should_upgrade() and any(name in _BODY_HEADERS for name, _ in self.headers):
            self._refuse(400, "a request with a body cannot offer an Upgrade: leave it out")
        if self._refused:
            return
        super().on_headers_complete()
        if self.server_state.draining:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Count the body's bytes and hand them on."""
        self._body_bytes += len(body)
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End the deadline: the request is whole."""
        self._whole = True
        self._raw_bytes = self._body_bytes = 0
        self._disarm_deadline()
        if not self._refused:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request; a connection that closes may not hold its answer for ever."""
        super().on_response_complete()
        if self.transport.is_closing() and self._deadline is None:
            seconds = self._limits.keep_alive_s
            self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection; one whose client does not read would never end by itself."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are not HTTP."""
        self._refuse(400, msg)

    def shutdown(self) -> None:
        """Close when nothing is in flight and nothing has come for a moment."""
        cycle = self._newest()
        if cycle is not None and not (cycle.response_complete or cycle.disconnected):
            cycle.keep_alive = False
        elif self._refused:
            self.transport.close()
        else:
            self.loop.call_later(self._limits.drain_idle_s, self._close_if_idle)

    def _close_if_idle(self) -> None:
        cycle = self._newest()
        if (cycle is None or cycle.response_complete) and self._raw_bytes == 0:
            self.transport.close()

    def _newest(self) -> RequestResponseCycle | None:
        """Return the request that began last; None before the first one (uvicorn's type lies)."""
        return self.cycle

    def _arm_deadline(self) -> None:
        self._deadline = self.loop.call_later(self._limits.read_s, self._deadline_passed)

    def _disarm_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _deadline_passed(self) -> None:
        self._deadline = None
        if self._is_answering():
            self._arm_deadline()  # we stopped reading ourselves, to answer an earlier request
        else:
            self._refuse(408, f"the request was not whole within {self._limits.read_s:g} s")

    def _is_answering(self) -> bool:
        """Return whether the application works on a whole request that is not answered yet."""
        cycle = self._newest()
        if self.pipeline or cycle is None:
            return bool(self.pipeline)
        return not cycle.response_complete and not cycle.more_body

    def _answer_and_close(self) -> bool:
        """Close after the answer to the newest request if that is whole and in work; say so."""
        cycle = self._newest()
        if cycle is None or cycle.more_body or not self._is_answering():
            return False
        self._refused, cycle.keep_alive = True, False
        self._disarm_deadline()
        return True

    def _refuse(self, status: int, sentence: str) -> None:
        """Answer past the application, read no more, and close when the client has had its time."""
        if self._refused or self.transport.is_closing() or self._answer_and_close():
            return
        self._refused = True
        self._disarm_deadline()
        cycle = self._newest()
        if cycle is not None and not cycle.response_complete:
            if self._is_answering() or cycle.response_started:
                self.transport.abort()  # two answers would mix
                return
            cycle.disconnected = True  # the application is told that nobody waits for it
            cycle.message_event.set()
        self.transport.write(_plain_answer(status, sentence))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        # Closed late: a reset, caused by bytes that nobody read, would overtake the answer.
        self.loop.call_later(self._limits.linger_s, self.transport.close)


def _plain_answer(status: int, sentence: str) -> bytes:
    body = sentence.encode() + b"\n"
    retry = b"retry-after: 1\r\n" if status == 503 else b""  # noqa: PLR2004
    return b"".join(
        [
            STATUS_LINE[status],
            b"cache-control: no-store\r\n",
            retry,
            b"content-type: text/plain; charset=utf-8\r\nx-content-type-options: nosniff\r\n",
            b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body),
            body,
        ]
    )


class _Running:
    """One site that listens; all of it belongs to the loop's thread."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.state = _SiteState(site)
        self.server: asyncio.AbstractServer | None = None
        self.config = uvicorn.Config(
            site.application,
            http=GuardedProtocol,
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=site.application.limits.keep_alive_s,  # type: ignore[arg-type]
        )
        self.config.load()

    def _protocol(self) -> asyncio.Protocol:
        return GuardedProtocol(self.config, self.state, {})

    async def listen(self) -> None:
        """Listen; a port that somebody else has taken since it was bound is said by name."""
        site, limits = self.site, self.site.application.limits
        try:
            site.listener.listen(BACKLOG)  # uvloop's own call of it keeps an error to itself
        except OSError as error:
            raise bind_error(error, site.address, site.flag) from error
        self.server = await asyncio.get_running_loop().create_server(
            self._protocol,
            sock=site.listener,
            backlog=BACKLOG,
            ssl=site.tls,
            ssl_handshake_timeout=limits.tls_handshake_s if site.tls else None,
            ssl_shutdown_timeout=limits.tls_shutdown_s if site.tls else None,
        )

    def close_listener(self) -> None:
        if self.server is not None:
            self.server.close()
        self.site.listener.close()

    def drain(self) -> None:
        """Let nobody in, and let every connection go after what it has in flight."""
        self.state.draining = True
        self.close_listener()
        if not self.state.connections:
            self.state.empty.set()
        for connection in list(self.state.connections):
            connection.shutdown()

    async def drained(self) -> None:
        """Wait until no connection is open and no request is being worked on."""
        await self.state.empty.wait()
        while self.state.tasks:
            await asyncio.wait(list(self.state.tasks))


def run(
    sites: Sequence[Site],
    *,
    stop: Stop,
    drain_s: float,
    on_ready: Callable[[], None] = lambda: None,
    on_stop: Callable[[], None] = lambda: None,
) -> bool:
    """Serve until a signal or a `Stop`; return whether all that was in flight was answered.

    `on_ready` is called when every site listens, `on_stop` when the stop begins (both on the
    loop's thread). Signals are taken only in the main thread. An address that cannot be listened
    on is a `ConflictError`. Every listener is closed when this returns or raises.
    """
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # bad bytes are no news
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(sites, stop, drain_s, on_ready, on_stop))
    finally:
        stop.detach()
        for site in sites:
            site.listener.close()


async def _run(
    sites: Sequence[Site],
    stop: Stop,
    drain_s: float,
    on_ready: Callable[[], None],
    on_stop: Callable[[], None],
) -> bool:
    loop = asyncio.get_running_loop()
    stopping, hurried = asyncio.Event(), asyncio.Event()

    def notify(requests: int) -> None:
        stopping.set()
        if requests > 1:
            hurried.set()

    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            loop.add_signal_handler(number, stop.request)
    running = [_Running(site) for site in sites]
    clock = asyncio.create_task(_keep_date(running))
    try:
        for one in running:
            await one.listen()
        stop.attach(loop, notify)
        on_ready()
        await stopping.wait()
        on_stop()
        return await _drain(running, hurried, drain_s)
    finally:
        for one in running:
            one.close_listener()
        clock.cancel()


async def _drain(running: Sequence[_Running], hurried: asyncio.Event, drain_s: float) -> bool:
    for one in running:
        one.drain()
    everything = asyncio.create_task(_all_drained(running))
    hurry = asyncio.create_task(hurried.wait())
    await asyncio.wait([everything, hurry], timeout=drain_s, return_when=asyncio.FIRST_COMPLETED)
    hurry.cancel()
    if everything.done():
        return True
    left = sum(len(one.state.tasks) for one in running)
    structlog.get_logger().warning("stopped with requests in flight", requests=left)
    everything.cancel()
    for one in running:
        for connection in list(one.state.connections):
            connection.transport.abort()
    return left == 0


async def _all_drained(running: Sequence[_Running]) -> None:
    for one in running:
        await one.drained()


async def _keep_date(running: Sequence[_Running]) -> None:
    while True:
        date = (b"date", formatdate(usegmt=True).encode())
        for one in running:
            one.state.default_headers = [date]
        await asyncio.sleep(_DATE_EVERY_S)
