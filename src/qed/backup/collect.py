"""What may be removed from a backup directory, and who decides it.

RocksDB's own engine takes a damaged backup for garbage: one missing file and one collection, and
backups that could have been recovered are gone. Here nothing is removed while anything cannot be
read or refers to something that is missing, and the sentences say which. Callers hold the
directory's lock for writing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qed import durable
from qed.backup import manifest as manifests
from qed.backup import rocksdb_layout as layout
from qed.backup.manifest import Ids
from qed.backup.repository import Repository, is_temporary
from qed.errors import DamagedError, NewerFormatError, RequestError


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection removed, or the sentences because of which it removed nothing."""

    removed: tuple[str, ...]
    kept_because: tuple[str, ...]


def plan_collection(repository: Repository) -> list[str]:
    """Return the files that no backup refers to, as paths below the backup directory. Pure."""
    needed = {
        file.path
        for entry in repository.entries.values()
        if entry.meta
        for file in entry.meta.files
    }
    return sorted(path for path in repository.files if path not in needed and _is_known(path))


def _is_known(path: str) -> bool:
    """Return whether a file's name is one that a backup may have; others are not ours to remove."""
    folder, _, name = path.rpartition("/")
    if folder in {layout.SHARED, layout.SHARED_CHECKSUM}:
        return layout.is_shared_name(folder, name)
    return layout.is_private(name) or layout.is_table(name)


def collect(repository: Repository) -> Collected:
    """Remove every file that no backup refers to, unless anything is wrong in the directory.

    Stop here at any removal: what is gone was needed by nobody, the next collection takes the rest.
    """
    problems = repository.problems
    if problems:
        return Collected((), tuple(problems))
    removed = plan_collection(repository)
    for path in removed:
        with durable.storage_errors("remove", repository.directory / path):
            (repository.directory / path).unlink(missing_ok=True)
    remove_temporaries(repository.directory)
    for folder in sorted({path.rpartition("/")[0] for path in removed}):
        durable.sync_directory(repository.directory / folder)
    _remove_empty_private(repository)
    return Collected(tuple(removed), ())


def remove_temporaries(directory: Path) -> None:
    """Remove files that never got their own name. The caller has the lock: nobody writes them."""
    folders = (layout.META, layout.SHARED_CHECKSUM, manifests.MANIFESTS, manifests.DELETED, "qed")
    for folder in folders:
        with durable.storage_errors("read", directory / folder):
            if not (directory / folder).is_dir():
                continue
            for path in list((directory / folder).iterdir()):
                if is_temporary(path.name) and not path.is_dir():
                    path.unlink(missing_ok=True)


def _remove_empty_private(repository: Repository) -> None:
    private = repository.directory / layout.PRIVATE
    emptied = False
    for number in _private_without_backup(repository):
        with durable.storage_errors("remove", private / str(number)):
            if (private / str(number)).is_dir() and not any((private / str(number)).iterdir()):
                (private / str(number)).rmdir()
                emptied = True
    if emptied:
        durable.sync_directory(private)


def _private_without_backup(repository: Repository) -> Iterator[int]:
    return (number for number in repository.private_ids() if number not in repository.entries)


def write_ids(repository: Repository, unfinished: int | None, deleted: int | None = None) -> None:
    """Write the record of the ids; on return it survives a loss of power.

    `unfinished` is the backup that is about to be made, `deleted` the one that is about to go. A
    record of a later version of this program is a `NewerFormatError` and stays: what this one
    cannot read in it, it would lose.
    """
    _refuse_newer(repository.directory / manifests.IDS)
    ours = {*repository.ids.ours, *repository.bound_ids()} - {unfinished, deleted}
    highest = max(repository.ids.highest, unfinished or 0, deleted or 0, *ours, 0)
    ids = Ids(highest, unfinished, tuple(sorted(ours)))
    durable.make_directory(repository.directory / manifests.DIRECTORY)
    durable.write_file(repository.directory / manifests.IDS, manifests.encode_ids(ids))


def _refuse_newer(path: Path) -> None:
    try:
        manifests.decode_ids(durable.read_file(path, manifests.LIMIT_BYTES))
    except NewerFormatError as error:
        raise NewerFormatError(
            f"{path} is of a later version: {error.message}",
            hint="make and delete backups here with the version of qed that wrote it",
        ) from error
    except (RequestError, DamagedError):
        return  # none yet, or damaged: what the directory holds says which ids are spent


def finish_interrupted(repository: Repository) -> bool:
    """Tidy what an interrupted creation or deletion left; return whether there was anything.

    A creation that was stopped before its meta got its name made no backup, and one whose
    tombstone is written and whose meta is gone was deleted: their manifests are removed here,
    their files by the next collection.
    """
    deleted = {tombstone.manifest_sha256 for tombstone in repository.tombstones}
    found = False
    for backup_id, stored in repository.manifests.items():
        if backup_id not in repository.entries and stored.sha256 in deleted:
            durable.remove_file(repository.directory / manifests.manifest_path(backup_id))
            found = True
    unfinished = repository.ids.unfinished
    if unfinished is None:
        return found
    if unfinished not in repository.entries:
        durable.make_directory(repository.directory / manifests.MANIFESTS)
        durable.remove_file(repository.directory / manifests.manifest_path(unfinished))
    # Stop here: the record still names the backup, and the next call does the same again.
    write_ids(repository, None)
    return True
