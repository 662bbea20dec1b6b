from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading

import pytest

from qed.errors import ConflictError
from qed.web.addresses import Address, bind, bound_address
from qed.web.application import Application, Route
from qed.web.limits import WebLimits
from qed.web.messages import TEXT, Answer, Request
from qed.web.guard import GuardedProtocol
from qed.web.run import Site, run
from qed.web.stop import Stop
from qed.web.tls import server_context
from serving import DEADLINE_S, Wire, ask, eventually, serving


class Gate:
    """A handler that says when a request has arrived and answers when it is let through."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)
        self.open = threading.Event()

    async def __call__(self, request: Request) -> Answer:
        self.arrived.release()
        await asyncio.to_thread(self.open.wait, DEADLINE_S)
        return Answer(200, request.body, TEXT)


async def echo(request: Request) -> Answer:
    return Answer(200, request.body, TEXT)


def application(limits: WebLimits | None = None, gate: Gate | None = None) -> Application:
    routes = [Route("POST", "/echo", echo), Route("GET", "/echo", echo)]
    if gate is not None:
        routes.append(Route("POST", "/gate", gate))
    return Application(routes, limits or WebLimits())


def test_several_applications_listen_on_ports_of_their_own() -> None:
    with serving(application(), application()) as server:
        assert len(set(server.ports)) == 2
        for port in server.ports:
            assert ask(port, "POST", "/echo", b"here").body == b"here"


def test_an_answer_tells_the_date_and_not_the_server() -> None:
    with serving(application()) as server:
        headers = ask(server.port, "POST", "/echo", b"x").headers
    assert "date" in headers
    assert "server" not in headers
    assert headers["cache-control"] == "no-store"


def test_one_connection_carries_many_requests() -> None:
    with serving(application()) as server, Wire(server.port) as wire:
        for number in range(5):
            assert wire.ask("POST", "/echo", b"%d" % number).body == b"%d" % number


def test_pipelined_requests_are_answered_in_order() -> None:
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
def test_a_head_above_its_bound_is_431_and_the_end(head: bytes) -> None:
    with serving(application()) as server, Wire(server.port) as wire:
        wire.send(head)
        reply = wire.read()
        assert (reply.status, reply.headers["connection"]) == (431, "close")
        assert reply.body == b"the head is larger than 32768 bytes\n"
        assert wire.closed()


def test_endless_trailers_are_refused() -> None:
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
def test_a_request_that_takes_too_long_to_arrive_is_408_and_the_end(start: bytes) -> None:
    limits = WebLimits(read_s=0.05, linger_s=0.05)
    with serving(application(limits)) as server, Wire(server.port) as wire:
        wire.send(start)
        reply = wire.read()
        assert (reply.status, reply.headers["connection"]) == (408, "close")
        assert reply.body == b"the request was not whole within 0.05 s\n"
        assert wire.closed()


def test_a_second_request_has_the_deadline_too() -> None:
    limits = WebLimits(read_s=0.05)
    with serving(application(limits)) as server, Wire(server.port) as wire:
        assert wire.ask("POST", "/echo", b"x").status == 200
        wire.send(b"POST /echo HT")
        assert wire.read().status == 408


def test_a_slow_answer_is_no_slow_request() -> None:
    gate = Gate()
    with serving(application(WebLimits(read_s=0.05), gate)) as server, Wire(server.port) as wire:
        wire.send(b"POST /gate HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\nx")
        assert gate.arrived.acquire(timeout=DEADLINE_S)
        wire.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\n")  # pipelined
        threading.Event().wait(0.2)  # the deadline passes: there is no signal for "nothing came"
        gate.open.set()
        assert wire.read().status == 200
        assert wire.read().status == 408  # once we read on, the second one is late after all


def test_an_idle_connection_is_closed() -> None:
    with serving(application(WebLimits(keep_alive_s=0.05))) as server, Wire(server.port) as wire:
        assert wire.ask("POST", "/echo", b"x").status == 200
        assert wire.closed()


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
def test_an_answer_that_nobody_fetches_is_dropped(connection: str) -> None:
    limits = WebLimits(keep_alive_s=0.05, connections=1)
    body = bytes(30 * 1024 * 1024)  # more than the buffers of both kernels hold
    with serving(application(limits)) as server, Wire(server.port) as wire:
        wire.send(
            b"POST /echo HTTP/1.1\r\nHost: t\r\nConnection: %s\r\nContent-Length: %d\r\n\r\n"
            % (connection.encode(), len(body))
        )
        wire.send(body)
        eventually(lambda: _admitted(server.port), "the place of the connection that hangs")


def test_a_connection_above_the_bound_is_503() -> None:
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
        eventually(lambda: _admitted(server.port), "a place for another connection")


def _admitted(port: int) -> bool:
    try:
        return ask(port, "GET", "/echo").status == 200
    except OSError:
        return False


def test_a_flood_of_connections_is_dropped() -> None:
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
def test_a_request_with_two_readings_is_400_and_the_end(header: bytes) -> None:
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
def test_bytes_that_are_not_http_1_are_400(data: bytes) -> None:
    with serving(application()) as server, Wire(server.port) as wire:
        wire.send(data)
        assert wire.read().status == 400


@pytest.mark.parametrize("behind", [b"nonsense\r\n\r\n", b"GET /" + b"x" * 40_000, b""])
@pytest.mark.parametrize("stopped", [False, True])
def test_what_comes_behind_a_request_in_work_costs_it_no_answer(
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


def test_pipelined_requests_are_answered_although_no_more_comes() -> None:
    with serving(application()) as server, Wire(server.port) as wire:
        request = b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\n"
        wire.send(b"".join(request + b"%d" % number for number in range(5)))
        wire.socket.shutdown(socket.SHUT_WR)
        assert [wire.read().body for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]
        assert wire.closed()


def test_half_a_request_is_not_waited_for_when_no_more_comes() -> None:
    with serving(application()) as server, Wire(server.port) as wire:
        wire.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\nx")
        wire.socket.shutdown(socket.SHUT_WR)
        assert wire.closed()


def test_an_offer_to_upgrade_is_ignored_unless_a_body_would_be_lost() -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "h2c"}
    with serving(application()) as server:
        assert ask(server.port, "GET", "/echo", headers=headers).status == 200
        reply = ask(server.port, "POST", "/echo", b"body", headers)
        assert (reply.status, b"leave it out" in reply.body) == (400, True)


def test_a_stop_answers_what_is_in_flight_and_lets_nobody_in() -> None:
    gate = Gate()
    with serving(application(gate=gate)) as server:
        wires = [Wire(server.port) for _ in range(4)]
        for wire in wires:
            wire.send(b"POST /gate HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\nx")
            assert gate.arrived.acquire(timeout=DEADLINE_S)
        server.stop.request()
        assert server.stopping.wait(DEADLINE_S)
        eventually(lambda: not _admitted(server.port), "the closing of the listener")
        gate.open.set()
        for wire in wires:
            reply = wire.read()
            assert (reply.status, reply.headers["connection"]) == (200, "close")
            assert wire.closed()
            wire.socket.close()
        assert server.join() is True


def test_a_stop_serves_what_is_on_its_way_on_an_open_connection() -> None:
    limits = WebLimits(drain_idle_s=DEADLINE_S)
    with serving(application(limits)) as server, Wire(server.port) as wire:
        assert wire.ask("POST", "/echo", b"x").headers.get("connection") is None
        server.stop.request()
        assert server.stopping.wait(DEADLINE_S)
        reply = wire.ask("POST", "/echo", b"last")
        assert (reply.body, reply.headers["connection"]) == (b"last", "close")
        assert wire.closed()
        assert server.join() is True


def test_a_stop_closes_idle_connections() -> None:
    with serving(application(WebLimits(drain_idle_s=0.01))) as server, Wire(server.port) as wire:
        assert wire.ask("POST", "/echo", b"x").status == 200
        server.stop.request()
        assert wire.closed()
        assert server.join() is True


@pytest.mark.parametrize("how", ["time", "second request"])
def test_a_stop_does_not_wait_for_ever(how: str) -> None:
    gate = Gate()
    drain_s = 0.05 if how == "time" else DEADLINE_S * 10
    with serving(application(gate=gate), drain_s=drain_s) as server, Wire(server.port) as wire:
        wire.send(b"POST /gate HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\nx")
        assert gate.arrived.acquire(timeout=DEADLINE_S)
        server.stop.request()
        if how == "second request":
            assert server.stopping.wait(DEADLINE_S)
            server.stop.request()
        assert wire.closed()
        gate.open.set()
        assert server.join() is False


def test_a_port_that_somebody_took_after_it_was_bound_is_named() -> None:
    # Two sockets may bind one port while neither listens.
    ours = bind(Address("127.0.0.1", 0), "--http-addr")
    address = bound_address(Address("127.0.0.1", 0), ours)
    theirs = socket.socket()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    theirs.bind((address.host, address.port))
    theirs.listen()
    site = Site("data", "--http-addr", address, ours, application())
    stop = Stop()
    with theirs, pytest.raises(ConflictError, match=f"{address} is in use by another process"):
        run([site], stop=stop, drain_s=1, on_ready=stop.request)
    assert ours.fileno() == -1


def test_a_stop_asked_for_beforehand_ends_at_once() -> None:
    listener = bind(Address("127.0.0.1", 0), "--http-addr")
    stop = Stop()
    stop.request()
    site = Site("data", "--http-addr", Address("127.0.0.1", 0), listener, application())
    assert run([site], stop=stop, drain_s=1) is True


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from qed.web.addresses import Address, bind, bound_address
from qed.web.run import Site, run
from qed.web.stop import Stop
from unit.web.test_run import application
listener = bind(Address("127.0.0.1", 0), "--http-addr")
address = bound_address(Address("127.0.0.1", 0), listener)
run([Site("data", "--http-addr", address, listener, application())], stop=Stop(), drain_s=5,
    on_ready=lambda: print(address.port, flush=True))
print("stopped", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_process_in_order(number: int) -> None:
    tests = str(__import__("pathlib").Path(__file__).parents[2])
    command = [sys.executable, "-c", PROGRAM, tests]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        port = int(process.stdout.readline())
        assert ask(port, "POST", "/echo", b"x").status == 200
        os.kill(process.pid, number)
        assert process.stdout.read() == "stopped\n"
        assert process.wait(DEADLINE_S) == 0


def test_tls_is_spoken_when_it_is_configured(certificate: tuple[object, object]) -> None:
    certificate_path, key_path = certificate
    trusting = ssl.create_default_context(cafile=str(certificate_path))
    with (
        serving(application(), tls=server_context(certificate_path, key_path)) as server,
        Wire(server.port, trusting) as wire,
    ):
        assert wire.socket.version() in {"TLSv1.2", "TLSv1.3"}
        assert wire.ask("POST", "/echo", b"x" * 100_000).body == b"x" * 100_000


def test_a_stop_does_not_wait_for_a_tls_peer_that_says_nothing(
    certificate: tuple[object, object],
) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    limits = WebLimits(drain_idle_s=0.01, tls_shutdown_s=0.05)
    with (
        serving(application(limits), tls=server_context(*certificate)) as server,
        Wire(server.port, trusting) as wire,
    ):
        assert wire.ask("POST", "/echo", b"x").status == 200
        server.stop.request()
        assert server.join() is True  # and nobody has read from `wire`


def test_the_guard_is_uvicorns_protocol() -> None:
    # What `GuardedProtocol` leans on; a new uvicorn without it must fail here and not in service.
    for name in ("cycle", "pipeline", "connections", "transport", "loop"):
        assert name in GuardedProtocol.__mro__[1].__init__.__code__.co_names
