"""Consistency files: growth that is shown passes, everything else is refused."""

import json
from dataclasses import replace

import pytest

from qed.client.consistency import (
    Consistency,
    decode_consistency,
    encode_consistency,
    looks_like_consistency,
    verify_consistency_file,
)
from qed.client.evidence import verify_evidence
from qed.errors import ContradictionError, QedError, VerificationError
from qed.signing.checkpoint import sign_checkpoint
from qed.signing.policy import Policy, policy_of_key
from qed.trees.verify_log import EMPTY_ROOT
from receipt_log import consistency, flips, small_log

LOG = small_log(3)
LOG.notes.insert(0, sign_checkpoint(LOG.signer, 0, EMPTY_ROOT))
LOG.add(b"event 3", b"event 4")
LOG.add(b"event 5")
EMPTY, AT_3, AT_5, AT_6 = LOG.notes
POLICY = policy_of_key(LOG.key)


def file(older: bytes, newer: bytes, old: int, new: int) -> Consistency:
    return Consistency(older, newer, tuple(consistency(LOG, old, new)))


TRUE = file(AT_3, AT_6, 3, 6)


def refuse(data: bytes, *steps: str) -> None:
    with pytest.raises(VerificationError) as raised:
        verify_consistency_file(data, policy=POLICY)
    assert raised.value.step in steps, raised.value
    assert raised.value.code == "verification"


@pytest.mark.parametrize(
    ("older", "newer", "old", "new"),
    [(AT_3, AT_6, 3, 6), (AT_5, AT_6, 5, 6), (AT_6, AT_6, 6, 6), (EMPTY, AT_5, 0, 5)],
)
def test_growth_is_shown(older, newer, old, new):
    data = encode_consistency(file(older, newer, old, new))

    first, second = verify_consistency_file(data, policy=POLICY, known=[AT_5])

    assert (first.size, second.size) == (old, new)
    assert decode_consistency(data) == file(older, newer, old, new)
    assert looks_like_consistency(data)
    assert list(json.loads(data)) == ["Format", "Older", "Newer", "Proof"]


def test_what_is_not_shown_is_refused():
    for false in (
        replace(TRUE, proof=TRUE.proof[1:]),
        replace(TRUE, proof=(*TRUE.proof, bytes(32))),
        replace(TRUE, proof=(bytes(32), *TRUE.proof[1:])),
        replace(TRUE, older=AT_5),
        replace(TRUE, newer=AT_5),
    ):
        refuse(encode_consistency(false), "path", "old-root", "new-root")
    refuse(encode_consistency(file(AT_6, AT_3, 3, 6)), "question")
    unsigned = sign_checkpoint(small_log(1, seed=2).signer, 3, bytes(32))
    refuse(encode_consistency(replace(TRUE, older=unsigned)), "signature")
    refuse(encode_consistency(replace(TRUE, newer=b"")), "note")


def test_two_logs_have_no_consistency():
    other = small_log(6, origin="qed-other", seed=2)
    data = encode_consistency(replace(TRUE, newer=other.note))

    refuse(data, "origin")
    with pytest.raises(VerificationError, match="two logs"):
        verify_consistency_file(data, policy=Policy((LOG.key, other.key)))


def test_two_roots_of_one_size_are_a_contradiction():
    other = sign_checkpoint(LOG.signer, 6, bytes(32))
    inside = encode_consistency(Consistency(AT_6, other, ()))
    for data, known in ((inside, []), (encode_consistency(TRUE), [other])):
        with pytest.raises(ContradictionError) as raised:
            verify_consistency_file(data, policy=POLICY, known=known)
        assert verify_evidence(raised.value.evidence, POLICY).kind == "equivocation"


def test_every_byte_flipped_is_refused():
    for _, _, flipped in flips(encode_consistency(TRUE), (0x01, 0x20, 0x80)):
        with pytest.raises(QedError) as raised:
            verify_consistency_file(flipped, policy=POLICY)
        assert raised.value.code == "verification"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'{"Format"', b'{ "Format"'),
        (b'"Proof":[', b'"Proof":["AA==",'),
        (b'"Proof":[', b'"Proof":["-",'),
        (b'"Proof":', b'"Proof":{},"More":'),
        (b'"Proof":[', b'"Older":"","Proof":['),
        (b"]}\n", b"]}"),
        (b"\\u2014", "\u2014".encode()),
        (b"\\u2014", b"\\ud800"),
        (b"consistency/v1", b"consistency"),
    ],
)
def test_another_spelling_is_refused(old, new):
    data = encode_consistency(TRUE)
    assert old in data

    refuse(data.replace(old, new, 1), "file")


def test_bounds_and_formats():
    refuse(encode_consistency(replace(TRUE, proof=(bytes(32),) * 129)), "file")
    refuse(encode_consistency(replace(TRUE, newer=b"x" * 5_000_000)), "file")
    data = encode_consistency(TRUE).replace(b"consistency/v1", b"consistency/v2")
    with pytest.raises(VerificationError, match="v2") as raised:
        verify_consistency_file(data, policy=POLICY)
    assert "later version" in raised.value.hint
