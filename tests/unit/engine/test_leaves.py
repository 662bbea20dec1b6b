"""Leaves made from groups are the model's, whatever range is asked for."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from harness import event, events
from model import Model, snapshot_leaf
from qed.database import Database
from qed.engine import rows
from qed.engine.leaves import Leaves, read_leaves
from qed.engine.log import Log
from qed.errors import DamagedError
from qed.trees.kernel import History
from qed.trees.snapshot_log import hash_leaf

GROUPS = [events(0, 2), [event(0)], events(2, 6), [event(5)]]
SIZE = 8


@pytest.fixture(name="expected")
def the_leaves() -> list[bytes]:
    model = Model()
    for digests in GROUPS:
        model.add(digests)
    return list(map(snapshot_leaf, model.snapshots))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Log.create(tmp_path / "db") as log:
        for digests in GROUPS:
            log.append(digests)
    return tmp_path / "db"


def u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


def damage(path: Path, family: str, key: bytes, value: bytes) -> DamagedError:
    """Change a row below an open log, ask it for leaves, and return what it says."""
    with Log.open(path) as log:
        log._database.commit([(family, key, value)])
        with pytest.raises(DamagedError) as caught:
            log.read_leaves(0, SIZE)
    return caught.value


def test_every_range_is_the_models(path, expected) -> None:
    with Log.open(path) as log:
        for first in range(SIZE):
            for stop in range(first + 1, SIZE + 1):
                found = log.read_leaves(first, stop)
                wanted = expected[first:stop]
                assert list(found.leaves()) == wanted
                assert [found.leaf(version) for version in range(first, stop)] == wanted
                assert found.hashes() == b"".join(map(hash_leaf, wanted))
                bundle = b"".join(b"\x00\x74" + leaf for leaf in wanted)
                assert found.encode_bundle() == bundle
                assert (found.first_version, found.stop) == (first, stop)


def test_no_leaves_are_none(path) -> None:
    with Log.open(path) as log:
        found = log.read_leaves(3, 3)
    assert (found.first_version, found.stop, found.ends) == (3, 3, ())
    assert (list(found.leaves()), found.hashes(), found.encode_bundle()) == ([], b"", b"")


def test_ends_are_those_of_the_groups(path, expected) -> None:
    with Log.open(path) as log:
        found = log.read_leaves(1, 5)
    assert found.ends == tuple((last, expected[last][-32:]) for last in (1, 2, 6))


@pytest.mark.parametrize(("first", "stop"), [(0, 9), (8, 9), (-1, 2), (3, 2)])
def test_leaves_that_are_not_in_the_log_are_refused(path, first, stop) -> None:
    with Log.open(path) as log, pytest.raises(ValueError, match="no leaves"):
        log.read_leaves(first, stop)


@pytest.mark.parametrize("version", [0, 5])
def test_a_leaf_beyond_the_range_is_refused(path, version) -> None:
    with Log.open(path) as log, pytest.raises(ValueError, match="is not in"):
        log.read_leaves(1, 5).leaf(version)


def test_hashes_that_were_made_are_not_made_again() -> None:
    assert Leaves(0, bytes(32), bytes(32), ((0, bytes(32)),), b"made").hashes() == b"made"


@pytest.mark.parametrize(
    ("family", "key", "value", "sentence"),
    [
        ("log", u64(3), bytes(31), "the row log/3 has 31 bytes"),
        ("log", u64(3), bytes(32), "the row log/3 ends at version 3"),
        ("ends", u64(2), bytes(31), "the row ends/2 has 31 bytes"),
        ("ends", u64(4), bytes(32), "the row log/3 ends at version 6, but the next end is ends/4"),
    ],
)
def test_rows_that_contradict_their_neighbours_are_named(
    path, family, key, value, sentence
) -> None:
    assert str(damage(path, family, key, value)).startswith(sentence)


def test_versions_without_a_row_are_damage(tmp_path) -> None:
    history = History()
    history.freeze(b"".join(events(0, 3)))
    with (
        contextlib.closing(Database.create(tmp_path, rows.FAMILIES)) as database,
        pytest.raises(DamagedError, match="no row of log holds version 1"),
    ):
        read_leaves(database, history, 1, 3)
