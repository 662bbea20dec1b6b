"""RocksDB's own engines on the backups that we make: 7.8 through its C interface, and `ldb`."""

import contextlib
import shutil
from pathlib import Path

import pytest

import backup_logs
import rocksdb_oracle
from backup_logs import judge_restored
from qed.backup.delete import delete_backup
from qed.backup.repository import list_backups, read_repository
from qed.engine.log import Log

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "db"
    backup_logs.three_backups(path)
    return path


@pytest.fixture
def directory(_made: Path, tmp_path: Path) -> Path:
    shutil.copytree(_made, tmp_path / "db")
    return tmp_path / "db" / "backups"


def tables(directory: Path) -> dict[str, tuple[int, int]]:
    return {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in (directory / "shared_checksum").iterdir()
    }


def ours(directory: Path) -> dict[str, bytes | None]:
    return backup_logs.snapshot(directory / "qed")


@pytest.mark.parametrize(("backup_id", "size"), [(1, 2), (2, 4), (3, 6)])
def test_rocksdb_restores_each_by_its_id(directory, tmp_path, backup_id, size) -> None:
    rocksdb_oracle.verify(directory, backup_id)
    rocksdb_oracle.restore(directory, tmp_path / "theirs", backup_id)

    judge_restored(tmp_path / "theirs", size)


def test_ldb_restores_the_newest(directory, tmp_path) -> None:
    rocksdb_oracle.ldb_restore(directory, tmp_path / "theirs")

    judge_restored(tmp_path / "theirs", 6)


def test_rocksdb_lists_what_we_list_also_after_a_deletion(directory) -> None:
    delete_backup(directory, 2)

    assert [(info.id, info.size_bytes, info.num_files) for info in list_backups(directory)] == [
        (info.backup_id, info.size_bytes, info.num_files)
        for info in rocksdb_oracle.list_infos(directory)
    ]


def test_rocksdb_leaves_our_files_and_copies_no_table_again(directory, tmp_path) -> None:
    before, manifests = tables(directory), ours(directory)

    rocksdb_oracle.ldb_backup(directory.parent, directory)

    assert tables(directory) == before
    assert ours(directory) == manifests
    infos = list_backups(directory)
    assert [(info.id, info.manifest, info.problem) for info in infos] == [
        (1, True, ""),
        (2, True, ""),
        (3, True, ""),
        (4, False, ""),
    ]
    for info, size in zip(infos, (2, 4, 6, 6), strict=True):
        backup_logs.restore(directory, tmp_path / f"ours-{info.id}", info.id)
        judge_restored(tmp_path / f"ours-{info.id}", size)


def test_we_copy_no_table_again_that_rocksdb_has_copied(tmp_path) -> None:
    Log.create(tmp_path / "db").close()
    with contextlib.closing(Log.open(tmp_path / "db")) as log:
        backup_logs.add(log, 0, 3)
    directory = tmp_path / "theirs"
    rocksdb_oracle.ldb_backup(tmp_path / "db", directory)
    before = tables(directory)

    with contextlib.closing(Log.open(tmp_path / "db")) as log:
        backup_logs.add(log, 3, 4)
        info = backup_logs.backup(log, directory)

    assert (info.id, info.manifest) == (2, True)
    assert {name: found for name, found in tables(directory).items() if name in before} == before
    assert [info.backup_id for info in rocksdb_oracle.list_infos(directory)] == [1, 2]
    for backup_id, size in ((1, 3), (2, 4)):
        rocksdb_oracle.restore(directory, tmp_path / f"restored-{backup_id}", backup_id)
        judge_restored(tmp_path / f"restored-{backup_id}", size)


def test_what_rocksdb_restored_is_backed_up_and_restored_again(directory, tmp_path) -> None:
    path = tmp_path / "theirs"
    rocksdb_oracle.restore(directory, path, 2)
    with contextlib.closing(Log.open(path)) as log:
        backup_logs.add(log, 4, 5)
        assert backup_logs.backup(log, directory).id == 4

    rocksdb_oracle.restore(directory, tmp_path / "again", 4)
    judge_restored(tmp_path / "again", 5)
    for backup_id, size in ((1, 2), (3, 6), (4, 5)):
        backup_logs.restore(directory, tmp_path / f"ours-{backup_id}", backup_id)
        judge_restored(tmp_path / f"ours-{backup_id}", size)


def test_rocksdb_collects_nothing_that_a_backup_of_ours_needs(directory, tmp_path) -> None:
    rocksdb_oracle.purge(directory, keep=2)

    assert [info.id for info in list_backups(directory)] == [2, 3]
    assert read_repository(directory).problems == []
    for backup_id, size in ((2, 4), (3, 6)):
        backup_logs.restore(directory, tmp_path / f"ours-{backup_id}", backup_id)
        judge_restored(tmp_path / f"ours-{backup_id}", size)


def test_ids_that_rocksdb_uses_again_are_told_apart(directory, tmp_path) -> None:
    """RocksDB gives the id of a deleted newest backup to the next; ours never do."""
    delete_backup(directory, 3)
    rocksdb_oracle.ldb_backup(directory.parent, directory)

    (third,) = (info for info in list_backups(directory) if info.id == 3)
    assert (third.manifest, third.problem) == (False, "")
    backup_logs.restore(directory, tmp_path / "ours", 3)
    judge_restored(tmp_path / "ours", 6)
    with contextlib.closing(Log.open(directory.parent)) as log:
        assert backup_logs.backup(log).id == 4


@pytest.mark.parametrize("kind", ["shared_checksum", "private/3"])
def test_rocksdb_sees_damage_too_but_only_when_it_has_begun(directory, tmp_path, kind) -> None:
    """That the oracle can fail, and why a restore must verify before it touches anything."""
    path = max(
        directory / name for name in backup_logs.referred(directory, 3) if name.startswith(kind)
    )
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])

    with pytest.raises(rocksdb_oracle.OracleError):
        rocksdb_oracle.restore(directory, tmp_path / "theirs", 3)
