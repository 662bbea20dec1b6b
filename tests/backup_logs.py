"""Small logs with backups, for the tests of `backup` and for its fixtures."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model import Model
from qed import durable
from qed.backup.create import create_backup
from qed.backup.repository import BackupInfo
from qed.backup.restore import Restored, finish_pending, restore_backup
from qed.backup.swap import Swapped
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
    if size:
        assert model.snapshots[-1].history_digest == before.history_digest
        assert model.snapshots[-1].hyper_digest == before.hyper_digest
    with contextlib.closing(Log.open(path)) as log:
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
