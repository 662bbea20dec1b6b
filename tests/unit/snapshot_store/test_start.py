"""A store from its start to its stop."""

import contextlib
import json
import threading
from dataclasses import dataclass, field

import pytest

from qed.database import Database
from qed.errors import (
    ConflictError,
    LockedError,
    MalformedError,
    StorageError,
    UnreachableError,
    VerificationError,
)
from qed.signing.note import format_verifier_key
from qed.snapshot_store import start
from qed.snapshot_store.start import StoreConfig, serve
from qed.snapshot_store.store import Store
from qed.web import process
from qed.web.application import Application, Route
from qed.web.limits import WebLimits
from qed.web.messages import JSON, Answer
from qed.web.stop import Stop
from qed.wire.batches import encode_batch
from qed.wire.topology import encode_info
from serving import DEADLINE_S, Wire, ask, eventually, serving
from signed_log import SignedLog

LOG = SignedLog(100)
KEY = format_verifier_key(LOG.key)


@dataclass
class Running:
    places: object = None
    said: list[str] = field(default_factory=list)
    stop: Stop = field(default_factory=Stop)
    outcome: list[object] = field(default_factory=list)
    thread: threading.Thread = None

    def ask(self, method, path, body=b""):
        return ask(self.places.store.port, method, path, body)

    def join(self):
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive()
        return self.outcome[0]


def config(path, **fields):
    return StoreConfig(path, http_addr="127.0.0.1:0", metrics_addr="127.0.0.1:0", **fields)


@contextlib.contextmanager
def running(settings):
    found, ready = Running(), threading.Event()

    def on_ready(places):
        found.places = places
        ready.set()

    def target():
        try:
            serve(settings, announce=found.said.append, stop=found.stop, on_ready=on_ready)
            found.outcome.append(None)
        except BaseException as error:  # noqa: BLE001 - shown by the test that asks for it
            found.outcome.append(error)
        finally:
            ready.set()

    found.thread = threading.Thread(target=target)
    found.thread.start()
    try:
        assert ready.wait(DEADLINE_S)
        assert not found.outcome, found.outcome
        yield found
    finally:
        found.stop.request()
        found.join()


def refusal(settings, kind):
    with pytest.raises(kind) as caught:
        serve(settings, announce=lambda _line: None)
    return caught.value


@contextlib.contextmanager
def log_server(info):
    async def answer(_request):
        return Answer(200, encode_info(info), JSON)

    application = Application([Route("GET", "/info", answer)], WebLimits())
    with serving(application) as server:
        yield f"http://127.0.0.1:{server.port}"


def test_a_first_start_makes_a_store_and_a_second_opens_it(tmp_path):
    path = tmp_path / "deep" / "store"
    with running(config(path, key=LOG.key)) as store:
        assert any(f"created a new, empty snapshot store of the log {KEY}" in s for s in store.said)
        assert store.ask("POST", "/batch", encode_batch(LOG.batch(0, 50))).status == 200
        assert ask(store.places.metrics.port, "GET", "/metrics").status == 200
    assert store.said[-2:] == ["stopping: answering what is in flight", "stopped"]
    with running(config(path)) as store:
        assert any("opened the snapshot store" in s and "50 snapshots" in s for s in store.said)
        assert store.places.key == LOG.key
        assert store.ask("GET", "/count").body == b"50"


def test_without_any_key_a_new_store_is_refused(tmp_path):
    assert "--key" in refusal(config(tmp_path / "store"), MalformedError).hint


def test_the_key_of_a_server_is_trusted_on_first_use_and_then_for_ever(tmp_path):
    path = tmp_path / "store"
    with (
        log_server({"verifier_key": KEY}) as url,
        running(config(path, qed_endpoints=(url,))) as store,
    ):
        assert any(f"trusting the key {KEY} on first use" in line for line in store.said)
    other = format_verifier_key(SignedLog(1, seed=b"x").key)
    with (
        log_server({"verifier_key": other}) as url,
        running(config(path, qed_endpoints=(url,))) as store,
    ):
        assert store.places.key == LOG.key
        assert not any("trusting" in line for line in store.said)


def test_servers_must_say_one_key(tmp_path):
    other = format_verifier_key(SignedLog(1, seed=b"x").key)
    with log_server({"verifier_key": KEY}) as one, log_server({"verifier_key": other}) as two:
        error = refusal(config(tmp_path / "s", qed_endpoints=(one, two)), ConflictError)
    assert "different keys" in error.message
    with log_server({"origin": "x"}) as none:
        refusal(config(tmp_path / "s", qed_endpoints=(none,)), VerificationError)
    with log_server({"verifier_key": "nonsense"}) as liar:
        refusal(config(tmp_path / "s", qed_endpoints=(liar,)), VerificationError)


def test_a_server_that_is_not_there_yet_is_waited_for(tmp_path, monkeypatch):
    asked = []

    def ask_server(endpoint, _config):
        asked.append(endpoint)
        if len(asked) < 3:
            raise UnreachableError("nobody there")
        return LOG.key

    monkeypatch.setattr(start, "_ask_server", ask_server)
    monkeypatch.setattr(start, "_ASK_EVERY_S", 0)
    with running(config(tmp_path / "s", qed_endpoints=("http://a.test",))) as store:
        assert store.places.key == LOG.key
    monkeypatch.setattr(start, "FIRST_USE_S", 0)
    asked.clear()
    refusal(config(tmp_path / "t", qed_endpoints=("http://a.test",)), UnreachableError)


def test_a_stop_while_the_server_is_waited_for_ends_it(tmp_path, monkeypatch):
    stop, said = Stop(), []

    def ask_server(_endpoint, _config):
        stop.request()
        raise UnreachableError("nobody there")

    monkeypatch.setattr(start, "_ask_server", ask_server)
    serve(config(tmp_path / "s", qed_endpoints=("u",)), announce=said.append, stop=stop)
    assert said[-1] == "stopped before the log's key was known"


def test_another_key_a_running_store_and_a_taken_port_are_refused(tmp_path):
    path = tmp_path / "store"
    with running(config(path, key=LOG.key)) as store:
        refusal(config(path, key=LOG.key), LockedError)
        taken = StoreConfig(tmp_path / "t", http_addr=str(store.places.store), key=LOG.key)
        assert "--http-addr" in refusal(taken, ConflictError).hint
        assert not (tmp_path / "t").exists()
    refusal(config(path, key=SignedLog(1, seed=b"x").key), ConflictError)


def test_a_stop_answers_what_is_in_flight_and_lets_waiters_go(tmp_path):
    with running(config(tmp_path / "s", key=LOG.key)) as store:
        with Wire(store.places.store.port) as wire:
            wire.send(b"GET /checkpoint?after=0&wait=60s HTTP/1.1\r\nHost: t\r\n\r\n")
            metrics = store.places.metrics.port
            eventually(
                lambda: b"qed_store_waiters 1.0" in ask(metrics, "GET", "/metrics").body,
                "a reader waits",
            )
            store.stop.request()
            assert wire.read().status == 404
        assert store.join() is None


def test_a_disk_that_fails_is_the_end_with_its_error(tmp_path, monkeypatch):
    def fail(_self, _puts):
        raise StorageError("the disk is gone")

    with running(config(tmp_path / "s", key=LOG.key)) as store:
        monkeypatch.setattr(Database, "commit", fail)
        assert store.ask("POST", "/batch", encode_batch(LOG.batch(0, 5))).status == 500
        assert isinstance(store.join(), StorageError)
        store.outcome.insert(0, None)
    with Store.open(tmp_path / "s") as opened:
        assert opened.count == 0


def test_how_far_the_opening_is_is_said_and_may_be_stopped(tmp_path, monkeypatch):
    with Store.create(tmp_path / "s", LOG.key) as store:
        store.accept(LOG.batch(0, 100))
    monkeypatch.setattr(process, "PROGRESS_EVERY_S", 0)
    with running(config(tmp_path / "s")) as served:
        assert "opening the store: 100 of 100 snapshots recomputed" in served.said
    stop, said = Stop(), []
    stop.request()
    serve(config(tmp_path / "s"), announce=said.append, stop=stop)
    assert said[-1] == "stopped before the store was open: nothing was served"


def test_the_document_of_info_is_read(tmp_path):
    with running(config(tmp_path / "s", key=LOG.key)) as store:
        assert json.loads(store.ask("GET", "/info").body)["origin"] == LOG.key.name
