"""Signatures on demand: those of the log's own server, verified, or none."""

import asyncio
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import structlog

from qed.signing.snapshot_signature import verify_snapshot_signature
from qed.snapshot_store import signatures
from qed.snapshot_store.app import StorePort
from qed.snapshot_store.signatures import Signatures
from qed.snapshot_store.store import Store
from qed.web.application import Application
from qed.web.limits import WebLimits
from qed.wire.batches import decode_signed_snapshot, encode_batch, encode_signed_snapshot
from serving import ask, serving
from signed_log import SignedLog

LOG = SignedLog(30)
OTHER = SignedLog(30, seed=b"another key")


@contextmanager
def log_server(answer):
    """A server whose `GET /snapshot?v=` is `answer(version)`; yields its address and the asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            version = int(self.path.removeprefix("/snapshot?v="))
            asked.append(version)
            body = answer(version)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def signed(log, version):
    return encode_signed_snapshot(LOG.snapshots[version], log.signature(version))


def find(endpoints, *versions):
    """Ask for the signatures of versions, one after the other, of one `Signatures`."""

    async def ask_all():
        found = Signatures(LOG.key, endpoints)
        try:
            return [await found.find(LOG.snapshots[version]) for version in versions]
        finally:
            found.close()

    return asyncio.run(ask_all())


def test_the_servers_signature_is_verified_and_kept():
    with log_server(lambda version: signed(LOG, version)) as (url, asked):
        assert find([url], 3, 3, 4) == [LOG.signature(3), LOG.signature(3), LOG.signature(4)]
    assert asked == [3, 4]


def test_only_so_many_are_kept(monkeypatch):
    monkeypatch.setattr(signatures, "KEPT", 2)
    with log_server(lambda version: signed(LOG, version)) as (url, asked):
        find([url], 1, 2, 1, 3, 1, 2)
    assert asked == [1, 2, 3, 2]


@pytest.mark.parametrize(
    "answer",
    [
        lambda version: signed(OTHER, version),
        lambda version: signed(LOG, version + 1),
        lambda _version: b"nonsense",
        lambda _version: b"x" * 100_000,
    ],
)
def test_a_lie_is_no_signature_and_is_said_once(answer):
    with log_server(answer) as (url, _), structlog.testing.capture_logs() as said:
        assert find([url], 3, 4) == [b"", b""]
    assert len([line for line in said if line["log_level"] == "warning"]) <= 1


def test_the_next_server_is_asked_where_the_first_one_lies_or_is_not_there():
    with (
        log_server(lambda version: signed(OTHER, version)) as (liar, _),
        log_server(lambda version: signed(LOG, version)) as (url, _),
    ):
        assert find(["http://127.0.0.1:9", liar, url], 3) == [LOG.signature(3)]


def test_a_slow_server_costs_a_reader_the_bound_and_no_more(monkeypatch):
    monkeypatch.setattr(signatures, "WAIT_S", 0.2)
    free = threading.Event()

    def answer(version):
        free.wait(20)
        return signed(LOG, version)

    with log_server(answer) as (url, _):
        assert find([url], 3) == [b""]
        free.set()


def test_nobody_is_asked_without_a_server_or_after_the_end():
    assert find([], 3) == [b""]


def test_a_store_serves_what_the_server_signs_on_demand(tmp_path):
    limits = WebLimits()
    with (
        log_server(lambda version: signed(LOG, version)) as (url, asked),
        Store.create(tmp_path / "store", LOG.key) as store,
    ):
        port = StorePort(store, limits, Signatures(LOG.key, [url]))
        with serving(Application(port.routes(), limits)) as server:
            assert ask(server.port, "POST", "/batch", encode_batch(LOG.batch(0, 9))).status == 200
            batch = LOG.batch(9, 12, 30, signed=True)
            assert ask(server.port, "POST", "/batch", encode_batch(batch)).status == 200
            batch = LOG.batch(12, 15, 30)
            assert ask(server.port, "POST", "/batch", encode_batch(batch)).status == 200
            bodies = {
                version: ask(server.port, "GET", f"/snapshot?v={version}").body
                for version in (4, 10, 13)
            }
            port.stop()
    snapshot, signature = decode_signed_snapshot(bodies[4])
    assert snapshot == LOG.snapshots[4]
    verify_snapshot_signature(LOG.key, LOG.leaf(4), signature)
    assert decode_signed_snapshot(bodies[10]) == (LOG.snapshots[10], LOG.signature(10))
    # Not under a checkpoint of which every leaf is here: nobody is asked.
    assert decode_signed_snapshot(bodies[13]) == (LOG.snapshots[13], b"")
    assert asked == [4]
