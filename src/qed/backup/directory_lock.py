"""Who may work in a backup directory: one writer, or any number of restores.

The lock is `flock` on the directory itself: no lock file lies there, and nothing has to be unlocked
after a crash.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from qed import durable
from qed.errors import LockedError


@contextlib.contextmanager
def lock_backups(directory: Path, *, exclusive: bool) -> Iterator[None]:
    """Hold the lock of a backup directory, or raise `LockedError` at once when somebody has it."""

    def refusal() -> LockedError:
        return LockedError(
            f"a backup, a deletion or a restore is going on in {directory}",
            hint="wait until it has finished, then do it again",
        )

    with durable.lock_directory(directory, exclusive=exclusive, refusal=refusal):
        yield
