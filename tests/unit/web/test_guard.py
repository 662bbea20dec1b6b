"""Every test here runs over both ways: the ordinary one, and the short cuts for hot requests."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

from echoing import Gate
from qed.web.guard import GuardedProtocol
from qed.web.limits import WebLimits
from serving import DEADLINE_S, Wire, admitted, ask, eventually, serving
from unit.web.conftest import Making


def test_one_connection_carries_many_requests(application: Making) -> None:
    with serving(application()) as server, Wire(server.port) as wire:
        for number in range(5):
            assert wire.ask("POST", "/echo", b"%d" % number).body == b"%d" % number


def test_pipelined_requests_are_answered_in_order(application: Making) -> None:
    one = b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\n"
    with serving(application()) as server, Wire(server.port) as wire:
        wire.send(one + b"1" + one + b"2" + one + b"3")
        assert [wire.read().body for _ in range(3)] == [b"1", b"2", b"3"]


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n",
        b"GET /echo HTTP/1.1\r\nHost: t\r\nX: " + b"a" * 70_000,
        b"GET /echo HTTP/1.1\r\n" + b"X: y\r\n" * 20_000,
        b"GET /echo HTTP/1.1\r\nHost: t\r\nX: " + b"a" * 40_000 + b"\r\n\r\n",
    ],
    ids=["long line", "endless header", "many headers", "whole, in one piece"],
)
def test_a_head_above_its_bound_is_431_and_the_end(head: bytes, application: Making) -> None:
    with serving(application()) as server, Wire(server.port) as wire:
        wire.send(head)
        reply = wire.read()
        assert (reply.status, reply.headers["connection"]) == (431, "close")
        assert reply.body == b"the head is larger than 32768 bytes\n"
        assert wire.closed()


def test_endless_trailers_are_refused(application: Making) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    with serving(application()) as server, Wire(server.port) as wire:
        wire.send(head + b"T: " + b"a" * 70_000)
        assert wire.read().status == 431


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"GET /echo HT",
        b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc",
        b"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
    ids=["nothing", "slow head", "slow body", "slow chunk"],
)
def test_a_request_that_takes_too_long_to_arrive_is_408_and_the_end(
    start: bytes, application: Making
) -> None:
    limits = WebLimits(read_s=0.05, linger_s=0.05)
    with serving(application(limits)) as server, Wire(server.port) as wire:
        wire.send(start)
        reply = wire.read()
        assert (reply.status, reply.headers["connection"]) == (408, "close")
        assert reply.body == b"the request was not whole within 0.05 s\n"
        assert wire.closed()


def test_a_second_request_has_the_deadline_too(application: Making) -> None:
    limits = WebLimits(read_s=0.05)
    with serving(application(limits)) as server, Wire(server.port) as wire:
        assert wire.ask("POST", "/echo", b"x").status == 200
        wire.send(b"POST /echo HT")
        assert wire.read().status == 408


def test_a_slow_answer_is_no_slow_request(application: Making) -> None:
    gate = Gate()
    with serving(application(WebLimits(read_s=0.05), gate)) as server, Wire(server.port) as wire:
        wire.send(b"POST /gate HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\nx")
        assert gate.arrived.acquire(timeout=DEADLINE_S)
        wire.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\n")  # pipelined
        threading.Event().wait(0.2)  # the deadline passes: there is no signal for "nothing came"
        gate.open.set()
        assert wire.read().status == 200
        assert wire.read().status == 408  # once we read on, the second one is late after all


def test_an_idle_connection_is_closed(application: Making) -> None:
    with serving(application(WebLimits(keep_alive_s=0.05))) as server, Wire(server.port) as wire:
        assert wire.ask("POST", "/echo", b"x").status == 200
        assert wire.closed()


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
def test_an_answer_that_nobody_fetches_is_dropped(connection: str, application: Making) -> None:
    limits = WebLimits(keep_alive_s=0.05, connections=1)
    body = bytes(30 * 1024 * 1024)  # more than the buffers of both kernels hold
    with serving(application(limits)) as server, Wire(server.port) as wire:
        wire.send(
            b"POST /echo HTTP/1.1\r\nHost: t\r\nConnection: %s\r\nContent-Length: %d\r\n\r\n"
            % (connection.encode(), len(body))
        )
        wire.send(body)
        eventually(lambda: admitted(server.port), "the place of the connection that hangs")


def test_a_client_that_asks_on_and_reads_nothing_is_dropped(application: Making) -> None:
    limits = WebLimits(keep_alive_s=0.1, connections=1)
    data = b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000)
    with serving(application(limits)) as server, Wire(server.port) as wire:
        wire.socket.settimeout(0.3)
        with contextlib.suppress(OSError):  # it takes no more, or has closed
            while True:
                wire.send(data)
        eventually(lambda: admitted(server.port), "the place of the connection that hangs")


def test_a_client_that_reads_after_all_keeps_its_connection(application: Making) -> None:
    body = bytes(8_000_000)  # more than the buffers of both kernels hold, so that writing pauses
    pause = threading.Event()
    with serving(application(WebLimits(keep_alive_s=1.5))) as server, Wire(server.port) as wire:
        assert wire.ask("POST", "/echo", body).body == body
        for _ in range(6):  # longer than the bound together, and each of them far below it
            pause.wait(0.3)
            assert wire.ask("POST", "/echo", b"x").body == b"x"


def test_a_connection_above_the_bound_is_503(application: Making) -> None:
    limits = WebLimits(connections=2, linger_s=0.05)
    with (
        serving(application(limits)) as server,
        Wire(server.port) as first,
        Wire(server.port) as second,
    ):
        assert first.ask("GET", "/echo").status == second.ask("GET", "/echo").status == 200
        with Wire(server.port) as third:
            reply = third.read()
            assert (reply.status, reply.headers["retry-after"]) == (503, "1")
            assert third.closed()
        first.socket.close()
        eventually(lambda: admitted(server.port), "a place for another connection")


def test_a_flood_of_connections_is_dropped(application: Making) -> None:
    limits = WebLimits(connections=1, linger_s=DEADLINE_S)
    with serving(application(limits)) as server:
        wires = [Wire(server.port) for _ in range(2)]
        assert wires[1].read().status == 503
        with Wire(server.port) as wire, pytest.raises(OSError, match=r"closed|reset"):
            wire.read()
        for wire in wires:
            wire.socket.close()


SMUGGLING = {
    "length and chunked": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
    "two lengths": b"Content-Length: 4\r\nContent-Length: 5\r\n",
    "signed length": b"Content-Length: +4\r\n",
    "hexadecimal length": b"Content-Length: 0x4\r\n",
    "unknown coding": b"Transfer-Encoding: xchunked\r\n",
    "chunked not last": b"Transfer-Encoding: chunked, identity\r\n",
    "space before the colon": b"Content-Length : 4\r\n",
    "bare line feed in a value": b"X: a\nContent-Length: 4\r\n",
    "zero byte": b"X: a\0b\r\n",
    "folded header": b"X: a\r\n b: c\r\n",
}


@pytest.mark.parametrize("header", SMUGGLING.values(), ids=SMUGGLING.keys())
def test_a_request_with_two_readings_is_400_and_the_end(header: bytes, application: Making) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: t\r\n" + header + b"\r\n"
    with serving(application(WebLimits(linger_s=0.05))) as server, Wire(server.port) as wire:
        wire.send(head + b"0\r\n\r\nGET /echo HTTP/1.1\r\nHost: smuggled\r\n\r\n")
        assert wire.read().status == 400
        assert wire.closed()


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET http:// HTTP/1.1\r\n\r\n",
    ],
    ids=["a TLS hello", "HTTP/2", "no path"],
)
def test_bytes_that_are_not_http_1_are_400(data: bytes, application: Making) -> None:
    with serving(application()) as server, Wire(server.port) as wire:
        wire.send(data)
        assert wire.read().status == 400


@pytest.mark.parametrize("behind", [b"nonsense\r\n\r\n", b"GET /" + b"x" * 40_000, b""])
@pytest.mark.parametrize("stopped", [False, True])
def test_what_comes_behind_a_request_in_work_costs_it_no_answer(
    application: Making,
    behind: bytes,
    stopped: bool,  # noqa: FBT001 - pytest passes by name
) -> None:
    """An add that is in the log is answered, then nonsense or the end behind it closes."""
    gate = Gate()
    with serving(application(gate=gate)) as server, Wire(server.port) as wire:
        wire.send(b"POST /gate HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\nx")
        assert gate.arrived.acquire(timeout=DEADLINE_S)
        wire.send(behind)
        wire.socket.shutdown(socket.SHUT_WR)
        assert ask(server.port, "GET", "/echo").status == 200  # the loop has been around since
        if stopped:
            server.stop.request()
            assert server.stopping.wait(DEADLINE_S)
        gate.open.set()
        reply = wire.read()
        assert (reply.status, reply.body) == (200, b"x")
        assert reply.headers["connection"] == "close"
        assert wire.closed()


def test_pipelined_requests_are_answered_although_no_more_comes(application: Making) -> None:
    with serving(application()) as server, Wire(server.port) as wire:
        request = b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\n"
        wire.send(b"".join(request + b"%d" % number for number in range(5)))
        wire.socket.shutdown(socket.SHUT_WR)
        assert [wire.read().body for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]
        assert wire.closed()


def test_no_more_than_some_requests_wait_behind_one(application: Making) -> None:
    gate, request = Gate(), b"POST /gate HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"
    with serving(application(gate=gate)) as server, Wire(server.port) as wire:
        wire.send(request)
        assert gate.arrived.acquire(timeout=DEADLINE_S)
        wire.send(request.replace(b"gate", b"echo") * 300)
        assert ask(server.port, "POST", "/echo", b"other").body == b"other"  # all 300 have come
        gate.open.set()
        replies = [wire.read() for _ in range(257)]
        assert {reply.status for reply in replies} == {200}
        assert [reply.headers.get("connection") for reply in replies] == [None] * 256 + ["close"]
        assert wire.closed()


def test_half_a_request_is_not_waited_for_when_no_more_comes(application: Making) -> None:
    with serving(application()) as server, Wire(server.port) as wire:
        wire.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nx")
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.closed()


def test_an_offer_to_upgrade_is_ignored_unless_a_body_would_be_lost(application: Making) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "h2c"}
    with serving(application()) as server:
        assert ask(server.port, "GET", "/echo", headers=headers).status == 200
        reply = ask(server.port, "POST", "/echo", b"body", headers)
        assert (reply.status, b"leave it out" in reply.body) == (400, True)


@pytest.mark.parametrize("pieces", [1, 2])
def test_nothing_is_answered_behind_an_offer_to_upgrade(application: Making, pieces: int) -> None:
    offer = b"GET /echo HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    behind = b"POST /echo HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"
    with serving(application()) as server, Wire(server.port) as wire:
        wire.send(offer + behind if pieces == 1 else offer)
        reply = wire.read()
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        assert wire.closed()


def test_the_guard_is_uvicorns_protocol() -> None:
    # What `GuardedProtocol` leans on; a new uvicorn without it must fail here and not in service.
    for name in ("cycle", "pipeline", "connections", "transport", "loop"):
        assert name in GuardedProtocol.__mro__[1].__init__.__code__.co_names
