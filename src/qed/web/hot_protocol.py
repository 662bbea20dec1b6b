"""One connection that has a short cut: hot requests are read, worked on and answered in place.

In front of the parser, and only between two requests: while nothing else is in work on this
connection, what arrives is looked up in the `HotTable`. One hot request is in work at a time, and
what comes behind it is queued, so answers keep their order. Whatever is unusual (a head that is
not hot, a body that is late, a client that does not read, a stop) is fed to the parser and goes
the way of `guard`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from qed.errors import FatalError
from qed.web.application import Application
from qed.web.guard import GuardedProtocol, GuardState
from qed.web.hot import HotHead, HotTable
from qed.web.messages import Answer, build_headers

# Pipelined requests are worked on without a look at other connections; this many at most.
_MOST_AT_ONCE = 16
_CLOSE = b"\r\nconnection: close\r\n\r\n"


class HotState(GuardState):
    """The state of one server, its hot routes, and how its answers begin at the moment."""

    def __init__(self, application: Application) -> None:
        """Start without a connection."""
        super().__init__(application)
        self.table = HotTable(application.hot, application.limits)
        # By status and type; everything up to the number of bytes. Made again with each date.
        self._heads: dict[tuple[int, bytes], bytes] = {}

    def set_date(self, text: bytes) -> None:
        """Let every answer from now on tell this date."""
        super().set_date(text)
        self._heads = {}

    def answer_head(self, status: int, content_type: bytes) -> bytes:
        """Return how an answer without headers of its own begins, up to its length."""
        head = self._heads.get((status, content_type))
        if head is None:
            head = self.format_head(Answer(status, b"", content_type))[: -len(b"0")]
            self._heads[status, content_type] = head
        return head

    def format_head(self, answer: Answer) -> bytes:
        """Return the head of an answer, without the two line ends that it ends with."""
        headers = [*self.default_headers, *build_headers(answer)]
        lines = b"\r\n".join(b"%b: %b" % header for header in headers)
        return STATUS_LINE[answer.status] + lines


class _HotCycle:
    """A hot request in work, to everybody who looks at the newest cycle of a connection.

    What comes behind it is read by the parser and queued by uvicorn as behind any other request.
    """

    __slots__ = ("disconnected", "head", "keep_alive", "message_event", "response_complete")
    more_body = response_started = False

    def __init__(self) -> None:
        self.head: HotHead | None = None
        self.keep_alive = True
        self.response_complete = True
        self.disconnected = False
        self.message_event = asyncio.Event()


class HotProtocol(GuardedProtocol):
    """One connection; an `Asker` for the hot request that is in work on it."""

    server_state: HotState

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Start with nothing in work."""
        super().__init__(*arguments, **named)
        self._hot = _HotCycle()
        self._parts: list[bytes] = []  # a hot request that is not whole yet
        self._missing_bytes = 0  # of these
        self._active_s = 0.0  # when the last hot request was answered

    @property
    def is_busy(self) -> bool:
        """Return whether a hot request is in work."""
        return not self._hot.response_complete

    def data_received(self, data: bytes) -> None:
        """Work on the hot requests; feed the parser with everything else."""
        if self._missing_bytes:
            self._parts.append(data)
            self._missing_bytes -= len(data)
            if self._missing_bytes > 0:
                return
            data = self._join_parts()
        if self._is_between():
            data = self._take(data)
            if not data:
                return
        super().data_received(data)

    def _is_between(self) -> bool:
        """Return whether nothing is begun, in work, or about to end on this connection."""
        if self._begun or self._refused or self.flow.write_paused or self.server_state.draining:
            return False
        cycle = self._newest()
        return (cycle is None or cycle.response_complete) and not self.transport.is_closing()

    def _take(self, data: bytes) -> bytes:
        """Work on the hot requests that the data begins with; return what comes after them."""
        find, start = self.server_state.table.find, 0
        for _ in range(_MOST_AT_ONCE):
            found = find(data, start)
            if found is None:
                break
            head, body_start = found
            stop = body_start + head.length
            if stop > len(data):
                self._await_parts(data[start:], stop - len(data))
                return b""
            if not self._work(head, data[body_start:stop]):
                break
            start = stop
            if start == len(data) or not self._is_between():
                break
        return data[start:] if start else data

    def _work(self, head: HotHead, body: bytes) -> bool:
        """Return whether the handler has taken the request."""
        hot = self._hot
        hot.head, hot.keep_alive, hot.response_complete = head, True, False
        self.cycle = hot  # type: ignore[assignment]  # as much of one as anybody looks at
        try:
            if not head.handler(body, self):
                hot.response_complete = True
                return False
        except Exception as error:  # noqa: BLE001  # one bug fails one request
            self.fail(error)
        self._raw_bytes = 0  # of line ends that stood before it
        if self._deadline is not None:
            self._disarm_deadline()
        return True

    def answer(self, status: int, content_type: bytes, body: bytes) -> None:
        """Answer the hot request in work."""
        state = self.server_state
        state.application.answers[status] += 1
        head = state.answer_head(status, content_type)
        end = b"\r\n\r\n" if self._hot.keep_alive else _CLOSE
        self._write(b"%b%d%b%b" % (head, len(body), end, body))

    def fail(self, error: Exception) -> None:
        """Answer the hot request in work as the application answers what a handler raised."""
        application, head = self.server_state.application, self._hot.head
        if head is None:
            raise AssertionError("there is no request to answer")
        answer = application.answer_failure(error, head.path, head.headers)
        end = b"\r\n\r\n" if self._hot.keep_alive else _CLOSE
        self._write(self.server_state.format_head(answer) + end + answer.body)
        if isinstance(error, FatalError):
            application.on_fatal(error)

    def _write(self, data: bytes) -> None:
        """Write a whole answer; then let what came behind its request have its turn."""
        self._hot.response_complete = True
        if self.transport.is_closing():
            return
        self.transport.write(data)
        if not self._hot.keep_alive:
            self.transport.close()
            self.on_response_complete()
        elif self.pipeline or self.flow.read_paused:
            self.on_response_complete()
        else:
            self._active_s = self.loop.time()
            if self.timeout_keep_alive_task is None:
                self._await_next(self.timeout_keep_alive)

    def _await_parts(self, part: bytes, missing_bytes: int) -> None:
        """Gather the rest of a hot request, within the deadline of any other."""
        self._parts, self._missing_bytes = [part], missing_bytes
        if self._deadline is None:
            self._arm_deadline()

    def _join_parts(self) -> bytes:
        data = b"".join(self._parts)
        self._parts, self._missing_bytes = [], 0
        return data

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what is not whole; a request in work goes on."""
        self._join_parts()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Close when nothing is in flight; what has come by halves is in flight."""
        if self._parts:
            super().data_received(self._join_parts())
        super().shutdown()

    def _await_next(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def timeout_keep_alive_handler(self) -> None:
        """Close when idle for long enough: hot requests do not wind the clock, they are noted."""
        idle_s = self.loop.time() - self._active_s
        if self.is_busy or self._parts:
            self._await_next(self.timeout_keep_alive)
        elif idle_s < self.timeout_keep_alive:
            self._await_next(self.timeout_keep_alive - idle_s)
        else:
            super().timeout_keep_alive_handler()
