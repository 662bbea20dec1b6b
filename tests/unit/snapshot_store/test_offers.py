"""Offers: computed beside the state, which stays as it was."""

from dataclasses import replace

import pytest

from qed.errors import MalformedError, VerificationError
from qed.signing.note import parse_note
from qed.snapshot_store import offers, rows
from qed.snapshot_store.conflicts import Conflict
from qed.snapshot_store.offers import Plan, dense_run, open_offer, plan_offer
from qed.snapshot_store.state import State
from qed.snapshot_store.view import Stored
from signed_log import SignedLog
from signers import cosigner

LOG = SignedLog(300)
KEYS = [LOG.key]


def plan(database, state, batch):
    return plan_offer(state, Stored(database), open_offer(batch, KEYS))


def take(database, state, *batches):
    for batch in batches:
        planned = plan(database, state, batch)
        assert isinstance(planned, Plan)
        database.commit(planned.puts)
        state = planned.after
    return state


def test_planning_writes_nothing_and_changes_nothing(database):
    before = database.sequence_number()
    state = State()
    planned = plan(database, state, LOG.batch(0, 100))
    assert (planned.added, planned.after.size, state.size) == (100, 100, 0)
    assert database.sequence_number() == before
    families = {family for family, _, _ in planned.puts}
    assert families == {rows.META, rows.LEAVES}


def test_versions_that_follow_each_other_are_a_run():
    assert dense_run(LOG.snapshots[5:9]).first == 5
    with pytest.raises(MalformedError, match="6 stands before 7"):
        dense_run([LOG.snapshots[5], LOG.snapshots[7]])


def test_a_batch_that_is_larger_than_its_checkpoint_is_refused_before_anything_is_computed():
    batch = replace(LOG.batch(0, 20), checkpoint=LOG.note(19))
    with pytest.raises(VerificationError, match="ends at 20, beyond its checkpoint of size 19"):
        open_offer(batch, KEYS)


def test_the_notes_signatures_by_known_keys_stay():
    witness = cosigner("w.test")
    stranger = cosigner("s.test")
    batch = LOG.batch(0, 10)
    checkpoint = open_offer(batch, KEYS).claim.checkpoint
    lines = b"".join(
        b"\xe2\x80\x94 " + _format(one.cosign(checkpoint, 7)) + b"\n" for one in (witness, stranger)
    )
    both = replace(batch, checkpoint=batch.checkpoint + lines)
    kept = parse_note(open_offer(both, [LOG.key, witness.verifier_key]).claim.note)
    assert [one.name for one in kept.signatures] == [LOG.key.name, "w.test"]
    assert open_offer(both, KEYS).claim.note == batch.checkpoint


def _format(signature):
    import base64  # noqa: PLC0415

    data = base64.b64encode(signature.key_id + signature.data)
    return signature.name.encode() + b" " + data


def test_waiting_checkpoints_are_kept_until_the_leaves_reach_them(database):
    state = take(database, State(), LOG.batch(0, 10, 100), LOG.batch(10, 20, 200))
    assert sorted(state.waiting) == [100, 200]
    assert state.published is None
    state = take(database, state, LOG.batch(20, 100, 250))
    assert (sorted(state.waiting), state.published.size) == ([200, 250], 100)
    state = take(database, state, LOG.batch(100, 220, 300))
    assert (sorted(state.waiting), state.published.size, state.kept_size) == ([250, 300], 200, 200)


def test_waiting_checkpoints_are_bounded(database, monkeypatch):
    monkeypatch.setattr(offers, "MAX_WAITING", 2)
    state = take(database, State(), *(LOG.batch(at, at + 1, 100 + at) for at in range(5)))
    assert sorted(state.waiting) == [100, 101]
    assert state.cover.size == 104


def test_a_checkpoint_is_kept_for_each_so_many_leaves(database, monkeypatch):
    monkeypatch.setattr(offers, "NOTE_LEAVES", 100)
    state = take(database, State(), *(LOG.batch(at, at + 30) for at in range(0, 270, 30)))
    kept = [rows.decode_version(rows.NOTES, key) for key, _ in database.scan(rows.NOTES, b"")]
    assert kept == [120, 210]
    assert state.kept_size == 210


def test_a_conflict_is_returned_and_a_batch_that_proves_nothing_raised(database):
    state = take(database, State(), LOG.batch(0, 100))
    fork = SignedLog(300, branch=40)
    assert isinstance(plan(database, state, fork.batch(0, 120)), Conflict)
    assert plan(database, state, fork.batch(50, 100)).run is None
    assert plan(database, state, fork.batch(30, 100)).run.first == 40
    with pytest.raises(VerificationError, match="does not cover"):
        plan(database, state, fork.batch(50, 120))
