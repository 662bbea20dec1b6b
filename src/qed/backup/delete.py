"""Delete one backup; files that another one needs stay."""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Iterator
from pathlib import Path

from qed import durable
from qed.backup import manifest as manifests
from qed.backup import rocksdb_layout as layout
from qed.backup.collect import Collected, collect, finish_interrupted, write_ids
from qed.backup.directory_lock import lock_backups
from qed.backup.manifest import Tombstone
from qed.backup.repository import Repository, read_repository
from qed.errors import NotFoundError, StorageError


def delete_backup(directory: Path, backup_id: int) -> Collected:
    """Delete a backup and remove what no other one needs; its id is never used again.

    A damaged backup can be deleted as well. While anything else in the directory is damaged, the
    files stay, and the answer says because of what.

    Raises:
        RequestError: there is no such backup (the ids there are stand in the sentence).
        UnavailableError: somebody else works in the directory.
        FatalError: the system refused a write; the backup is there as before, or gone.
    """
    if not durable.is_directory(directory):
        raise NotFoundError(f"the backup directory {directory} does not exist")
    with lock_backups(directory, exclusive=True):
        # 1. Finish what an earlier, interrupted call began.
        with _if_there_is_room():
            finish_interrupted(read_repository(directory))
        repository = read_repository(directory)
        if backup_id not in repository.entries:
            raise unknown_backup(repository, backup_id)
        # 2. Say what is about to be deleted. Stop here: a tombstone of a backup that exists, which
        #    the next deletion writes again.
        tombstone = _tombstone_of(repository, backup_id)
        noted = False
        with _if_there_is_room():
            _note(repository, tombstone)
            noted = True
        # 3. Stop here: from now on there is no such backup; the rest is tidied by the next call.
        durable.make_directory(directory / layout.META)
        durable.remove_file(directory / layout.META / str(backup_id))
        if repository.manifests.get(backup_id):
            durable.remove_file(directory / manifests.manifest_path(backup_id))
        # 4. Only now, and only if everything else can be read, its files.
        collected = collect(read_repository(directory))
        # 5. A full disk had no room for step 2. Who deletes a backup wants to mend just that, so it
        #    is said now. Stop here: the ids of our backups are spent since they were made.
        if not noted:
            with _if_there_is_room():
                _note(read_repository(directory), tombstone)
        return collected


def unknown_backup(repository: Repository, backup_id: int) -> NotFoundError:
    """Return the refusal of an id that is not there, which lists those that are."""
    there = ", ".join(str(number) for number in sorted(repository.entries))
    listed = f"there are {there}" if there else "there are none"
    return NotFoundError(
        f"there is no backup {backup_id} in {repository.directory}: {listed}",
        hint="list them with `qed backup list`",
    )


@contextlib.contextmanager
def _if_there_is_room() -> Iterator[None]:
    """Leave the block without an error when the disk is full."""
    try:
        yield
    except StorageError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise


def _note(repository: Repository, tombstone: Tombstone) -> None:
    """Write that an id is spent, whoever made the backup, and what is kept of it."""
    write_ids(repository, unfinished=None, deleted=tombstone.id)
    path = repository.directory / manifests.tombstone_path(tombstone)
    durable.make_directory(path.parent)
    durable.write_file(path, manifests.encode_tombstone(tombstone))


def _tombstone_of(repository: Repository, backup_id: int) -> Tombstone:
    stored = repository.manifests.get(backup_id)
    manifest = stored.manifest if stored else None
    return Tombstone(
        id=backup_id,
        uuid=manifest.uuid if manifest else None,
        deleted_s=int(time.time()),
        meta_sha256=repository.entries[backup_id].meta_sha256,
        manifest_sha256=stored.sha256 if stored else None,
        previous_sha256=manifest.previous_sha256 if manifest else None,
    )
