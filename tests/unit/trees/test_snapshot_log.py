"""The snapshot log against RFC 6962's own words, at every size and at the edges of tiles."""

from __future__ import annotations

from hashlib import sha256

import pytest

from model import Model, h, snapshot_leaf, snapshot_log_root
from pure_log import event_digests
from qed.errors import MalformedError
from qed.trees import snapshot_log
from qed.trees.snapshot_log import TILE_HASHES, hash_leaf, hash_node
from qed.trees.values import Snapshot

SIZES = 300
DIGESTS = event_digests(4)
LEAVES = [b"leaf %d" % number for number in range(SIZES)]
HASHES = b"".join(h(b"\x00", leaf) for leaf in LEAVES)


def hashes(count: int) -> bytes:
    return b"".join(sha256(b"%d" % number).digest() for number in range(count))


def subtree(leaf_hashes: bytes, level: int, index: int) -> bytes:
    """Return the hash of a perfect subtree of 256^level leaves, folded pair by pair."""
    width = TILE_HASHES**level * 32
    nodes = [
        leaf_hashes[index * width : (index + 1) * width][i : i + 32] for i in range(0, width, 32)
    ]
    while len(nodes) > 1:
        nodes = [h(b"\x01", nodes[i], nodes[i + 1]) for i in range(0, len(nodes), 2)]
    return nodes[0]


# --- leaves


def test_a_leaf_is_tag_version_and_three_digests():
    leaf = snapshot_log.encode_leaf(258, *DIGESTS[:3])

    assert leaf == b"qed/snap/v1\n" + bytes(6) + b"\x01\x02" + b"".join(DIGESTS[:3])
    assert len(leaf) == snapshot_log.LEAF_BYTES


def test_decoding_gives_back_what_was_encoded():
    leaf = snapshot_log.encode_leaf(2**64 - 1, *DIGESTS[:3])

    assert snapshot_log.decode_leaf(leaf) == Snapshot(2**64 - 1, *DIGESTS[:3])


@pytest.mark.parametrize("arguments", [(-1, *DIGESTS[:3]), (2**64, *DIGESTS[:3])])
def test_a_version_that_is_no_u64_is_refused(arguments):
    with pytest.raises(ValueError, match="no version"):
        snapshot_log.encode_leaf(*arguments)


@pytest.mark.parametrize("short", [0, 1, 2])
def test_a_digest_of_another_length_is_refused(short):
    digests = DIGESTS[:3]
    digests[short] = digests[short][1:]

    with pytest.raises(ValueError, match="32 bytes"):
        snapshot_log.encode_leaf(0, *digests)


def test_digests_whose_lengths_only_sum_up_are_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        snapshot_log.encode_leaf(0, DIGESTS[0] + b"x", DIGESTS[1][1:], DIGESTS[2])


def test_bytes_that_are_no_leaf_are_refused():
    leaf = snapshot_log.encode_leaf(0, *DIGESTS[:3])
    for wrong in (b"", leaf[:-1], leaf + b"\x00", b"Q" + leaf[1:], leaf.replace(b"v1", b"v2")):
        with pytest.raises(MalformedError, match="no leaf of a snapshot log"):
            snapshot_log.decode_leaf(wrong)


def test_leaves_of_a_group_are_hashed_with_its_hyper_digest():
    model = Model()
    model.add(DIGESTS[:1])
    group = model.add(DIGESTS[1:])

    found = snapshot_log.hash_leaves(
        1,
        b"".join(snapshot.event_digest for snapshot in group),
        b"".join(snapshot.history_digest for snapshot in group),
        group[0].hyper_digest,
    )

    assert found == b"".join(h(b"\x00", snapshot_leaf(snapshot)) for snapshot in group)
    assert found[:32] == hash_leaf(snapshot_leaf(group[0]))


@pytest.mark.parametrize(
    ("first", "digests", "roots", "hyper"),
    [
        (0, 32, 64, 32),
        (0, 33, 32, 32),
        (0, 32, 32, 31),
        (0, 32, 32, 0),
        (-1, 32, 32, 32),
        (snapshot_log.MAX_SIZE, 32, 32, 32),
    ],
)
def test_what_is_no_group_is_refused(first, digests, roots, hyper):
    with pytest.raises(ValueError, match=r"digests|leaves"):
        snapshot_log.hash_leaves(first, bytes(digests), bytes(roots), bytes(hyper))


# --- roots and peaks


def test_the_root_over_nothing_is_that_of_the_empty_string():
    assert snapshot_log.root(b"") == snapshot_log.EMPTY_ROOT == sha256().digest()


def test_the_root_is_that_of_the_rfc_at_every_size():
    peaks = b""
    for size in range(1, SIZES + 1):
        peaks, _ = snapshot_log.extend(size - 1, peaks, h(b"\x00", LEAVES[size - 1]))

        assert snapshot_log.root(peaks) == snapshot_log_root(LEAVES[:size])


def test_peaks_are_the_roots_of_the_largest_perfect_subtrees():
    for size in range(SIZES + 1):
        expected, start = [], 0
        for height in reversed(range(size.bit_length())):
            if size >> height & 1:
                expected.append(snapshot_log_root(LEAVES[start : start + 2**height]))
                start += 2**height

        assert snapshot_log.extend(0, b"", HASHES[: size * 32])[0] == b"".join(expected)


def test_extending_at_any_cut_is_extending_at_once():
    whole = snapshot_log.extend(0, b"", HASHES)
    for cut in range(SIZES + 1):
        peaks, before = snapshot_log.extend(0, b"", HASHES[: cut * 32])
        peaks, after = snapshot_log.extend(cut, peaks, HASHES[cut * 32 :])

        assert (peaks, before + after) == whole


def test_extending_by_nothing_changes_nothing():
    peaks, _ = snapshot_log.extend(0, b"", HASHES)

    assert snapshot_log.extend(SIZES, peaks, b"") == (peaks, [])


# --- tiles


def test_a_node_is_kept_when_its_tile_is_complete_and_not_before():
    leaves = hashes(3 * TILE_HASHES + 1)
    peaks, before = snapshot_log.extend(0, b"", leaves[: 255 * 32])
    assert before == []

    peaks, at = snapshot_log.extend(255, peaks, leaves[255 * 32 : 256 * 32])
    assert at == [(1, 0, subtree(leaves, 1, 0))]

    _, after = snapshot_log.extend(256, peaks, leaves[256 * 32 :])
    assert after == [(1, 1, subtree(leaves, 1, 1)), (1, 2, subtree(leaves, 1, 2))]


def test_a_tile_of_tiles_is_kept_after_the_last_one_below_it():
    size = TILE_HASHES**2
    leaves = hashes(size + 1)
    peaks, nodes = snapshot_log.extend(0, b"", leaves[: (size - 1) * 32])
    assert [node[:2] for node in nodes] == [(1, index) for index in range(255)]

    peaks, nodes = snapshot_log.extend(size - 1, peaks, leaves[(size - 1) * 32 :])
    assert nodes == [(1, 255, subtree(leaves, 1, 255)), (2, 0, subtree(leaves, 2, 0))]
    assert peaks == nodes[-1][2] + leaves[size * 32 :]


def test_a_tree_of_any_size_goes_on_from_its_peaks():
    size = 2**40 - 1
    peaks = hashes(size.bit_count())

    found, nodes = snapshot_log.extend(size, peaks, DIGESTS[0])

    assert [node[:2] for node in nodes] == [
        (1, 2**32 - 1),
        (2, 2**24 - 1),
        (3, 2**16 - 1),
        (4, 255),
        (5, 0),
    ]
    assert found == nodes[-1][2]
    expected = DIGESTS[0]
    for height in range(40):
        start = len(peaks) - 32 * (height + 1)
        expected = hash_node(peaks[start : start + 32], expected)
    assert found == expected


@pytest.mark.parametrize(
    ("size", "peaks", "leaves"),
    [
        (0, 32, 0),
        (1, 0, 32),
        (3, 32, 32),
        (4, 64, 32),
        (1, 33, 32),
        (1, 32, 31),
        (-1, 0, 0),
        (snapshot_log.MAX_SIZE, 32, 32),
    ],
)
def test_peaks_of_another_size_and_hashes_that_are_none_are_refused(size, peaks, leaves):
    with pytest.raises(ValueError, match=r"peaks|digests|leaves"):
        snapshot_log.extend(size, bytes(peaks), bytes(leaves))


def test_the_root_of_what_are_no_hashes_is_refused():
    with pytest.raises(ValueError, match="no whole number"):
        snapshot_log.root(bytes(33))
