"""Bytes by their path: whole, bounded and in time, from a server and from a directory."""

import socket
import time

import pytest

from qed import errors
from qed.client.calls import Request
from qed.client.places import DirectoryPlace, ServerPlace, open_place
from scripted_server import answer, drip, hang, scripted

GET = Request("GET", "/file", max_answer_bytes=100)
POST = Request("POST", "/batch", {"content-type": "text/plain"}, b"body", 100)
CLOSE = {"connection": "close"}


def server_place(server, prefix="", dial_timeout_s=5.0):
    return ServerPlace(server.endpoint + prefix, dial_timeout_s=dial_timeout_s, insecure=False)


def test_the_answer_comes_with_its_status_and_headers():
    with scripted(answer(404, b"no", Content_Type="text/plain", **CLOSE)) as server:
        got = server_place(server, "/log/").send(GET, 5)

    assert (got.status, got.body, got.media_type) == (404, b"no", "text/plain")
    head = server.heard[0][0].lower()
    assert head.startswith("get /log/file http/1.1\r\n")
    assert "accept-encoding: identity" in head
    assert "user-agent: qed/" in head


def test_a_body_is_sent_with_its_type():
    with scripted(answer(200, b"ok", **CLOSE)) as server:
        assert server_place(server).send(POST, 5).body == b"ok"
    head, body = server.heard[0]
    assert body == b"body"
    assert "content-type: text/plain" in head.lower()


def twice(connection, server):
    connection.sendall(answer(200, b"first"))
    server.heard.append((connection.recv(65536).decode(), b""))
    connection.sendall(answer(200, b"second"))


def test_one_connection_is_kept():
    with scripted(twice) as server:
        place = server_place(server)
        assert [place.send(GET, 5).body, place.send(GET, 5).body] == [b"first", b"second"]
        place.close()


def test_a_connection_that_was_closed_meanwhile_is_opened_again():
    def once(connection, _):
        connection.sendall(answer(200, b"first"))
        connection.shutdown(socket.SHUT_RDWR)

    with scripted(once, answer(200, b"second", **CLOSE)) as server:
        place = server_place(server)
        assert place.send(GET, 5).body == b"first"
        assert place.send(POST, 5).body == b"second"
    assert len(server.heard) == 2


def test_a_get_whose_kept_connection_ends_is_sent_again_and_a_post_is_not():
    def silent_end(connection, _):
        connection.sendall(answer(200, b"first"))
        connection.recv(65536)  # the second request is taken, and never answered

    with scripted(silent_end, answer(200, b"again", **CLOSE)) as server:
        place = server_place(server)
        place.send(GET, 5)
        assert place.send(GET, 5).body == b"again"
    with scripted(silent_end, answer(200, b"again", **CLOSE)) as server:
        place = server_place(server)
        place.send(GET, 5)
        with pytest.raises(errors.UnreachableError, match=r"POST .*/batch was not answered"):
            place.send(POST, 5)
    assert len(server.heard) == 1


def test_nobody_there_is_unreachable():
    with scripted() as server:
        pass
    with pytest.raises(errors.UnreachableError, match="cannot connect"):
        server_place(server).send(GET, 5)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhal",
        b"220 this is no web server\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000,
        b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nno end",
    ],
    ids=["nothing", "line", "body", "chunk", "other protocol", "headers", "length", "no length"],
)
def test_half_an_answer_is_none(said):
    with (
        scripted(said) as server,
        pytest.raises(errors.UnreachableError, match="was not answered"),
    ):
        server_place(server).send(GET, 5)


def test_silence_and_dripping_end_in_time():
    began_s = time.monotonic()
    with scripted(hang) as server, pytest.raises(errors.UnreachableError):
        server_place(server).send(GET, 0.2)
    with scripted(drip(b"x", 0.01)) as server, pytest.raises(errors.UnreachableError):
        server_place(server).send(Request("GET", "/", max_answer_bytes=2**21), 0.2)

    def drip_head(connection, server):
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not server.released.wait(0.01):
            connection.sendall(b"a: b\r\n")

    with scripted(drip_head) as server, pytest.raises(errors.UnreachableError):
        server_place(server).send(GET, 0.2)
    assert time.monotonic() - began_s < 10


def test_an_answer_above_its_bound_is_a_false_one():
    for body in (b"x" * 101, b"x" * 100_000):
        with scripted(answer(200, body)) as server:
            place = server_place(server)
            with pytest.raises(errors.VerificationError, match="more than 100 bytes"):
                place.send(GET, 5)
            place.close()
    with scripted(answer(200, b"x" * 100)) as server:
        place = server_place(server)
        assert len(place.send(GET, 5).body) == 100
        place.close()


def test_a_chunked_answer_is_read_and_bounded():
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    with scripted(head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n") as server:
        assert server_place(server).send(GET, 5).body == b"abcde"
    with (
        scripted(head + b"80\r\n" + b"x" * 128 + b"\r\n0\r\n\r\n") as server,
        pytest.raises(errors.VerificationError, match="more than 100 bytes"),
    ):
        server_place(server).send(GET, 5)


def test_no_bound_in_time_is_none():
    with scripted(answer(200, b"ok", **CLOSE)) as server:
        assert server_place(server, dial_timeout_s=0).send(GET, 0).body == b"ok"


def test_a_place_is_a_server_by_its_scheme_and_else_a_directory(tmp_path):
    opened = [
        open_place(name, dial_timeout_s=1, insecure=False)
        for name in ("http://H:1/a/", "https://h", str(tmp_path))
    ]
    assert [type(place) for place in opened] == [ServerPlace, ServerPlace, DirectoryPlace]
    assert [place.name for place in opened] == ["http://h:1/a", "https://h", str(tmp_path)]
    with pytest.raises(errors.NotFoundError, match="no directory"):
        open_place("localhost:8800", dial_timeout_s=1, insecure=False)
    with pytest.raises(errors.MalformedError):
        open_place("http://", dial_timeout_s=1, insecure=False)


def test_a_directory_answers_with_its_files(tmp_path):
    (tmp_path / "log" / "tile").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(b"outside")
    (tmp_path / "log" / "checkpoint").write_bytes(b"note")
    (tmp_path / "log" / "tile" / "0").write_bytes(b"x" * 101)
    (tmp_path / "log" / "loop").symlink_to("loop")
    place = DirectoryPlace(tmp_path / "log")

    def get(path):
        return place.send(Request("GET", path, max_answer_bytes=100), 5)

    assert (get("/checkpoint").status, get("/checkpoint?after=3").body) == (200, b"note")
    for absent in (
        "/nothing",
        "/tile",
        "/checkpoint/0",
        "/../secret",
        "/tile/../../secret",
        "/",
        "/loop",
    ):
        assert get(absent).status == 404
    with pytest.raises(errors.VerificationError, match="larger than"):
        get("/tile/0")
    with pytest.raises(errors.RequestError, match="is a directory"):
        place.send(POST, 5)
    place.close()


def test_many_requests_are_on_the_way_at_a_time():
    bodies = [b"%d" % number for number in range(5)]
    with scripted(b"".join(answer(200, body) for body in bodies)) as server:
        place = server_place(server, "/log")
        answers = place.send_many([POST] * 5, 5)
        place.close()
    assert [one.body for one in answers] == bodies
    # What the script read as the first one's body has the other four behind it.
    assert server.heard[0][1].count(b"POST /log/batch HTTP/1.1\r\n") == 4


def test_what_is_not_answered_in_the_usual_form_is_asked_one_by_one():
    first = answer(200, b"first", **CLOSE)
    one_by_one = [answer(200, b"second", **CLOSE), answer(404, b"third", **CLOSE)]
    with scripted(first, *one_by_one) as server:
        answers = server_place(server).send_many([POST] * 3, 5)
    assert [(one.status, one.body) for one in answers] == [
        (200, b"first"),
        (200, b"second"),
        (404, b"third"),
    ]


def test_many_requests_to_nobody_are_unreachable():
    with scripted() as server:
        place = server_place(server)
    with pytest.raises(errors.UnreachableError):
        place.send_many([POST] * 3, 5)
    assert place.send_many([], 5) == []
