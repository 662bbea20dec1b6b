from __future__ import annotations

import socket

import pytest

from qed.errors import MalformedError, StorageError, TooLargeError
from qed.web.application import Application, Route
from qed.web.limits import WebLimits
from qed.web.messages import IMMUTABLE, TEXT, Answer, Request
from serving import Wire, ask, serving

LIMITS = WebLimits(body_bytes=100_000, linger_s=0.2)


async def echo(request: Request) -> Answer:
    return Answer(200, request.body, TEXT)


async def nothing(_request: Request) -> Answer:
    return Answer(204)


async def malformed(_request: Request) -> Answer:
    raise MalformedError("not like this", hint="like that")


async def too_many(_request: Request) -> Answer:
    raise TooLargeError("too many")


async def buggy(_request: Request) -> Answer:
    raise KeyError("secret detail")


async def kept(request: Request) -> Answer:
    return Answer(200, request.path.encode(), TEXT, cache_control=IMMUTABLE)


async def fatal(_request: Request) -> Answer:
    raise StorageError("cannot sync /db: Input/output error")


ROUTES = [
    Route("POST", "/echo", echo),
    Route("DELETE", "/echo", nothing),
    Route("GET", "/nothing", nothing),
    Route("GET", "/malformed", malformed),
    Route("POST", "/many", too_many),
    Route("GET", "/bug", buggy),
    Route("GET", "/fatal", fatal),
    Route("GET", "/kept/", kept, is_prefix=True),
    Route("PUT", "/kept/all", nothing),
    Route("GET", "/kept/some/", nothing, is_prefix=True),
]


@pytest.fixture
def port() -> int:
    with serving(Application(ROUTES, LIMITS)) as server:
        yield server.port


def test_an_answer_is_never_to_be_stored(port: int) -> None:
    for method, path in [
        ("GET", "/nothing"),
        ("GET", "/malformed"),
        ("PUT", "/echo"),
        ("GET", "/x"),
    ]:
        assert ask(port, method, path).headers["cache-control"] == "no-store"


def test_no_content_has_no_length_and_no_type(port: int) -> None:
    reply = ask(port, "GET", "/nothing")
    assert reply.status == 204
    assert not {"content-length", "content-type"} & set(reply.headers)


def test_an_unknown_path_is_404(port: int) -> None:
    reply = ask(port, "GET", "/unknown")
    assert (reply.status, reply.body) == (404, b"404 page not found\n")


def test_a_wrong_method_is_405_with_what_is_allowed_and_no_body(port: int) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        reply = ask(port, method, "/echo")
        assert (reply.status, reply.headers["allow"], reply.body) == (405, "POST, DELETE", b"")


def test_the_query_is_no_part_of_the_path(port: int) -> None:
    assert ask(port, "GET", "/nothing?x=1").status == 204
    assert ask(port, "GET", "/nothing/").status == 404


def test_a_prefix_takes_whatever_begins_with_it_and_says_itself_how_long_to_keep_it(
    port: int,
) -> None:
    for path in ("/kept/", "/kept/x/y"):
        reply = ask(port, "GET", path)
        assert (reply.status, reply.body) == (200, path.encode())
        assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert ask(port, "GET", "/kept").status == 404
    assert ask(port, "POST", "/kept/x").headers["allow"] == "GET"


def test_an_exact_path_goes_before_a_prefix_and_a_longer_prefix_before_a_shorter(port: int) -> None:
    assert ask(port, "GET", "/kept/all").status == 405
    assert ask(port, "GET", "/kept/some/x").status == 204
    assert ask(port, "GET", "/kept/some").status == 200


def test_an_error_of_the_tree_is_answered_by_the_table(port: int) -> None:
    reply = ask(port, "GET", "/malformed")
    assert (reply.status, reply.body) == (400, b"not like this: like that\n")
    reply = ask(port, "GET", "/malformed", headers={"Accept": "application/json"})
    assert reply.headers["content-type"] == "application/problem+json"


def test_a_request_that_was_read_whole_keeps_its_connection_whatever_the_answer(port: int) -> None:
    with Wire(port) as wire:
        for _ in range(2):
            assert wire.ask("POST", "/many", b"x").status == 413
            assert wire.ask("GET", "/malformed").status == 400


def test_a_bug_is_500_without_its_details(port: int) -> None:
    reply = ask(port, "GET", "/bug")
    assert (reply.status, reply.body) == (500, b"the server has a bug; its log says where\n")


def test_a_fatal_error_is_answered_and_told_to_the_owner() -> None:
    told: list[object] = []
    with serving(Application(ROUTES, LIMITS, told.append)) as server, Wire(server.port) as wire:
        reply = wire.ask("GET", "/fatal")
        assert (reply.status, reply.body) == (500, b"cannot sync /db: Input/output error\n")
        assert wire.ask("GET", "/nothing").status == 204
    assert [type(error) for error in told] == [StorageError]


def test_a_body_may_be_exactly_as_large_as_its_bound(port: int) -> None:
    body = b"x" * LIMITS.body_bytes
    assert ask(port, "POST", "/echo", body).body == body
    assert ask(port, "POST", "/echo", body + b"x").status == 413


def test_a_length_above_the_bound_is_refused_before_the_body_is_sent(port: int) -> None:
    with Wire(port) as wire:
        wire.send(
            b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 100001\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        reply = wire.read()
        assert (reply.status, reply.headers["connection"]) == (413, "close")
        assert reply.body.startswith(b"the body is larger than the 100000 bytes")
        assert wire.closed()


@pytest.mark.parametrize("length", ["18446744073709551616", "9" * 40])
def test_a_length_beyond_64_bits_is_refused(port: int, length: str) -> None:
    with Wire(port) as wire:
        wire.send(f"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: {length}\r\n\r\n".encode())
        assert wire.read().status in {400, 413}


def test_a_chunked_body_is_refused_as_soon_as_it_is_too_large(port: int) -> None:
    chunk = b"1000\r\n" + b"x" * 4096 + b"\r\n"
    with Wire(port) as wire:
        wire.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
        wire.send(chunk * 30)  # its end never comes
        reply = wire.read()
        assert (reply.status, reply.headers["connection"]) == (413, "close")
        assert wire.closed()


def test_a_chunked_body_within_the_bound_is_whole(port: int) -> None:
    head = b"POST /echo HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Wire(port) as wire:
        wire.send(head + b"1\r\na\r\n" * 5_000 + b"0\r\n\r\n")
        assert wire.read().body == b"a" * 5_000


def test_the_answer_arrives_although_a_hundred_megabytes_are_on_their_way() -> None:
    size_bytes = 100 * 1024 * 1024
    block = bytes(1024 * 1024)
    limits = WebLimits(body_bytes=LIMITS.body_bytes)
    with serving(Application(ROUTES, limits)) as server, Wire(server.port) as wire:
        wire.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % size_bytes)
        for _ in range(100):
            wire.send(block)
        assert wire.read().status == 413


def test_the_connection_goes_on_after_continue(port: int) -> None:
    with Wire(port) as wire:
        wire.send(
            b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        assert wire.read().status == 100
        wire.send(b"abc")
        assert wire.read().body == b"abc"


def test_a_compressed_body_is_not_understood(port: int) -> None:
    assert ask(port, "POST", "/echo", b"x", {"Content-Encoding": "gzip"}).status == 400
    assert ask(port, "POST", "/echo", b"x", {"Content-Encoding": "identity"}).status == 200


def test_a_client_that_leaves_in_the_middle_harms_nobody(port: int) -> None:
    for how in (socket.SHUT_WR, socket.SHUT_RDWR):
        with Wire(port) as wire:
            wire.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc")
            wire.socket.shutdown(how)
    assert ask(port, "POST", "/echo", b"x").status == 200


def test_two_handlers_for_one_route_are_a_bug() -> None:
    with pytest.raises(AssertionError):
        Application([Route("GET", "/a", echo), Route("GET", "/a", nothing)], LIMITS)
    with pytest.raises(AssertionError):
        Application([Route("GET", "/a", echo, is_prefix=True)] * 2, LIMITS)
    Application([Route("GET", "/a/", echo), Route("GET", "/a/", nothing, is_prefix=True)], LIMITS)
