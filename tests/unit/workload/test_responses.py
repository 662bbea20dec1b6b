"""Answers out of bytes: in any pieces the same, and nothing else is taken for one."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qed.errors import MalformedError
from qed.workload.responses import HEAD_LIMIT_BYTES, ResponseReader, parse_head

LIMIT = 1000
PLAIN = b"HTTP/1.1 201 Created\r\ncontent-length: 5\r\nContent-Type: text/plain\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nhel\r\n2;some=thing\r\nlo\r\n0\r\n\r\n"
)


def read(*pieces, limit=LIMIT, heads=None):
    reader = ResponseReader(limit, {} if heads is None else heads)
    found = [reader.feed(piece) for piece in pieces]
    assert found[:-1] == [None] * (len(pieces) - 1)
    return found[-1]


@pytest.mark.parametrize("answer", [PLAIN, CHUNKED])
@given(cuts=st.lists(st.integers(1, 200), max_size=6))
def test_how_an_answer_is_cut_does_not_matter(answer, cuts):
    places = sorted({0, len(answer), *(cut for cut in cuts if cut < len(answer))})
    pieces = [answer[a:b] for a, b in itertools.pairwise(places)]

    response = read(*pieces)

    assert response.body == b"hello"
    assert response.head.status in {200, 201}
    assert not response.head.closes


def test_one_answer_after_the_other():
    reader = ResponseReader(LIMIT, {})

    for _ in range(3):
        assert not reader.waiting
        assert reader.feed(PLAIN[:10]) is None
        assert reader.waiting
        assert reader.feed(PLAIN[10:]).body == b"hello"
        assert reader.feed(CHUNKED).body == b"hello"


def test_a_head_is_read_once():
    heads = {}

    read(PLAIN, heads=heads)
    (known,) = heads.values()

    assert read(PLAIN, heads=heads).head is known


def test_known_heads_are_bounded():
    heads = {b"%d" % n: None for n in range(4096)}

    read(PLAIN, heads=heads)

    assert len(heads) == 1


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body(status):
    assert read(b"HTTP/1.1 %d X\r\n\r\n" % status).body == b""


@pytest.mark.parametrize(
    ("lines", "closes"),
    [
        (b"HTTP/1.1 200 OK\r\n", False),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n", True),
        (b"HTTP/1.0 200 OK\r\n", True),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", False),
    ],
)
def test_whether_the_connection_goes_on(lines, closes):
    assert parse_head(lines + b"Content-Length: 0\r\n").closes is closes


@pytest.mark.parametrize(
    ("value", "seconds"), [(b"3", 3.0), (b"Tue, 24 Nov 2026", None), (b"-1", None)]
)
def test_when_to_come_again(value, seconds):
    head = parse_head(b"HTTP/1.1 503 X\r\nRetry-After: %b\r\nContent-Length: 0\r\n" % value)

    assert head.retry_after_s == seconds


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/2 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"hello\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 999 X\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\n content-length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nno field\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n",
        PLAIN + b"!",
        CHUNKED + b"!",
        CHUNKED.replace(b"hel\r\n", b"help!"),
        CHUNKED.replace(b"3\r\n", b"x\r\n"),
        CHUNKED.replace(b"3\r\n", b"3e9\r\n"),
        b"x" * HEAD_LIMIT_BYTES,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"1" * (HEAD_LIMIT_BYTES + 1),
    ],
)
def test_anything_else_is_refused(answer):
    with pytest.raises(MalformedError):
        read(answer)


def test_two_equal_lengths_are_one():
    text = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nContent-Length: 5\r\n"

    assert parse_head(text).length == 5
