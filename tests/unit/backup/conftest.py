"""The manual's three backups, made once and copied for each test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import backup_logs


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "db"
    backup_logs.three_backups(path)
    return path


@pytest.fixture
def directory(_made: Path, tmp_path: Path) -> Path:
    """Backups 1, 2 and 3 of 2, 4 and 6 events, below the database `<tmp_path>/db`."""
    shutil.copytree(_made, tmp_path / "db")
    return tmp_path / "db" / "backups"
