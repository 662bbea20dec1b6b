from __future__ import annotations

import re
import threading

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from echoing import Gate, HotEcho, application
from qed.errors import MalformedError, StorageError
from qed.web.application import Application, Route
from qed.web.hot import BODY_BYTES, Asker, HotRoute
from qed.web.hot_protocol import HotState, _HotCycle
from qed.web.limits import WebLimits
from qed.web.messages import TEXT, Answer, Request
from serving import DEADLINE_S, Wire, ask, eventually, serving

HEAD = b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n"


def post(body: bytes, path: bytes = b"/echo") -> bytes:
    return HEAD.replace(b"/echo", path) % len(body) + body


def raw_answer(wire: Wire, data: bytes, stop: bytes) -> bytes:
    """Send bytes; return the answer's bytes up to what it ends with, without their date."""
    wire.send(data)
    received = b""
    while not received.endswith(stop):
        received += wire.socket.recv(1 << 16)
    return re.sub(rb"date: [^\r]+", b"date: then", received)


def test_both_ways_write_the_same_bytes() -> None:
    hot = HotEcho()
    with (
        serving(application(), application(hot=hot)) as server,
        Wire(server.ports[0]) as slow,
        Wire(server.ports[1]) as fast,
    ):
        for body in (b"x", b"y" * 10_000):
            data = post(body)
            assert raw_answer(slow, data, body) == raw_answer(fast, data, body)
    assert len(hot.taken) == 2


def test_a_new_date_is_told_at_once() -> None:
    state = HotState(application(hot=HotEcho()))
    for date in (b"Mon, 01 Jan 2024 00:00:00 GMT", b"Mon, 01 Jan 2024 00:00:01 GMT"):
        state.set_date(date)
        assert b"date: %b\r\n" % date in state.answer_head(200, TEXT)
        assert state.answer_head(200, TEXT).endswith(b"\r\ncontent-length: ")


def test_what_a_handler_leaves_goes_the_ordinary_way() -> None:
    hot = HotEcho()
    with serving(application(hot=hot)) as server, Wire(server.port) as wire:
        for body in (b"even", b"odd one", b"even again", b"odd too"):
            assert wire.ask("POST", "/echo", body).body == body
    assert hot.taken == [b"even", b"even again"]


def test_pipelined_requests_of_both_ways_keep_their_order() -> None:
    hot = HotEcho()
    bodies = [b"odd %d" % number if number % 7 == 3 else b"%d" % number for number in range(50)]
    with serving(application(hot=hot)) as server, Wire(server.port) as wire:
        wire.send(b"".join(map(post, bodies)))
        assert [wire.read().body for _ in bodies] == bodies
    assert 0 < len(hot.taken) < 50


def test_requests_behind_one_in_work_wait_for_its_answer() -> None:
    gate, hot = Gate(), HotEcho()
    with serving(application(gate=gate, hot=hot)) as server, Wire(server.port) as wire:
        wire.send(post(b"first", b"/gate") + post(b"second"))
        assert gate.arrived.acquire(timeout=DEADLINE_S)
        wire.send(post(b"odd third"))
        wire.send(post(b"fourth"))
        assert ask(server.port, "POST", "/echo", b"other").body == b"other"
        gate.open.set()
        answers = [wire.read().body for _ in range(4)]
        assert answers == [b"first", b"second", b"odd third", b"fourth"]
        assert wire.ask("POST", "/echo", b"hot again").body == b"hot again"
    assert hot.taken[-1] == b"hot again"


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_a_request_may_come_in_pieces(size: int) -> None:
    hot = HotEcho()
    data = post(b"a" * 3_000) + post(b"b" * 10)
    with serving(application(hot=hot)) as server, Wire(server.port) as wire:
        wire.socket.setsockopt(6, 1, 1)  # TCP_NODELAY
        for start in range(0, len(data), size):
            wire.send(data[start : start + size])
        assert [wire.read().body for _ in range(2)] == [b"a" * 3_000, b"b" * 10]


def test_a_body_that_comes_behind_its_head_is_hot() -> None:
    hot = HotEcho()
    with serving(application(hot=hot)) as server, Wire(server.port) as wire:
        for part in (HEAD % 9, b"abc", b"def", b"ghi" + post(b"x")):
            wire.send(part)
            assert ask(server.port, "GET", "/echo").status == 200  # the part has been read
        assert [wire.read().body for _ in range(2)] == [b"abcdefghi", b"x"]
    assert hot.taken == [b"abcdefghi", b"x"]


def test_a_body_above_the_bound_goes_the_ordinary_way() -> None:
    hot = HotEcho()
    with serving(application(hot=hot)) as server, Wire(server.port) as wire:
        for size in (BODY_BYTES, BODY_BYTES + 1):
            assert len(wire.ask("POST", "/echo", bytes(size)).body) == size
    assert [len(body) for body in hot.taken] == [BODY_BYTES]


def test_a_body_is_never_taken_for_a_request() -> None:
    """The answer 404 is out before the body has come; what the body says is still not a request."""
    hot = HotEcho()
    inside = post(b"smuggled")
    with serving(application(hot=hot)) as server, Wire(server.port) as wire:
        wire.send(b"POST /nowhere HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % len(inside))
        assert ask(server.port, "GET", "/echo").status == 200  # the head has been read
        wire.send(inside)
        assert wire.read().status == 404
        assert wire.ask("POST", "/echo", b"a request").body == b"a request"
    assert b"smuggled" not in hot.taken


def test_a_head_is_never_taken_for_a_request() -> None:
    hot = HotEcho()
    with serving(application(hot=hot)) as server, Wire(server.port) as wire:
        wire.send(b"GET /echo HTTP/1.1\r\nHost: t\r\n")
        assert ask(server.port, "GET", "/echo").status == 200
        wire.send(post(b"smuggled"))
        assert wire.read().status == 400
    assert hot.taken == []


def test_a_connection_that_was_refused_is_not_answered_any_more() -> None:
    hot = HotEcho()
    limits = WebLimits(read_s=0.05, linger_s=0.3)
    with serving(application(limits, hot=hot)) as server, Wire(server.port) as wire:
        assert wire.read().status == 408
        wire.send(post(b"too late"))
        assert wire.closed()
    assert hot.taken == []


def test_half_a_body_is_408_after_the_deadline() -> None:
    limits = WebLimits(read_s=0.05, linger_s=0.05)
    with serving(application(limits, hot=HotEcho())) as server, Wire(server.port) as wire:
        assert wire.ask("POST", "/echo", b"whole").status == 200
        wire.send(HEAD % 9 + b"half")
        reply = wire.read()
        assert (reply.status, reply.headers["connection"]) == (408, "close")
        assert wire.closed()


def test_half_a_body_at_a_stop_is_still_taken() -> None:
    limits = WebLimits(drain_idle_s=0.01)
    hot = HotEcho()
    with serving(application(limits, hot=hot)) as server, Wire(server.port) as wire:
        wire.send(HEAD % 8 + b"half")
        assert ask(server.port, "GET", "/echo").status == 200
        server.stop.request()
        assert server.stopping.wait(DEADLINE_S)
        threading.Event().wait(0.1)  # past `drain_idle_s`: there is no signal for "left open"
        wire.send(b"rest")
        reply = wire.read()
        assert (reply.body, reply.headers["connection"]) == (b"halfrest", "close")
        assert wire.closed()
        assert server.join() is True


def test_line_ends_before_a_request_are_no_part_of_the_next() -> None:
    limits = WebLimits(drain_idle_s=0.01)
    with serving(application(limits, hot=HotEcho())) as server, Wire(server.port) as wire:
        wire.send(b"\r\n")
        assert ask(server.port, "GET", "/echo").status == 200  # they have been read
        assert wire.ask("POST", "/echo", b"x").body == b"x"
        server.stop.request()
        assert wire.closed()
        assert server.join() is True


def test_a_client_that_vanishes_harms_nobody() -> None:
    gate = Gate()
    app = application(gate=gate, hot=HotEcho())
    with serving(app) as server:
        with Wire(server.port) as wire:
            wire.send(post(b"x", b"/gate"))
            assert gate.arrived.acquire(timeout=DEADLINE_S)
            wire.socket.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER: a reset, not an end
        assert ask(server.port, "POST", "/echo", b"other").body == b"other"
        gate.open.set()
        eventually(lambda: app.answers[200] == 2, "the answer to nobody")


def send_until_stuck(wire: Wire, data: bytes) -> int:
    """Send without reading until the server takes no more; return how often it was sent."""
    wire.socket.settimeout(0.3)
    for sent in range(2_000):
        try:
            wire.send(data)
        except OSError:  # it takes no more, or has closed
            return sent
    raise AssertionError("the server takes whatever comes")


def test_a_client_that_does_not_read_costs_no_memory() -> None:
    """Beyond the transport's high-water mark nothing more of it is worked on."""
    hot = HotEcho()
    body = bytes(100_000)
    with serving(application(hot=hot)) as server, Wire(server.port) as wire:
        assert send_until_stuck(wire, post(body)) < 500
        assert len(hot.taken) < 200
        wire.socket.settimeout(DEADLINE_S)
        assert wire.read().body == body


def test_hot_requests_keep_a_connection_open() -> None:
    limits = WebLimits(keep_alive_s=0.2, read_s=0.15)
    pause = threading.Event()
    with serving(application(limits, hot=HotEcho())) as server, Wire(server.port) as wire:
        for _ in range(6):
            assert wire.ask("POST", "/echo", b"x").status == 200
            pause.wait(0.1)
        assert wire.closed()


def test_a_body_in_arrival_is_not_idle() -> None:
    app = application(WebLimits(keep_alive_s=0.05), hot=HotEcho())
    with serving(app) as server, Wire(server.port) as wire:
        assert wire.ask("POST", "/echo", b"x").status == 200
        wire.send(HEAD % 8 + b"half")
        threading.Event().wait(0.15)  # the clock of the first answer goes off: there is no signal
        wire.send(b"rest")
        assert wire.read().body == b"halfrest"
        assert wire.closed()


def test_the_answer_in_work_when_the_time_of_idle_connections_comes_is_sent() -> None:
    gate = Gate()
    app = application(WebLimits(keep_alive_s=0.05), gate, HotEcho())
    with serving(app) as server, Wire(server.port) as wire:
        assert wire.ask("POST", "/echo", b"x").status == 200
        wire.send(post(b"late", b"/gate"))
        assert gate.arrived.acquire(timeout=DEADLINE_S)
        threading.Event().wait(0.15)  # the clock of the first answer goes off: there is no signal
        gate.open.set()
        assert wire.read().body == b"late"
        assert wire.closed()


def test_a_hot_request_looks_like_any_other_in_work() -> None:
    # What uvicorn and the guard look at of the newest request of a connection.
    names = ("response_complete", "keep_alive", "disconnected", "message_event", "more_body")
    for name in (*names, "response_started"):
        assert name in RequestResponseCycle.__init__.__code__.co_names
        assert hasattr(_HotCycle(), name)


# --- errors -------------------------------------------------------------------------------------


async def ordinary(request: Request) -> Answer:
    return Answer(200, request.body, TEXT)


def failing(body: bytes, asker: Asker) -> bool:
    if body == b"bad":
        raise MalformedError("not like this", hint="like that")
    if body == b"bug":
        raise KeyError("secret detail")
    if body == b"disk":
        asker.fail(StorageError("cannot sync /db: Input/output error"))
        return True
    return False


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"bad", 400, b"not like this: like that\n"),
        (b"bug", 500, b"the server has a bug; its log says where\n"),
        (b"disk", 500, b"cannot sync /db: Input/output error\n"),
        (b"else", 200, b"else"),
    ],
)
def test_what_a_hot_handler_raises_is_answered_as_anywhere(
    body: bytes, status: int, text: bytes
) -> None:
    fatal: list[Exception] = []
    app = Application(
        [Route("POST", "/echo", ordinary)], WebLimits(), fatal.append, [HotRoute("/echo", failing)]
    )
    with serving(app) as server, Wire(server.port) as wire:
        reply = wire.ask("POST", "/echo", body)
        assert (reply.status, reply.body) == (status, text)
        if status == 400:
            accept = {"Accept": "application/problem+json"}
            problem = wire.ask("POST", "/echo", body, accept)
            assert problem.headers["content-type"] == "application/problem+json"
        assert wire.ask("POST", "/echo", b"next").body == b"next"
    assert app.answers[status] >= 1
    assert len(fatal) == (body == b"disk")
