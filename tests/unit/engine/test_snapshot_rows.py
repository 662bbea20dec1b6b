"""The rows of the snapshot log: verified at open, compared by check, made where missing."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import pytest
import rocksdict

from harness import event, events
from model import Model, h, snapshot_leaf, snapshot_log_root
from qed.database import Database, Row
from qed.engine import group_rows, rows, snapshot_rows
from qed.engine.check import check
from qed.engine.log import Log
from qed.errors import DamagedError

GROUPS = [events(0, 3), [event(0)], events(3, 254), [event(5)], events(254, 700), [event(9)]]
SIZE = 703
FIRST_NODE, LAST_NODE = b"node\x01" + bytes(8), b"node\x01" + bytes(7) + b"\x01"
MARK = b"snapshots"


def u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


@pytest.fixture(scope="module", name="written")
def a_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("written") / "db"
    with Log.create(path) as log:
        for digests in GROUPS:
            log.append(digests)
    return path


@pytest.fixture(scope="module", name="roots")
def the_roots() -> dict[int, bytes]:
    """The root at each group end."""
    model, found = Model(), {}
    for digests in GROUPS:
        model.add(digests)
        leaves = list(map(snapshot_leaf, model.snapshots))
        found[len(leaves)] = snapshot_log_root(leaves)
    return found


@pytest.fixture(params=["index", "no index"])
def path(request: pytest.FixtureRequest, written: Path, tmp_path: Path) -> Path:
    copy = Path(shutil.copytree(written, tmp_path / "db"))
    if request.param == "no index":
        (copy / "qed-index" / "verified").unlink()
    return copy


def change(path: Path, changes: dict[bytes, bytes | None]) -> None:
    """Put meta rows, or take them out, as nothing in the product can."""
    families = {name: rocksdict.Options(raw_mode=True) for name in rows.FAMILIES}
    options = rocksdict.Options(raw_mode=True)
    rdict = rocksdict.Rdict(str(path), options, column_families=families)
    family = rdict.get_column_family("default")
    for key, value in changes.items():
        if value is None:
            family.delete(key)
        else:
            family.put(key, value)
    del family
    rdict.close()


def content(path: Path) -> dict[str, list[Row]]:
    with contextlib.closing(Database.open(path, rows.FAMILIES, read_only=True)) as database:
        return {name: list(database.scan(name, b"")) for name in rows.FAMILIES}


def mark(size: int, root: bytes) -> bytes:
    return b"\x00\x01" + u64(size) + root


# --- what is there and right


def test_an_opened_log_stands_where_it_was_left(path, written, roots) -> None:
    with Log.open(path) as log:
        assert log.snapshot_root == (SIZE, roots[SIZE])
        log.append([event(1)])
        assert log.recheck(SIZE + 1)[0] == log.snapshot_root[1]
    assert check(path).snapshot_root == log.snapshot_root[1]
    assert content(path) != content(written)


def test_a_check_reports_the_root_and_an_open_writes_nothing(path, written, roots) -> None:
    assert check(path).snapshot_root == roots[SIZE]
    Log.open(path).close()
    assert content(path) == content(written)


def test_kept_nodes_are_read_and_others_refused(path, written) -> None:
    kept = [value for key, value in content(written)["default"] if key.startswith(b"node\x01")]
    assert len(kept) == 2
    with Log.open(path) as log:
        assert log.read_nodes(1, 0, 2) == b"".join(kept)
        assert log.read_nodes(1, 1, 2) == kept[1]
        assert log.read_nodes(1, 2, 2) == b""
        for wrong in ((0, 0, 1), (-1, 0, 1), (1, 0, 3), (1, 2, 1), (1, -1, 1), (2, 0, 1)):
            with pytest.raises(ValueError, match="are complete"):
                log.read_nodes(*wrong)


# --- what is missing


@pytest.mark.parametrize(
    "changes",
    [
        {MARK: None, FIRST_NODE: None, LAST_NODE: None},
        {MARK: None},
        {MARK: b"\x00\x02of another format"},
        {MARK: b"\x00\x02", FIRST_NODE: b"another", LAST_NODE: b"format"},
        {MARK: mark(0, bytes(32)), FIRST_NODE: None, LAST_NODE: None},
    ],
)
def test_missing_rows_are_no_damage_and_made_at_open(path, written, changes, roots) -> None:
    change(path, changes)
    before = content(path)
    assert check(path).snapshot_root == roots[SIZE]
    assert content(path) == before, "a check writes nothing"
    with Log.open(path) as log:
        assert log.snapshot_root == (SIZE, roots[SIZE])
        assert log.recheck(SIZE)[0] == roots[SIZE]
    assert content(path) == content(written), "row for row what a new log has"


@pytest.mark.parametrize("size", [3, 4, 255, 256, 702])
def test_rows_that_go_to_an_earlier_group_are_continued(path, written, roots, size) -> None:
    """An earlier version of the program has added what came since."""
    old: dict[bytes, bytes | None] = {MARK: mark(size, roots[size])}
    old |= {} if size >= 256 else {FIRST_NODE: None}
    old |= {} if size >= 512 else {LAST_NODE: None}
    change(path, old)
    assert check(path).snapshot_root == roots[SIZE]
    with Log.open(path) as log:
        assert log.snapshot_root == (SIZE, roots[SIZE])
    assert content(path) == content(written)


def test_rows_are_made_in_batches_that_stand_alone(path, written, roots, monkeypatch) -> None:
    """An interruption between two of them: the next open goes on from there."""
    change(path, {MARK: None, FIRST_NODE: None, LAST_NODE: None})
    monkeypatch.setattr(group_rows, "PART_EVENTS", 1)
    monkeypatch.setattr(snapshot_rows, "_BATCH_NODES", 1)
    marks: list[rows.Mark | None] = []
    commit = Database.commit

    class PowerCutError(Exception):
        pass

    def cut(database: Database, puts) -> None:
        commit(database, puts)
        marks.extend(rows.decode_snapshots(value) for _, key, value in puts if key == MARK)
        raise PowerCutError

    monkeypatch.setattr(Database, "commit", cut)
    with pytest.raises(PowerCutError):
        Log.open(path)
    assert marks == [rows.Mark(256, roots[256])]
    monkeypatch.undo()
    assert content(path) != content(written)
    assert check(path).snapshot_root == roots[SIZE]
    Log.open(path).close()
    assert content(path) == content(written)


def test_progress_is_told_while_rows_are_made(path) -> None:
    change(path, {MARK: None})
    seen: list[tuple[int, int]] = []
    Log.open(path, progress=lambda *done: seen.append(done)).close()
    assert seen[-2:] == [(SIZE, SIZE)] * 2, "once for the replay, once for the rows"


def test_an_empty_log_has_no_rows_of_it(tmp_path) -> None:
    Log.create(tmp_path / "db").close()
    assert [key for key, _ in content(tmp_path / "db")["default"]] == [
        b"format",
        b"head",
        b"log",
        b"node",
    ]
    Log.open(tmp_path / "db").close()
    assert check(tmp_path / "db").snapshot_root == snapshot_log_root([])


# --- what is wrong


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        (MARK, mark(SIZE, bytes(32)), "default/snapshots has the root 0000.* lead to "),
        (MARK, mark(702, bytes(32)), "default/snapshots has the root 0000.* lead to "),
        (MARK, mark(704, bytes(32)), "default/snapshots has the size 704, the groups lead to 703"),
        (MARK, mark(2**64 - 1, bytes(32)), "default/snapshots has the size 18446744073709551615"),
        (MARK, mark(701, bytes(32)), "default/snapshots has the size 701, where no group ends"),
        (MARK, b"\x00", "default/snapshots has 1 bytes, too few"),
        (MARK, b"\x00\x01", "default/snapshots has 2 bytes instead of 42"),
        (FIRST_NODE, bytes(32), "default/node/1/0 has the hash 0000.*, the groups lead to "),
        (LAST_NODE, bytes(32), "default/node/1/1 has the hash 0000.*, the groups lead to "),
        (FIRST_NODE, None, "default/node/1/0 is missing"),
        (LAST_NODE, b"", "default/node/1/1 has the hash , the groups lead to "),
    ],
)
def test_a_row_that_contradicts_the_groups_is_named(path, key, value, sentence) -> None:
    change(path, {key: value})
    for call in (check, Log.open):
        with pytest.raises(DamagedError, match=f"the row {sentence}"):
            call(path)


def test_a_last_group_end_that_changed_is_found_although_the_index_agrees(path) -> None:
    """The leaves of the last tile are made again at each open."""
    with contextlib.closing(Database.open(path, rows.FAMILIES)) as database:
        database.commit([("ends", u64(SIZE - 2), bytes(32))])
    with pytest.raises(DamagedError, match="the row ends/701 has the hyper digest 0000"):
        Log.open(path)


def test_a_node_that_is_read_and_missing_is_named(path) -> None:
    with Log.open(path) as log:
        log._database.commit([("default", FIRST_NODE, b"short")])
        with pytest.raises(DamagedError, match="default/node/1/0 has 5 bytes instead of 32"):
            log.read_nodes(1, 0, 2)
        with (
            contextlib.closing(Database.create(path.parent / "other", rows.FAMILIES)) as other,
            pytest.raises(DamagedError, match="the row default/node/1/0 is missing"),
        ):
            snapshot_rows.read_nodes(other, 1, 0, 1)


# --- beyond one tile of tiles


def test_a_log_of_many_tiles_is_opened_from_its_nodes(tmp_path) -> None:
    """Peaks of every kind: of level 2, of one and several nodes of level 1, and leaves."""
    size = 65_536 + 3 * 256 + 5
    with Log.create(tmp_path / "db") as log:
        for first in range(0, size, 20_000):
            log.append(b"".join(events(first, min(first + 20_000, size))))
        root = log.snapshot_root
        kept = log.read_nodes(2, 0, 1)
    with Log.open(tmp_path / "db") as log:
        assert log.snapshot_root == root
        assert log.read_leaves(0, size).hashes()[: 32 * 65_536]
        assert snapshot_log_root_of(log.read_nodes(1, 0, 256)) == kept
        log._database.commit([("default", b"node\x01" + u64(257), bytes(32))])
    with pytest.raises(DamagedError, match="the row default/node/1/257 has the hash 0000"):
        Log.open(tmp_path / "db")


def snapshot_log_root_of(hashes: bytes) -> bytes:
    nodes = [hashes[i : i + 32] for i in range(0, len(hashes), 32)]
    while len(nodes) > 1:
        nodes = [fold(nodes[i], nodes[i + 1]) for i in range(0, len(nodes), 2)]
    return nodes[0]


def fold(left: bytes, right: bytes) -> bytes:
    return h(b"\x01", left, right)
