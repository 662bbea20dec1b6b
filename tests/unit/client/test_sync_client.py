"""The blocking client: what is its own. What both faces promise is in tests/contract."""

import contextlib
import threading

from qed.client.config import ClientConfig
from qed.client.sync_client import Client
from scripted_server import answer, scripted


def config(server, **fields):
    looks = {"enable_topology_discovery": False, "enable_health_checks": False}
    return ClientConfig(endpoints=[server.endpoint], **(looks | fields))


def test_a_client_is_shared_by_threads():
    said = [answer(200, b'{"node_id":"a"}', connection="close")] * 8
    heard = []
    with scripted(*said) as server, Client(config(server)) as client:
        threads = [threading.Thread(target=lambda: heard.append(client.info())) for _ in said]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert heard == [{"node_id": "a"}] * 8


def test_a_pause_lasts_as_long_as_the_server_asks(monkeypatch):
    paused = []
    monkeypatch.setattr("qed.client.sync_client.time.sleep", paused.append)
    busy = answer(503, retry_after="3", connection="close")
    good = answer(200, b"{}", connection="close")
    with scripted(busy, good) as server, Client(config(server, max_retries=1)) as client:
        assert client.info() == {}

    assert paused == [3.0]


def test_without_settings_the_defaults_are_used_and_nothing_is_opened():
    with Client() as client:
        assert client._config == ClientConfig()
        assert client._connections == {}


def test_leaving_the_block_closes_connections_also_after_an_error():
    with scripted(answer(200, b"{}")) as server:
        client = Client(config(server))
        with contextlib.suppress(RuntimeError), client:
            client.info()
            raise RuntimeError
        assert client._connections == {}
