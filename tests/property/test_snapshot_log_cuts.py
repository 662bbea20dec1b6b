"""Law: however a snapshot log is cut into parts, its peaks, its nodes and its root are the same."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from model import h, snapshot_log_root
from qed.trees import snapshot_log

LEAVES = [b"%d" % number for number in range(600)]
HASHES = [h(b"\x00", leaf) for leaf in LEAVES]

cuts = st.lists(st.integers(0, len(LEAVES)), max_size=12).map(sorted)


@given(st.integers(0, len(LEAVES)), cuts)
def test_parts_give_what_leaf_by_leaf_gives(size, cuts):
    by_parts, by_leaves = (b"", []), (b"", [])
    inside = [0, *(cut for cut in cuts if cut < size), size]
    for start, stop in pairwise(inside):
        by_parts = _extend(start, by_parts, b"".join(HASHES[start:stop]))
    for version in range(size):
        by_leaves = _extend(version, by_leaves, HASHES[version])

    assert by_parts == by_leaves
    assert snapshot_log.root(by_parts[0]) == snapshot_log_root(LEAVES[:size])


def _extend(size, so_far, hashes):
    peaks, nodes = snapshot_log.extend(size, so_far[0], hashes)
    return peaks, so_far[1] + nodes
