import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import backup_logs
import rocksdb_oracle
from backup_logs import judge_restored, restore, unchanged
from qed import durable
from qed.backup import restore as restoring
from qed.backup.delete import delete_backup
from qed.backup.directory_lock import lock_backups
from qed.backup.repository import list_backups
from qed.backup.restore import finish_pending, restore_backup
from qed.backup.stage import commit_path, lock_restore, read_commit
from qed.backup.swap import Swapped
from qed.engine.check import check
from qed.engine.log import Log
from qed.errors import (
    ConflictError,
    DamagedError,
    LockedError,
    NotFoundError,
    StorageError,
)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


@pytest.fixture
def served(directory: Path) -> Iterator[Log]:
    """The log below which the backups lie, open as a server has it."""
    with contextlib.closing(Log.open(directory.parent)) as log:
        yield log


@pytest.mark.parametrize(("backup_id", "size"), [(1, 2), (2, 4), (3, 6), (None, 6)])
def test_each_backup_is_restored_and_goes_on(
    directory: Path, target: Path, backup_id: int | None, size: int
) -> None:
    with unchanged(directory):
        restored = restore(directory, target, backup_id)

    assert (restored.backup_id, restored.manifest) == (backup_id or 3, True)
    assert str(size - 1) == restored.version_text
    assert restored.swapped == Swapped(backup_id or 3, size, None, 0)
    judge_restored(target, size)


def test_an_empty_log_is_restored(tmp_path: Path, target: Path) -> None:
    with contextlib.closing(Log.create(tmp_path / "db")) as log:
        backup_logs.backup(log)

    assert restore(tmp_path / "db" / "backups", target).version_text == str(2**64 - 1)
    judge_restored(target, 0)


def test_restoring_over_a_database_keeps_it_aside(directory: Path) -> None:
    path = directory.parent

    restored = restore(directory, path, 2)

    assert restored.kept_aside is not None
    assert check(restored.kept_aside).size == 6
    judge_restored(path, 4)
    assert [info.id for info in list_backups(directory)] == [1, 2, 3]


def test_older_then_add_then_back_up_then_every_other_one(directory: Path) -> None:
    """What the original cannot do: after an older backup, back up and restore anything."""
    path = directory.parent
    restore(directory, path, 2)
    with contextlib.closing(Log.open(path)) as log:
        assert log.append([backup_logs.event(4)]).first_version == 4
        new = backup_logs.backup(log)
    assert (new.id, new.version_text) == (4, "4")
    assert [info.id for info in list_backups(directory)] == [1, 2, 3, 4]

    for backup_id, size in ((4, 5), (1, 2), (3, 6), (4, 5), (2, 4)):
        restore(directory, path, backup_id)
        judge_restored(path, size)


def test_a_served_database_is_swapped_at_its_next_start(directory: Path, served: Log) -> None:
    restored = restore_backup(directory, served.path, 2)

    assert restored.swapped is None
    assert restored.kept_aside is None
    assert served.append([backup_logs.event(6)]).first_version == 6
    assert served.prove_membership(backup_logs.event(5)).exists
    served.close()

    swapped = backup_logs.start(served.path)

    assert swapped is not None
    assert (swapped.backup_id, swapped.size, swapped.lost_versions) == (2, 4, 3)
    assert swapped.kept_aside is not None
    assert check(swapped.kept_aside).size == 7
    judge_restored(served.path, 4)
    assert backup_logs.start(served.path) is None


def test_the_newest_staged_restore_wins(directory: Path, served: Log) -> None:
    for backup_id in (1, 3, 2):
        restore_backup(directory, served.path, backup_id)
    served.close()

    assert len(list((served.path / "qed-restore" / "new").iterdir())) == 1
    swapped = backup_logs.start(served.path)

    assert swapped is not None
    assert swapped.backup_id == 2
    judge_restored(served.path, 4)


@pytest.mark.parametrize("there", ["nothing", "a directory", "a database"])
def test_a_backup_that_does_not_open_leaves_no_trace(
    directory: Path, tmp_path: Path, there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = directory.parent if there == "a database" else tmp_path / "new"
    if there == "a directory":
        target.mkdir()
    before = sorted(target.rglob("*")) if target.exists() else None

    def refuse(_path: Path) -> None:
        raise DamagedError("no log")

    monkeypatch.setattr("qed.backup.stage.read_head", refuse)
    with pytest.raises(DamagedError, match="does not open as a log: no log") as caught:
        restore_backup(directory, target, 3)

    assert "the next older backup is restored with `qed restore" in caught.value.hint
    assert "--backup-id 2`, which loses 2 versions" in caught.value.hint
    assert before == (sorted(target.rglob("*")) if target.exists() else None)


class _Killed(BaseException):
    """The machine stops: nothing that would tidy up runs."""


@pytest.mark.parametrize("at", range(1, 42, 4))
def test_a_second_staging_that_is_killed_leaves_the_first_or_the_second(
    directory: Path, served: Log, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    restore_backup(directory, served.path, 2)
    with monkeypatch.context() as patch, contextlib.suppress(_Killed):
        backup_logs.kill_at(patch, at, _Killed)
        restore_backup(directory, served.path, 1)
    served.close()

    swapped = backup_logs.start(served.path)

    assert swapped is not None
    assert swapped.backup_id in {1, 2}
    judge_restored(served.path, {1: 2, 2: 4}[swapped.backup_id])


@pytest.mark.parametrize("at", range(1, 84, 6))
def test_a_restore_that_is_killed_anywhere_leaves_one_or_the_other(
    directory: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = directory.parent
    with monkeypatch.context() as patch, contextlib.suppress(_Killed):
        backup_logs.kill_at(patch, at, _Killed)
        restore_backup(directory, path, 2)

    backup_logs.start(path)

    size = check(path).size
    assert size in {4, 6}
    judge_restored(path, size)
    restore(directory, path, 3)
    judge_restored(path, 6)


@pytest.mark.parametrize("change", ["flipped", "cut", "missing"])
@pytest.mark.parametrize(
    "which",
    ["meta/3", "qed/manifests/3.json", "CURRENT", "MANIFEST", "OPTIONS", "first.sst", "last.sst"],
)
def test_a_damaged_file_is_named_and_the_target_untouched(
    directory: Path, target: Path, which: str, change: str
) -> None:
    path = _find(directory, which)
    data = path.read_bytes()
    if change == "missing":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if change == "cut" else data[:-9] + b"\x9f" + data[-8:])
    Log.create(target).close()

    for backup_id in (None, 3):
        with (
            unchanged(target, directory),
            pytest.raises(DamagedError) as caught,
        ):
            restore_backup(directory, target, backup_id)
        assert str(path) in caught.value.message
        assert f"--restore-path {target} --backup-id " in caught.value.hint
    assert read_commit(target) is None


def _find(directory: Path, which: str) -> Path:
    """Return a file of backup 3 by its kind."""
    if "/" in which:
        return directory / which
    if which.endswith(".sst"):
        only_three = backup_logs.referred(directory, 3) - backup_logs.referred(directory, 2)
        tables = sorted(path for path in only_three if path.endswith(".sst"))
        return directory / tables[0 if which.startswith("first") else -1]
    return next((directory / "private" / "3").glob(f"{which}*"))


def test_the_command_in_the_hint_is_right(directory: Path, target: Path) -> None:
    (directory / "private" / "3" / "CURRENT").write_bytes(b"")

    with pytest.raises(DamagedError) as caught:
        restore_backup(directory, target)

    assert caught.value.hint == (
        "nothing was changed; the next older backup is restored with `qed restore --backup-dir "
        f"{directory} --restore-path {target} --backup-id 2`, which loses 2 versions"
    )
    assert not target.exists()


def test_a_missing_backup_directory_creates_nothing(tmp_path: Path, target: Path) -> None:
    with unchanged(tmp_path), pytest.raises(NotFoundError, match="does not exist"):
        restore_backup(tmp_path / "none", target)


def test_what_is_no_backup_directory_is_refused(tmp_path: Path, target: Path) -> None:
    (tmp_path / "photos").mkdir()
    with unchanged(tmp_path), pytest.raises(NotFoundError, match="is not a backup directory"):
        restore_backup(tmp_path / "photos", target)


def test_an_unknown_id_lists_those_there_are(directory: Path, target: Path) -> None:
    with pytest.raises(NotFoundError, match="there are 1, 2, 3"):
        restore_backup(directory, target, 9)
    assert not target.exists()


def test_a_target_that_is_in_the_way_is_refused(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConflictError, match="it is not a directory"):
        restore_backup(directory, tmp_path / "file")
    for target in (directory, directory / "private", directory / "new" / "db"):
        with unchanged(directory), pytest.raises(ConflictError, match="lies in the backup"):
            restore_backup(directory, target)


def test_a_backup_directory_under_a_second_path_is_no_target(
    directory: Path, tmp_path: Path
) -> None:
    (mount := tmp_path / "mount").mkdir()
    script = """
import pathlib, subprocess, sys
from qed.backup.restore import restore_backup
from qed.errors import ConflictError
directory, mount = map(pathlib.Path, sys.argv[1:])
subprocess.run(["mount", "--bind", directory, mount], check=True)
for target in (mount, mount / "new" / "db"):
    try:
        restore_backup(directory, target)
    except ConflictError as error:
        print(error)
"""
    apart = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--user", "--map-root-user"])
    with unchanged(directory):
        done = subprocess.run(
            [*apart, sys.executable, "-c", script, directory, mount],
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.stdout == "".join(
        f"{target} lies in the backup directory {directory}\n"
        for target in (mount, mount / "new" / "db")
    ), done.stderr


def test_a_full_file_system_is_found_out_before(
    directory: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = list(os.statvfs(directory))
    found[4] = 1  # f_bavail
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(found))

    with pytest.raises(StorageError, match=r"but only .* are free there") as caught:
        restore_backup(directory, target)

    assert caught.value.errno == 28
    assert not target.exists()


def test_it_does_not_wait_for_others(directory: Path, target: Path) -> None:
    with (
        lock_backups(directory, exclusive=True),
        pytest.raises(LockedError, match="a backup, a deletion or a restore is going on"),
    ):
        restore_backup(directory, target)
    assert not target.exists()

    restore(directory, target)
    with (
        lock_restore(target),
        unchanged(target),
        pytest.raises(LockedError, match="a restore into"),
    ):
        restore_backup(directory, target)
    with (
        lock_restore(target),
        durable.lock_directory(target, exclusive=True),
        pytest.raises(LockedError, match="a restore into"),
    ):
        finish_pending(target)


def test_nothing_is_backed_up_or_deleted_during_a_restore(directory: Path, target: Path) -> None:
    refused = []

    def try_both(_done: int, _total: int) -> None:
        with contextlib.suppress(LockedError):
            delete_backup(directory, 1)
            pytest.fail("was deleted")
        refused.append(True)

    restore_backup(directory, target, progress=try_both)

    assert refused


def test_a_foreign_holder_of_the_database_is_not_disturbed(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "lock_owner", lambda _: 4711)

    assert restore_backup(directory, directory.parent, 2).swapped is None
    with pytest.raises(LockedError):
        backup_logs.start(directory.parent)

    monkeypatch.undo()
    assert backup_logs.start(directory.parent) is not None
    judge_restored(directory.parent, 4)


def test_a_decision_that_cannot_be_made_durable_is_taken_back(
    directory: Path, served: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = restoring.write_commit

    def fail_after(database: Path, pending: object) -> None:
        write(database, pending)  # type: ignore[arg-type]
        raise StorageError("sync failed", errno=5)

    with monkeypatch.context() as patch:
        patch.setattr(restoring, "write_commit", fail_after)
        with pytest.raises(StorageError):
            restore_backup(directory, served.path, 2)
    assert not commit_path(served.path).exists()
    stages = served.path / "qed-restore" / "new"
    assert not stages.exists()  # the disk may be full

    restore_backup(directory, served.path, 1)
    with monkeypatch.context() as patch:
        patch.setattr(restoring, "write_commit", fail_after)
        with pytest.raises(StorageError):
            restore_backup(directory, served.path, 2)
    decided = read_commit(served.path)
    assert decided is not None
    assert decided.backup_id == 1
    assert [path.name for path in stages.iterdir()] == [decided.stage]


def test_a_damaged_decision_is_replaced_by_a_new_one(directory: Path, served: Log) -> None:
    restore_backup(directory, served.path, 1)
    commit_path(served.path).write_bytes(b"{}")

    restore_backup(directory, served.path, 2)
    served.close()

    backup_logs.start(served.path)
    judge_restored(served.path, 4)


def test_what_rocksdb_backed_up_is_restored(directory: Path, target: Path) -> None:
    rocksdb_oracle.ldb_backup(directory.parent, directory)

    restored = restore(directory, target)

    assert (restored.backup_id, restored.manifest) == (4, False)
    judge_restored(target, 6)


def test_progress_counts_every_byte_twice(directory: Path, target: Path) -> None:
    told: list[tuple[int, int]] = []
    size_bytes = list_backups(directory)[-1].size_bytes

    restore_backup(directory, target, progress=lambda *at: told.append(at))

    assert told[-1] == (2 * size_bytes, 2 * size_bytes)
    assert told == sorted(told)


def test_a_start_without_a_decision_does_nothing(directory: Path) -> None:
    with unchanged(directory.parent):
        assert backup_logs.start(directory.parent) is None
    (directory.parent / "qed-restore" / "new" / "half").mkdir(parents=True)

    assert backup_logs.start(directory.parent) is None

    assert not (directory.parent / "qed-restore" / "new" / "half").exists()
