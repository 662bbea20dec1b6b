"""What an interrupted backup or restore leaves below a database, removed at a start."""

from __future__ import annotations

import contextlib
from pathlib import Path

from qed import durable
from qed.backup.stage import RESTORE, commit_path, lock_restore
from qed.backup.swap import clear_restore
from qed.errors import LockedError

CHECKPOINTS = "qed-checkpoints"


def clean_leftovers(database: Path) -> None:
    """Remove left-over checkpoints, which pin old tables, and stages that nobody decided for.

    The caller holds the database's lock. A decided restore stays: `finish_pending` is asked first.
    """
    if durable.is_directory(database / CHECKPOINTS):
        durable.remove_tree(database / CHECKPOINTS)
    if not durable.is_directory(database / RESTORE):
        return
    # Somebody who holds the lock is staging right now: what lies there is not a leftover.
    with contextlib.suppress(LockedError), lock_restore(database):
        if not durable.exists(commit_path(database)):
            clear_restore(database)
