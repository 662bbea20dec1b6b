"""The hyper tree against the judge, its sharing, and its limits."""

from __future__ import annotations

import tracemalloc
from hashlib import sha256

import pytest

from model import DEFAULT, hyper_root, hyper_walk, number
from pure_log import event_digests, flip_bit
from qed.trees import hyper

DIGESTS = event_digests(64)
NEAR = [flip_bit(DIGESTS[0], bit) for bit in range(256)]


def entries(digests, first=0) -> list[tuple[bytes, int]]:
    return [(digest, version) for version, digest in enumerate(digests, first)]


def members(pairs) -> dict[int, int]:
    return {number(digest): version for digest, version in pairs}


def assert_judged(tree, pairs, probes) -> None:
    """Compare root, members and walks with the judge's."""
    expected = members(pairs)

    assert hyper.root(tree) == hyper_root(expected)
    for digest in probes:
        walk = hyper.walk(tree, digest)
        path, end = hyper_walk(expected, number(digest))
        leaf = None if end is None else (end[0].to_bytes(32, "big"), end[1])
        assert (walk.path, walk.leaf) == (path, leaf)
        assert list(walk.path) == sorted(walk.path, key=lambda position: -position[1])
        assert hyper.get(tree, digest) == expected.get(number(digest))


def test_defaults_are_the_hashes_of_empty_nodes():
    assert list(hyper.DEFAULTS) == DEFAULT


def test_an_empty_tree_has_the_default_root_and_no_path():
    assert hyper.root(None) == DEFAULT[256]
    assert hyper.walk(None, DIGESTS[0]) == hyper.Walk({}, None)
    assert hyper.get(None, DIGESTS[0]) is None
    assert hyper.insert(None, []) is None


@pytest.mark.parametrize("size", [1, 2, 3, 5, 16, 64])
def test_trees_of_events_one_by_one_and_at_once(size):
    pairs = entries(DIGESTS[:size])
    tree = None
    for pair in pairs:
        tree = hyper.insert(tree, [pair])

    assert tree == hyper.insert(None, pairs)
    assert_judged(tree, pairs, [*DIGESTS, *NEAR[::17]])


@pytest.mark.parametrize("bit", [0, 1, 7, 100, 230, 231, 232, 233, 254, 255])
def test_two_digests_that_part_at_a_bit(bit):
    one, other = DIGESTS[1], flip_bit(DIGESTS[1], bit)
    probes = [one, other, *(flip_bit(one, n) for n in range(256)), flip_bit(other, 0)]

    for pairs in ([(one, 0), (other, 1)], [(other, 0), (one, 1)]):
        tree = hyper.insert(hyper.insert(None, pairs[:1]), pairs[1:])
        assert tree == hyper.insert(None, pairs)
        assert_judged(tree, pairs, probes)


def test_a_member_for_every_bit_of_a_digest():
    """The deepest tree there is: a fork at each height, a walk of 256 siblings."""
    pairs = entries([DIGESTS[0], *NEAR])
    tree = None
    for pair in sorted(pairs, key=lambda pair: DIGESTS[pair[1] % 64]):
        tree = hyper.insert(tree, [pair])

    assert tree == hyper.insert(None, pairs)
    assert len(hyper.walk(tree, DIGESTS[0]).path) == 256
    assert_judged(tree, pairs, [DIGESTS[0], *NEAR[::40]])


@pytest.mark.parametrize("extreme", [bytes(32), b"\xff" * 32])
def test_the_first_and_the_last_digest(extreme):
    pairs = [*entries(DIGESTS[:9]), (extreme, 9)]

    assert_judged(hyper.insert(None, pairs), pairs, [extreme, *DIGESTS[:12]])


def test_a_known_digest_gets_the_new_version():
    tree = hyper.insert(None, entries(DIGESTS[:9]))

    again = hyper.insert(tree, entries([DIGESTS[4], DIGESTS[20], DIGESTS[7]], 9))

    expected = [*entries(DIGESTS[:9]), *entries([DIGESTS[4], DIGESTS[20], DIGESTS[7]], 9)]
    assert_judged(again, expected, DIGESTS)


def test_a_version_of_64_bits():
    pairs = [(DIGESTS[0], 2**64 - 2), (DIGESTS[1], 0)]

    assert_judged(hyper.insert(None, pairs), pairs, DIGESTS[:3])


def test_an_old_root_stays_valid():
    old = hyper.insert(None, entries(DIGESTS[:20]))
    new = hyper.insert(old, entries(DIGESTS[10:40], 20))

    assert_judged(old, entries(DIGESTS[:20]), DIGESTS)
    assert hyper.root(new) != hyper.root(old)


def test_an_insertion_shares_what_it_does_not_touch():
    old = hyper.insert(None, entries(DIGESTS))
    new = hyper.insert(old, [(DIGESTS[0], 64)])

    def nodes(node) -> set[int]:
        below = [n for child in node if isinstance(child, tuple) for n in nodes(child)]
        return {id(node), *below}

    assert len(nodes(new) - nodes(old)) == len(way_to(new, DIGESTS[0]))


def way_to(node, digest) -> list:
    """Return the nodes from the root to a member."""
    way = [node]
    while len(node) > 3:
        node = node[4 if number(digest) >> (node[2] - 1) & 1 else 3]
        way.append(node)
    return way


def test_an_empty_group_is_the_same_tree():
    tree = hyper.insert(None, entries(DIGESTS[:3]))

    assert hyper.insert(tree, []) is tree


def test_a_digest_twice_in_a_group_is_a_bug_of_the_caller():
    with pytest.raises(AssertionError, match="comes twice"):
        hyper.insert(None, [(DIGESTS[0], 0), (DIGESTS[1], 1), (DIGESTS[0], 2)])


def test_a_group_hashes_shared_ancestors_once(monkeypatch):
    """One hash for each node above a member, however many members of the group are below it."""
    hashed = []

    def counting(data):
        hashed.append(data)
        return sha256(data)

    def nodes(pairs, height=256) -> int:
        if not pairs or (len(pairs) == 1 and height <= 232):
            return len(pairs)
        sides = ([p for p in pairs if number(p[0]) >> (height - 1) & 1 == s] for s in (0, 1))
        return 1 + sum(nodes(side, height - 1) for side in sides)

    monkeypatch.setattr(hyper, "sha256", counting)
    pairs = entries([*DIGESTS, *NEAR[:30]])
    tree = hyper.insert(None, pairs)
    assert len(hashed) == nodes(pairs)

    hashed.clear()
    hyper.insert(tree, entries([digest for digest, _ in pairs], len(pairs)))
    assert len(hashed) == nodes(pairs)


def test_memory_of_a_member_is_below_500_bytes():
    pairs = entries(event_digests(5000))
    tracemalloc.start()
    tree = hyper.insert(None, pairs)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert tree is not None
    assert size / len(pairs) < 500
