"""The backup directory of format 1 that every version must restore: `tests/fixtures`."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

import backup_logs
import rocksdb_oracle
from backup_logs import unchanged
from model import Model, snapshot_leaf, snapshot_log_root
from qed.backup import manifest
from qed.backup.create import create_backup
from qed.backup.repository import list_backups, read_repository
from qed.backup.restore import restore_backup
from qed.engine.check import check
from qed.engine.log import Log

FIXTURE = Path(__file__).parents[1] / "fixtures" / "format-1-backups"
HELD: dict[str, list[list[str]]] = json.loads((FIXTURE / "expected.json").read_text())
IDS = sorted(map(int, HELD))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURE / "backups", tmp_path / "backups"))


def model_of(backup_id: int) -> Model:
    model = Model()
    for group in HELD[str(backup_id)]:
        model.add([sha256(event.encode()).digest() for event in group])
    return model


def judge(path: Path, model: Model) -> None:
    """Compare a restored log with the model, add to it, and compare again."""
    report = check(path)
    assert report.size == len(model.digests)
    if model.snapshots:
        assert report.history_digest == model.snapshots[-1].history_digest
        assert report.hyper_digest == model.snapshots[-1].hyper_digest
    with Log.open(path) as log:
        assert log.append([b"n" * 32]).snapshots() == model.add([b"n" * 32])
    report = check(path)
    assert report.hyper_digest == model.snapshots[-1].hyper_digest
    assert report.snapshot_root == snapshot_log_root(list(map(snapshot_leaf, model.snapshots)))


def test_format_1_is_what_is_written_today() -> None:
    assert manifest.FORMAT == 1, "a new format needs a fixture of its own, and this one stays"


def test_they_are_listed(directory) -> None:
    infos = list_backups(directory)

    assert [info.id for info in infos] == IDS
    assert [info.problem for info in infos] == [""] * len(IDS)
    assert [info.manifest for info in infos] == [True] * 4 + [False]
    texts = ["18446744073709551615", "3", "9", "4", ""]
    assert [info.version_text for info in infos] == texts
    (tombstone,) = read_repository(directory).tombstones
    assert tombstone.id == 4


@pytest.mark.parametrize("backup_id", IDS)
def test_each_is_restored_and_goes_on(directory, tmp_path, backup_id) -> None:
    with unchanged(directory):
        restored = restore_backup(directory, tmp_path / "db", backup_id)

    assert restored.swapped is not None
    judge(tmp_path / "db", model_of(backup_id))


@pytest.mark.oracle
@pytest.mark.parametrize("backup_id", IDS)
def test_each_is_restored_by_rocksdb(directory, tmp_path, backup_id) -> None:
    rocksdb_oracle.restore(directory, tmp_path / "db", backup_id)

    judge(tmp_path / "db", model_of(backup_id))


def test_the_next_backup_stands_beside_them(directory, tmp_path) -> None:
    restore_backup(directory, tmp_path / "db", 3)
    with Log.open(tmp_path / "db") as log:
        info = create_backup(log, directory, scratch=tmp_path / "db" / "qed-checkpoints")

    assert info.id == 7
    assert [entry.id for entry in list_backups(directory)] == [*IDS, 7]
    backup_logs.restore(directory, tmp_path / "again", 7)
    judge(tmp_path / "again", model_of(3))
