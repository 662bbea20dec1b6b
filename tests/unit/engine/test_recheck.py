"""Check before sign: rows that are right, rows changed below an open log, a place of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import event, events
from model import Model, snapshot_leaf, snapshot_log_root
from qed.engine import group_rows, recheck, rows
from qed.engine.log import Log
from qed.errors import DamagedError
from qed.trees.snapshot_log import hash_leaf

GROUPS = [events(0, 3), [event(0)], events(3, 270), [event(5)], events(270, 300)]


def u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log.create(tmp_path / "db") as log:
        yield log


def put(log: Log, family: str, key: bytes, value: bytes) -> None:
    log._database.commit([(family, key, value)])


def value_of(log: Log, family: str, key: bytes) -> bytes:
    (value,) = log._database.get(family, [key])
    assert value is not None
    return value


def test_each_group_end_has_the_models_root_and_the_leaves_since(log) -> None:
    model = Model()
    for digests in GROUPS:
        log.append(digests)
        first = len(model.snapshots)
        model.add(digests)
        leaves = list(map(snapshot_leaf, model.snapshots))
        root, found = log.recheck(len(leaves))
        assert root == snapshot_log_root(leaves) == log.snapshot_root[1]
        assert (found.first_version, found.stop) == (first, len(leaves))
        assert list(found.leaves()) == leaves[first:]
        assert found.hashes() == b"".join(map(hash_leaf, leaves[first:]))


def test_many_groups_at_once_and_a_place_before_the_newest(log, monkeypatch) -> None:
    monkeypatch.setattr(group_rows, "PART_EVENTS", 5)
    model = Model()
    for digests in GROUPS:
        log.append(digests)
        model.add(digests)
    leaves = list(map(snapshot_leaf, model.snapshots))
    root, found = log.recheck(271)
    assert root == snapshot_log_root(leaves[:271])
    assert list(found.leaves()) == leaves[:271]
    assert log.recheck(len(leaves))[0] == snapshot_log_root(leaves)


def test_nothing_new_is_the_same_root_and_no_leaves(log) -> None:
    root, found = log.recheck(0)
    assert (root, found.stop) == (snapshot_log_root([]), 0)
    log.append(GROUPS[0])
    root, _ = log.recheck(3)
    again, found = log.recheck(3)
    assert again == root
    assert (found.first_version, found.stop, found.hashes()) == (3, 3, b"")


def test_a_log_that_was_opened_is_followed_from_there(log) -> None:
    log.append(GROUPS[0])
    log.append(GROUPS[2])
    log.close()
    with Log.open(log.path) as opened:
        assert opened.recheck(270)[1].stop == 270
        opened.append([event(1)])
        root, found = opened.recheck(271)
        assert root == opened.snapshot_root[1]
        assert (found.first_version, found.stop) == (270, 271)


def test_only_the_newest_leaves_are_handed_out(log, monkeypatch) -> None:
    monkeypatch.setattr(recheck, "RECENT_EVENTS", 20)
    monkeypatch.setattr(group_rows, "PART_EVENTS", 10)
    for start in range(0, 60, 5):
        log.append(events(start, start + 5))
    root, found = log.recheck(60)
    assert root == log.snapshot_root[1]
    assert (found.first_version, found.stop) == (40, 60)
    assert found.hashes() == log.read_leaves(40, 60).hashes()


@pytest.mark.parametrize("stop", [2, 5, 2**64])
def test_a_place_that_was_passed_or_is_not_there_yet_is_refused(log, stop) -> None:
    log.append(events(0, 4))
    log.recheck(4)
    with pytest.raises(ValueError, match=f"no check from 4 to {stop}"):
        log.recheck(stop)


def test_a_place_within_a_group_is_no_place(log) -> None:
    log.append(events(0, 4))
    with pytest.raises(DamagedError, match="log/0"):
        log.recheck(3)


@pytest.mark.parametrize(
    ("family", "key", "value", "sentence"),
    [
        ("log", u64(3), event(7), "the row log/3 leads to another history digest than the events"),
        ("log", u64(4), b"".join(events(4, 271)), "the row log/4 leads to another history digest"),
        ("log", u64(4), bytes(31), "the row log/4 has 31 bytes"),
        ("log", u64(4), bytes(64), "the row log/4 ends at version 5, but the next end is ends/270"),
        ("ends", u64(3), bytes(31), "the row ends/3 has 31 bytes"),
        ("ends", u64(301), bytes(32), "the row default/head is not what the groups lead to"),
        ("default", b"node\x01" + u64(0), bytes(32), "the row default/node/1/0 has the hash 0000"),
        ("default", b"head", None, "the row default/head is not what the groups lead to"),
        ("default", b"snapshots", bytes(42), "the row default/snapshots is not what the groups"),
        ("default", b"snapshots", None, "the row default/snapshots is not what the groups lead to"),
    ],
)
def test_a_row_that_changed_is_named_and_nothing_moves(log, family, key, value, sentence) -> None:
    for digests in GROUPS:
        log.append(digests)
    right = value_of(log, family, key)
    wrong = right[:-1] + bytes([right[-1] ^ 1]) if value is None else value
    put(log, family, key, wrong)
    for _ in range(2):
        with pytest.raises(DamagedError) as damage:
            log.recheck(302)
        assert str(damage.value).startswith(sentence)
        assert damage.value.hint
    put(log, family, key, right)
    assert log.recheck(302)[0] == log.snapshot_root[1]


def test_a_hyper_digest_in_the_middle_leads_to_another_root(log) -> None:
    for digests in GROUPS:
        log.append(digests)
    put(log, "ends", u64(3), bytes(32))
    # A kept node over it first; without one, the root.
    with pytest.raises(DamagedError, match="the row default/node/1/0 has the hash"):
        log.recheck(302)


def test_a_hyper_digest_that_no_node_is_over_yet_is_found_by_the_root(log) -> None:
    log.append(events(0, 3))
    log.append(events(3, 6))
    put(log, "ends", u64(2), bytes(32))
    with pytest.raises(DamagedError, match="the row default/snapshots is not what the groups"):
        log.recheck(6)
    mark = rows.Mark(6, recheck_root(log, bytes(32)))
    log._database.commit(rows.encode_snapshots(mark, []))
    with pytest.raises(DamagedError, match="the rows ends/0 to ends/5 lead to another root"):
        log.recheck(6)


def recheck_root(log: Log, hyper_digest: bytes) -> bytes:
    """The root that the log has with this hyper digest for its first three events."""
    leaves = [log.read_leaves(0, 6).leaf(version) for version in range(6)]
    changed = [leaf[:-32] + hyper_digest for leaf in leaves[:3]] + leaves[3:]
    return snapshot_log_root(changed)


def test_rows_of_a_later_group_are_the_next_checks(log) -> None:
    """The writer goes on meanwhile: head and mark are about another size then."""
    log.append(events(0, 3))
    size, planned = log.snapshot_root
    log.append(events(3, 6))
    assert log.recheck(size)[0] == planned
