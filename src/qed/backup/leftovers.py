"""What an interrupted backup or restore leaves below a database, removed at a start."""

from __future__ import annotations

from pathlib import Path

from qed import durable
from qed.backup.restore import finish_pending
from qed.backup.stage import RESTORE, commit_path

CHECKPOINTS = "qed-checkpoints"


def clean_leftovers(database: Path) -> None:
    """Remove left-over checkpoints, which pin old tables, and stages that nobody decided for.

    The caller holds the database's lock. A decided restore stays: `finish_pending` is asked first.
    """
    if (database / CHECKPOINTS).is_dir():
        durable.remove_tree(database / CHECKPOINTS)
    if (database / RESTORE).is_dir() and not commit_path(database).exists():
        finish_pending(database)
