"""Several HTTP servers on one loop: bounded reading, one signal to stop, nothing in flight lost.

What one connection does stands in `guard` and, for the hot routes, in `hot_protocol`. The life of
a stop:

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

import structlog
import uvicorn
import uvloop

from qed.web.addresses import Address, bind_error
from qed.web.application import Application
from qed.web.hot_protocol import HotProtocol, HotState
from qed.web.stop import SIGNALS, Stop

BACKLOG = 2048
_DATE_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Site:
    """One application on one bound socket."""

    name: str
    flag: str  # the flag that its address came from, for messages
    address: Address
    listener: socket.socket
    application: Application
    tls: ssl.SSLContext | None = None


class _Running:
    """One site that listens; all of it belongs to the loop's thread."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.state = HotState(site.application)
        self.server: asyncio.AbstractServer | None = None
        self.config = uvicorn.Config(
            site.application,
            http=HotProtocol,
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
        return HotProtocol(self.config, self.state, {})

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

    @property
    def in_work(self) -> int:
        """The requests that are not answered yet."""
        connections = self.state.connections
        busy = [one for one in connections if isinstance(one, HotProtocol) and one.is_busy]
        return len(self.state.tasks) + len(busy)

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
        stop.detach()  # while the loop is open: whoever asks once more must not find it closed
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
    left = sum(one.in_work for one in running)
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
        date = formatdate(usegmt=True).encode()
        for one in running:
            one.state.set_date(date)
        await asyncio.sleep(_DATE_EVERY_S)
