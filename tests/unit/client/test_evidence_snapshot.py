"""Evidence of snapshots served otherwise than they were signed."""

from dataclasses import replace
from hashlib import sha256

import pytest

from qed.client.evidence import new_snapshot, verify_evidence
from qed.client.receipts import encode_leaf
from qed.errors import VerificationError
from qed.signing.policy import policy_of_key
from qed.signing.snapshot_signature import sign_snapshot
from receipt_log import EVENTS, receipt, small_log

LOG = small_log()
POLICY = policy_of_key(LOG.key)
RECEIPT = receipt(LOG, "logged", sha256(EVENTS[2]).digest())
FALSE = replace(LOG.snapshots[2], hyper_digest=bytes(32))


def judge(evidence):
    return verify_evidence(evidence.encode(), POLICY)


def refuse(evidence, step, sentence="."):
    with pytest.raises(VerificationError, match=sentence) as raised:
        judge(evidence)
    assert raised.value.step == step, raised.value


@pytest.mark.parametrize("signature", [b"", b"no signature", bytes(64)])
def test_another_snapshot_that_nobody_signed(signature):
    finding = judge(new_snapshot(RECEIPT, FALSE, signature))

    assert (finding.kind, finding.signed) == ("snapshot", False)
    assert "nobody signed" in finding.sentence


def test_another_snapshot_that_the_log_signed_too():
    signature = sign_snapshot(LOG.signer, encode_leaf(FALSE))

    finding = judge(new_snapshot(RECEIPT, FALSE, signature))

    assert finding.signed
    assert "version 2" in finding.sentence


def test_the_true_snapshot_shows_nothing():
    refuse(new_snapshot(RECEIPT, LOG.snapshots[2]), "evidence", "the true one")
    refuse(new_snapshot(RECEIPT, LOG.snapshots[3]), "evidence", "are of 2 and 3")


def test_the_receipt_must_be_of_the_leaf_itself():
    newest = receipt(LOG, "newest", sha256(EVENTS[2]).digest())
    refuse(new_snapshot(newest, FALSE), "receipt", "kind")
    other = receipt(small_log(seed=2), "logged", sha256(EVENTS[2]).digest())
    refuse(new_snapshot(other, FALSE), "receipt", "not signed")
