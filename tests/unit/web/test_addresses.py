from __future__ import annotations

import socket

import pytest

from qed.errors import ConflictError, MalformedError, NotFoundError
from qed.web.addresses import (
    Address,
    advertised_address,
    bind,
    bound_address,
    parse_address,
)

FLAG = "--http-addr"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8800", Address("127.0.0.1", 8800)),
        ("qed_server_0:8800", Address("qed_server_0", 8800)),
        ("[::1]:0", Address("::1", 0)),
        (":8800", Address("", 8800)),
        ("0.0.0.0:65535", Address("0.0.0.0", 65535)),  # noqa: S104
    ],
)
def test_an_address_is_parsed_and_written_again(text: str, address: Address) -> None:
    assert parse_address(text, FLAG) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    ["", "8800", "localhost", "localhost:", "h:-1", "h:+1", "h:65536", "h:1e3", "h:٣", "::1:8800",
     "http://h:1", "h:1/", "h h:1", "[h]x:1", "u@h:1", "h:" + "9" * 5000, "h" * 300 + ":1"],
)  # fmt: skip
def test_what_is_no_address_is_refused_by_flag(text: str) -> None:
    with pytest.raises(MalformedError, match="--http-addr"):
        parse_address(text, FLAG)


def test_a_bound_socket_knows_its_port_and_does_not_listen_yet() -> None:
    address = Address("127.0.0.1", 0)
    with bind(address, FLAG) as listener:
        bound = bound_address(address, listener)
        assert bound.port > 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((bound.host, bound.port))


def test_a_name_is_bound_at_its_ipv4_address() -> None:
    with bind(Address("localhost", 0), FLAG) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_a_port_without_host_takes_every_interface_of_both_families() -> None:
    with bind(Address("", 0), FLAG) as listener:
        listener.listen()
        port = listener.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
        if listener.family == socket.AF_INET6:
            socket.create_connection(("::1", port)).close()


def test_a_port_in_use_is_said_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = Address("127.0.0.1", other.getsockname()[1])
        with pytest.raises(ConflictError) as caught:
            bind(address, FLAG)
    assert caught.value.message == f"the address {address} is in use by another process"
    assert FLAG in caught.value.hint


def test_an_address_of_another_machine_cannot_be_bound() -> None:
    with pytest.raises(ConflictError, match=r"cannot listen on 192\.0\.2\.1:0: Cannot assign"):
        bind(Address("192.0.2.1", 0), FLAG)


def test_a_name_nobody_knows_is_said() -> None:
    with pytest.raises(NotFoundError, match=r"the host 'no-such-host\.invalid' of --http-addr"):
        bind(Address("no-such-host.invalid", 0), FLAG)
    with pytest.raises(NotFoundError):
        bind(Address("a..b", 0), FLAG)


@pytest.mark.parametrize(
    ("bound", "advertise", "told"),
    [
        ("127.0.0.1:8800", "", "127.0.0.1:8800"),
        ("qed_server_0:8800", "", "qed_server_0:8800"),
        ("0.0.0.0:8800", "log.example.org", "log.example.org:8800"),
        ("0.0.0.0:8800", "log.example.org:443", "log.example.org:443"),
        ("0.0.0.0:8800", "log.example.org:0", "log.example.org:8800"),
        ("0.0.0.0:8800", "[2001:db8::1]", "[2001:db8::1]:8800"),
        ("0.0.0.0:8800", "[2001:db8::1]:9", "[2001:db8::1]:9"),
    ],
)
def test_clients_are_told_what_they_can_connect_to(bound: str, advertise: str, told: str) -> None:
    flag = "--http-advertise-addr"
    assert str(advertised_address(parse_address(bound, FLAG), advertise, flag)) == told


@pytest.mark.parametrize("bound", ["0.0.0.0:8800", ":8800", "[::]:8800"])
def test_behind_a_wildcard_they_are_told_the_machines_name(
    bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "server0")
    told = advertised_address(parse_address(bound, FLAG), "", "--http-advertise-addr")
    assert told == Address("server0", 8800)


def test_a_wildcard_is_never_advertised() -> None:
    bound = Address("0.0.0.0", 8800)  # noqa: S104
    for advertise in (bound.host, "0.0.0.0:8800", ":8800", "[::]:8800"):
        with pytest.raises(MalformedError, match="no client can connect"):
            advertised_address(bound, advertise, "--http-advertise-addr")
