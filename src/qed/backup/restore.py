"""Restore a backup: verify all of it, stage it, decide, swap. Nothing before the swap is touched.

A server that runs on the target goes on undisturbed; the swap then happens at its next start, by
the same function, `finish_pending`.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qed import durable
from qed.backup.checksums import Meter, Progress
from qed.backup.directory_lock import lock_backups
from qed.backup.ownership import give_to_owner
from qed.backup.pending import Pending
from qed.backup.repository import Repository, read_repository
from qed.backup.rocksdb_layout import META
from qed.backup.stage import (
    RESTORE,
    commit_path,
    lock_restore,
    read_commit,
    stage_path,
    write_commit,
    write_stage,
)
from qed.backup.swap import Swapped, clear_restore, is_half_done, swap
from qed.backup.verify import RestorePlan, explain_older, plan_restore, verify_backup
from qed.database import lock_owner, locked_error
from qed.errors import (
    ConflictError,
    DamagedError,
    LockedError,
    NotFoundError,
    QedError,
    StorageError,
)
from qed.trees.values import NO_VERSION


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore has done.

    `swapped` is None when somebody holds the database: then the restore is decided, and the next
    start finishes it. `manifest` says whether a manifest of ours vouched for the backup.
    """

    backup_id: int
    version_text: str
    manifest: bool
    target: Path
    swapped: Swapped | None

    @property
    def kept_aside(self) -> Path | None:
        """Where the database lies that was there, None when there was none, or not yet."""
        return self.swapped.kept_aside if self.swapped else None


def restore_backup(
    directory: Path, target: Path, backup_id: int | None = None, *, progress: Progress | None = None
) -> Restored:
    """Restore a backup, the newest one when no id is given, into a database's directory.

    `progress` counts every byte twice: once verified, once copied.

    Raises:
        RequestError: there is no such backup or no such backup directory; nothing was created.
        UnavailableError: somebody else works in the backup directory, or restores.
        FatalError: the backup is damaged (the sentence names the file, the hint the command for
            the next older one), or the system refused a write. The target is as it was.

    Cost: two reads and one write of the backup.
    """
    _check_paths(directory, target)
    with lock_backups(directory, exclusive=False):
        # 1. Choose and verify. Stop here: the target was not touched.
        repository = read_repository(directory)
        with _naming_older(repository, target, backup_id):
            plan, meter = _verify(repository, backup_id, progress)
        _check_space(plan, target)
        # 2. Stage. What is refused from here to the decision leaves no trace either.
        with _stage_directory(target), lock_restore(target):
            _finish_half_done(target)
            with _naming_older(repository, target, backup_id):
                pending = write_stage(plan, target, meter)
            # 3. Decide; a restore that was decided earlier and not swapped is replaced.
            _decide(target, pending)
            # Stop here: the restore will be finished by the next start.
            clear_restore(target, keep=pending.stage)
            # 4. Swap, unless a server has the database.
            swapped = _swap_if_free(target, pending)
    version = pending.size - 1 if pending.size else NO_VERSION
    return Restored(plan.backup_id, str(version), plan.manifest is not None, target, swapped)


def finish_pending(database: Path) -> Swapped | None:
    """Swap in the restore that was decided for a database, if there is one; a start calls this.

    The caller holds the database's lock and has not opened it.

    Raises:
        UnavailableError: a restore into this database is being staged.
        RequestError: another program has used the database since; the hint names the ways out.
        FatalError: the staged files are damaged, or the system refused a move.
    """
    if not durable.is_directory(database / RESTORE):
        return None
    with lock_restore(database):
        pending = read_commit(database)
        if pending is None:
            clear_restore(database)
            return None
        if lock_owner(database) is not None:
            raise locked_error(database)
        return swap(database, pending)


def _check_paths(directory: Path, target: Path) -> None:
    if not durable.is_directory(directory):
        raise NotFoundError(
            f"the backup directory {directory} does not exist",
            hint="name the directory that `qed backup create` writes to, by default "
            "<db-path>/backups",
        )
    if not durable.is_directory(directory / META):
        raise NotFoundError(f"{directory} is not a backup directory: it has no directory {META}")
    if durable.exists(target) and not durable.is_directory(target):
        raise ConflictError(f"{target} is in the way: it is not a directory")
    with durable.storage_errors("look at", target):
        inner = target.resolve()
        # By what they are, not by name: a bind mount gives a directory a second path.
        above = [path for path in (inner, *inner.parents) if path.exists()]
        if any(path.samefile(directory) for path in above):
            raise ConflictError(f"{target} lies in the backup directory {directory}")


def _verify(
    repository: Repository, backup_id: int | None, progress: Progress | None
) -> tuple[RestorePlan, Meter]:
    plan = plan_restore(repository, backup_id)
    meter = Meter(2 * plan.size_bytes, progress)
    verify_backup(plan, meter)
    return plan, meter


@contextlib.contextmanager
def _naming_older(repository: Repository, target: Path, backup_id: int | None) -> Iterator[None]:
    """Let a refusal say which command restores the next older backup, and what that would lose."""
    try:
        yield
    except (DamagedError, StorageError) as error:
        chosen = max(repository.entries) if backup_id is None else backup_id
        error.hint = explain_older(repository, error, target, chosen)
        raise


@contextlib.contextmanager
def _stage_directory(target: Path) -> Iterator[None]:
    """Make the directory for stages; if the block fails, take back what is empty and was made."""
    made = [path for path in (target, target / RESTORE) if not durable.is_directory(path)]
    durable.make_directory(target / RESTORE)
    give_to_owner([target / RESTORE], target)
    try:
        yield
    except BaseException:
        if target / RESTORE in made:
            made.append(target / RESTORE / "new")
        with contextlib.suppress(OSError):
            for path in reversed(made):
                path.rmdir()
        raise


def _check_space(plan: RestorePlan, target: Path) -> None:
    """Refuse a restore that the target's file system has no room for, before it is begun."""
    there = next(path for path in (target, *target.absolute().parents) if durable.exists(path))
    with durable.storage_errors("look at", there):
        found = os.statvfs(there)
    free_bytes = found.f_bavail * found.f_frsize
    if free_bytes < plan.size_bytes:
        raise StorageError(
            f"cannot restore into {target}: backup {plan.backup_id} has {plan.size_bytes} bytes, "
            f"but only {free_bytes} are free there",
            errno=errno.ENOSPC,
            hint="free some space, then do it again; nothing was changed",
        )


def _decide(target: Path, pending: Pending) -> None:
    """Write the record; if that fails, take it back, so that what was refused does not happen."""
    earlier = None
    with contextlib.suppress(DamagedError):
        earlier = read_commit(target)
    try:
        write_commit(target, pending)
    except StorageError:
        with contextlib.suppress(StorageError):
            if earlier is None:
                durable.remove_file(commit_path(target))
            else:
                write_commit(target, earlier)
        _drop_stage(target, pending)
        raise


def _drop_stage(target: Path, pending: Pending) -> None:
    """Give back what a stage takes that was not decided for: the disk may be full."""
    with contextlib.suppress(QedError):
        decided = read_commit(target)
        if decided is None or decided.stage != pending.stage:
            durable.remove_tree(stage_path(target, pending.stage))


def _finish_half_done(target: Path) -> None:
    """Finish a swap that was stopped between two moves: its files belong together."""
    with contextlib.suppress(DamagedError):
        pending = read_commit(target)
        if pending is not None and is_half_done(target, pending):
            _swap_now(target, pending)


def _swap_if_free(target: Path, pending: Pending) -> Swapped | None:
    try:
        return _swap_now(target, pending)
    except LockedError:
        return None
    except StorageError as error:
        # Who reads only that something failed must not be surprised by the next start.
        decided = f"the restore is decided, and the next start of a server on {target} finishes it"
        error.hint = f"{error.hint}; {decided}" if error.hint else decided
        raise


def _swap_now(target: Path, pending: Pending) -> Swapped:
    with durable.lock_directory(target, exclusive=True):
        if lock_owner(target) is not None:
            raise locked_error(target)
        return swap(target, pending)
