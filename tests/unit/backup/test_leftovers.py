import contextlib
from pathlib import Path

import pytest

import backup_logs
from qed.backup.leftovers import clean_leftovers
from qed.backup.restore import restore_backup
from qed.backup.stage import lock_restore
from qed.engine.log import Log


@pytest.fixture
def database(directory: Path) -> Path:
    return directory.parent


def test_left_over_checkpoints_go(database: Path) -> None:
    with contextlib.closing(Log.open(database)) as log:
        (database / "qed-checkpoints").mkdir(exist_ok=True)
        log.checkpoint(database / "qed-checkpoints" / "old")

    clean_leftovers(database)

    assert not (database / "qed-checkpoints").exists()
    backup_logs.judge_restored(database, 6)


def test_half_a_stage_goes(database: Path) -> None:
    (database / "qed-restore" / "new" / "2-0011").mkdir(parents=True)
    (database / "qed-restore" / "new" / "2-0011" / "000009.sst").write_bytes(b"half")

    clean_leftovers(database)

    assert list((database / "qed-restore" / "new").iterdir()) == []


def test_a_stage_that_is_being_written_stays(database: Path) -> None:
    (database / "qed-restore" / "new" / "2-0011").mkdir(parents=True)

    with lock_restore(database), backup_logs.unchanged(database / "qed-restore"):
        clean_leftovers(database)


def test_a_decided_restore_stays(database: Path) -> None:
    with contextlib.closing(Log.open(database)):
        restore_backup(database / "backups", database, 2)

    with backup_logs.unchanged(database / "qed-restore"):
        clean_leftovers(database)

    backup_logs.start(database)
    backup_logs.judge_restored(database, 4)


def test_nothing_is_made_where_nothing_is(tmp_path: Path) -> None:
    clean_leftovers(tmp_path)

    assert list(tmp_path.iterdir()) == []
