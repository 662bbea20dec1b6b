import contextlib
import errno
import shutil
from pathlib import Path

import pytest

import backup_logs
from qed import durable
from qed.backup.pending import Pending
from qed.backup.repository import list_backups
from qed.backup.restore import restore_backup
from qed.backup.stage import commit_path, read_commit, stage_path, write_commit
from qed.backup.swap import Swapped, clear_restore, is_half_done, swap
from qed.engine.check import check, holds_engine_files
from qed.engine.log import Log
from qed.errors import ConflictError, DamagedError, StorageError


@pytest.fixture(scope="module")
def _decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("decided") / "db"
    backup_logs.three_backups(path)
    with contextlib.closing(Log.open(path)) as log:
        backup_logs.add(log, 6, 7)
        assert restore_backup(path / "backups", path, 2).swapped is None
        backup_logs.add(log, 7, 8)
    return path


@pytest.fixture
def database(_decided: Path, tmp_path: Path) -> Path:
    """A database of eight events for which a restore of four is decided, and a server that ran."""
    shutil.copytree(_decided, tmp_path / "db")
    return tmp_path / "db"


def pending_of(database: Path) -> Pending:
    pending = read_commit(database)
    assert pending is not None
    return pending


def swap_now(database: Path) -> Swapped:
    with durable.lock_directory(database, exclusive=True):
        return swap(database, pending_of(database))


def test_the_old_database_is_kept_aside_as_it_was(database: Path) -> None:
    before = {
        path.name: path.read_bytes()
        for path in database.iterdir()
        if path.is_file() and path.name != "LOCK"
    }

    swapped = swap_now(database)

    assert (swapped.backup_id, swapped.size, swapped.lost_versions) == (2, 4, 4)
    assert swapped.kept_aside is not None
    assert swapped.kept_aside.parent == database / "qed-replaced"
    assert before == {path.name: path.read_bytes() for path in swapped.kept_aside.iterdir()}
    assert check(swapped.kept_aside).size == 8
    assert not (database / "qed-index").exists()
    assert [info.id for info in list_backups(database / "backups")] == [1, 2, 3]
    backup_logs.judge_restored(database, 4)


def test_nothing_of_the_restore_is_left(database: Path) -> None:
    swap_now(database)

    assert read_commit(database) is None
    assert [p for p in (database / "qed-restore").rglob("*") if p.is_file()] == []


def test_files_that_are_not_the_engines_stay(database: Path) -> None:
    (database / "notes.txt").write_text("mine")

    swap_now(database)

    assert (database / "notes.txt").read_text() == "mine"
    assert (database / "LOCK").exists()


def test_a_database_that_others_used_since_is_not_replaced(database: Path) -> None:
    Log.open(database).close()

    with (
        backup_logs.unchanged(database),
        pytest.raises(ConflictError, match="another program has used it since") as caught,
    ):
        swap_now(database)

    assert "run `qed restore` again" in caught.value.hint
    assert f"rm -r {database / 'qed-restore'}" in caught.value.hint


@pytest.mark.parametrize("change", ["missing", "cut", "flipped"])
def test_a_damaged_stage_is_refused_before_the_first_move(database: Path, change: str) -> None:
    path = next(stage_path(database, pending_of(database).stage).glob("*.sst"))
    says = "is missing or cut"
    if change == "missing":
        path.unlink()
    elif change == "flipped":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        says = "differs from what was staged"
    else:
        path.write_bytes(path.read_bytes()[:-1])

    with (
        backup_logs.unchanged(database),
        pytest.raises(DamagedError, match=f"{path} {says}"),
    ):
        swap_now(database)


def test_an_old_database_that_cannot_be_opened_is_kept_all_the_same(directory: Path) -> None:
    path = directory.parent
    next(path.glob("*.sst")).write_bytes(b"")

    swapped = backup_logs.restore(directory, path, 3).swapped

    assert swapped is not None
    assert swapped.lost_versions is None
    backup_logs.judge_restored(path, 6)


def test_versions_of_a_log_that_went_another_way_are_lost(directory: Path) -> None:
    path = directory.parent
    backup_logs.restore(directory, path, 2)
    with contextlib.closing(Log.open(path)) as log:
        backup_logs.add(log, 6, 7)

    swapped = backup_logs.restore(directory, path, 3).swapped

    assert swapped is not None
    assert (swapped.size, swapped.lost_versions) == (6, 1)
    backup_logs.judge_restored(path, 6)


def test_all_versions_of_another_log_are_lost(directory: Path, tmp_path: Path) -> None:
    with contextlib.closing(Log.create(tmp_path / "other")) as log:
        backup_logs.add(log, 0, 3)

    swapped = backup_logs.restore(directory, tmp_path / "other", 3).swapped

    assert swapped is not None
    assert swapped.lost_versions == 3


class _Killed(BaseException):
    """The machine stops: nothing that would tidy up runs."""


@pytest.mark.parametrize("at", range(1, 56, 3))
def test_a_swap_that_is_killed_anywhere_is_finished_by_the_next(
    database: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, contextlib.suppress(_Killed):
        backup_logs.kill_at(patch, at, _Killed)
        swap_now(database)
    if (database / "CURRENT").exists():  # whoever takes it for a database finds a whole one
        assert check(database).size in {4, 8}
    with monkeypatch.context() as patch, contextlib.suppress(_Killed):
        backup_logs.kill_at(patch, 7, _Killed)  # and once more, in the repetition
        backup_logs.start(database)

    backup_logs.start(database)

    kept = [path for path in (database / "qed-replaced").iterdir() if holds_engine_files(path)]
    assert len(kept) == 1
    assert check(kept[0]).size == 8
    backup_logs.judge_restored(database, 4)


def test_a_swap_that_fails_after_the_decision_says_that_it_is_decided(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = durable.write_file

    def fail(path: Path, data: bytes) -> None:
        if path.name == "SWAPPING":
            raise StorageError("no space left", errno=errno.ENOSPC, hint="free some")
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "write_file", fail)
        with pytest.raises(StorageError) as caught:
            restore_backup(database / "backups", database, 3)

    assert caught.value.hint == (
        f"free some; the restore is decided, and the next start of a server on {database} "
        "finishes it"
    )
    backup_logs.start(database)
    backup_logs.judge_restored(database, 6)


def test_an_old_file_that_somebody_removed_between_two_moves_is_not_missed(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (database / "LOG.old.1").write_bytes(b"")
    with monkeypatch.context() as patch, contextlib.suppress(_Killed):
        backup_logs.kill_at(patch, 12, _Killed)
        swap_now(database)
    assert is_half_done(database, pending_of(database))
    (database / "LOG.old.1").unlink()

    backup_logs.start(database)

    backup_logs.judge_restored(database, 4)


@pytest.mark.parametrize("at", [12, 20, 30])
def test_a_half_done_swap_is_finished_before_another_restore(
    database: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, contextlib.suppress(_Killed):
        backup_logs.kill_at(patch, at, _Killed)
        swap_now(database)
    assert is_half_done(database, pending_of(database))

    swapped = backup_logs.restore(database / "backups", database, 3).swapped

    assert swapped is not None
    assert swapped.kept_aside is not None
    assert check(swapped.kept_aside).size == 4
    assert sorted(check(path).size for path in (database / "qed-replaced").iterdir()) == [4, 8]
    backup_logs.judge_restored(database, 6)


def test_a_stage_that_vanishes_between_two_moves_can_be_restored_over(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, contextlib.suppress(_Killed):
        backup_logs.kill_at(patch, 12, _Killed)
        swap_now(database)
    durable.remove_tree(stage_path(database, pending_of(database).stage))
    with pytest.raises(DamagedError, match="cannot be finished") as caught:
        backup_logs.start(database)
    assert "qed-replaced" in caught.value.hint

    backup_logs.restore(database / "backups", database, 3)

    backup_logs.judge_restored(database, 6)


def test_a_record_of_a_swap_that_cannot_be_read_names_the_ways_out(database: Path) -> None:
    (database / "qed-restore" / "SWAPPING").write_bytes(b"{}")

    with pytest.raises(DamagedError, match="SWAPPING, is damaged") as caught:
        swap_now(database)

    assert "move them back" in caught.value.hint


def test_a_record_of_an_earlier_swap_means_nothing(database: Path) -> None:
    pending = pending_of(database)
    swap_now(database)
    (database / "qed-restore" / "SWAPPING").write_bytes(b"{}")
    clear_restore(database)

    assert not is_half_done(database, pending)


def test_leftovers_go_but_for_the_stage_that_is_named(database: Path) -> None:
    stage = pending_of(database).stage
    (database / "qed-restore" / "new" / "half").mkdir()

    clear_restore(database, keep=stage)

    assert [stage] == [path.name for path in (database / "qed-restore" / "new").iterdir()]
    assert commit_path(database).exists()


def test_a_decision_for_another_stage_begins_anew(database: Path) -> None:
    pending = pending_of(database)
    write_commit(database, pending)

    assert not is_half_done(database, pending)
