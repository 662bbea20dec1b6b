"""Trees over stored leaves and others: roots and proofs are those of the log."""

import random

import pytest

from qed.errors import DamagedError
from qed.snapshot_store import rows
from qed.snapshot_store.runs import Run
from qed.snapshot_store.view import Stored, View
from qed.trees.tiles import prove_consistency
from qed.trees.verify_log import verify_consistency
from signed_log import SignedLog

LOG = SignedLog(1500)
STORED = 900
RANDOM = random.Random(1)  # noqa: S311


@pytest.fixture
def stored(database):
    puts = rows.encode_run(Run.of_snapshots(LOG.snapshots[:STORED]))
    puts += [rows.encode_node(1, index, LOG.hashes[8][index]) for index in range(STORED // 256)]
    puts += [rows.encode_signature(7, LOG.signature(7)), rows.encode_note(5, LOG.note(5))]
    database.commit(puts)
    return Stored(database)


def hashes(log, first, stop):
    return b"".join(log.hashes[0][first:stop])


def test_leaves_are_read_one_by_one_and_in_runs(stored):
    for first, stop in ((0, 1), (0, 900), (255, 257), (300, 301), (511, 900)):
        assert list(stored.run(first, stop).snapshots()) == LOG.snapshots[first:stop]
        assert stored.hashes(0, first, stop) == hashes(LOG, first, stop)
    assert list(stored.one(899).snapshots()) == [LOG.snapshots[899]]
    assert stored.hashes(1, 0, 3) == b"".join(LOG.hashes[8][:3])
    assert stored.hashes(0, 9, 9) == b""
    assert (stored.signature(7), stored.signature(8)) == (LOG.signature(7), b"")
    assert [claim.size for claim in stored.notes(4, 5, LOG.key)] == [5]
    assert list(stored.notes(5, 900, LOG.key)) == []


def test_a_row_that_is_missing_is_named(stored):
    with pytest.raises(DamagedError, match="leaves/900"):
        stored.run(850, 901)
    with pytest.raises(DamagedError, match="leaves/900"):
        stored.one(900)
    more = Run.of_snapshots(LOG.snapshots[1024:1030])
    stored._database.commit(rows.encode_run(more))
    with pytest.raises(DamagedError, match="leaves/900"):
        stored.run(850, 1026)
    with pytest.raises(DamagedError, match="nodes/1/3"):
        stored.hashes(1, 2, 4)


@pytest.mark.parametrize("base", [0, 1, 255, 256, 300, 512, 899, 900])
@pytest.mark.parametrize("more", [0, 1, 100, 500])
def test_a_view_is_the_tree_of_what_is_stored_and_what_follows(stored, base, more):
    view = View(stored, base, hashes(LOG, base, base + more))
    size = base + more
    assert (view.size, view.root) == (size, LOG.root(size) if size else view.root)
    for old in {1, size // 3, size // 2, size - 1, size} - {0, -1}:
        if 0 < old <= size:
            assert view.prove(old, size, ()) == prove_consistency(LOG.read, old, size)
            for beyond in (size + 1, size + 37, 1500):
                path = prove_consistency(LOG.read, size, beyond)
                proof = view.prove(old, beyond, path)
                verify_consistency(old, LOG.root(old), beyond, LOG.root(beyond), proof)
                assert proof == prove_consistency(LOG.read, old, beyond)


def test_a_view_may_go_another_way_from_any_leaf_on(stored):
    for branch in (0, 1, 200, 256, 700):
        fork = SignedLog(1400, branch=branch)
        view = View(stored, branch, hashes(fork, branch, 1000))
        assert view.root == fork.root(1000)
        assert view.read([(0, 999), (8, 1), (9, 0)]) == fork.read([(0, 999), (8, 1), (9, 0)])


def test_tiles_of_a_view(stored):
    view = View(stored, 700, hashes(LOG, 700, 1400))
    assert view.tile(0, 2, 256) == hashes(LOG, 512, 768)
    assert view.tile(0, 5, 120) == hashes(LOG, 1280, 1400)
    assert view.tile(1, 0, 5) == b"".join(LOG.hashes[8][:5])
