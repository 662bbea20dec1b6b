"""The package proofbundle, which others wrote, reads our receipts, checkpoints and cosignatures."""

from __future__ import annotations

import base64
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import signers
from publishing import PublishedLog
from qed.client.receipts import encode_leaf, verify_receipt
from qed.signing.checkpoint import open_checkpoint, sign_checkpoint
from qed.signing.note import format_verifier_key, parse_verifier_key
from qed.signing.policy import check_checkpoint, parse_policy, policy_of_key
from receipt_log import EVENTS, flips, one_of_each, receipt, small_log
from vector_files import load

checkpoint = pytest.importorskip("proofbundle.checkpoint", exc_type=ImportError)
errors = pytest.importorskip("proofbundle.errors", exc_type=ImportError)
tlogproof = pytest.importorskip("proofbundle.tlogproof", exc_type=ImportError)
pytestmark = [pytest.mark.oracle, pytest.mark.slow]

TIME_S = 1_790_000_000
ROOT = sha256(b"root").digest()
ANY_KEY = format_verifier_key(signers.signer("example.com/behind-the-sofa").verifier_key)


@pytest.fixture(scope="module")
def log() -> PublishedLog:
    return small_log(11)


@pytest.mark.parametrize("kind", ["logged", "newest", "absent", "absent beside a leaf"])
def test_it_accepts_a_receipt_of_each_kind(log, kind) -> None:
    _, data = one_of_each(log)[kind]
    leaf = encode_leaf(verify_receipt(data, policy=policy_of_key(log.key)).snapshot)
    key = format_verifier_key(log.key)

    found = tlogproof.verify_tlog_proof(data.decode(), leaf, key, expected_origin=log.signer.name)
    assert found["ok"], found
    assert (found["tree_size"], found["root"]) == (11, open_checkpoint(log.note, log.key).root)
    assert not tlogproof.verify_tlog_proof(data.decode(), leaf + b"\x00", key)["ok"]


def test_it_reads_the_same_in_it(log) -> None:
    _, data = one_of_each(log)["newest"]
    parsed = tlogproof.parse_tlog_proof(data.decode())
    made = tlogproof.format_tlog_proof(
        parsed["index"], parsed["proof"], parsed["checkpoint"], parsed["extra"]
    )
    assert made.encode() == data
    assert parsed["checkpoint"].encode() == log.note


def test_it_refuses_each_flipped_byte_but_in_what_it_does_not_read(log) -> None:
    """To it `extra` is any bytes; to us it is the leaf, and each of its bytes counts as well."""
    digest = sha256(EVENTS[5]).digest()
    data = receipt(log, "logged", digest)
    leaf = encode_leaf(log.snapshots[5])
    key = format_verifier_key(log.key)
    start, stop = data.index(b"extra ") + len(b"extra "), data.index(b"\nindex ")
    accepted = set()
    for place, _, changed in flips(data, (0x01, 0x20, 0x80)):
        text = changed.decode("utf-8", "surrogateescape")
        if tlogproof.verify_tlog_proof(text, leaf, key)["ok"]:
            accepted.add(place)
    assert accepted <= set(range(start, stop))
    assert accepted, "its readers ignore what extra says"


def test_it_counts_our_ml_dsa_cosignature() -> None:
    log, cosigner = signers.signer("log.example/a"), signers.cosigner("cosigner.example/pq")
    note = sign_checkpoint(log, 9, ROOT, cosigner=cosigner, now_s=TIME_S).decode()
    key, cosigner_key = map(format_verifier_key, (log.verifier_key, cosigner.verifier_key))

    assert checkpoint.verify_checkpoint(note, key)["ok"]
    assert checkpoint.verify_cosignature(note, cosigner_key)["ok"]
    assert checkpoint.verify_witnessed_checkpoint(note, key, [cosigner_key], threshold=1)["ok"]
    other = format_verifier_key(signers.cosigner("cosigner.example/pq", seed=b"x").verifier_key)
    assert not checkpoint.verify_cosignature(note, other)["ok"]


def test_we_count_its_cosignatures_of_both_kinds() -> None:
    log = signers.signer("log.example/a")
    older = Ed25519PrivateKey.from_private_bytes(bytes(32))
    newer = signers.cosigner("newer.example").key
    note = sign_checkpoint(log, 9, ROOT).decode()
    note = checkpoint.cosign_checkpoint(note, older, "older.example", TIME_S)
    note = checkpoint.cosign_checkpoint_mldsa(note, newer, "newer.example", TIME_S + 1)
    keys = [
        checkpoint.cosign_vkey("older.example", older.public_key().public_bytes_raw()),
        checkpoint.cosign_vkey_mldsa("newer.example", newer.public_key().public_bytes_raw()),
    ]
    lines = (
        f"log {format_verifier_key(log.verifier_key)}\nwitness a {keys[0]}\nwitness b {keys[1]}\n"
    )
    policy = parse_policy(f"{lines}group both all a b\nquorum both\n".encode())

    found, cosigned = check_checkpoint(policy, note)
    assert (found.size, found.root) == (9, ROOT)
    assert [one.timestamp_s for one in cosigned] == [TIME_S, TIME_S + 1]


def test_we_read_its_checkpoints_and_keys() -> None:
    signer = Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\x01")
    note = checkpoint.sign_checkpoint("log.example/theirs", 9, ROOT, signer, "log.example/theirs")
    public = signer.public_key().public_bytes_raw()
    key = parse_verifier_key(checkpoint.vkey("log.example/theirs", public))
    assert open_checkpoint(note, key).root == ROOT


@pytest.mark.parametrize(
    "case", load("c2sp/tlog-proof.json")["proofs"], ids=lambda one: one["name"]
)
def test_it_reads_the_vectors_as_they_say(case) -> None:
    found = tlogproof.parse_tlog_proof(case["text"])
    extra = None if found["extra"] is None else base64.b64encode(found["extra"]).decode()
    assert extra == case["extra"]
    assert found["index"] == case["index"]
    assert [base64.b64encode(value).decode() for value in found["proof"]] == case["path"]
    assert found["checkpoint"] == case["checkpoint"]


@pytest.mark.parametrize(
    "case", load("c2sp/tlog-proof.json")["malformed"], ids=lambda one: one["name"]
)
def test_it_refuses_the_vectors_that_are_malformed(case) -> None:
    with pytest.raises(errors.ProofBundleError):
        read(case["text"])


def read(text: str) -> None:
    parsed = tlogproof.parse_tlog_proof(text)
    if parsed["index"] >= 2**64:
        raise errors.BundleFormatError("its own bound is 20 digits, before the size is known")
    checkpoint.verify_checkpoint(parsed["checkpoint"], ANY_KEY)
