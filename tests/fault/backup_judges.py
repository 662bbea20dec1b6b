"""What every judge of backups asks: is each one that was good before still good?"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from fault.judges import digests, judge_log
from qed.backup.create import create_backup
from qed.backup.repository import list_backups
from qed.backup.restore import restore_backup
from qed.engine.log import Log


def judge_backups(database: Path, sizes: dict[int, int]) -> None:
    """Restore each backup that was good before into a new path and check its size."""
    directory = database / "backups"
    listed = {info.id: info for info in list_backups(directory)}
    for backup_id, size in sizes.items():
        info = listed[backup_id]
        assert info.version_text == str(size - 1), info
        assert info.manifest, f"no manifest vouches for {info}"
        assert not info.problem, info
        target = database.parent / f"{database.name}-restored-{backup_id}"
        try:
            restore_backup(directory, target, backup_id)
            judge_log(target, size, at_most=size)
        finally:
            shutil.rmtree(target, ignore_errors=True)
            shutil.rmtree(target.with_name(target.name + ".keys"), ignore_errors=True)


def fill_with_backups(path: Path) -> None:
    """Make backups 1, 2 and 3 after 2, 4 and 6 events, then two events more."""
    with contextlib.closing(Log.create(path)) as log:
        for stop in (2, 4, 6):
            for version in range(stop - 2, stop):
                log.append(digests(version, version + 1))
            create_backup(log, path / "backups", scratch=path / "qed-checkpoints")
        log.append(digests(6, 8))


BACKUPS = {1: 2, 2: 4, 3: 6}
