"""The second half of a restore: the old files aside, the staged ones in, every move repeatable.

The caller holds the database's lock and the restore's. `SWAPPING` is written before the first move
and lists the old files by name: on a repetition, a name that lies aside was moved already, whatever
has the same name in the database now is new. CURRENT goes first and comes last, so that nobody
takes a half-moved directory for a database. The decision, COMMIT, is removed when all is done.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from qed import durable
from qed.backup import rocksdb_layout as layout
from qed.backup.ownership import give_to_owner
from qed.backup.pending import (
    LIMIT_BYTES,
    Pending,
    Swapping,
    decode_swapping,
    encode_swapping,
)
from qed.backup.stage import RESTORE, commit_path, stage_path, still_there
from qed.engine import hyper_index
from qed.engine.check import count_shared, holds_engine_files, read_head
from qed.errors import ConflictError, DamagedError, NotFoundError, QedError

REPLACED = "qed-replaced"


@dataclass(frozen=True, slots=True)
class Swapped:
    """What a swap has done.

    `kept_aside` is where the database lies that was there, None when there was none. Of its
    versions `lost_versions` are not in the restored log (None: it could not be opened). `size` is
    the number of events that are served now.
    """

    backup_id: int
    size: int
    kept_aside: Path | None
    lost_versions: int | None


def swap(database: Path, pending: Pending) -> Swapped:
    """Put the staged files in the place of those that are there, which are kept aside.

    Raises:
        RequestError: the database is not the one that the restore was decided for.
        FatalError: a staged file is missing or cut, or the system refused a move; the next call
            goes on where this one stopped.
    """
    swapping = _read_swapping(database, pending)
    if swapping is None:
        # 1. Before the first move: is this still what the person decided about?
        _check_unchanged(database, pending)
        _check_stage(database, pending)
        swapping = _plan_swap(database, pending)
        # Stop here: no file was moved, and the next call moves the same ones.
        durable.write_file(_swapping_path(database), encode_swapping(swapping))
    # 2. Stop here, and anywhere below: each move is done once, by this call or the next.
    _move_out(database, swapping)
    _move_in(database, pending)
    durable.remove_tree(database / hyper_index.DIRECTORY)  # derived from what was moved out
    # 3. Stop here: all is moved, and the next call finds nothing left to move.
    durable.remove_file(commit_path(database))
    # Stop here: the restore is done; a SWAPPING without a COMMIT means nothing.
    clear_restore(database)
    return Swapped(
        pending.backup_id,
        pending.size,
        database / REPLACED / swapping.kept_aside if swapping.kept_aside else None,
        swapping.lost_versions,
    )


def is_half_done(database: Path, pending: Pending) -> bool:
    """Return whether files have been moved for this restore, or may have been."""
    return _read_swapping(database, pending) is not None


def clear_restore(database: Path, keep: str | None = None) -> None:
    """Remove what lies below `qed-restore`, but for COMMIT and the stage that it names."""
    durable.remove_file(_swapping_path(database))
    new = database / RESTORE / "new"
    if not durable.is_directory(new):
        return
    for path in [path for path in durable.list_directory(new) if path.name != keep]:
        durable.remove_tree(path)


def _swapping_path(database: Path) -> Path:
    return database / RESTORE / "SWAPPING"


def _read_swapping(database: Path, pending: Pending) -> Swapping | None:
    """Return the record of a swap that has begun, None when none has for this stage."""
    path = _swapping_path(database)
    try:
        swapping = decode_swapping(durable.read_file(path, LIMIT_BYTES))
    except NotFoundError:
        return None
    except QedError as error:
        raise DamagedError(
            f"the record of a restore that has begun, {path}, is damaged: {error}",
            hint=f"the files of {database} are partly below {database / REPLACED}: move them back, "
            f"then rm -r {path.parent}",
        ) from error
    return swapping if swapping.stage == pending.stage else None


def _check_unchanged(database: Path, pending: Pending) -> None:
    if still_there(database, pending.replaces):
        return
    raise ConflictError(
        f"the database in {database} is not the one that the restore of backup {pending.backup_id} "
        "was to replace: another program has used it since",
        hint="to restore all the same, run `qed restore` again; to keep what is there, "
        f"rm -r {database / RESTORE}",
    )


def _check_stage(database: Path, pending: Pending) -> None:
    for file in pending.files:
        path = stage_path(database, pending.stage) / file.name
        same_size = durable.size_bytes(path) == file.size_bytes
        if not same_size or durable.sha256_file(path) != file.sha256:
            what = "differs from what was staged" if same_size else "is missing or cut"
            raise DamagedError(
                f"the staged restore of backup {pending.backup_id} is damaged: {path} {what}; "
                "the database was not touched",
                hint="run `qed restore` again, or give that restore up: "
                f"rm -r {database / RESTORE}",
            )


def _plan_swap(database: Path, pending: Pending) -> Swapping:
    """Choose where the old files go, and look what is in them while they can be opened."""
    there = [path.name for path in durable.list_directory(database)]
    names = [name for name in there if layout.is_engine_file(name)]
    kept_aside = _choose_name(database) if names else None
    return Swapping(pending.stage, kept_aside, tuple(names), _count_lost(database, pending))


def _count_lost(database: Path, pending: Pending) -> int | None:
    """Return how many versions of the old log the restored one does not have.

    The longer one need not extend the other: after an earlier restore both went their own ways.
    None when the old one cannot be read, which may be why it is replaced; it is kept as it is.
    """
    if not holds_engine_files(database):
        return 0
    try:
        _, head = read_head(database)
        if head.log_id != pending.log_id:
            return head.size
        return head.size - count_shared(database, stage_path(database, pending.stage))
    except QedError:
        return None


def _choose_name(database: Path) -> str:
    utc = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    number = 1
    while durable.exists(database / REPLACED / f"{utc}-{number}"):
        number += 1
    return f"{utc}-{number}"


def _move_out(database: Path, swapping: Swapping) -> None:
    if swapping.kept_aside is None:
        return
    aside = database / REPLACED / swapping.kept_aside
    durable.make_directory(aside)
    give_to_owner([aside.parent, aside], database)
    for name in sorted(swapping.old_files, key=lambda name: name != "CURRENT"):
        # Neither here nor there: somebody has removed it since, an old LOG perhaps.
        if not durable.exists(aside / name) and durable.exists(database / name):
            with durable.storage_errors("move", database / name):
                (database / name).rename(aside / name)
            if name == "CURRENT":
                durable.sync_directory(aside)
                durable.sync_directory(database)
    durable.sync_directory(aside)
    durable.sync_directory(database)


def _move_in(database: Path, pending: Pending) -> None:
    stage = stage_path(database, pending.stage)
    names = [file.name for file in pending.files]
    for name in sorted(names, key=lambda name: name == "CURRENT"):
        if name == "CURRENT":
            durable.sync_directory(database)
        if durable.exists(stage / name):
            with durable.storage_errors("move", stage / name):
                (stage / name).rename(database / name)
        elif not durable.exists(database / name):
            raise DamagedError(
                f"the restore of backup {pending.backup_id} cannot be finished: {stage / name} is "
                "missing",
                hint=f"run `qed restore` again; the database that was there is below "
                f"{database / REPLACED}",
            )
    durable.sync_directory(database)
    if durable.is_directory(stage):
        durable.sync_directory(stage)
