"""Rows that are missing, cut, changed or added: opening names the first that contradicts."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
import rocksdict

from harness import event, events
from model import Model
from qed.database import Database
from qed.engine import group_rows, rows
from qed.engine.group_rows import read_digests
from qed.engine.log import Log
from qed.engine.replay import Verified, read_meta, replay
from qed.engine.state import State, empty_head
from qed.errors import DamagedError

GROUPS = [events(0, 2), [event(0)], events(2, 5), [event(5)]]


def u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed log of four groups without a derived index."""
    with Log.create(tmp_path / "db") as log:
        for digests in GROUPS:
            log.append(digests)
    for file in (tmp_path / "db" / "qed-index").iterdir():
        file.unlink()
    return tmp_path / "db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with contextlib.closing(Database.open(path, rows.FAMILIES)) as database:
        yield database


def remove_row(path: Path, family: str, key: bytes) -> None:
    """Take a row out, as nothing in the product can."""
    families = {name: rocksdict.Options(raw_mode=True) for name in rows.FAMILIES}
    options = rocksdict.Options(raw_mode=True)
    rdict = rocksdict.Rdict(str(path), options, column_families=families)
    rdict.get_column_family(family).delete(key)
    rdict.close()


def put_row(path: Path, family: str, key: bytes, value: bytes) -> None:
    with contextlib.closing(Database.open(path, rows.FAMILIES)) as database:
        database.commit([(family, key, value)])


def head_row(path: Path) -> bytes:
    with contextlib.closing(Database.open(path, rows.FAMILIES)) as database:
        (value,) = database.get("default", [b"head"])
    assert value is not None
    return value


def sentence_of_opening(path: Path) -> str:
    with pytest.raises(DamagedError) as damage:
        Log.open(path)
    assert "qed restore" in damage.value.hint
    return str(damage.value)


def test_replay_leads_to_the_model(database) -> None:
    model = Model()
    for digests in GROUPS:
        model.add(digests)
    _, head = read_meta(database)
    state = replay(database, head, lambda: State(empty_head(head.log_id)))
    assert state.head == head
    assert head.hyper_digest == model.snapshots[-1].hyper_digest
    assert state.history_root() == model.snapshots[-1].history_digest


@pytest.mark.parametrize(
    ("family", "key", "sentence"),
    [
        ("default", b"format", "the row default/format is missing"),
        ("default", b"log", "the row default/log is missing"),
        ("default", b"node", "the row default/node is missing"),
        ("default", b"head", "the row default/head is missing"),
        ("log", u64(0), "the row log/2 does not follow on: the next version is 0"),
        ("log", u64(2), "the row log/3 does not follow on: the next version is 2"),
        ("log", u64(6), "the row ends/6 ends no group"),
        ("ends", u64(1), "the row log/0 ends at version 1, but the next end is ends/2"),
        ("ends", u64(6), "the row log/6 has no end row"),
    ],
)
def test_a_missing_row_is_named(path, family, key, sentence) -> None:
    remove_row(path, family, key)
    assert sentence_of_opening(path) == sentence


@pytest.mark.parametrize(
    ("family", "key", "value", "sentence"),
    [
        ("log", u64(3), bytes(95), "the row log/3 has 95 bytes, not one or more"),
        ("log", u64(3), b"", "the row log/3 has 0 bytes, not one or more"),
        ("log", u64(3), bytes(64), "the row log/3 ends at version 4, but the next end is ends/5"),
        ("log", u64(3), bytes(96), "the row ends/5 has the hyper digest "),
        ("log", u64(7), bytes(32), "the row log/7 has no end row"),
        ("log", u64(9), bytes(32), "the row log/9 does not follow on: the next version is 7"),
        ("log", b"", bytes(32), "the row log/ has a key of 0 bytes instead of 8"),
        ("ends", u64(5), bytes(32), "the row ends/5 has the hyper digest 0000"),
        ("ends", u64(6), bytes(31), "the row ends/6 has 31 bytes instead of 32"),
        ("ends", u64(7), bytes(32), "the row ends/7 ends no group"),
        ("ends", b"\xff" * 9, bytes(32), "the row ends/ffffffffffffffffff has a key of 9 bytes"),
        ("default", b"head", bytes(100), "the row default/head has 100 bytes instead of 104"),
        ("default", b"head", bytes(104), "the row default/head is of log 0000"),
        ("default", b"format", b"", "the row default/format holds nothing, not a format number"),
    ],
)
def test_a_changed_or_added_row_is_named(path, family, key, value, sentence) -> None:
    put_row(path, family, key, value)
    assert sentence_of_opening(path).startswith(sentence)


@pytest.mark.parametrize(
    ("offset", "sentence"),
    [
        (31, "the row default/head has the sequence 5, the groups lead to 4"),
        (39, "the row default/head has the size 6, the groups lead to 7"),
        (40, "the row default/head has the history digest "),
        (72, "the row default/head has the hyper digest "),
    ],
)
def test_a_head_that_the_groups_do_not_lead_to_is_named(path, offset, sentence) -> None:
    value = bytearray(head_row(path))
    value[offset] ^= 1
    put_row(path, "default", b"head", bytes(value))
    assert sentence_of_opening(path).startswith(sentence)


def test_a_group_more_than_the_head_knows_is_named(path) -> None:
    old = head_row(path)
    with Log.open(path) as log:
        log.append([event(9)])
    put_row(path, "default", b"head", old)
    assert sentence_of_opening(path) == "the row default/head has the size 7, the groups lead to 8"


def verified_at(path: Path, size: int) -> Verified:
    """What a replay of the first groups up to a size verifies."""
    model = Model()
    ends = [model.add(digests)[-1].hyper_digest for digests in GROUPS if len(model.digests) < size]
    newest = model.snapshots[-1]
    return Verified(
        log_id=head_row(path)[:16],
        size=size,
        history_digest=newest.history_digest,
        hyper_digest=newest.hyper_digest,
        ends_digest=sha256(b"".join(ends)).digest(),
    )


class Recorder:
    """A hyper tree, and how it came to be."""

    def __init__(self, tree, calls: list) -> None:
        self._tree = tree
        self._calls = calls

    def build(self, ends: bytes, report) -> None:
        self._calls.append("build")
        self._tree.build(ends, report)

    def extend(self, digests: bytes, counts) -> bytes:
        self._calls.append(list(counts))
        return self._tree.extend(digests, counts)

    def __getattr__(self, name: str):
        return getattr(self._tree, name)


@pytest.fixture
def made() -> list:
    """What was done to the hyper tree: built at once, or extended by groups of these sizes."""
    return []


def run(path: Path, made: list, verified: Verified | None = None, progress=None) -> State:
    with contextlib.closing(Database.open(path, rows.FAMILIES)) as database:
        _, head = read_meta(database)

        def new_state() -> State:
            state = State(empty_head(head.log_id))
            state.hyper = Recorder(state.hyper, made)  # type: ignore[assignment]
            return state

        return replay(database, head, new_state, verified, progress)


def assert_same(path: Path, state: State) -> None:
    plain = run(path, [])
    assert state.head == plain.head
    assert state.ends_digest == plain.ends_digest
    assert state.hyper.root == plain.hyper.root
    assert state.history_root() == plain.history_root()
    assert state.hyper.walk(event(0)) == plain.hyper.walk(event(0))


@pytest.mark.parametrize(("size", "rest"), [(2, [1, 3, 1]), (3, [3, 1]), (6, [1]), (7, [])])
def test_what_was_verified_is_made_in_one_step(path, made, size, rest) -> None:
    state = run(path, made, verified_at(path, size))
    assert made == (["build", rest] if rest else ["build"])
    assert_same(path, state)


def test_a_replay_reports_part_by_part(path, made, monkeypatch) -> None:
    monkeypatch.setattr(group_rows, "PART_EVENTS", 2)
    seen: list[tuple[int, int]] = []
    run(path, made, None, lambda *done: seen.append(done))
    assert made == [[2], [1, 3], [1]]
    assert seen == [(2, 7), (6, 7), (7, 7)]
    seen.clear()
    made.clear()
    state = run(path, made, verified_at(path, 6), lambda *done: seen.append(done))
    assert made == ["build", [1]]
    assert seen == sorted(seen), "never backwards"
    assert seen[-1] == (7, 7)
    assert_same(path, state)


@pytest.mark.parametrize(
    "field", ["log_id", "size", "history_digest", "hyper_digest", "ends_digest"]
)
@pytest.mark.parametrize("size", [3, 6, 7])
def test_a_wrong_claim_costs_time_and_nothing_else(path, made, field, size) -> None:
    wrong = {
        "log_id": bytes(16),
        "size": size - 1 if size < 7 else 8,
        "history_digest": bytes(32),
        "hyper_digest": bytes(32),
        "ends_digest": bytes(32),
    }
    claim = dataclasses.replace(verified_at(path, size), **{field: wrong[field]})
    state = run(path, made, claim)
    assert made[-1] == [2, 1, 3, 1], "every group was compared"
    assert_same(path, state)


def test_an_earlier_difference_is_named_before_a_later_gap(path, monkeypatch) -> None:
    monkeypatch.setattr(group_rows, "PART_EVENTS", 1)
    put_row(path, "ends", u64(2), bytes(32))
    remove_row(path, "ends", u64(6))
    assert sentence_of_opening(path).startswith("the row ends/2 has the hyper digest 0000")


def test_a_version_without_a_row_is_damage(path) -> None:
    remove_row(path, "log", u64(2))
    with contextlib.closing(Database.open(path, rows.FAMILIES)) as database:
        assert read_digests(database, 0, 2) == b"".join(GROUPS[0])
        with pytest.raises(DamagedError, match="no row of log holds version 2"):
            read_digests(database, 1, 4)
        with pytest.raises(DamagedError, match="no row of log holds version 7"):
            read_digests(database, 6, 8)


def test_damage_below_what_was_verified_is_still_named(path, made) -> None:
    verified = verified_at(path, 7)
    put_row(path, "ends", u64(2), bytes(32))
    with pytest.raises(DamagedError, match="the row ends/2 has the hyper digest 0000"):
        run(path, made, verified)
