"""Known checkpoints: one root a size, and what is no checkpoint is not known."""

import pytest

from publishing import make_key
from qed.client.evidence import verify_evidence
from qed.client.known import Known, open_under_policy
from qed.errors import ContradictionError, VerificationError
from qed.signing.checkpoint import sign_checkpoint
from qed.signing.note import NoteSigner
from qed.signing.policy import Group, Policy, Witness, policy_of_key
from receipt_log import small_log

LOG, SMALL = small_log(5), small_log(3)
POLICY = policy_of_key(LOG.key)
OTHER = sign_checkpoint(LOG.signer, 5, bytes(32))


def opened(note: bytes):
    return open_under_policy(note, POLICY)


def test_what_agrees_or_is_of_another_size_says_nothing():
    known = Known(POLICY, [LOG.note, SMALL.note, LOG.note])

    for note in (LOG.note, SMALL.note, small_log(4).note):
        known.compare(note, opened(note))
    stranger = small_log(5, origin="qed-other", seed=2)
    known.compare(stranger.note, open_under_policy(stranger.note, policy_of_key(stranger.key)))


def test_another_root_of_a_known_size_is_a_contradiction():
    known = Known(POLICY)
    known.take(LOG.note, opened(LOG.note))

    for act in (known.compare, known.take):
        with pytest.raises(ContradictionError, match="two roots for size 5") as raised:
            act(OTHER, opened(OTHER))
        finding = verify_evidence(raised.value.evidence, POLICY)
        assert (finding.kind, finding.signed) == ("equivocation", True)
    known.compare(LOG.note, opened(LOG.note))
    with pytest.raises(ContradictionError):
        Known(POLICY, [OTHER, LOG.note])


def test_what_nobody_signed_is_not_known():
    forged = sign_checkpoint(NoteSigner(make_key(2), LOG.signer.name), 5, bytes(32))
    for note, step in ((forged, "signature"), (b"", "note")):
        with pytest.raises(VerificationError) as raised:
            Known(POLICY, [note])
        assert raised.value.step == step
    with pytest.raises(VerificationError) as raised:
        open_under_policy(LOG.note, Policy(()))
    assert raised.value.step == "origin"


def test_no_quorum_is_asked_of_what_a_log_signed():
    witness = Witness("w", small_log(1, origin="w", seed=3).key)
    policy = Policy((LOG.key,), (witness,), (Group("g", 1, ("w",)),), "g")

    assert open_under_policy(LOG.note, policy).size == 5
