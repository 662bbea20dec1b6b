"""Evidence of checkpoints: equivocation, missing signatures, lag."""

from dataclasses import replace

import pytest

from publishing import ORIGIN, PublishedLog
from qed.client.evidence import new_equivocation, new_lag, new_signature, verify_evidence
from qed.client.evidence_checkpoints import origin_of
from qed.errors import VerificationError
from qed.signing.checkpoint import sign_checkpoint
from qed.signing.policy import policy_of_key
from qed.trees import snapshot_log
from receipt_log import EVENTS, consistency, small_log

LOG = small_log(5)
LOG.add(EVENTS[5], EVENTS[6])
AT_5, AT_7 = LOG.notes
POLICY = policy_of_key(LOG.key)


def two_faced() -> PublishedLog:
    """A log with the same key whose version 3 is another event."""
    log = PublishedLog()
    for event in (*EVENTS[:3], b"another event", EVENTS[4]):
        log.add(event, publish=False)
    log.publish()
    return log


OTHER = two_faced()


def root_at(log: PublishedLog, size: int) -> bytes:
    peaks, _ = snapshot_log.extend(0, b"", b"".join(log.rows[0][:size]))
    return snapshot_log.root(peaks)


def judge(evidence):
    return verify_evidence(evidence.encode(), POLICY)


def refuse(evidence, step, sentence="."):
    with pytest.raises(VerificationError, match=sentence) as raised:
        judge(evidence)
    assert raised.value.step == step, raised.value


def test_two_roots_of_one_size():
    finding = judge(new_equivocation(AT_5, OTHER.note, found="seen twice"))

    assert (finding.kind, finding.signed, finding.origin) == ("equivocation", True, ORIGIN)
    assert "two histories" in finding.sentence


def test_a_larger_checkpoint_that_excludes_a_smaller_one():
    proof = consistency(LOG, 5, 7)

    finding = judge(new_equivocation(OTHER.note, AT_7, root=root_at(LOG, 5), consistency=proof))

    assert finding.signed
    assert "size 7" in finding.sentence


def test_one_log_equivocates_nowhere():
    proof = consistency(LOG, 5, 7)
    refuse(new_equivocation(AT_5, AT_5), "evidence", "of one log")
    true = new_equivocation(AT_5, AT_7, root=root_at(LOG, 5), consistency=proof)
    refuse(true, "evidence", "of one log")
    refuse(replace(true, older=AT_7, newer=AT_5), "evidence", "has the size 7")
    refuse(replace(true, root=None), "evidence", "is missing")
    refuse(new_equivocation(AT_5, OTHER.note, root=bytes(32)), "evidence", "need no")


def test_a_made_up_root_or_proof_shows_nothing():
    proof = consistency(LOG, 5, 7)
    refuse(new_equivocation(AT_5, AT_7, root=bytes(32), consistency=proof), "old-root")
    refuse(new_equivocation(AT_5, AT_7, root=bytes(32), consistency=proof[1:]), "path")
    refuse(new_equivocation(AT_5, AT_7, root=bytes(32)), "path")


def test_what_the_key_did_not_sign_is_held_against_nobody():
    forged = sign_checkpoint(small_log(1, seed=2).signer, 5, bytes(32))
    refuse(new_equivocation(AT_5, forged), "newer", "not signed")
    refuse(new_equivocation(forged, AT_5), "older", "not signed")
    refuse(new_lag(AT_7, forged), "behind")
    refuse(new_lag(forged, AT_5), "ahead")


@pytest.mark.parametrize(
    "note",
    [
        sign_checkpoint(small_log(1, seed=2).signer, 5, bytes(32)),
        AT_5.replace(b"\n5\n", b"\n6\n"),
        b"",
        b"\xff\xfe no text at all",
        b"a page that is no note\n",
    ],
)
def test_what_was_served_and_is_not_signed(note):
    finding = judge(new_signature(ORIGIN, note))

    assert (finding.kind, finding.signed) == ("signature", False)
    assert "nobody signed" in finding.sentence


def test_a_signed_note_is_no_evidence_of_a_missing_signature():
    refuse(new_signature(ORIGIN, AT_5), "evidence", "the key signed it")


def test_an_old_checkpoint_beside_a_newer_one():
    finding = judge(new_lag(AT_7, AT_5, when_s=1_700_000_000))

    assert (finding.kind, finding.signed) == ("lag", False)
    assert "2 versions less" in finding.sentence
    assert "2023-11-14T22:13:20Z" in finding.sentence


def test_no_lag():
    refuse(new_lag(AT_5, AT_7), "evidence", "Behind has the size 7")
    refuse(new_lag(AT_5, AT_5), "evidence")


def test_the_origin_that_a_note_says():
    assert origin_of(AT_5) == ORIGIN
    assert origin_of(b"nothing") == ""
