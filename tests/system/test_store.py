"""`qed store start` as it is installed: killed, lied to, and asked what it has."""

from __future__ import annotations

import http.client
import json
import random
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from process import Qed
from qed.signing.note import format_verifier_key
from qed.trees.snapshot_log import TILE_HASHES
from qed.trees.tiles import decode_bundle
from qed.wire.batches import Batch, decode_signed_snapshot, encode_batch
from qed.wire.bounds import BOUNDS
from signed_log import SignedLog
from store_process import StoreProcess

LOG = SignedLog(4000)
FORK = SignedLog(4000, branch=150)
KEY = format_verifier_key(LOG.key)


@pytest.fixture(name="store")
def a_store(qed: Qed, tmp_path: Path):
    with StoreProcess(qed, tmp_path / "store", ["--key", KEY]) as store:
        yield store


def post(store: StoreProcess, batch: Batch):
    return store.call("POST", "/batch", encode_batch(batch))


def expect_every_version_once(store: StoreProcess, size: int) -> None:
    assert store.count() == size
    for index in range(-(-size // TILE_HASHES)):
        width = min(TILE_HASHES, size - index * TILE_HASHES)
        part = "" if width == TILE_HASHES else f".p/{width}"
        answer = store.call("GET", f"/tile/entries/{index:03}{part}")
        first = index * TILE_HASHES
        leaves = [LOG.leaf(version) for version in range(first, first + width)]
        assert decode_bundle(answer.body, width, index=index) == leaves


def publish_until_killed(store: StoreProcess, rng: random.Random, acknowledged: list[int]) -> None:
    """Send what is missing, batch by batch, as the publisher does; end when nobody answers."""
    try:
        while (count := store.count()) < len(LOG.snapshots):
            stop = min(len(LOG.snapshots), count + rng.randint(1, 60))
            first = max(0, count - rng.randint(0, 3))
            answer = post(store, LOG.batch(first, stop))
            assert answer.status == 200, answer
            acknowledged.append(stop)
    except (OSError, http.client.HTTPException):
        return


@pytest.mark.slow
def test_killed_while_batches_come_in_it_has_every_version_exactly_once(
    store: StoreProcess, pytestconfig: pytest.Config
) -> None:
    rng = random.Random(pytestconfig.getoption("randomly_seed", 0))  # noqa: S311 - no secret
    acknowledged = [0]
    for _ in range(6):
        wanted = len(acknowledged) + rng.randint(1, 20)
        thread = threading.Thread(target=publish_until_killed, args=(store, rng, acknowledged))
        thread.start()
        pause = threading.Event()
        while len(acknowledged) < wanted and thread.is_alive():
            pause.wait(0.001)
        store.kill()
        thread.join(60)
        store.start()
        assert store.count() >= acknowledged[-1]
    publish_until_killed(store, rng, acknowledged)
    expect_every_version_once(store, len(LOG.snapshots))
    assert store.call("GET", "/checkpoint").body == LOG.note(len(LOG.snapshots))
    assert json.loads(store.call("GET", "/alert").body) == []
    store.stop()
    checked = json.loads(store.qed.ok("store", "check", str(store.db), "--json"))
    assert (checked["Snapshots"], checked["Published"]) == (4000, 4000)
    assert checked["Root"] == LOG.root(4000).hex()


GOOD = encode_batch(LOG.batch(100, 120))
FORKED = [*LOG.snapshots[100:119], replace(LOG.snapshots[119], event_digest=bytes(32))]
BAD = {
    "empty": (b"", 400),
    "not json": (b"{", 400),
    "no snapshots": (b'{"Snapshots":[]}', 400),
    "truncated": (GOOD[:-20], 400),
    "truncated in the list": (GOOD[:700], 400),
    "trailing": (GOOD + b" x", 400),
    "a name twice": (GOOD[:-1] + b',"Consistency":[]}', 400),
    "plus five": (GOOD.replace(b'"Version":105', b'"Version":+5'), 400),
    "leading zero": (GOOD.replace(b'"Version":105', b'"Version":0105'), 400),
    "loose base64": (GOOD.replace(b'=","HistoryDigest', b'F","HistoryDigest', 1), 400),
    "out of order": (
        encode_batch(replace(LOG.batch(100, 120), snapshots=LOG.snapshots[119:99:-1])),
        400,
    ),
    "a version twice": (
        encode_batch(replace(LOG.batch(100, 102), snapshots=[LOG.snapshots[100]] * 2)),
        400,
    ),
    "not utf-8": (GOOD.replace(b"a.test", b"\xff.test"), 400),
    "unsigned": (encode_batch(Batch(LOG.snapshots[100:120], [b""] * 20)), 422),
    "no note": (encode_batch(replace(LOG.batch(100, 120), checkpoint=b"hello")), 422),
    "size plus five": (
        encode_batch(
            replace(LOG.batch(100, 120), checkpoint=LOG.note(120).replace(b"\n120\n", b"\n+120\n"))
        ),
        422,
    ),
    "signed by another key": (encode_batch(SignedLog(120, seed=b"x").batch(100, 120)), 422),
    "of another log": (encode_batch(SignedLog(120, origin="b.test").batch(100, 120)), 422),
    "a changed digest": (
        encode_batch(replace(LOG.batch(100, 120), snapshots=FORKED)),
        422,
    ),
    "a gap": (encode_batch(LOG.batch(101, 120)), 409),
    "too many": (
        encode_batch(Batch([LOG.snapshots[0]] * (BOUNDS.batch_snapshots + 1), [b""] * 65_537)),
        413,
    ),
    "huge": (b" " * (33 * 2**20), 413),
    "deep": (b"[" * 100_000, 400),
    "millions of values": (b'{"Snapshots":[' + b"0," * 3_000_000 + b"0]}", 400),
}


def test_bad_input_gets_a_clear_answer_and_nothing_is_lost(store: StoreProcess) -> None:
    assert post(store, LOG.batch(0, 100)).status == 200
    for name, (body, status) in BAD.items():
        answer = store.call("POST", "/batch", body)
        assert (name, answer.status) == (name, status), answer.body
        assert answer.body.endswith(b"\n")
        assert len(answer.body) > 10
    for path, status in (
        ("/snapshot", 400),
        ("/snapshot?v=", 400),
        ("/snapshot?v=%2B5", 400),
        ("/snapshot?v=05", 400),
        ("/snapshot?v=1&v=2", 400),
        ("/snapshot?v=18446744073709551616", 400),
        ("/snapshot?v=100", 404),
        ("/tile/0/000.p/101", 404),
        ("/tile/0/0", 404),
        ("/tile/64/000", 404),
        ("/evidence/../../etc/passwd", 404),
        ("/evidence/", 404),
        ("/nothing", 404),
    ):
        assert (path, store.call("GET", path).status) == (path, status)
    for body, status in ((b"", 400), (b"\xff", 400), (b" ", 400), (b"x" * 4097, 413)):
        assert store.call("POST", "/alert", body).status == status
    expect_every_version_once(store, 100)
    assert json.loads(store.call("GET", "/alert").body) == []
    assert json.loads(store.call("GET", "/evidence").body) == []
    assert post(store, LOG.batch(100, 120)).status == 200


def test_a_repeated_batch_is_200_and_changes_nothing(store: StoreProcess) -> None:
    for _ in range(2):
        answer = post(store, LOG.batch(0, 300, signed=True))
        assert (answer.status, answer.document()["Count"]) == (200, 300)
    assert post(store, Batch(LOG.snapshots[:10], [b""] * 10)).status == 200
    body = store.call("GET", "/snapshot?v=7").body
    assert decode_signed_snapshot(body) == (LOG.snapshots[7], LOG.signature(7))


def test_two_histories_leave_an_alert_and_evidence_that_outlive_a_kill(
    store: StoreProcess, tmp_path: Path
) -> None:
    assert post(store, LOG.batch(0, 300)).status == 200
    assert store.call("POST", "/alert", b"somebody says so").status == 200
    assert post(store, FORK.batch(0, 400)).status == 409
    store.kill()
    store.start()
    own, posted = sorted(json.loads(store.call("GET", "/alert").body))
    assert "signed two histories" in own
    assert posted == "somebody says so"
    (name,) = json.loads(store.call("GET", "/evidence").body)
    evidence = tmp_path / "found.json"
    evidence.write_bytes(store.call("GET", f"/evidence/{name}").body)
    verdict = store.qed.run("verify", str(evidence), "--key", KEY)
    assert verdict.code == 31, verdict
    expect_every_version_once(store, 300)
    store.stop()
    out = tmp_path / "evidence"
    listed = store.qed.ok("store", "alerts", "--db-path", str(store.db), "--evidence-dir", str(out))
    assert "posted: somebody says so" in listed
    (file,) = out.iterdir()
    assert file.read_bytes() == evidence.read_bytes()
    report = store.qed.ok("store", "check", "--db-path", str(store.db))
    assert "Conflicts: 1" in report


def test_damage_is_not_served(store: StoreProcess) -> None:
    post(store, LOG.batch(0, 3000))
    store.stop()
    tables = [path for path in store.db.iterdir() if path.suffix in {".log", ".sst"}]
    largest = max(tables, key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.write_bytes(data)
    process = store.spawn()
    assert process.wait(60) == 41
    assert store.ended() == 41


def test_a_new_store_needs_a_key_and_keeps_to_it(qed: Qed, store: StoreProcess) -> None:
    without = qed.run("store", "start", "--db-path", str(store.db.with_name("other")))
    assert without.code == 11
    assert "--key" in without.err
    busy = qed.run(
        "store",
        "start",
        "--db-path",
        str(store.db),
        "--http-addr=127.0.0.1:0",
        "--metrics-addr=127.0.0.1:0",
    )
    assert busy.code == 22, busy
    store.stop()
    other = format_verifier_key(SignedLog(1, seed=b"x").key)
    refused = qed.run(
        "store",
        "start",
        "--db-path",
        str(store.db),
        "--key",
        other,
        "--http-addr=127.0.0.1:0",
        "--metrics-addr=127.0.0.1:0",
    )
    assert refused.code == 14, refused
    assert "is of the log with the key" in refused.err
