"""The history tree against the judge, and its promises about reading and freezing."""

from __future__ import annotations

import pytest

from model import h, history_node, history_path, history_position, history_root, incremental_path
from pure_log import PureLog, event_digests
from qed.trees import history

LEAVES = 64
DIGESTS = event_digests(LEAVES + 3)


@pytest.fixture(scope="module")
def log() -> PureLog:
    log = PureLog()
    log.add(DIGESTS)
    return log


def test_leaf_hash_is_of_digest_and_position():
    assert history.leaf_hash(DIGESTS[5], 5) == h(DIGESTS[5], history_position(5, 0))


def test_inner_hash_leaves_out_a_child_that_does_not_exist():
    left, right = DIGESTS[:2]

    assert history.inner_hash(left, right, (4, 1)) == h(left, right, history_position(4, 1))
    assert history.inner_hash(left, None, (4, 1)) == h(left, history_position(4, 1))


def test_hashes_positions_at_the_far_end_of_the_versions():
    last = 2**64 - 2

    assert history.leaf_hash(DIGESTS[0], last) == h(DIGESTS[0], history_position(last, 0))


def test_roots_are_those_of_the_judge(log):
    for version in range(len(DIGESTS)):
        expected = history_root(DIGESTS, version)

        assert log.snapshots[version].history_digest == expected
        assert history.root(log.read, version) == expected


def test_frozen_nodes_are_those_whose_last_leaf_is_there(log):
    expected = {
        (index, height): history_node(DIGESTS, index, height, len(DIGESTS) - 1)
        for height in range(8)
        for index in range(0, len(DIGESTS), 2**height)
        if index + 2**height <= len(DIGESTS)
    }

    assert log.frozen == expected


def test_frozen_nodes_come_in_the_order_in_which_they_freeze():
    frozen, _ = history.extend(lambda _: [], 0, DIGESTS[:4])

    assert [p for p, _ in frozen] == [(0, 0), (1, 0), (0, 1), (2, 0), (3, 0), (2, 1), (0, 2)]


def test_extend_cut_anywhere_gives_the_same(log):
    for cut in range(len(DIGESTS) + 1):
        parts = PureLog()
        parts.add(DIGESTS[:cut])
        parts.add(DIGESTS[cut:])

        assert parts.frozen == log.frozen
        roots = [snapshot.history_digest for snapshot in parts.snapshots]
        assert roots == [snapshot.history_digest for snapshot in log.snapshots]


def test_extend_reads_once_the_peaks_alone():
    log = PureLog()
    log.add(DIGESTS[:11])
    log.reads.clear()

    history.extend(log.read, 11, DIGESTS[11:])

    assert log.reads == [[(0, 3), (8, 1), (10, 0)]]


def test_extend_reads_nothing_for_an_empty_log_and_changes_nothing_for_an_empty_group():
    log = PureLog()
    log.add(DIGESTS[:3])

    assert log.reads == []
    assert history.extend(log.read, 3, []) == ([], [])


def test_peaks_are_one_a_set_bit():
    assert history.peaks(0) == []
    assert history.peaks(1) == [(0, 0)]
    assert history.peaks(8) == [(0, 3)]
    assert history.peaks(0b10110) == [(0, 4), (16, 2), (20, 1)]


def test_paths_of_every_leaf_as_of_every_version_are_those_of_the_judge(log):
    for version in range(LEAVES):
        for leaf in range(version + 1):
            path = history.prove_membership(log.read, leaf, version)

            assert path == history_path(DIGESTS, leaf, version)


def test_paths_of_every_pair_of_versions_are_those_of_the_judge(log):
    for end in range(LEAVES):
        for start in range(end + 1):
            path = history.prove_incremental(log.read, start, end)

            assert path == incremental_path(DIGESTS, start, end)
            assert list(path) == sorted(path), "left to right"


def test_proofs_read_at_most_once_and_no_more_than_promised(log):
    for version in range(LEAVES):
        for leaf in range(version + 1):
            log.reads.clear()
            history.prove_membership(log.read, leaf, version)
            assert len(log.reads) == (0 if version == 0 else 1)
            assert sum(map(len, log.reads)) <= 2 * version.bit_length() + 1
            log.reads.clear()
            history.prove_incremental(log.read, leaf, version)
            history.root(log.read, version)
            increment, peaks = map(len, log.reads)
            assert increment <= 2 * version.bit_length() + 2
            assert peaks == (version + 1).bit_count()


@pytest.mark.parametrize(("first", "second"), [(3, 2), (-1, 2)])
def test_proving_what_cannot_be_is_a_bug_of_the_caller(log, first, second):
    with pytest.raises(AssertionError, match="no path from leaf"):
        history.prove_membership(log.read, first, second)
    with pytest.raises(AssertionError, match="no increment"):
        history.prove_incremental(log.read, first, second)
