"""Limits set on the command line: what is above one is answered as said, and adds nothing."""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import time
from collections.abc import Iterator

import pytest

from process import Answer, Qed, Server

pytestmark = pytest.mark.slow

FLAGS = ["--max-body=1KiB", "--max-request-events=3", "--max-connections=1", "--read-timeout=300ms"]


@pytest.fixture(name="server")
def server_with_low_limits(qed: Qed) -> Iterator[Server]:
    with Server(qed, qed.home / "db", FLAGS) as server:
        yield server
        assert server.stop() == 0


def event(size_bytes: int) -> str:
    return base64.b64encode(b"x" * size_bytes).decode()


def call(server: Server, path: str, body: object) -> Answer:
    """Call once the server has seen that the one connection it takes, the one before, is gone."""
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        with contextlib.suppress(ConnectionError, http.client.HTTPException):  # a third is cut
            answer = server.call("POST", path, body)
            if answer.status != 503:
                return answer
    raise AssertionError("the connection before is still there")


def test_a_body_above_the_limit_is_413_and_one_below_is_taken(server: Server) -> None:
    refused = call(server, "/events", {"Event": event(1024)})
    assert (refused.status, b"larger than the 1024 bytes" in refused.body) == (413, True)

    assert call(server, "/events", {"Event": event(700)}).document()["Version"] == 0


def test_more_events_than_the_limit_are_413_and_none_is_added(server: Server) -> None:
    for path, body in (
        ("/events/bulk", {"Events": [event(1)] * 4}),
        ("/events/digests", bytes(4 * 32)),
    ):
        refused = call(server, path, body)
        assert (refused.status, b"at most 3 are taken" in refused.body) == (413, True)

    added = call(server, "/events/bulk", {"Events": [event(1)] * 3})
    assert [snapshot["Version"] for snapshot in added.document()] == [0, 1, 2]


def test_a_connection_too_many_is_503_until_the_other_one_goes(server: Server) -> None:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.ports[0])) as held:
        held.request("GET", "/info")
        assert held.getresponse().read()
        refused = server.call("GET", "/info")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert server.call("GET", "/backups", port=1).status == 200, "each port has its own"


def test_a_request_that_is_not_whole_in_time_is_408(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.ports[0]), timeout=60) as raw:
        raw.sendall(b"POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
        answer = http.client.HTTPResponse(raw)
        answer.begin()
        assert (answer.status, b"within 0.3 s" in answer.read()) == (408, True)
