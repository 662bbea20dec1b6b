"""kill -9 right after an acknowledgement: the next start publishes it, and contradicts nothing."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest

from naive_log import NaiveLog, hash_leaf
from process import Qed, Server
from qed import wire
from qed.signing.checkpoint import Checkpoint, open_checkpoint
from qed.signing.note import VerifierKey, parse_verifier_key
from qed.trees.tiles import decode_bundle

pytestmark = pytest.mark.slow

ROUNDS = 8


def checkpoint(server: Server, key: VerifierKey) -> Checkpoint:
    return open_checkpoint(server.call("GET", "/checkpoint").body, key)


def told_key(server: Server) -> VerifierKey:
    return parse_verifier_key(json.loads(server.call("GET", "/info").body)["verifier_key"])


def root(server: Server, size: int) -> bytes:
    """The root of the first leaves that are published, by its definition."""
    log = NaiveLog(0)
    path = f"/tile/entries/000.p/{size}"
    bundle = decode_bundle(server.call("GET", path).body, size, index=0)
    log.hashes = [hash_leaf(leaf) for leaf in bundle]
    return log.root(0, size)


@pytest.mark.parametrize("interval", ["0s", "100ms", "1h"])
def test_what_was_acknowledged_before_a_kill_is_published_by_the_next_start(
    qed: Qed, interval: str
) -> None:
    server = Server(qed, qed.home / "db", [f"--checkpoint-interval={interval}"])
    server.start()
    try:
        key, added = told_key(server), 0
        for round_ in range(ROUNDS):
            seen = checkpoint(server, key)
            for number in range(round_ + 1):
                digest = sha256(b"%d %d" % (round_, number)).digest()
                answer = server.call("POST", "/events/digests", digest)
                assert answer.status == 201
                version, _, _ = wire.decode_added(answer.body)
                assert version == added
                added += 1
            seen = max(seen, checkpoint(server, key), key=lambda one: one.size)
            server.kill()

            server.start()
            assert told_key(server) == key
            now = checkpoint(server, key)
            assert now.size == added
            assert now.root == root(server, added)
            if seen.size:
                assert seen.root == root(server, seen.size)
    finally:
        server.kill()


def test_what_was_acknowledged_before_a_stop_is_published_by_the_next_start(qed: Qed) -> None:
    flags = ["--checkpoint-interval=1h", "--origin=log.example.org"]
    with Server(qed, qed.home / "db", flags) as server:
        key = told_key(server)
        assert server.call("POST", "/events/digests", bytes(32 * 3)).status == 201
        assert checkpoint(server, key).size == 0
        assert server.stop() == 0
        server.start()
        assert checkpoint(server, key).size == 3
        assert f"verifier key    {key.name}+" in server.output
        assert server.stop() == 0
