"""The package witness-log, a witness that others wrote, cosigns what a running server publishes.

`WitnessService` is its c2sp.org/tlog-witness: it takes the body of a `POST /add-checkpoint` and
answers with the status and the body of that call.
"""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Sequence

import pytest

import signers
from log_serving import log_server
from publishing import PublishedLog
from qed.client.feed import open_source
from qed.signing.checkpoint import open_checkpoint, sign_checkpoint
from qed.signing.note import format_verifier_key, parse_verifier_key
from qed.signing.policy import check_checkpoint, parse_policy
from qed.trees.tiles import prove_consistency
from vector_files import load

witness_log = pytest.importorskip("witness_log", exc_type=ImportError)
pytestmark = [pytest.mark.oracle, pytest.mark.slow]

ORIGIN = "log.example/witnessed"
CHECKPOINTS = 100
NOW_S = 1_790_000_000


def new_witness(log_key: str, origin: str = ORIGIN):
    witness = witness_log.WitnessService.new("witness.example/w1", bytes(range(32)))
    assert witness.add_log(origin, log_key)
    return witness


def body(old: int, proof: Sequence[bytes], note: bytes) -> str:
    """Return what a log sends. Source: c2sp.org/tlog-witness, "add-checkpoint"."""
    lines = "".join(f"{base64.b64encode(value).decode()}\n" for value in proof)
    return f"old {old}\n{lines}\n{note.decode()}"


def post(url: str, document: dict[str, object]) -> None:
    data = json.dumps(document).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 - loopback
    urllib.request.urlopen(request, timeout=60).close()  # noqa: S310 - as above


@pytest.mark.parametrize("with_cosigner", [False, True], ids=["Ed25519", "and ML-DSA-44"])
def test_it_cosigns_100_successive_checkpoints_of_a_running_server(tmp_path, with_cosigner) -> None:
    """The log's own cosignature makes no difference to a witness, who does not know its key."""
    fields: dict[str, object] = {"origin": ORIGIN, "checkpoint_interval_s": 0}
    if with_cosigner:
        fields |= {"cosigner_key_path": tmp_path / "ml-dsa", "cosigner_name": f"{ORIGIN}/ml-dsa"}
    with (
        log_server(tmp_path / "db", **fields) as server,
        open_source(server.data, timeout_s=20.0) as source,
    ):
        log_key = str(source.info()["verifier_key"])
        witness = new_witness(log_key)
        policy = parse_policy(f"log {log_key}\nwitness w {witness.vkey()}\nquorum w\n".encode())
        old = 0
        for number in range(CHECKPOINTS):
            events = [
                base64.b64encode(b"%d %d" % (number, i)).decode() for i in range(number % 9 + 1)
            ]
            post(f"{server.data}/events/bulk", {"events": events})
            note = source.checkpoint(old, 20.0)
            checkpoint = open_checkpoint(note, parse_verifier_key(log_key))
            assert checkpoint.size == old + len(events)
            assert note.count("— ".encode()) == 1 + with_cosigner

            proof = prove_consistency(
                lambda nodes, size=checkpoint.size: source.read_nodes(nodes, size),
                old,
                checkpoint.size,
            )
            status, line = witness.handle_add_checkpoint(body(old, proof, note), NOW_S + number)
            assert (status, line[:2]) == (200, "— "), line
            found, cosigned = check_checkpoint(policy, note + line.encode())
            assert found == checkpoint
            assert [one.timestamp_s for one in cosigned] == [NOW_S + number]
            old = checkpoint.size


def test_it_refuses_what_does_not_extend_what_it_cosigned() -> None:
    log, split = PublishedLog(origin=ORIGIN), PublishedLog(origin=ORIGIN)
    witness = new_witness(format_verifier_key(log.key), ORIGIN)
    log.add(b"a", b"b")
    assert witness.handle_add_checkpoint(body(0, [], log.note), NOW_S)[0] == 200
    split.add(b"a", b"c")
    split.add(b"d")
    proof = prove_consistency(lambda nodes: split.read_nodes(nodes, 3), 2, 3)
    assert witness.handle_add_checkpoint(body(2, proof, split.note), NOW_S)[0] == 422


def test_it_refuses_another_key() -> None:
    log = PublishedLog(origin=ORIGIN, seed=2)
    log.add(b"a")
    witness = new_witness(format_verifier_key(PublishedLog(origin=ORIGIN, seed=3).key), ORIGIN)
    assert witness.handle_add_checkpoint(body(0, [], log.note), NOW_S)[0] == 403


def test_a_root_that_is_qeds_history_digest_is_refused_at_the_second_step() -> None:
    """The original's roots form no RFC 6962 tree; a log that signed them could not go on.

    The proof is a true one, of our log over the same snapshots: no proof could fit such roots.
    """
    signer = signers.signer(ORIGIN)
    witness = new_witness(format_verifier_key(signer.verifier_key), ORIGIN)
    digests = [
        bytes.fromhex(snapshot["HistoryDigest"])
        for snapshot in load("walkthrough.json")["snapshots"]
    ]
    first = sign_checkpoint(signer, 1, digests[0])
    assert witness.handle_add_checkpoint(body(0, [], first), NOW_S)[0] == 200

    log = PublishedLog(origin=ORIGIN)
    log.add(b"event 0", b"event 1", b"event 2")
    for size in (2, 3):
        note = sign_checkpoint(signer, size, digests[size - 1])
        proof = prove_consistency(lambda nodes, size=size: log.read_nodes(nodes, size), 1, size)
        for attempt in (proof, digests[1:size], [digests[size - 1]], []):
            assert witness.handle_add_checkpoint(body(1, attempt, note), NOW_S)[0] == 422
