"""The store's port over a real connection."""

import json
import threading

import pytest

from qed.database import Database
from qed.errors import StorageError
from qed.signing.note import format_verifier_key
from qed.snapshot_store import app
from qed.snapshot_store.app import StorePort
from qed.snapshot_store.store import Store
from qed.web.application import Application
from qed.web.limits import WebLimits
from qed.wire.batches import Batch, encode_batch, encode_signed_snapshot
from serving import Wire, ask, eventually, serving
from signed_log import SignedLog

LOG = SignedLog(600)
FORK = SignedLog(600, branch=100)


class Running:
    def __init__(self, port, server):
        self.counts, self.tiles, self.store_port = port.counts, port.tiles, port
        self.server = server

    def ask(self, method, path, body=b""):
        return ask(self.server.port, method, path, body)

    def post(self, batch):
        return self.ask("POST", "/batch", encode_batch(batch))


@pytest.fixture
def store(tmp_path):
    with Store.create(tmp_path / "store", LOG.key, max_alerts=3) as found:
        yield found


@pytest.fixture
def running(store):
    limits = WebLimits()
    port = StorePort(store, limits)
    fatal = []
    with serving(Application(port.routes(), limits, fatal.append)) as server:
        found = Running(port, server)
        found.fatal = fatal
        yield found
        port.stop()


def test_an_empty_store_says_so(running):
    assert running.ask("HEAD", "/healthcheck").status == 204
    assert running.ask("GET", "/count").body == b"0"
    assert running.ask("GET", "/alert").body == b"[]"
    assert running.ask("GET", "/evidence").body == b"[]"
    assert running.ask("GET", "/checkpoint").status == 404
    missing = running.ask("GET", "/snapshot?v=0")
    assert (missing.status, missing.body) == (404, b"Version not found: 0\n")


def test_a_batch_is_answered_when_it_is_there(running):
    answer = running.post(LOG.batch(0, 300, signed=True))
    assert (answer.status, json.loads(answer.body)) == (
        200,
        {"Count": 300, "Added": 300, "Published": 300},
    )
    assert running.ask("GET", "/count").body == b"300"
    assert running.ask("GET", "/checkpoint").body == LOG.note(300)
    served = running.ask("GET", "/snapshot?v=299")
    assert served.body == encode_signed_snapshot(LOG.snapshots[299], LOG.signature(299))
    assert running.ask("GET", "/tile/0/000").body == b"".join(LOG.hashes[0][:256])
    assert running.ask("GET", "/tile/1/000.p/1").body == LOG.hashes[8][0]
    assert running.post(LOG.batch(0, 300)).status == 200
    counts = running.counts
    assert (counts.batches_new, counts.batches_known, counts.snapshots_added) == (1, 1, 300)


def test_leaves_beyond_the_checkpoint_are_no_tiles_yet(running):
    running.post(LOG.batch(0, 300))
    running.post(LOG.batch(300, 400, 600))
    assert running.ask("GET", "/tile/entries/001.p/144").status == 404
    assert running.ask("GET", "/tile/entries/001.p/44").status == 200
    assert running.ask("GET", "/snapshot?v=399").status == 200
    assert running.ask("GET", "/checkpoint").body == LOG.note(300)


def test_who_waits_for_news_is_told_at_once(running):
    with Wire(running.server.port) as wire:
        wire.send(b"GET /checkpoint?after=0&wait=60s HTTP/1.1\r\nHost: test\r\n\r\n")
        eventually(lambda: running.tiles.waiters == 1, "a reader waits")
        running.post(LOG.batch(0, 10))
        assert wire.read().body == LOG.note(10)


def test_refusals_are_told_apart_and_counted(running):
    running.post(LOG.batch(0, 10))
    gap = running.post(LOG.batch(12, 20))
    assert (gap.status, gap.body.startswith(b"the store has 10 snapshots")) == (409, True)
    assert running.post(Batch(LOG.snapshots[:20], [b""] * 20)).status == 422
    assert running.ask("POST", "/batch", b"{}").status == 400
    running.post(LOG.batch(10, 300))
    assert running.post(FORK.batch(0, 300)).status == 409
    assert (running.counts.batches_refused, running.counts.batches_in_conflict) == (3, 1)
    (name,) = json.loads(running.ask("GET", "/evidence").body)
    file = json.loads(running.ask("GET", f"/evidence/{name}").body)
    assert file["Kind"] == "equivocation"
    assert running.ask("GET", "/evidence/none").status == 404
    (alert,) = json.loads(running.ask("GET", "/alert").body)
    assert name in alert


def test_alerts_are_kept_up_to_the_bound(running):
    for text in (b"one", b"two", b"three"):
        answer = running.ask("POST", "/alert", text)
        assert (answer.status, answer.body) == (200, b"")
    full = running.ask("POST", "/alert", b"four")
    assert (full.status, "retry-after" in full.headers) == (503, True)
    assert running.ask("POST", "/alert").status == 400
    assert json.loads(running.ask("GET", "/alert").body) == ["one", "two", "three"]
    assert running.counts.alerts_refused == 1


@pytest.mark.parametrize("query", ["", "?v=", "?v=%2B5", "?v=05", "?v=-1", "?v=1&v=1", "?w=1"])
def test_a_version_is_written_as_we_write_it(running, query):
    assert running.ask("GET", f"/snapshot{query}").status == 400


def test_info_names_the_log(running):
    info = json.loads(running.ask("GET", "/info").body)
    assert info["verifier_key"] == format_verifier_key(LOG.key)


def test_too_many_batches_at_once_are_503_and_so_are_those_at_a_stop(running, store, monkeypatch):
    monkeypatch.setattr(app, "WAITING", 1)
    began, go_on = threading.Event(), threading.Event()

    def slow(_batch):
        began.set()
        go_on.wait(20)
        raise StorageError("no")

    monkeypatch.setattr(store, "accept", slow)
    with Wire(running.server.port) as wire:
        body = encode_batch(LOG.batch(0, 10))
        wire.send(b"POST /batch HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % len(body))
        wire.send(body)
        assert began.wait(20)
        assert running.post(LOG.batch(0, 10)).status == 503
        go_on.set()
        assert wire.read().status == 500
    running.store_port.stop()
    assert running.post(LOG.batch(0, 10)).status == 503


def test_a_disk_that_fails_ends_the_process(running, monkeypatch):
    def fail(_self, _puts):
        raise StorageError("the disk is gone")

    monkeypatch.setattr(Database, "commit", fail)
    assert running.post(LOG.batch(0, 10)).status == 500
    assert [error.message for error in running.fatal] == ["the disk is gone"]
    assert running.ask("HEAD", "/healthcheck").status == 500
