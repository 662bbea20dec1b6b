"""Requests on the way together: answers in order, and a stop at whatever is unusual."""

import socket
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qed.client.calls import Request
from qed.client.pipelining import AT_ONCE, exchange

ASK = Request("POST", "/ask", {"content-type": "text/plain"}, b"body", 100)


def answer(body, *fields, status=b"200 OK"):
    lines = [b"HTTP/1.1 " + status, b"content-length: %d" % len(body), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def talk(sent, *, requests=3, chunk=None, deadline_s=None, shut=True):
    """Let the other side send bytes, in chunks; return the answers and what it was sent."""
    ours, theirs = socket.socketpair()
    asked = []

    def serve():
        asked.append(theirs.recv(100_000))
        step = chunk or max(1, len(sent))
        for start in range(0, len(sent), step):
            theirs.sendall(sent[start : start + step])
        if shut:
            theirs.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=serve)
    with ours, theirs:
        thread.start()
        try:
            answers = exchange(ours, "host:1", [ASK] * requests, deadline_s)
        finally:
            thread.join(20)
    return answers, asked[0]


def test_all_are_sent_at_once_and_answered_in_order():
    bodies = [b"one", b"", b"three"]
    answers, asked = talk(b"".join(map(answer, bodies)))
    assert [one.body for one in answers] == bodies
    assert [one.status for one in answers] == [200] * 3
    assert asked.count(b"POST /ask HTTP/1.1\r\nhost: host:1\r\n") == 3
    assert asked.endswith(b"content-length: 4\r\n\r\nbody")


@given(st.lists(st.binary(max_size=100), min_size=1, max_size=AT_ONCE), st.integers(1, 50))
def test_however_the_answers_are_cut(bodies, chunk):
    sent = b"".join(map(answer, bodies))
    answers, _ = talk(sent, requests=len(bodies), chunk=chunk)
    assert [one.body for one in answers] == bodies


def test_refusals_are_answers():
    sent = answer(b"a") + answer(b"no", status=b"412 Precondition Failed") + answer(b"c")
    assert [one.status for one in talk(sent)[0]] == [200, 412, 200]


@pytest.mark.parametrize(
    "unusual",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nb",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\nb",
        b"HTTP/1.1 200 OK\r\ncontent-length: 01\r\n\r\nb",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nb",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n folded: 1\r\n\r\nb",
        b"HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n" + b"b" * 101,
        b"nothing\r\n\r\n",
        b"x" * 20_000,
    ],
)
def test_it_stops_at_an_unusual_answer(unusual):
    answers, _ = talk(answer(b"a") + unusual)
    assert [one.body for one in answers] == [b"a"]


def test_it_stops_when_the_server_says_that_it_closes():
    sent = answer(b"a", b"connection: close") + answer(b"b")
    assert [one.body for one in talk(sent)[0]] == [b"a"]


def test_bytes_beyond_the_last_answer_spoil_it():
    answers, _ = talk(b"".join(map(answer, [b"a", b"b", b"c"])) + b"d")
    assert [one.body for one in answers] == [b"a", b"b"]


@pytest.mark.parametrize("sent", [b"", answer(b"a"), answer(b"a") + answer(b"bc")[:-1]])
def test_an_end_in_between_is_an_error(sent):
    with pytest.raises(ConnectionError):
        talk(sent)


def test_a_server_that_is_silent_has_until_the_deadline():
    with pytest.raises(TimeoutError):
        talk(answer(b"a"), deadline_s=time.monotonic() + 0.05, shut=False)
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(TimeoutError):
        exchange(ours, "host:1", [ASK], time.monotonic() - 1)
