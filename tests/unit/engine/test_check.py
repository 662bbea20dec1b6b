import contextlib
import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from harness import event, events
from model import Model, snapshot_leaf, snapshot_log_root
from qed.database import Database
from qed.engine import rows
from qed.engine.check import Report, check, count_shared, holds_engine_files, read_head
from qed.engine.hyper_index import read_index, write_index
from qed.engine.log import Log
from qed.errors import DamagedError, LockedError, NotFoundError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with Log.create(tmp_path / "db", origin="a.test/log", node_id="node") as log:
        for digests in (events(0, 3), [event(1)], events(3, 5)):
            log.append(digests)
    return tmp_path / "db"


def content(path: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def test_a_report_says_what_was_found(path) -> None:
    model = Model()
    for digests in (events(0, 3), [event(1)], events(3, 5)):
        model.add(digests)
    identity, head = read_head(path)
    assert check(path) == Report(
        identity=identity,
        size=6,
        groups=3,
        history_digest=model.snapshots[-1].history_digest,
        hyper_digest=model.snapshots[-1].hyper_digest,
        snapshot_root=snapshot_log_root(list(map(snapshot_leaf, model.snapshots))),
        index_rebuilt=False,
    )
    assert (identity.origin, identity.node_id) == ("a.test/log", "node")
    assert head.log_id == identity.log_id


def test_checking_changes_nothing(path) -> None:
    before = content(path)
    check(path)
    read_head(path)
    assert content(path) == before


def test_checking_after_a_power_cut_changes_nothing(path, tmp_path) -> None:
    with Log.open(path) as log:
        log.append([event(9)])
        copy = shutil.copytree(path, tmp_path / "copy")
    before = content(copy)
    assert check(copy).size == 7
    assert content(copy) == before


def test_an_empty_log_is_in_order(tmp_path) -> None:
    Log.create(tmp_path / "db").close()
    report = check(tmp_path / "db", rebuild_index=True)
    assert (report.size, report.groups, report.history_digest) == (0, 0, bytes(32))
    Log.open(tmp_path / "db").close()


def test_the_index_is_not_believed(path) -> None:
    """A group end changed together with what the index says of it: only `check` looks again."""
    with Log.open(path) as log:
        log.append(events(5, 300))  # opening looks at the leaves of the last tile
    wrong = bytes(32)
    with contextlib.closing(Database.open(path, rows.FAMILIES)) as database:
        database.commit([("ends", (2).to_bytes(8, "big"), wrong)])
        ends = [value for _, value in database.scan("ends", b"")]
    index = read_index(path)
    assert index is not None
    write_index(path, replace(index, ends_digest=sha256(b"".join(ends)).digest()))
    Log.open(path).close()
    with pytest.raises(DamagedError, match="the row ends/2 has the hyper digest 0000"):
        check(path)


def test_the_index_is_rebuilt_when_asked(path) -> None:
    written = read_index(path)
    file = path / "qed-index" / "verified"
    file.write_bytes(b"broken")
    assert not check(path).index_rebuilt
    assert file.read_bytes() == b"broken"
    assert check(path, rebuild_index=True).index_rebuilt
    assert read_index(path) == written


def test_a_missing_log_is_said_and_not_made(tmp_path) -> None:
    for call in (check, read_head):
        with pytest.raises(NotFoundError):
            call(tmp_path / "missing")
    assert list(tmp_path.iterdir()) == []
    assert not holds_engine_files(tmp_path / "missing")


def test_a_log_in_use_is_not_checked(path) -> None:
    with Log.open(path), pytest.raises(LockedError):
        check(path)
    with contextlib.closing(Database.open(path, rows.FAMILIES)), pytest.raises(LockedError):
        check(path)
    assert check(path).size == 6


def test_progress_is_reported(path) -> None:
    seen: list[tuple[int, int]] = []
    check(path, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(6, 6)], "one part a few thousand events"


@pytest.mark.parametrize(
    ("mine", "others", "shared"),
    [
        ([[0, 1, 2]], [[0], [1, 2], [3]], 3),
        ([[0, 1, 2], [3]], [[0, 1, 2]], 3),
        ([[0, 1, 2, 3]], [[0, 1], [9, 3]], 2),
        ([[5]], [[6]], 0),
        ([], [[6]], 0),
    ],
)
def test_shared_events_are_counted_whatever_the_groups(
    tmp_path: Path, mine: list[list[int]], others: list[list[int]], shared: int
) -> None:
    for name, groups in (("mine", mine), ("other", others)):
        with Log.create(tmp_path / name) as log:
            for group in groups:
                log.append([event(n) for n in group])

    assert count_shared(tmp_path / "mine", tmp_path / "other") == shared
