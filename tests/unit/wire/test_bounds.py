"""The bounds leave room for what a server may rightly send."""

from qed.trees.values import IncrementalProof, MembershipProof, Snapshot
from qed.wire import encode_incremental, encode_membership, encode_snapshot, encode_snapshots
from qed.wire.bounds import BOUNDS, MAX_U64

DIGEST = b"\xff" * 32
TOP = 2**256 - 1
LONGEST_HYPER = {(TOP >> h << h, h): DIGEST for h in range(256)}
LONGEST_HISTORY = {(MAX_U64 >> h << h, h): DIGEST for h in range(64)}
SNAPSHOT = Snapshot(MAX_U64, DIGEST, DIGEST, DIGEST)


def test_a_number_bound_holds_the_largest_number():
    assert len(str(MAX_U64)) == BOUNDS.number_chars


def test_the_longest_membership_proof_fits_ten_times():
    proof = MembershipProof(
        exists=True,
        hyper=LONGEST_HYPER,
        history=LONGEST_HISTORY,
        current_version=MAX_U64,
        query_version=MAX_U64,
        actual_version=MAX_U64,
        key_digest=DIGEST,
    )

    assert len(encode_membership(proof)) * 10 < BOUNDS.proof_bytes


def test_the_longest_incremental_proof_fits_ten_times():
    proof = IncrementalProof(MAX_U64, MAX_U64, LONGEST_HISTORY)

    assert len(encode_incremental(proof)) * 10 < BOUNDS.proof_bytes


def test_one_snapshot_and_the_largest_bulk_fit():
    assert len(encode_snapshot(SNAPSHOT)) < BOUNDS.snapshot_bytes
    assert len(encode_snapshots([SNAPSHOT] * 20_000)) * 10 < BOUNDS.snapshots_bytes
