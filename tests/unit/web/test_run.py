from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from echoing import Gate
from qed.errors import ConflictError
from qed.web.addresses import Address, bind, bound_address
from qed.web.limits import WebLimits
from qed.web.run import Site, run
from qed.web.stop import Stop
from qed.web.tls import server_context
from serving import DEADLINE_S, Wire, admitted, ask, eventually, serving
from unit.web.conftest import Making


def test_several_applications_listen_on_ports_of_their_own(application: Making) -> None:
    with serving(application(), application()) as server:
        assert len(set(server.ports)) == 2
        for port in server.ports:
            assert ask(port, "POST", "/echo", b"here").body == b"here"


def test_an_answer_tells_the_date_and_not_the_server(application: Making) -> None:
    with serving(application()) as server:
        headers = ask(server.port, "POST", "/echo", b"x").headers
    assert "date" in headers
    assert "server" not in headers
    assert headers["cache-control"] == "no-store"


def test_a_stop_answers_what_is_in_flight_and_lets_nobody_in(application: Making) -> None:
    gate = Gate()
    with serving(application(gate=gate)) as server:
        wires = [Wire(server.port) for _ in range(4)]
        for wire in wires:
            wire.send(b"POST /gate HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\n\r\nx")
            assert gate.arrived.acquire(timeout=DEADLINE_S)
        server.stop.request()
        assert server.stopping.wait(DEADLINE_S)
        eventually(lambda: not admitted(server.port), "the closing of the listener")
        gate.open.set()
        for wire in wires:
            reply = wire.read()
            assert (reply.status, reply.headers["connection"]) == (200, "close")
            assert wire.closed()
            wire.socket.close()
        assert server.join() is True


def test_a_stop_serves_what_is_on_its_way_on_an_open_connection(application: Making) -> None:
    limits = WebLimits(drain_idle_s=DEADLINE_S)
    with serving(application(limits)) as server, Wire(server.port) as wire:
        assert wire.ask("POST", "/echo", b"x").headers.get("connection") is None
        server.stop.request()
        assert server.stopping.wait(DEADLINE_S)
        reply = wire.ask("POST", "/echo", b"last")
        assert (reply.body, reply.headers["connection"]) == (b"last", "close")
        assert wire.closed()
        assert server.join() is True


def test_a_stop_closes_idle_connections(application: Making) -> None:
    with serving(application(WebLimits(drain_idle_s=0.01))) as server, Wire(server.port) as wire:
        assert wire.ask("POST", "/echo", b"x").status == 200
        server.stop.request()
        assert wire.closed()
        assert server.join() is True


@pytest.mark.parametrize("how", ["time", "second request"])
def test_a_stop_does_not_wait_for_ever(how: str, application: Making) -> None:
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


def test_a_stop_asked_for_once_more_at_the_very_end_harms_nobody(
    application: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    close = asyncio.Runner.close
    with serving(application()) as server:

        def close_and_ask(runner: asyncio.Runner) -> None:
            close(runner)
            server.stop.request()

        monkeypatch.setattr(asyncio.Runner, "close", close_and_ask)
        server.stop.request()
        assert server.join() is True


def test_a_port_that_somebody_took_after_it_was_bound_is_named(application: Making) -> None:
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


def test_a_stop_asked_for_beforehand_ends_at_once(application: Making) -> None:
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
from echoing import application, HotEcho
listener = bind(Address("127.0.0.1", 0), "--http-addr")
address = bound_address(Address("127.0.0.1", 0), listener)
site = Site("data", "--http-addr", address, listener, application(hot=HotEcho()))
run([site], stop=Stop(), drain_s=5,
    on_ready=lambda: print(address.port, flush=True))
print("stopped", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_process_in_order(number: int) -> None:
    tests = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", PROGRAM, tests]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        port = int(process.stdout.readline())
        assert ask(port, "POST", "/echo", b"x").status == 200
        os.kill(process.pid, number)
        assert process.stdout.read() == "stopped\n"
        assert process.wait(DEADLINE_S) == 0


def test_tls_is_spoken_when_it_is_configured(
    certificate: tuple[object, object], application: Making
) -> None:
    certificate_path, key_path = certificate
    trusting = ssl.create_default_context(cafile=str(certificate_path))
    with (
        serving(application(), tls=server_context(certificate_path, key_path)) as server,
        Wire(server.port, trusting) as wire,
    ):
        assert wire.socket.version() in {"TLSv1.2", "TLSv1.3"}
        assert wire.ask("POST", "/echo", b"x" * 100_000).body == b"x" * 100_000


def test_a_stop_does_not_wait_for_a_tls_peer_that_says_nothing(
    application: Making,
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
