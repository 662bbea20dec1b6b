"""A store's database without a store."""

import pytest

from qed.database import Database
from qed.snapshot_store import rows
from qed.trees.snapshot_log import EMPTY_ROOT


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "rows"
    path.mkdir()
    found = Database.create(path, rows.FAMILIES)
    found.commit(rows.encode_creation("k", EMPTY_ROOT))
    yield found
    found.close()
