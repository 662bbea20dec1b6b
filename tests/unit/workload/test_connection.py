"""One connection: what travels, and what becomes of it when the other side does not play along."""

import asyncio

import pytest

from answering_log import Hangup, answering_log
from qed.errors import UnreachableError
from qed.workload import questions
from qed.workload.connection import open_connection, read_target
from scripted_server import answer, scripted

DEADLINE_S = 20.0


class Told:
    """An owner that keeps the first thing that it is told."""

    def __init__(self):
        self.first = asyncio.get_running_loop().create_future()
        self.lost_count = 0

    def answered(self, connection, response):
        connection.question = None
        self.first.set_result(response)

    def lost(self, connection, reason):
        del connection
        self.lost_count += 1
        if not self.first.done():
            self.first.set_result(reason)


async def exchange(endpoint, question):
    owner = Told()
    connection = await open_connection(owner, read_target(endpoint, insecure=False), DEADLINE_S)
    connection.ask(question, 3, 1.0, 2.0)
    assert (connection.floor, connection.due_s, connection.sent_s) == (3, 1.0, 2.0)
    async with asyncio.timeout(DEADLINE_S):
        told = await owner.first
    connection.close()
    return told


def ask(endpoint, question):
    return asyncio.run(exchange(endpoint, question))


def test_a_question_and_its_answer():
    with answering_log() as server:
        head, body = ask(server.endpoint, questions.ask_add(b"event ", 0))

    assert head.status == 201
    assert body.startswith(b'{"EventDigest":')


def test_what_travels():
    with scripted(answer(201)) as server:
        ask(server.endpoint + "/below", questions.ask_digests(b"event ", 0, 2))

    head, body = server.heard[0]
    lines = head.split("\r\n")
    assert lines[0] == "POST /below/events/digests HTTP/1.1"
    assert f"Host: 127.0.0.1:{server.port}" in lines
    assert "Content-Type: application/octet-stream" in lines
    assert len(body) == 64


def test_a_chunked_answer_is_one_too():
    def chunk(said):
        said.chunked = True

    with answering_log(chunk) as server:
        _, body = ask(server.endpoint, questions.ask_add(b"event ", 0))

    assert body.endswith(b'"Version":0}')


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"hello\r\n\r\n", "not understood"),
        (answer(200) + answer(200), "more came than"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", "the server closed the connection"),
        (b"", "the server closed the connection"),
    ],
)
def test_no_answer_is_said(said, reason):
    with scripted(said) as server:
        assert reason in ask(server.endpoint, questions.ask_add(b"event ", 0))


@pytest.mark.parametrize(
    ("question", "limit_bytes"),
    [
        (questions.ask_add(b"event ", 0), 68 * 1024),
        (questions.ask_digest(bytes(32)), 2**20),
        (questions.ask_incremental(0, 1), 2**20),
        (questions.ask_bulk(b"event ", 0, 1), 64 * 2**20),
    ],
)
def test_an_answer_has_a_bound_of_its_kind(question, limit_bytes):
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n"
    with scripted(head % (limit_bytes + 1), head % limit_bytes) as server:
        assert f"larger than {limit_bytes} bytes" in ask(server.endpoint, question)
        assert "closed the connection" in ask(server.endpoint, question)


def test_an_answer_to_nothing_ends_the_connection():
    def speak_first(connection, _server):
        connection.sendall(answer(200))

    async def run(endpoint):
        owner = Told()
        target = read_target(endpoint, insecure=False)
        connection = await open_connection(owner, target, DEADLINE_S)
        connection.ask(questions.ask_add(b"event ", 0), 0, 0.0, 0.0)
        connection.question = None  # as if nothing had been asked
        async with asyncio.timeout(DEADLINE_S):
            return await owner.first

    with scripted(speak_first) as server:
        assert asyncio.run(run(server.endpoint)) == "an answer came to no request"


def test_a_hangup_is_told_once_and_a_close_of_ours_never():
    def hang_up(_said):
        raise Hangup

    async def run(endpoint):
        owner = Told()
        target = read_target(endpoint, insecure=False)
        connection = await open_connection(owner, target, DEADLINE_S)
        connection.ask(questions.ask_add(b"event ", 0), 0, 0.0, 0.0)
        async with asyncio.timeout(DEADLINE_S):
            await owner.first
        connection.close()
        connection.give_up("again")
        other = await open_connection(owner, target, DEADLINE_S)
        other.close()
        await asyncio.sleep(0)
        return owner.lost_count

    with answering_log(hang_up) as server:
        assert asyncio.run(run(server.endpoint)) == 1


def test_where_nobody_listens_is_said():
    with answering_log() as server:
        endpoint = server.endpoint

    with pytest.raises(UnreachableError, match="cannot connect to http://127"):
        ask(endpoint, questions.ask_add(b"event ", 0))


@pytest.mark.parametrize(
    ("endpoint", "place"),
    [
        ("http://a", ("a", 80)),
        ("https://a/x", ("a", 443)),
        ("http://[::1]:5", ("::1", 5)),
    ],
)
def test_targets(endpoint, place):
    target = read_target(endpoint, insecure=False)

    assert (target.host, target.port) == place
    assert (target.tls is not None) == endpoint.startswith("https")
