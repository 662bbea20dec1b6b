"""The verifier of the snapshot log against the RFC's own definitions: all sizes, all mutations."""

from __future__ import annotations

import ast
from hashlib import sha256
from pathlib import Path

import pytest

from naive_log import NaiveLog, hash_leaf
from qed.errors import VerificationError
from qed.trees import verify_log
from qed.trees.verify_log import EMPTY_ROOT, verify_consistency, verify_inclusion

SIZES = range(1, 71)
LOG = NaiveLog(SIZES.stop)
OTHER = sha256(b"something else").digest()


def refused(function, *arguments) -> str:
    """Return the step at which a claim fails; one that holds fails the test."""
    with pytest.raises(VerificationError) as caught:
        function(*arguments)
    assert caught.value.message
    return caught.value.step


def mutated(path: list[bytes]):
    """Yield each path that differs: one hash changed, missing, spare, twice, or swapped."""
    for i, value in enumerate(path):
        before, after = path[:i], path[i + 1 :]
        yield [*before, bytes([value[0] ^ 1]) + value[1:], *after]
        yield [*before, value[:-1], *after]
        yield [*before, value + b"\x00", *after]
        yield before + after
        yield [*before, value, value, *after]
        if after and after[0] != value:
            yield [*before, after[0], value, *after[1:]]
    yield [*path, OTHER]
    yield [OTHER, *path]
    yield [*path, b""]


def test_it_shares_no_code_with_the_prover() -> None:
    tree = ast.parse(Path(verify_log.__file__).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert imported == {"__future__", "collections.abc", "hashlib", "qed.errors"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]


def test_a_leaf_is_hashed_as_the_tree_does() -> None:
    assert verify_log.hash_leaf(LOG.leaves[3]) == LOG.hashes[3] == hash_leaf(LOG.leaves[3])


@pytest.mark.parametrize("size", SIZES)
def test_each_leaf_of_each_size_and_no_mutation_of_its_proof(size) -> None:
    root = LOG.root(0, size)
    for index in range(size):
        path = LOG.path(index, 0, size)
        verify_inclusion(LOG.hashes[index], index, size, path, root)
        for wrong in mutated(path):
            assert refused(verify_inclusion, LOG.hashes[index], index, size, wrong, root)
        assert refused(verify_inclusion, OTHER, index, size, path, root) == "root"
        assert refused(verify_inclusion, LOG.hashes[index], index, size, path, OTHER) == "root"


@pytest.mark.parametrize("size", SIZES)
def test_a_leaf_is_shown_at_its_own_place_alone(size) -> None:
    root = LOG.root(0, size)
    for index in range(size):
        path = LOG.path(index, 0, size)
        for other in range(-1, size + 2):
            if other != index:
                assert refused(verify_inclusion, LOG.hashes[index], other, size, path, root)


@pytest.mark.parametrize("new", SIZES)
def test_each_pair_of_sizes_and_no_mutation_of_its_proof(new) -> None:
    new_root = LOG.root(0, new)
    for old in range(1, new):
        path, old_root = LOG.proof(old, new), LOG.root(0, old)
        verify_consistency(old, old_root, new, new_root, path)
        for wrong in mutated(path):
            assert refused(verify_consistency, old, old_root, new, new_root, wrong)
        assert refused(verify_consistency, old, OTHER, new, new_root, path)
        assert refused(verify_consistency, old, old_root, new, OTHER, path) == "new-root"
        assert refused(verify_consistency, new, new_root, old, old_root, path) == "question"


@pytest.mark.parametrize("new", range(2, 34))
def test_a_proof_is_of_its_own_sizes_alone(new) -> None:
    for old in range(1, new):
        path, old_root, new_root = LOG.proof(old, new), LOG.root(0, old), LOG.root(0, new)
        for another in range(1, new):
            if another != old:
                assert refused(verify_consistency, another, old_root, new, new_root, path)
                root = LOG.root(0, another)
                assert refused(verify_consistency, another, root, new, old_root, path)
                assert refused(verify_consistency, old, root, new, new_root, path)


@pytest.mark.parametrize(("old", "new"), [(1, 2), (3, 7), (6, 8), (8, 13), (21, 64), (33, 70)])
def test_each_bit_of_a_proof_counts(old, new) -> None:
    consistency, inclusion = LOG.proof(old, new), LOG.path(old, 0, new)
    for i in range(8 * 32 * len(consistency)):
        wrong = flip(consistency, i)
        arguments = (old, LOG.root(0, old), new, LOG.root(0, new), wrong)
        assert refused(verify_consistency, *arguments)
    for i in range(8 * 32 * len(inclusion)):
        wrong = flip(inclusion, i)
        arguments = (LOG.hashes[old], old, new, wrong, LOG.root(0, new))
        assert refused(verify_inclusion, *arguments) == "root"


def flip(path: list[bytes], bit: int) -> list[bytes]:
    number, i = divmod(bit, 256)
    value = int.from_bytes(path[number], "big") ^ (1 << i)
    return [*path[:number], value.to_bytes(32, "big"), *path[number + 1 :]]


def test_an_empty_tree_is_the_beginning_of_each_and_has_one_root() -> None:
    verify_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    verify_consistency(0, EMPTY_ROOT, 5, LOG.root(0, 5), [])

    assert refused(verify_consistency, 0, OTHER, 5, LOG.root(0, 5), []) == "old-root"
    assert refused(verify_consistency, 0, EMPTY_ROOT, 5, LOG.root(0, 5), [OTHER]) == "path"
    assert refused(verify_consistency, 0, EMPTY_ROOT, 0, OTHER, []) == "new-root"
    assert refused(verify_inclusion, OTHER, 0, 0, [], EMPTY_ROOT) == "question"


def test_equal_sizes_have_equal_roots_and_no_proof() -> None:
    root = LOG.root(0, 6)
    verify_consistency(6, root, 6, root, [])

    assert refused(verify_consistency, 6, root, 6, OTHER, []) == "new-root"
    assert refused(verify_consistency, 6, OTHER, 6, root, []) == "new-root"
    assert refused(verify_consistency, 6, root, 6, root, [root]) == "path"


@pytest.mark.parametrize(
    ("old", "new"), [(-1, 5), (6, 5), (2**64, 2**64), (5, 2**64), (1, 2**64), (-2, -1)]
)
def test_sizes_that_are_none(old, new) -> None:
    assert refused(verify_consistency, old, OTHER, new, OTHER, []) == "question"


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (5, 5), (6, 5), (0, 0), (5, 2**64)])
def test_places_that_are_none(index, size) -> None:
    assert refused(verify_inclusion, OTHER, index, size, [], OTHER) == "question"


def test_hashes_of_another_length_or_type_are_none() -> None:
    path, root = LOG.path(2, 0, 5), LOG.root(0, 5)
    short, text = OTHER[:31], bytearray(32)
    assert refused(verify_inclusion, short, 2, 5, path, root) == "question"
    assert refused(verify_inclusion, OTHER, 2, 5, path, root + b"\x00") == "question"
    assert refused(verify_inclusion, LOG.hashes[2], 2, 5, [text, *path[1:]], root) == "path"
    assert refused(verify_consistency, 2, short, 5, root, path) == "question"
    assert refused(verify_consistency, 2, OTHER, 5, b"", path) == "question"


def test_the_border_between_two_children_cannot_be_moved() -> None:
    root, path = LOG.root(0, 2), LOG.path(0, 0, 2)
    joined = LOG.hashes[0] + path[0]
    assert refused(verify_inclusion, joined[:33], 0, 2, [joined[33:]], root) == "question"


def test_an_inner_node_is_no_leaf() -> None:
    """Leaves and nodes are hashed apart: a tree of two nodes is not a tree of four leaves."""
    nodes = [LOG.root(0, 2), LOG.root(2, 4)]
    inner = verify_log.hash_leaf(LOG.hashes[0] + LOG.hashes[1])
    assert inner != nodes[0]
    assert refused(verify_inclusion, inner, 0, 2, [nodes[1]], LOG.root(0, 4)) == "root"


def test_the_largest_sizes_take_as_many_hashes_as_the_tree_is_high() -> None:
    size = 2**64 - 1
    for index in (0, size - 1, size // 2):
        wanted = sum((index >> height ^ 1) << height < size for height in range(64))
        path = [OTHER] * wanted
        assert refused(verify_inclusion, OTHER, index, size, path, OTHER) == "root"
        assert refused(verify_inclusion, OTHER, index, size, [*path, OTHER], OTHER) == "path"
