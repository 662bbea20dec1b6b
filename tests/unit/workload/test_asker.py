"""One question at a time."""

import asyncio

import pytest

from answering_log import Hangup, answering_log
from qed.errors import BusyError, NotProvenError, UnreachableError, VerificationError
from qed.trees.values import NO_VERSION
from qed.workload import questions
from qed.workload.asker import Asker
from qed.workload.connection import read_target
from scripted_server import answer, hang, scripted


def asking(endpoint, *things, timeout_s=20.0):
    async def run():
        async with Asker(read_target(endpoint, insecure=False), timeout_s) as asker:
            return [await thing(asker) for thing in things]

    return asyncio.run(run())


def current(asker):
    return asker.current_version()


def test_how_long_the_log_is():
    with answering_log() as server:
        assert asking(server.endpoint, current) == [NO_VERSION]
        server.fill(3)
        assert asking(server.endpoint, current, current) == [2, 2]


def test_a_refusal_has_the_servers_sentence():
    with answering_log() as server, pytest.raises(NotProvenError, match="invalid range"):
        asking(server.endpoint, lambda asker: asker.ask(questions.ask_incremental(0, 9)))


def test_a_busy_server_is_said():
    with scripted(answer(429, b"later\n")) as server, pytest.raises(BusyError, match="later"):
        asking(server.endpoint, current)


def test_another_server_is_said():
    with scripted(answer(200, b"<html>")) as server, pytest.raises(VerificationError) as caught:
        asking(server.endpoint, current)
    assert "data port" in caught.value.hint


def test_no_answer_in_time_is_said():
    with scripted(hang) as server, pytest.raises(UnreachableError, match="no answer within"):
        asking(server.endpoint, current, timeout_s=0.05)


def test_a_lost_connection_is_said_and_the_next_question_opens_another():
    def hang_up_once(said):
        if said.number == 0:
            raise Hangup

    async def twice(asker):
        with pytest.raises(UnreachableError, match="closed"):
            await asker.current_version()
        return await asker.current_version()

    with answering_log(hang_up_once) as server:
        assert asking(server.endpoint, twice) == [NO_VERSION]


def test_a_connection_that_ends_with_its_answer_is_not_used_again():
    def close(said):
        said.headers["Connection"] = "close"

    with answering_log(close) as server:
        assert asking(server.endpoint, current, current) == [NO_VERSION] * 2
