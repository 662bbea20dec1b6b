"""One connection: uvicorn's httptools protocol, with the bounds that it leaves open.

Heads have a bound, each request a deadline, a port a number of connections; what is refused is
answered past the application, and what is in work is answered before a connection closes.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from qed.web.application import Application
from qed.web.limits import WebLimits

# Chunk sizes, extensions and trailers: this many raw bytes may come for each byte of a body.
_RAW_BYTES_A_BODY_BYTE = 9
# Requests that may wait behind one in work: the parser makes kilobytes of each, of some bytes.
_MOST_WAITING = 256
# With an Upgrade the parser takes what follows the head for another protocol and drops the body.
_BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})


class GuardState(ServerState):
    """uvicorn's state of one server, its application, and whether it is stopping."""

    def __init__(self, application: Application) -> None:
        """Start without a connection."""
        super().__init__()
        self.application = application
        self.limits = application.limits
        self.draining = False
        self.empty = asyncio.Event()  # set while no connection is open

    def set_date(self, text: bytes) -> None:
        """Let every answer from now on tell this date."""
        self.default_headers = [(b"date", text)]


class GuardedProtocol(HttpToolsProtocol):
    """One connection, with bounds on how many there are, on heads, and on the time of a request."""

    server_state: GuardState

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Start at the beginning of a first request that has not come yet."""
        super().__init__(*arguments, **named)
        self._limits: WebLimits = self.server_state.limits
        self._raw_bytes = 0  # received since the request in hand began
        self._body_bytes = 0  # of these, bytes of its body
        self._begun = False  # the parser is inside a request
        self._whole = False  # nothing is missing of any request that has begun
        self._refused = False  # nothing more is read
        self._deadline: asyncio.TimerHandle | None = None
        self._patience: asyncio.TimerHandle | None = None  # runs while nobody fetches our answers
        self._working: RequestResponseCycle | None = None  # begun last; others wait behind it

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
        if self._patience is not None:
            self._patience.cancel()
        if self._working is not None and not self._working.response_complete:
            self._working.disconnected = True  # uvicorn tells the newest alone, which may wait
            self._working.message_event.set()
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
        if self.transport.get_extra_info("sslcontext") is not None or not self._answer_and_close():
            return False
        if self._working is not None:
            self._working.message_event.set()  # an answer that waits for news waits no longer
        return True

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Remember who is to be told when the client leaves."""
        self._working = cycle
        super()._start_asgi_task(cycle, app)

    def on_message_begin(self) -> None:
        """Remember that the parser is inside a request."""
        self._begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Start the application, unless the head that came in one piece is above its bound."""
        size_bytes = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size_bytes > self._limits.head_bytes:
            self._refuse(431, f"the head is larger than {self._limits.head_bytes} bytes")
        if self.parser.should_upgrade() and any(name in _BODY_HEADERS for name, _ in self.headers):
            self._refuse(400, "a request with a body cannot offer an Upgrade: leave it out")
        if len(self.pipeline) >= _MOST_WAITING:
            self._answer_and_close()  # those that wait; the client sends the others again
        if self._refused:
            return
        super().on_headers_complete()
        # An offer to upgrade is not taken, but the parser drops what came with it: say that the
        # connection ends, else a request among it would wait for its answer for ever.
        if self.server_state.draining or self.parser.should_upgrade():
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """Count the body's bytes and hand them on."""
        self._body_bytes += len(body)
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End the deadline: the request is whole."""
        self._begun, self._whole = False, True
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

    def pause_writing(self) -> None:
        """Write no more for now; a client that does not read may not hold its answers for ever."""
        super().pause_writing()
        self._patience = self.loop.call_later(self._limits.keep_alive_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on writing: the client reads."""
        super().resume_writing()
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

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
