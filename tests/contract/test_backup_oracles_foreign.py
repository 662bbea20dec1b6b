"""Backups that we did not make: RocksDB's own tool's, and QED's."""

import contextlib
from pathlib import Path

import pytest

import backup_logs
import rocksdb_oracle
from backup_logs import judge_restored, unchanged
from qed.backup.delete import delete_backup
from qed.backup.repository import list_backups, read_repository
from qed.backup.restore import restore_backup
from qed.backup.verify import plan_restore, verify_backup
from qed.engine.log import Log
from qed.errors import ConflictError, DamagedError
from vector_files import unpack_backups


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A directory that only RocksDB's tool has written: backups of two and of four events."""
    Log.create(tmp_path / "db").close()
    for start, stop in ((0, 2), (2, 4)):
        with contextlib.closing(Log.open(tmp_path / "db")) as log:
            backup_logs.add(log, start, stop)
        rocksdb_oracle.ldb_backup(tmp_path / "db", tmp_path / "theirs")
    return tmp_path / "theirs"


@pytest.fixture
def of_qed(tmp_path: Path) -> Path:
    unpack_backups(tmp_path)
    return tmp_path / "backups"


@pytest.mark.oracle
def test_each_backup_of_rocksdb_is_listed_and_restored(theirs, tmp_path) -> None:
    assert [(info.id, info.version_text, info.manifest) for info in list_backups(theirs)] == [
        (1, "", False),
        (2, "", False),
    ]
    for backup_id, size in ((1, 2), (2, 4)):
        with unchanged(theirs):
            restored = backup_logs.restore(theirs, tmp_path / f"ours-{backup_id}", backup_id)
        assert (restored.version_text, restored.manifest) == (str(size - 1), False)
        judge_restored(tmp_path / f"ours-{backup_id}", size)


@pytest.mark.oracle
def test_each_damaged_file_of_a_backup_of_rocksdb_is_named(theirs, tmp_path) -> None:
    for name in sorted(backup_logs.referred(theirs, 2)):
        path = theirs / name
        data = path.read_bytes()
        for bad in (data[:-1], bytes([data[0] ^ 1]) + data[1:], None):
            path.unlink() if bad is None else path.write_bytes(bad)
            with pytest.raises(DamagedError, match=f"backup 2: {path}"):
                restore_backup(theirs, tmp_path / "target")
        path.write_bytes(data)
    assert not (tmp_path / "target").exists()


@pytest.mark.oracle
def test_a_backup_of_rocksdb_is_deleted_with_what_only_it_needs(theirs, tmp_path) -> None:
    needed = backup_logs.referred(theirs, 2)

    delete_backup(theirs, 1)

    assert set(read_repository(theirs).files) == needed
    rocksdb_oracle.restore(theirs, tmp_path / "again", 2)
    judge_restored(tmp_path / "again", 4)


def test_backups_of_qed_are_listed_verified_and_refused(of_qed, tmp_path) -> None:
    Log.create(tmp_path / "target").close()
    repository = read_repository(of_qed)
    assert repository.problems == []

    for info in list_backups(of_qed):
        with pytest.raises(ConflictError, match="its checksums are right, and nothing was changed"):
            verify_backup(plan_restore(repository, info.id))
        with (
            unchanged(of_qed, tmp_path / "target"),
            pytest.raises(ConflictError, match=f"backup {info.id} was made by QED itself"),
        ):
            restore_backup(of_qed, tmp_path / "target", info.id)
        with pytest.raises(ConflictError, match="QED itself"):
            restore_backup(of_qed, tmp_path / "new", info.id)
    assert not (tmp_path / "new").exists()


def test_damage_in_a_backup_of_qed_is_named_first(of_qed, tmp_path) -> None:
    for name in sorted(backup_logs.referred(of_qed, 4)):
        path = of_qed / name
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(DamagedError, match=f"backup 4: {path} is damaged"):
            restore_backup(of_qed, tmp_path / "new", 4)
        path.write_bytes(data)


def test_ours_are_made_beside_those_of_qed(of_qed, tmp_path) -> None:
    before = backup_logs.snapshot(of_qed)
    with contextlib.closing(Log.create(tmp_path / "db")) as log:
        backup_logs.add(log, 0, 2)
        assert backup_logs.backup(log, of_qed).id == 5

    after = backup_logs.snapshot(of_qed)
    assert {name: after[name] for name in before} == before
    backup_logs.restore(of_qed, tmp_path / "new")
    judge_restored(tmp_path / "new", 2)
