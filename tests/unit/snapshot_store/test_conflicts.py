"""Conflicts: each is a sentence, and evidence that verifies with the key alone."""

import pytest

from qed.client.evidence import verify_evidence
from qed.signing.checkpoint import open_checkpoint
from qed.signing.policy import policy_of_key
from qed.snapshot_store import rows
from qed.snapshot_store.claims import Claim
from qed.snapshot_store.conflicts import (
    find_other_leaves,
    find_other_root,
    find_passed,
    same_size,
)
from qed.snapshot_store.runs import Run
from qed.snapshot_store.view import Stored, View
from qed.trees.tiles import prove_consistency
from signed_log import SignedLog

LOG = SignedLog(200)
FORK = SignedLog(200, branch=60)


def claim(log, size, path_from=None):
    path = () if path_from is None else tuple(prove_consistency(log.read, path_from, size))
    return Claim(log.note(size), open_checkpoint(log.note(size), log.key), path)


@pytest.fixture
def own(database):
    database.commit(rows.encode_run(Run.of_snapshots(LOG.snapshots[:100])))
    return View(Stored(database), 100)


def fork_view(own, first, stop):
    return View(own._stored, first, b"".join(FORK.hashes[0][first:stop]))


def expect_signed(conflict):
    finding = verify_evidence(conflict.evidence.encode(), policy_of_key(LOG.key))
    assert finding.signed
    assert conflict.evidence_name.startswith("equivocation-")


def test_one_size_and_two_roots():
    expect_signed(same_size(claim(LOG, 100), claim(FORK, 100)))
    assert same_size(claim(LOG, 100), claim(LOG, 100)) is None


@pytest.mark.parametrize("cover", [100, 150])
def test_an_older_checkpoint_with_another_root(own, cover):
    covering = claim(LOG, cover, 100)
    for size in (61, 64, 99, 100):
        conflict = find_other_root(own, covering, claim(FORK, size))
        assert f"first {size}" in conflict.sentence or f"size {size}" in conflict.sentence
        expect_signed(conflict)
        assert find_other_root(own, covering, claim(LOG, size)) is None


def test_leaves_that_pass_a_checkpoint_with_another_root(own):
    view = fork_view(own, 50, 120)
    later = claim(FORK, 180, 120)
    conflict = find_passed(view, later, [claim(LOG, 60), claim(LOG, 90)])
    expect_signed(conflict)
    assert "first 90 snapshots" in conflict.sentence
    assert find_passed(view, later, [claim(LOG, 60), claim(LOG, 130)]) is None


def test_other_leaves_are_kept_with_the_checkpoint_that_makes_them_evidence(own):
    other = Run.of_snapshots(FORK.snapshots[60:120])
    view, later = fork_view(own, 0, 120), claim(FORK, 180, 120)
    for known in ([claim(LOG, 100)], [claim(LOG, 180)], [claim(LOG, 30), claim(LOG, 61)]):
        conflict = find_other_leaves(view, other, later, known)
        expect_signed(conflict)
        assert conflict.run == other
    without = find_other_leaves(view, other, later, [claim(LOG, 60), claim(LOG, 121)])
    assert (without.evidence, without.evidence_name) == (None, "")
    assert "two snapshots of version 60" in without.sentence


def test_a_waiting_checkpoint_of_the_other_history_makes_no_evidence(own):
    view = fork_view(own, 50, 120)
    other = Run.of_snapshots(FORK.snapshots[60:120])
    later = claim(FORK, 180, 120)
    waiting = [claim(FORK, 110), claim(FORK, 180)]
    conflict = find_other_leaves(view, other, later, waiting)
    assert (conflict.evidence, conflict.run) == (None, other)
    assert "two snapshots of version 60" in conflict.sentence
    expect_signed(find_other_leaves(view, other, later, [*waiting, claim(LOG, 100)]))
