"""Restore a backup, at once or staged: what each way promises whatever fails."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fault.backup_judges import BACKUPS, fill_with_backups, judge_backups
from fault.judges import digests, judge_log
from fault.trial import Acknowledge, Aftermath
from qed import durable
from qed.backup.leftovers import clean_leftovers
from qed.backup.restore import finish_pending, restore_backup
from qed.engine.check import check, holds_engine_files
from qed.engine.log import Log


def _start(path: Path) -> None:
    """Do what a server's start does before it serves; where no log is, none is created here."""
    with durable.lock_directory(path, exclusive=True):
        finish_pending(path)
        clean_leftovers(path)
        if holds_engine_files(path):
            Log.open(path, held=True).close()


def _judge_restored(path: Path, before: int | None, aftermath: Aftermath) -> None:
    """After a start the target is what it was or what was restored, never a mixture."""
    if path.is_dir():
        _start(path)
    if path.is_dir() and holds_engine_files(path):
        size = check(path).size
        assert size in (before, 4), f"{size} events: neither what was there nor what was restored"
        assert not (aftermath.acknowledged and size != 4), "acknowledged, but not what is there"
        judge_log(path, size, at_most=size)
    else:
        assert before is None, "the database that was there is gone"
        assert not aftermath.acknowledged, "acknowledged, but nothing is there"


def _judge_kept(path: Path, scratch: Path, size: int) -> None:
    """The log that was replaced lies aside, whole."""
    kept = [entry for entry in (path / "qed-replaced").iterdir() if holds_engine_files(entry)]
    assert len(kept) == 1, f"kept aside: {kept}"
    shutil.copytree(kept[0], scratch)
    judge_log(scratch, size, at_most=9)


@dataclass(frozen=True, slots=True)
class RestoreOver:
    """Restore over a database that nobody serves; its backups lie below it."""

    name: str = "restore-over"

    def prepare(self, directory: Path) -> None:
        fill_with_backups(directory / "db")

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        def act(acknowledge: Acknowledge) -> None:
            restore_backup(directory / "db" / "backups", directory / "db", 2)
            acknowledge("restored")

        return act

    def judge(self, directory: Path, aftermath: Aftermath) -> None:
        path = directory / "db"
        _judge_restored(path, 8, aftermath)
        judge_backups(path, BACKUPS)
        restore_backup(path / "backups", path, 3)
        _start(path)
        judge_log(path, 6, at_most=6)
        judge_backups(path, BACKUPS)


@dataclass(frozen=True, slots=True)
class RestoreFresh:
    """Restore into a path where nothing is."""

    name: str = "restore-fresh"

    def prepare(self, directory: Path) -> None:
        fill_with_backups(directory / "db")

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        def act(acknowledge: Acknowledge) -> None:
            restore_backup(directory / "db" / "backups", directory / "new", 2)
            acknowledge("restored")

        return act

    def judge(self, directory: Path, aftermath: Aftermath) -> None:
        path = directory / "new"
        _judge_restored(path, None, aftermath)
        restore_backup(directory / "db" / "backups", path, 3)
        _start(path)
        judge_log(path, 6, at_most=6)
        judge_backups(directory / "db", BACKUPS)
        judge_log(directory / "db", 8, at_most=8)


@dataclass(frozen=True, slots=True)
class RestoreServed:
    """Restore over a database that a server holds: staged, swapped at its next start."""

    name: str = "restore-served"

    def prepare(self, directory: Path) -> None:
        fill_with_backups(directory / "db")

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        path = directory / "db"
        log = Log.open(path)

        def act(acknowledge: Acknowledge) -> None:
            restored = restore_backup(path / "backups", path, 2)
            assert not restored.swapped
            acknowledge("restored")
            log.append(digests(8, 9))

        return act

    def judge(self, directory: Path, aftermath: Aftermath) -> None:
        path = directory / "db"
        _judge_restored(path, 8, aftermath)
        if aftermath.acknowledged:
            _judge_kept(path, directory / "kept", 9 if aftermath.ending == "done" else 8)
        judge_backups(path, BACKUPS)
        restore_backup(path / "backups", path, 3)
        _start(path)
        judge_log(path, 6, at_most=6)


@dataclass(frozen=True, slots=True)
class SwapAtStart:
    """The start that finds a staged restore finishes it, however often it is stopped."""

    name: str = "swap-at-start"

    def prepare(self, directory: Path) -> None:
        path = directory / "db"
        fill_with_backups(path)
        log = Log.open(path)
        restored = restore_backup(path / "backups", path, 2)
        assert not restored.swapped
        log.close()

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        def act(acknowledge: Acknowledge) -> None:
            lock = durable.lock_directory(directory / "db", exclusive=True)
            lock.__enter__()
            finish_pending(directory / "db")
            acknowledge("swapped")
            Log.open(directory / "db", held=True)
            acknowledge("opened")

        return act

    def judge(self, directory: Path, _aftermath: Aftermath) -> None:
        path = directory / "db"
        _start(path)
        assert check(path).size == 4, "the restore that was decided is not what is served"
        _judge_kept(path, directory / "kept", 8)
        judge_log(path, 4, at_most=4)
        judge_backups(path, BACKUPS)
