"""A claim is known by what it says."""

from qed.signing.checkpoint import open_checkpoint
from qed.snapshot_store.claims import Claim
from signed_log import SignedLog

LOG = SignedLog(10)


def test_a_claim_says_size_and_root():
    claim = Claim(LOG.note(7), open_checkpoint(LOG.note(7), LOG.key))
    assert (claim.size, claim.root) == (7, LOG.root(7))


def test_its_hash_is_that_of_its_text_whoever_signed():
    one = Claim(LOG.note(7), open_checkpoint(LOG.note(7), LOG.key))
    signed_again = Claim(LOG.note(7) + b"more", one.checkpoint, (b"\x00" * 32,))
    other = Claim(LOG.note(8), open_checkpoint(LOG.note(8), LOG.key))
    assert one.text_hash == signed_again.text_hash != other.text_hash
