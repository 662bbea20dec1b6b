"""The asyncio client: what is its own. What both faces promise is in tests/contract."""

import asyncio
import contextlib

import pytest

from qed.client.async_client import AsyncClient
from qed.client.config import ClientConfig
from scripted_server import answer, hang, scripted


def config(server, **fields):
    looks = {"enable_topology_discovery": False, "enable_health_checks": False}
    return ClientConfig(endpoints=[server.endpoint], **(looks | fields))


def test_a_client_is_shared_by_tasks():
    said = [answer(200, b'{"node_id":"a"}', connection="close")] * 8

    async def ask_all(server):
        async with AsyncClient(config(server)) as client:
            return await asyncio.gather(*(client.info() for _ in said))

    with scripted(*said) as server:
        assert asyncio.run(ask_all(server)) == [{"node_id": "a"}] * 8


def test_a_pause_does_not_hold_up_the_loop():
    paused = []

    async def pause(duration_s):
        paused.append(duration_s)

    async def ask(server):
        async with AsyncClient(config(server, max_retries=1)) as client:
            return await client.info()

    busy = answer(503, retry_after="3", connection="close")
    good = answer(200, b"{}", connection="close")
    with scripted(busy, good) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr("qed.client.async_client.asyncio.sleep", pause)
        assert asyncio.run(ask(server)) == {}
    assert paused == [3.0]


def test_a_call_can_be_cancelled():
    async def cancel(server):
        async with AsyncClient(config(server)) as client:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.info(), 0.2)

    with scripted(hang) as server:
        asyncio.run(cancel(server))


def test_without_settings_the_defaults_are_used_and_nothing_is_opened():
    async def look():
        async with AsyncClient() as client:
            assert client._config == ClientConfig()
            assert client._connections == {}

    asyncio.run(look())


def test_leaving_the_block_closes_connections_also_after_an_error():
    async def fail(server):
        client = AsyncClient(config(server))
        with contextlib.suppress(RuntimeError):
            async with client:
                await client.info()
                raise RuntimeError
        assert client._connections == {}

    with scripted(answer(200, b"{}")) as server:
        asyncio.run(fail(server))
