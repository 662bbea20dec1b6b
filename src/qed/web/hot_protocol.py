"""One connection that has a short cut: hot requests are read, worked on and answered in place.

In front of the parser, and only between two requests: while nothing else is in work on this
connection, what arrives is looked up in the `HotTable`. One hot request is in work at a time, and
what comes behind it waits unread, so answers keep their order. Whatever is unusual (a head that is
not hot, a body that is late, a client that does not read, a stop) is fed to the parser and goes
the way of `guard`.
"""

from __future__ import annotations

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


class HotProtocol(GuardedProtocol):
    """One connection; an `Asker` for the hot request that is in work on it."""

    server_state: HotState

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Start with nothing in work."""
        super().__init__(*arguments, **named)
        self.is_busy = False  # a hot request is in work
        self._head: HotHead | None = None  # its head, or that of the last one
        self._taking = False  # its handler has not returned yet
        self._rest = b""  # what came behind it
        self._ended = False  # nothing more will come behind that
        self._parts: list[bytes] = []  # a hot request that is not whole yet
        self._missing_bytes = 0  # of these
        self._active_s = 0.0  # when the last hot request was answered

    def data_received(self, data: bytes) -> None:
        """Work on the hot requests; feed the parser with everything else."""
        if self.is_busy:
            self._rest += data
            self.flow.pause_reading()
            return
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
            if self.is_busy:
                self._rest = data[start:]
                return b""
            if start == len(data) or not self._is_between():
                break
        return data[start:] if start else data

    def _work(self, head: HotHead, body: bytes) -> bool:
        """Return whether the handler has taken the request."""
        self.is_busy = self._taking = True
        self._head = head
        try:
            if not head.handler(body, self):
                self.is_busy = False
                return False
        except Exception as error:  # noqa: BLE001  # one bug fails one request
            self.fail(error)
        finally:
            self._taking = False
        self._raw_bytes = 0  # line ends that stood before it
        if self._deadline is not None:
            self._disarm_deadline()
        return True

    def answer(self, status: int, content_type: bytes, body: bytes) -> None:
        """Answer the hot request in work, then go on with what came behind it."""
        self.server_state.application.answers[status] += 1
        self._write(self.server_state.answer_head(status, content_type), body, len(body))

    def fail(self, error: Exception) -> None:
        """Answer the hot request in work as the application answers what a handler raised."""
        application, head = self.server_state.application, self._head
        if head is None:
            raise AssertionError("there is no request to answer")
        answer = application.answer_failure(error, head.path, head.headers)
        self._write(self.server_state.format_head(answer), answer.body)
        if isinstance(error, FatalError):
            application.on_fatal(error)

    def _write(self, head: bytes, body: bytes, length: int | None = None) -> None:
        """Write an answer whose head lacks its end, and its length when that is given."""
        self.is_busy = False
        if self.transport.is_closing():
            self._rest = b""
            return
        close = (self.server_state.draining or self._ended) and not self._rest
        end = _CLOSE if close else b"\r\n\r\n"
        if length is None:
            self.transport.write(head + end + body)
        else:
            self.transport.write(b"%b%d%b%b" % (head, length, end, body))
        if close:
            self.transport.close()
            self.on_response_complete()
            return
        self._active_s = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._await_next(self.timeout_keep_alive)
        if not self._taking:
            self._go_on()

    def _go_on(self) -> None:
        """Read what came behind the request that was just answered."""
        self.flow.resume_reading()
        if self._rest:
            rest, self._rest = self._rest, b""
            self.data_received(rest)
        if self._ended and not self.is_busy and not self.eof_received():
            self.transport.close()

    def _await_parts(self, part: bytes, missing_bytes: int) -> None:
        """Gather the rest of a hot request, within the deadline of any other."""
        self._parts, self._missing_bytes = [part], missing_bytes
        if self._deadline is None:
            self._arm_deadline()

    def _join_parts(self) -> bytes:
        data = b"".join(self._parts)
        self._parts, self._missing_bytes = [], 0
        return data

    def _give_up_parts(self) -> None:
        """Let the parser have a hot request that is not whole: something else has come up."""
        if self._parts:
            super().data_received(self._join_parts())

    def _deadline_passed(self) -> None:
        self._give_up_parts()
        super()._deadline_passed()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer what is in work or waits behind it, although no more will come."""
        if self.is_busy and self.transport.get_extra_info("sslcontext") is None:
            self._ended = True
            return True
        self._give_up_parts()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what nobody waits for; a request in work goes on."""
        self._rest = b""
        self._join_parts()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Let the answer in work be the last one, or close as any other connection."""
        if not self.is_busy:
            self._give_up_parts()
            super().shutdown()

    def _close_if_idle(self) -> None:
        if not self.is_busy:
            super()._close_if_idle()

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
