"""Connections that come and go."""

import asyncio

import pytest

from answering_log import answering_log
from qed.errors import UnreachableError
from qed.workload import pool as module
from qed.workload.connection import read_target
from qed.workload.pool import Pool
from qed.workload.tally import Errors


class Holder:
    """Takes what it is told, and says whether it needs connections."""

    def __init__(self):
        self.needed = True
        self.told = asyncio.Queue()

    def answered(self, connection, response):
        raise AssertionError((connection, response))

    def lost(self, connection, reason):
        self.told.put_nowait((connection, reason))

    def opened(self, connection):
        self.told.put_nowait(connection)

    def given_up(self, error):
        self.told.put_nowait(error)

    def needs_connections(self):
        return self.needed


def pooled(test, *endpoints, count=2):
    async def run():
        holder, errors = Holder(), Errors()
        pool = Pool(holder, errors, 20.0)
        await pool.open_all([read_target(each, insecure=False) for each in endpoints], count)
        try:
            async with asyncio.timeout(20.0):
                await test(pool, holder, errors)
        finally:
            pool.close()

    asyncio.run(run())


def gone():
    with answering_log() as server:
        return server.endpoint


def test_connections_are_shared_out_over_the_targets():
    async def test(pool, _holder, _errors):
        places = [connection.target.endpoint for connection in pool.connections]
        assert places == [one.endpoint, two.endpoint] * 2

    with answering_log() as one, answering_log() as two:
        pooled(test, one.endpoint, two.endpoint, count=4)


def test_a_connection_is_replaced_while_it_is_needed():
    async def test(pool, holder, _errors):
        first = pool.connections[0]
        pool.replace(first)
        assert (pool.opening, first in pool.connections) == (1, False)
        opened = await holder.told.get()
        assert (pool.opening, opened in pool.connections) == (0, True)

        holder.needed = False
        for connection in list(pool.connections):
            pool.replace(connection)
        assert pool.empty

    with answering_log() as server:
        pooled(test, server.endpoint)


def test_it_can_be_opened_later():
    async def test(pool, holder, _errors):
        pool.replace(pool.connections[0], after_s=1000.0)
        pool.replace(pool.connections[0], after_s=0.001)
        await holder.told.get()
        assert (len(pool.connections), pool.opening) == (1, 1)

    with answering_log() as server:
        pooled(test, server.endpoint)


def test_some_that_cannot_be_opened_are_counted():
    async def test(pool, _holder, errors):
        assert len(pool.connections) == 1
        assert errors.counts == {"cannot connect": 1}

    with answering_log() as server:
        pooled(test, server.endpoint, gone())


def test_none_at_all_is_an_error():
    with pytest.raises(UnreachableError, match="cannot connect"):
        pooled(None, gone())


def test_a_place_is_given_up_after_a_while(monkeypatch):
    monkeypatch.setattr(module, "RECONNECT_S", 0.0)

    async def test(pool, holder, errors):
        pool.connections[0].target = read_target(gone(), insecure=False)
        pool.replace(pool.connections[0])
        assert isinstance(await holder.told.get(), UnreachableError)
        assert pool.empty
        assert errors.counts == {"cannot connect": 1}

    with answering_log() as server:
        pooled(test, server.endpoint, count=1)


def test_what_comes_back_is_used_again(monkeypatch):
    monkeypatch.setattr(module, "_PAUSE_S", 0.0)

    async def test(pool, holder, _errors):
        real, missing = pool.connections[0].target, read_target(gone(), insecure=False)
        tries = []

        async def open_later(owner, target, timeout_s):
            tries.append(target)
            return await opening(owner, real if len(tries) > 3 else missing, timeout_s)

        opening = module.open_connection
        monkeypatch.setattr(module, "open_connection", open_later)
        pool.replace(pool.connections[0])
        await holder.told.get()
        assert len(tries) == 4
        assert len(pool.connections) == 2

    with answering_log() as server:
        pooled(test, server.endpoint)
