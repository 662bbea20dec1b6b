"""Law: a log only grows: what was published stays true, and every increment proves it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from laws import groups, logs
from pure_log import PureLog
from qed.trees import history


@given(logs, groups)
def test_adding_changes_no_root_and_no_frozen_node(before, group):
    log = PureLog()
    for earlier in before:
        log.add(earlier)
    frozen, published = dict(log.frozen), list(log.snapshots)

    log.add(group)

    assert frozen.items() <= log.frozen.items()
    assert log.snapshots[: len(published)] == published
    for snapshot in published:
        assert history.root(log.read, snapshot.version) == snapshot.history_digest


@given(logs, st.data())
def test_every_older_root_is_proven_to_be_a_beginning_of_every_newer_one(before, data):
    log = PureLog()
    for earlier in before:
        log.add(earlier)
    last = len(log.snapshots) - 1
    end = data.draw(st.integers(0, last))

    for start in range(end + 1):
        log.verify_incremental(log.incremental(start, end), start, end)


@given(logs, groups, st.data())
def test_an_old_proof_still_verifies_against_its_own_snapshots(before, group, data):
    log = PureLog()
    for earlier in before:
        log.add(earlier)
    older = data.draw(st.sampled_from(log.snapshots))
    proof = log.membership(older.event_digest)
    published = PureLog()
    published.snapshots = list(log.snapshots)

    log.add(group)

    published.verify(proof, older.event_digest)
