import contextlib
import errno
from pathlib import Path

import pytest

import backup_logs
import rocksdb_oracle
from backup_logs import referred
from qed import durable
from qed.backup import manifest as manifests
from qed.backup.collect import write_ids
from qed.backup.delete import delete_backup
from qed.backup.directory_lock import lock_backups
from qed.backup.repository import list_backups, read_repository
from qed.engine.log import Log
from qed.errors import LockedError, NotFoundError, StorageError


def restore_all(directory: Path, expected: dict[int, int]) -> None:
    """Restore each backup and compare; `expected` maps the ids to numbers of events."""
    assert sorted(expected) == [info.id for info in list_backups(directory)]
    for backup_id, size in expected.items():
        target = directory.parent.parent / f"restored-{backup_id}"
        backup_logs.restore(directory, target, backup_id)
        backup_logs.judge_restored(target, size)


def test_files_that_others_need_stay(directory: Path) -> None:
    needed = backup_logs.referred(directory, 1, 3)

    collected = delete_backup(directory, 2)

    assert needed == set(read_repository(directory).files)
    assert collected.removed
    assert collected.kept_because == ()
    assert not (directory / "private" / "2").exists()
    restore_all(directory, {1: 2, 3: 6})


def test_the_last_one_leaves_an_empty_directory_that_goes_on(directory: Path) -> None:
    for backup_id in (1, 3, 2):
        delete_backup(directory, backup_id)

    assert list_backups(directory) == []
    assert read_repository(directory).files == {}
    with contextlib.closing(Log.open(directory.parent)) as log:
        assert backup_logs.backup(log).id == 4


def test_a_tombstone_says_what_there_was(directory: Path) -> None:
    manifest = manifests.decode_manifest((directory / "qed/manifests/2.json").read_bytes(), 2)

    delete_backup(directory, 2)

    (tombstone,) = read_repository(directory).tombstones
    assert (tombstone.id, tombstone.uuid) == (2, manifest.uuid)
    assert tombstone.meta_sha256 == manifest.meta_sha256
    assert tombstone.previous_sha256 == manifest.previous_sha256
    assert not (directory / "qed/manifests/2.json").exists()


@pytest.mark.parametrize("backup_id", [0, 4, -1, 2**40])
def test_an_unknown_id_lists_those_there_are(directory: Path, backup_id: int) -> None:
    with (
        backup_logs.unchanged(directory),
        pytest.raises(NotFoundError, match=rf"no backup {backup_id} in .*: there are 1, 2, 3"),
    ):
        delete_backup(directory, backup_id)


def test_a_missing_directory_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="does not exist"):
        delete_backup(tmp_path / "none", 1)
    assert list(tmp_path.iterdir()) == []

    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match="there are none"):
        delete_backup(tmp_path / "empty", 1)


def test_it_does_not_wait_for_others(directory: Path) -> None:
    with (
        lock_backups(directory, exclusive=False),
        backup_logs.unchanged(directory),
        pytest.raises(LockedError, match="is going on in"),
    ):
        delete_backup(directory, 1)


def test_files_stay_while_another_backup_is_damaged_and_go_when_it_is_gone(directory: Path) -> None:
    (directory / "meta" / "1").write_bytes(b"x")
    files = set(read_repository(directory).files)

    collected = delete_backup(directory, 2)

    assert collected.removed == ()
    (sentence,) = collected.kept_because
    assert sentence.startswith(f"backup 1: {directory / 'meta' / '1'} is damaged: ")
    assert files == set(read_repository(directory).files)
    assert delete_backup(directory, 1).removed
    restore_all(directory, {3: 6})


@pytest.mark.parametrize("lost", ["meta/2", "private/2/CURRENT", "qed/manifests/2.json"])
def test_a_damaged_backup_can_be_deleted(directory: Path, lost: str) -> None:
    (directory / lost).unlink()

    collected = delete_backup(directory, 2)

    assert collected.kept_because == ()
    assert read_repository(directory).problems == []
    restore_all(directory, {1: 2, 3: 6})


def test_a_backup_of_rocksdb_can_be_deleted(directory: Path) -> None:
    rocksdb_oracle.ldb_backup(directory.parent, directory)

    delete_backup(directory, 4)

    restore_all(directory, {1: 2, 2: 4, 3: 6})
    with contextlib.closing(Log.open(directory.parent)) as log:
        assert backup_logs.backup(log).id == 5


class _Killed(BaseException):
    """The machine stops: nothing that would tidy up runs."""


@pytest.mark.parametrize("room", [True, False])
def test_a_full_disk_keeps_no_backup_from_being_deleted(
    directory: Path, monkeypatch: pytest.MonkeyPatch, *, room: bool
) -> None:
    write = durable.write_file
    write_ids(read_repository(directory), unfinished=4)  # what a creation left that had no room
    before = referred(directory)

    def write_if_freed(path: Path, data: bytes) -> None:
        if not room or (directory / "private" / "3").exists():
            raise StorageError("no space left", errno=errno.ENOSPC)
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "write_file", write_if_freed)
        collected = delete_backup(directory, 3)

    assert set(collected.removed) == before - referred(directory)
    assert [(info.id, info.problem) for info in list_backups(directory)] == [(1, ""), (2, "")]
    repository = read_repository(directory)
    assert repository.problems == []
    assert [tombstone.id for tombstone in repository.tombstones] == ([3] if room else [])
    assert repository.next_id == 5
    delete_backup(directory, 2)
    assert [info.id for info in list_backups(directory)] == [1]


@pytest.mark.parametrize("at", range(1, 31, 3))
def test_a_deletion_that_is_killed_anywhere_hurts_nothing(
    directory: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, contextlib.suppress(_Killed):
        backup_logs.kill_at(patch, at, _Killed)
        delete_backup(directory, 2)
    there = [info.id for info in list_backups(directory)]
    assert there in ([1, 2, 3], [1, 3])
    assert read_repository(directory).problems == []

    delete_backup(directory, 1)

    restore_all(directory, {2: 4, 3: 6} if 2 in there else {3: 6})
    assert backup_logs.referred(directory) == set(read_repository(directory).files)
