"""Small logs with backups, for the tests of `backup` and for its fixtures."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import google_crc32c
import pytest

from model import Model, snapshot_leaf, snapshot_log_root
from qed import durable
from qed.backup import rocksdb_layout as layout
from qed.backup.create import create_backup
from qed.backup.repository import BackupInfo, read_repository
from qed.backup.restore import Restored, finish_pending, restore_backup
from qed.backup.rocksdb_layout import MetaFile
from qed.backup.swap import Swapped
from qed.backup.verify import RestorePlan
from qed.engine.check import Report, check
from qed.engine.log import Log

DURABLE_STEPS = (
    *("copy_file", "make_directory", "remove_file", "remove_tree", "rename", "sync_directory"),
    *("write_file", "write_new_file"),
)


def event(number: int) -> bytes:
    """Return the digest of "event <number>"."""
    return hashlib.sha256(b"event %d" % number).digest()


def add(log: Log, start: int, stop: int) -> None:
    """Add the events [start, stop), each as a group of its own."""
    for number in range(start, stop):
        log.append([event(number)])


def backup(log: Log, directory: Path | None = None) -> BackupInfo:
    """Back a log up, below itself unless another directory is named."""
    scratch = log.path / "qed-checkpoints"
    return create_backup(log, directory or log.path / "backups", scratch=scratch)


def three_backups(path: Path) -> Path:
    """Make the manual's log: backups 1, 2 and 3 after 2, 4 and 6 events; return their directory."""
    with contextlib.closing(Log.create(path)) as log:
        for stop in (2, 4, 6):
            add(log, stop - 2, stop)
            backup(log)
    return path / "backups"


def start(path: Path) -> Swapped | None:
    """Do what a server's start does with a decided restore."""
    with durable.lock_directory(path, exclusive=True):
        return finish_pending(path)


def judge_restored(path: Path, size: int) -> Report:
    """Check a restored log, add to it at the next version, check again; compare with the model.

    The log must hold "event 0" to "event <size - 1>", each added alone.
    """
    model = Model()
    for number in range(size):
        model.add([event(number)])
    before = check(path)
    assert size == before.size
    assert before.snapshot_root == snapshot_log_root(list(map(snapshot_leaf, model.snapshots)))
    if size:
        assert model.snapshots[-1].history_digest == before.history_digest
        assert model.snapshots[-1].hyper_digest == before.hyper_digest
    with contextlib.closing(Log.open(path)) as log:
        assert log.snapshot_root == (size, before.snapshot_root)
        added = log.append([event(1000)])
        assert size == added.first_version
        assert model.add([event(1000)])[-1] == added.snapshots()[-1]
        for number in {0, size // 2, size - 1} & set(range(size)):
            assert number == log.prove_membership(event(number)).actual_version
    return check(path)


def restore(directory: Path, target: Path, backup_id: int | None = None) -> Restored:
    """Restore into a database that nobody serves."""
    restored = restore_backup(directory, target, backup_id)
    assert restored.swapped is not None
    return restored


def referred(directory: Path, *backup_ids: int) -> set[str]:
    """Return the paths of the files that some backups refer to; all backups when none is named."""
    entries = read_repository(directory).entries
    metas = [entries[backup_id].meta for backup_id in backup_ids or entries]
    return {file.path for meta in metas if meta for file in meta.files}


def snapshot(path: Path) -> dict[str, bytes | None]:
    """Return every file below a directory with its bytes, and every directory."""
    return {
        str(item.relative_to(path)): item.read_bytes() if item.is_file() else None
        for item in sorted(path.rglob("*"))
    }


@contextlib.contextmanager
def unchanged(*paths: Path) -> Iterator[None]:
    """Fail unless every byte below the paths is the same after the block."""
    before = [snapshot(path) if path.exists() else None for path in paths]
    yield
    after = [snapshot(path) if path.exists() else None for path in paths]
    assert before == after


def kill_at(patch: pytest.MonkeyPatch, step: int, error: type[BaseException]) -> None:
    """Raise at the n-th durable step from now on, and at every one after it: nobody tidies up."""
    taken = itertools.count(1)

    def counted(function: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(function)
        def call(*arguments: object, **options: object) -> object:
            if next(taken) >= step:
                raise error
            return function(*arguments, **options)

        return call

    for name in DURABLE_STEPS:
        patch.setattr(durable, name, counted(getattr(durable, name)))
    for name in ("rename", "replace", "unlink", "rmdir"):
        patch.setattr(Path, name, counted(getattr(Path, name)))


def with_crc_of(plan: RestorePlan, data: bytes) -> RestorePlan:
    """Return a plan whose first file has the CRC-32C of other bytes."""
    first = replace(plan.files[0], crc32c=google_crc32c.value(data))
    return replace(plan, files=(first, *plan.files[1:]))


def rewrite_private(directory: Path, backup_id: int, name: str, data: bytes) -> None:
    """Change a private file and make the meta fit, as RocksDB's tools could have written it."""
    _rewrite_meta(
        directory,
        backup_id,
        lambda file: (
            replace(file, crc32c=google_crc32c.value(data)) if file.path.endswith(name) else file
        ),
    )
    (directory / "private" / str(backup_id) / name).write_bytes(data)


def drop_private(directory: Path, backup_id: int, name: str) -> None:
    """Leave a private file out of a backup, as a program that forgot it would."""
    _rewrite_meta(directory, backup_id, lambda file: None if file.path.endswith(name) else file)


def _rewrite_meta(
    directory: Path, backup_id: int, change: Callable[[MetaFile], MetaFile | None]
) -> None:
    path = directory / "meta" / str(backup_id)
    meta = layout.parse_meta(path.read_bytes(), backup_id)
    files = tuple(file for file in map(change, meta.files) if file is not None)
    path.write_bytes(layout.format_meta(replace(meta, files=files)))
    shutil.rmtree(directory / "qed", ignore_errors=True)
