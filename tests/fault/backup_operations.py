"""Create and delete a backup: what each promises whatever fails."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fault.backup_judges import BACKUPS, fill_with_backups, judge_backups
from fault.judges import fill, judge_log
from fault.trial import Acknowledge, Aftermath
from qed.backup.create import create_backup
from qed.backup.delete import delete_backup
from qed.backup.repository import list_backups
from qed.engine.log import Log
from qed.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class CreateBackup:
    """A backup is there as a whole or not at all, and hurts no other; the log goes on."""

    name: str = "backup-create"

    def prepare(self, directory: Path) -> None:
        fill_with_backups(directory / "db")

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        path = directory / "db"
        log = Log.open(path)

        def act(acknowledge: Acknowledge) -> None:
            info = create_backup(log, path / "backups", scratch=path / "qed-checkpoints")
            acknowledge(str(info.id))

        return act

    def judge(self, directory: Path, aftermath: Aftermath) -> None:
        path = directory / "db"
        there = {info.id for info in list_backups(path / "backups")}
        for text in aftermath.acknowledged:
            assert int(text) in there, f"backup {text} was acknowledged; there are {there}"
        judge_backups(path, BACKUPS | dict.fromkeys(there - set(BACKUPS), 8))
        judge_log(path, 8, at_most=8)
        with contextlib.closing(Log.open(path)) as log:
            created = create_backup(log, path / "backups", scratch=path / "qed-checkpoints").id
        assert created > max(there), f"id {created} was given twice"
        judge_backups(path, {created: 9})


@dataclass(frozen=True, slots=True)
class FirstBackup(CreateBackup):
    """The same where there was no backup directory before."""

    name: str = "backup-first"

    def prepare(self, directory: Path) -> None:
        fill(directory / "db", [3, 5])

    def judge(self, directory: Path, aftermath: Aftermath) -> None:
        path = directory / "db"
        there = {info.id for info in list_backups(path / "backups")}
        assert {int(text) for text in aftermath.acknowledged} <= there
        judge_backups(path, dict.fromkeys(there, 8))
        judge_log(path, 8, at_most=8)
        with contextlib.closing(Log.open(path)) as log:
            created = create_backup(log, path / "backups", scratch=path / "qed-checkpoints").id
        judge_backups(path, {created: 9})


@dataclass(frozen=True, slots=True)
class DeleteBackup:
    """Whatever is still listed restores; the deletion can be done again."""

    name: str = "backup-delete"

    def prepare(self, directory: Path) -> None:
        fill_with_backups(directory / "db")

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        def act(acknowledge: Acknowledge) -> None:
            delete_backup(directory / "db" / "backups", 1)
            acknowledge("deleted")

        return act

    def judge(self, directory: Path, aftermath: Aftermath) -> None:
        path = directory / "db"
        there = {info.id for info in list_backups(path / "backups")}
        assert not (aftermath.acknowledged and 1 in there), "deleted, but listed"
        judge_backups(path, {backup_id: BACKUPS[backup_id] for backup_id in there | {2, 3}})
        with contextlib.suppress(NotFoundError):
            delete_backup(path / "backups", 1)
        delete_backup(path / "backups", 2)
        assert [info.id for info in list_backups(path / "backups")] == [3]
        judge_backups(path, {3: 6})
        judge_log(path, 8, at_most=8)
