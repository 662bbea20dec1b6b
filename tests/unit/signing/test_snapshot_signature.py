"""The signature beside one snapshot: of this leaf, of this log, and of nothing else."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import signers
from naive_log import leaf
from qed.errors import MalformedError, VerificationError
from qed.signing.note import ED25519_COSIGNATURE, VerifierKey
from qed.signing.snapshot_signature import sign_snapshot, verify_snapshot_signature

SIGNER = signers.signer("log.example/a")
KEY = SIGNER.verifier_key
LEAF = leaf(7)
SIGNATURE = sign_snapshot(SIGNER, LEAF)


def refused(key, leaf, signature) -> str:
    with pytest.raises(VerificationError) as caught:
        verify_snapshot_signature(key, leaf, signature)
    return caught.value.step


def test_it_is_over_first_line_origin_and_leaf() -> None:
    assert len(SIGNATURE) == 64
    verify_snapshot_signature(KEY, LEAF, SIGNATURE)
    message = b"qed/snapshot-signature/v1\nlog.example/a\n" + LEAF
    Ed25519PublicKey.from_public_bytes(KEY.public).verify(SIGNATURE, message)


def test_each_changed_bit_is_noticed() -> None:
    for i in range(8 * len(SIGNATURE)):
        data = bytearray(SIGNATURE)
        data[i // 8] ^= 1 << i % 8
        assert refused(KEY, LEAF, bytes(data)) == "signature"
    for i in range(8 * 12, 8 * len(LEAF)):
        data = bytearray(LEAF)
        data[i // 8] ^= 1 << i % 8
        assert refused(KEY, bytes(data), SIGNATURE) == "signature"


def test_another_log_another_key_and_another_length() -> None:
    assert refused(VerifierKey("log.example/b", 1, KEY.public), LEAF, SIGNATURE) == "signature"
    assert refused(signers.signer(KEY.name, seed=b"x").verifier_key, LEAF, SIGNATURE) == "signature"
    cosigner = VerifierKey(KEY.name, ED25519_COSIGNATURE, KEY.public)
    assert refused(cosigner, LEAF, SIGNATURE) == "signature"
    for signature in (b"", SIGNATURE[:-1], SIGNATURE + b"\x00"):
        assert refused(KEY, LEAF, signature) == "signature"


@pytest.mark.parametrize("data", [b"", LEAF[:-1], LEAF + b"\x00", b"Q" + LEAF[1:], b"free bytes"])
def test_what_is_no_leaf_is_not_signed(data) -> None:
    with pytest.raises(MalformedError):
        sign_snapshot(SIGNER, data)
    with pytest.raises(MalformedError):
        verify_snapshot_signature(KEY, data, SIGNATURE)
