"""Proofs whose roots a liar made for them: every rule of the verifier stands alone.

In honest logs a broken rule mostly shows in a root too. Here all hashes lead to the roots given,
whatever the numbers, the depth or the keys, so that only the rule itself can refuse.
"""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import flat_texts
from laws import digests
from model import DEFAULT
from pure_log import flip_bit
from qed.trees import quick_check, quick_twin
from qed.trees.paths import incremental_positions, membership_positions
from qed.trees.values import NO_VERSION, FlatIncremental, FlatMembership, split_digests
from qed.trees.verify import Root

DEPTHS = [0, 1, 8, 9, 22, 23, 24, 25, 26, 27, 30, 31, 32, 33, 40, 255, 256]
numbers = st.one_of(
    st.integers(0, 9),
    st.sampled_from([NO_VERSION - 1, NO_VERSION, 2**63 - 1, 2**63]),
    st.integers(0, NO_VERSION),
)


@pytest.fixture(
    scope="module", params=flat_texts.implementations("qed.trees._verifier", "qed.trees.quick_twin")
)
def quick(request):
    return request.param()


def history_of(digest: bytes, leaf: int, version: int) -> tuple[bytes, bytes]:
    """Return a path and the root to which it leads from a leaf, also from one after the version."""
    heights = range(version.bit_length())
    siblings = [(leaf >> height ^ 1) << height for height in heights]
    path = flat_texts.hashes(sum(sibling <= version for sibling in siblings), 2)
    left = split_digests(path)
    node = sha256(digest + leaf.to_bytes(8, "big") + b"\x00\x00").digest()
    for height, sibling in enumerate(siblings):
        children = node
        if sibling <= version:
            beside = left.pop()
            children = node + beside if sibling > leaf else beside + node
        parent = leaf >> (height + 1) << (height + 1)
        place = parent.to_bytes(8, "big") + (height + 1).to_bytes(2, "big")
        node = sha256(children + place).digest()
    return path, node


def test_the_liars_history_is_an_honest_one_where_there_can_be_one():
    for leaf, version in ((0, 0), (3, 3), (3, 9), (9, 9), (5, 2**40), (NO_VERSION, NO_VERSION)):
        path, root = history_of(bytes(32), leaf, version)
        positions = membership_positions(leaf, version)
        nodes = dict(zip(positions, split_digests(path), strict=True))
        nodes[leaf, 0] = sha256(bytes(32) + leaf.to_bytes(8, "big") + b"\x00\x00").digest()
        assert quick_check._history_root(nodes, version).digest == root


def hyper_of(node: bytes, key: bytes, depth: int, deepest: bytes) -> tuple[bytes, bytes]:
    """Return the siblings of a way, the last one given, and the root over it."""
    siblings = flat_texts.hashes(depth, 3)
    if depth:
        siblings = siblings[:-32] + deepest
    return siblings, quick_check._hyper_root(node, key, siblings).digest


@st.composite
def forgeries(draw):
    """Draw a claim in which every hash leads to its root."""
    kind = draw(st.sampled_from(["exists", "exists", "leaf", "leaf", "empty", "both"]))
    digest, depth = draw(digests), draw(st.sampled_from(DEPTHS))
    current = draw(numbers)
    version = draw(st.none() | st.just(current) | numbers)
    query = current if version is None else version
    asked = min(query, current)
    actual = draw(st.just(asked) | st.integers(0, asked) | numbers)
    deepest = draw(st.sampled_from([DEFAULT[256 - depth], b"\x01" * 32]))
    other, leaf_version = digest, actual
    if kind in ("leaf", "both"):
        near = st.sampled_from([256 - depth, 255 - depth, 257 - depth, 231, 232, 255])
        other = flip_bit(digest, draw(near | st.integers(0, 255)) % 256)
        other = draw(st.sampled_from([other, other, other, digest]))
        leaf_version = draw(st.just(current) | st.integers(0, current) | numbers)
    node = quick_check._shortcut_leaf(other, leaf_version, depth)
    if kind == "empty":
        node = DEFAULT[256 - depth]
    siblings, hyper = hyper_of(node, draw(st.sampled_from([other, digest])), depth, deepest)
    flat = FlatMembership(
        exists=kind in ("exists", "both"),
        current_version=current,
        query_version=query,
        actual_version=actual,
        key_digest=digest,
        hyper=siblings,
        history=None,
    )
    history, of = bytes(32), asked
    if kind in ("exists", "both"):
        path, history = history_of(digest, actual, asked)
        flat = flat._replace(history=path)
    if kind in ("leaf", "both"):
        of = draw(st.sampled_from([current, current, asked])) if kind == "leaf" else asked
        path, leaf_root = history_of(other, leaf_version, of)
        flat = flat._replace(leaf_digest=other, leaf_version=leaf_version, leaf_history=path)
        history = leaf_root if kind == "leaf" else history
    of = draw(st.sampled_from([of, of, of, current]))
    history_root = None if draw(st.integers(0, 9)) == 0 else Root(of, history)
    return flat, digest, version, Root(current, hyper), history_root


@settings(max_examples=400)
@given(forgeries())
def test_a_forgery_is_judged_as_by_the_readable_verifier(quick, claim):
    verdict = quick.verify_membership(*claim)

    assert verdict == quick_twin.verify_membership(*claim)
    assert quick.verify_memberships([claim]) == [verdict]


def presence(current: int, actual: int, depth: int = 24, *, query: int | None = None):
    """Return a presence of these numbers whose hashes all lead to its roots."""
    digest = b"\x5a" * 32
    asked = current if query is None else min(query, current)
    node = quick_check._shortcut_leaf(digest, actual, depth)
    siblings, hyper = hyper_of(node, digest, depth, b"\x01" * 32)
    path, history = history_of(digest, actual, asked)
    flat = FlatMembership(
        exists=True,
        current_version=current,
        query_version=current if query is None else query,
        actual_version=actual,
        key_digest=digest,
        hyper=siblings,
        history=path,
    )
    return flat, digest, query, Root(current, hyper), Root(asked, history)


def test_the_last_version_and_the_version_of_an_empty_log(quick):
    last = NO_VERSION - 1
    for current, right in ((0, True), (2**63, True), (last, True), (NO_VERSION, False)):
        for actual in {0, current}:
            assert quick.verify_membership(*presence(current, actual)) is right
        assert quick.verify_membership(*presence(7, 3, query=current)) is (current > 3)
    assert quick.verify_membership(*presence(7, 3, query=NO_VERSION)) is True


def test_nothing_is_known_of_a_version_that_is_yet_to_come(quick):
    """Also where the path of a later leaf leads to the root of an earlier version."""
    for later in (10, 11, 15, 16, 200):
        assert quick.verify_membership(*presence(9, later)) is False
        assert quick.verify_membership(*presence(99, later, query=9)) is False
        flat, digest, _, hyper, history = presence(9, later)
        absent = flat._replace(
            exists=False,
            actual_version=9,
            key_digest=flip_bit(digest, 0),
            history=None,
            leaf_digest=digest,
            leaf_version=later,
            leaf_history=flat.history,
        )
        assert quick.verify_membership(absent, absent.key_digest, None, hyper, history) is False


def test_a_presence_with_a_leaf_beside_it(quick):
    """Everything about the presence is right, and everything about the leaf too."""
    flat, *question = presence(9, 3)
    other = flip_bit(flat.key_digest, 0)
    path, _ = history_of(other, 4, 9)
    both = flat._replace(leaf_digest=other, leaf_version=4, leaf_history=path)

    assert quick.verify_membership(flat, *question) is True
    assert quick.verify_membership(both, *question) is False


@pytest.mark.parametrize("depth", range(24, 41))
def test_a_leaf_must_share_every_bit_down_to_where_it_hangs(quick, depth):
    """The root is made for the way of the leaf's own key."""
    for bit in range(256 - depth - 2, 256):
        digest = b"\xa5" * 32
        other = flip_bit(digest, bit)
        node = quick_check._shortcut_leaf(other, 4, depth)
        path, history = history_of(other, 4, 9)
        for key in (other, digest):
            siblings, hyper = hyper_of(node, key, depth, b"\x01" * 32)
            flat = FlatMembership(
                exists=False,
                current_version=9,
                query_version=9,
                actual_version=9,
                key_digest=digest,
                hyper=siblings,
                history=None,
                leaf_digest=other,
                leaf_version=4,
                leaf_history=path,
            )
            claim = (flat, digest, None, Root(9, hyper), Root(9, history))
            assert quick.verify_membership(*claim) is (bit < 256 - depth)
            assert quick_twin.verify_membership(*claim) is (bit < 256 - depth)


@given(numbers, numbers)
@example(NO_VERSION, NO_VERSION)
@example(0, NO_VERSION)
@example(0, NO_VERSION - 1)
@example(2**63 - 1, 2**63)
def test_an_increment_between_any_versions(quick, one, other):
    """Its roots are made for it: it is right wherever a log could have these versions."""
    start, end = sorted((one, other))
    positions = incremental_positions(start, end)
    flat = FlatIncremental(start, end, flat_texts.hashes(len(positions), 4))
    nodes = dict(zip(positions, split_digests(flat.hashes), strict=True))
    roots = [quick_check._history_root(nodes, version) for version in (start, end)]

    assert quick.verify_incremental(flat, *roots) is (end < NO_VERSION)
    assert quick.verify_incremental(flat, *reversed(roots)) is (start == end < NO_VERSION)
