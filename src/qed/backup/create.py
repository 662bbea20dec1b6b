"""Make a backup of a log that keeps taking writes.

A backup exists from the moment that `meta/<id>` has its name; whatever comes before can be stopped
anywhere and leaves only files that no backup refers to, and an id that is not used again.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from qed import durable
from qed.backup import manifest as manifests
from qed.backup import rocksdb_layout as layout
from qed.backup.checksums import Meter, Progress, Sums, copy_and_sum, sum_file
from qed.backup.collect import collect, finish_interrupted, remove_temporaries, write_ids
from qed.backup.directory_lock import lock_backups
from qed.backup.manifest import Manifest, ManifestFile
from qed.backup.repository import BackupInfo, Repository, info_of, read_repository
from qed.backup.rocksdb_layout import Meta, MetaFile
from qed.backup.table_properties import TableOrigin, read_table_origin
from qed.database import Database
from qed.engine import rows
from qed.engine.check import read_head
from qed.errors import ConflictError, DamagedError, MalformedError, StorageError


class Checkpointer(Protocol):
    """What a backup needs of a log: hard links to a consistent state of it."""

    def checkpoint(self, path: Path) -> None:
        """Make the directory and the links; safe while the log is written to."""


@dataclass(frozen=True, slots=True)
class _Copied:
    """One file of the backup that is being made: where it lies, and both sums of its bytes."""

    path: str
    sums: Sums


def create_backup(
    log: Checkpointer, directory: Path, *, scratch: Path, progress: Progress | None = None
) -> BackupInfo:
    """Back a log up into a directory, which is made when it is missing, and return the new backup.

    `scratch` lies on the log's file system; a checkpoint lives there while the backup is made.
    Everything that the backup says of the log is read from that checkpoint.

    Raises:
        UnavailableError: somebody else works in the directory.
        FatalError: a file could not be written, or a table of the log is damaged; no backup was
            made, those that were there are as they were.

    Cost: a flush, one read and one write of each table that no earlier backup has.
    """
    durable.make_directory(directory)
    with lock_backups(directory, exclusive=True):
        # 1. Finish what an earlier, interrupted call began.
        repository = _settle(directory)
        # 2. Take an id. Stop here: the id is spent, and nothing else has happened.
        backup_id = _take_id(repository)
        write_ids(repository, unfinished=backup_id)
        try:
            with _checkpoint(log, scratch) as source:
                _write_backup(repository, source, backup_id, progress)
        except BaseException:
            # The directory may be full: give back what this backup has taken of it.
            with contextlib.suppress(Exception):
                _take_back(repository, backup_id)
                _settle(directory)
            raise
        # The backup exists; a note that cannot be removed now is removed by the next call.
        repository = read_repository(directory)
        with contextlib.suppress(StorageError):
            write_ids(repository, unfinished=None)
        return info_of(repository, backup_id)


def _take_id(repository: Repository) -> int:
    backup_id = repository.next_id
    if backup_id > layout.MAX_ID:
        raise ConflictError(
            f"{repository.directory} has no id left: {layout.MAX_ID} is taken, and RocksDB knows "
            "no higher one",
            hint="keep the backups in another directory from now on",
        )
    return backup_id


def _settle(directory: Path) -> Repository:
    repository = read_repository(directory)  # costs a read of every meta and manifest
    # Removing comes first: on a full disk it makes the room for what is written then.
    removed = collect(repository).removed
    if finish_interrupted(repository) or removed:
        repository = read_repository(directory)
    return repository


def _take_back(repository: Repository, backup_id: int) -> None:
    """Remove what a failed call has written, also where another backup's damage stops collections.

    `repository` is the directory as it was before; files that were there then are not touched.
    """
    left = read_repository(repository.directory)
    if backup_id in left.entries:
        return  # it exists, and only the sync of its name failed
    for path in left.files.keys() - repository.files.keys():
        (repository.directory / path).unlink(missing_ok=True)
    remove_temporaries(repository.directory)


@contextlib.contextmanager
def _checkpoint(log: Checkpointer, scratch: Path) -> Iterator[Path]:
    durable.make_directory(scratch)
    path = scratch / uuid.uuid4().hex
    try:
        log.checkpoint(path)
        yield path
    finally:
        # What stays after a failure pins old tables until the next start cleans the scratch.
        with contextlib.suppress(StorageError):
            durable.remove_tree(path)


def _write_backup(
    repository: Repository, source: Path, backup_id: int, progress: Progress | None
) -> None:
    """Copy the files, shared ones first, then write the manifest, then the meta."""
    names = _names(source)
    meter = Meter(sum(durable.size_bytes(source / name) or 0 for name in names), progress)
    identity, head = read_head(source)
    files = _copy_shared(repository, source, names, meter)
    files += _copy_private(repository.directory, source, names, backup_id, meter)
    version = head.current_version
    created_s = int(time.time())
    meta = layout.format_meta(
        Meta(
            created_s,
            _rocksdb_sequence(source),
            str(version).encode("ascii"),
            tuple(MetaFile(file.path, file.sums.crc32c) for file in files),
        )
    )
    manifest = Manifest(
        uuid=uuid.uuid4().bytes,
        id=backup_id,
        created_s=created_s,
        previous_sha256=_previous_sha256(repository),
        log_id=head.log_id,
        origin=identity.origin,
        epoch=head.epoch,
        sequence=head.sequence,
        version=version,
        history_digest=head.history_digest,
        hyper_digest=head.hyper_digest,
        meta_sha256=hashlib.sha256(meta).digest(),
        files=tuple(
            ManifestFile(file.path, file.sums.size_bytes, file.sums.sha256) for file in files
        ),
    )
    # Stop here: files that nothing refers to.
    durable.make_directory(repository.directory / manifests.MANIFESTS)
    durable.write_file(
        repository.directory / manifests.manifest_path(backup_id),
        manifests.encode_manifest(manifest),
    )
    # Stop here: a manifest without a meta, named in qed/ids.json, removed by the next call.
    durable.make_directory(repository.directory / layout.META)
    durable.write_file(repository.directory / layout.META / str(backup_id), meta)
    # Stop here: the backup exists.


def _names(source: Path) -> list[str]:
    """Return the files of a checkpoint that belong to a backup, tables first.

    An empty write-ahead log is left out: a checkpoint flushes, and RocksDB makes a new one.
    """
    tables, private = [], []
    with durable.storage_errors("read", source):
        for path in sorted(source.iterdir()):
            if layout.is_table(path.name):
                tables.append(path.name)
            elif layout.is_private(path.name):
                if path.stat().st_size or not path.name.endswith(".log"):
                    private.append(path.name)
            elif not layout.is_engine_file(path.name):
                raise AssertionError(f"a checkpoint holds {path.name}")
    return tables + private


def _rocksdb_sequence(source: Path) -> int:
    database = Database.open(source, rows.FAMILIES, read_only=True)
    try:
        return database.sequence_number()
    finally:
        database.close()


def _copy_shared(
    repository: Repository, source: Path, names: list[str], meter: Meter
) -> list[_Copied]:
    """Copy the tables that no earlier backup has; the others are not read, as far as possible."""
    known = _known_tables(repository)
    folder = repository.directory / layout.SHARED_CHECKSUM
    durable.make_directory(folder)
    durable.make_directory(repository.directory / layout.SHARED)
    copied = []
    for name in filter(layout.is_table, names):
        path = _shared_path(source / name)
        target = repository.directory / path
        sums = _reuse(source / name, target, known.get(path), meter)
        if sums is None:
            temporary = durable.temporary_name(target)
            sums = copy_and_sum(source / name, temporary, meter)
            _check_same(source / name, sums, known.get(path))
            with durable.storage_errors("rename", temporary):
                temporary.replace(target)
        copied.append(_Copied(path, sums))
        # Stop here: a table that no backup refers to, whole and under its own name.
    durable.sync_directory(folder)
    return copied


@dataclass(frozen=True, slots=True)
class _Known:
    """What earlier backups say of a shared table; only our manifests know the SHA-256."""

    crc32c: int
    sha256: bytes | None


def _known_tables(repository: Repository) -> dict[str, _Known]:
    known: dict[str, _Known] = {}
    for entry in repository.entries.values():
        hashes = {file.path: file.sha256 for file in entry.manifest.files} if entry.manifest else {}
        for file in entry.meta.files if entry.meta else ():
            if file.path not in known or file.path in hashes:
                known[file.path] = _Known(file.crc32c, hashes.get(file.path))
    return known


def _shared_path(table: Path) -> str:
    """Return where a table lies in a backup directory, by the session that made it.

    A table that was made under another number than it has now, or that says nothing of its
    origin, is named by its checksum, as RocksDB does.
    """
    origin, size_bytes = _read_origin(table)
    if origin.session is not None and origin.number == int(table.stem):
        return layout.shared_path(table.name, origin.session, size_bytes, None)
    return layout.shared_path(table.name, None, size_bytes, sum_file(table).crc32c)


def _read_origin(table: Path) -> tuple[TableOrigin, int]:
    with durable.storage_errors("read", table), table.open("rb") as reader:
        size_bytes = reader.seek(0, 2)

        def read(offset: int, length: int) -> bytes:
            reader.seek(offset)
            return reader.read(length)

        try:
            return read_table_origin(read, size_bytes), size_bytes
        except MalformedError as error:
            raise DamagedError(
                f"the log's table {table.name} is damaged: {error}",
                hint="restore an earlier backup with `qed restore`; no new one was made",
            ) from error


def _reuse(table: Path, stored: Path, known: _Known | None, meter: Meter) -> Sums | None:
    """Return the sums of a table that need not be copied, None when it has to be.

    One that no backup refers to is copied again: an interrupted call may have left it, and nobody
    knows its sums. One that was cut is replaced, which mends the backups that refer to it. Where
    only a meta speaks for it and contradicts the log, the stored bytes decide: a meta may be
    damaged, and then it must not keep new backups from being made.
    """
    with durable.storage_errors("look at", table):
        size_bytes = table.stat().st_size
    if known is None or durable.size_bytes(stored) != size_bytes:
        return None
    if known.sha256 is not None:
        meter.add(size_bytes)
        return Sums(size_bytes, known.crc32c, known.sha256)
    sums = sum_file(table, meter)
    if sums.crc32c != known.crc32c and sum_file(stored) != sums:
        _check_same(table, sums, known)
    return sums


def _check_same(table: Path, sums: Sums, known: _Known | None) -> None:
    if known is not None and sums.crc32c != known.crc32c:
        raise DamagedError(
            f"the log's table {table.name} differs from the one that earlier backups have of it",
            hint="check the log with `qed check`, and the disk; no backup was made",
        )


def _copy_private(
    directory: Path, source: Path, names: list[str], backup_id: int, meter: Meter
) -> list[_Copied]:
    """Copy the other files into the backup's own directory, in place.

    Not under a temporary name: RocksDB takes `private/<id>.tmp` for a sign to remove `<id>`.
    """
    folder = f"{layout.PRIVATE}/{backup_id}"
    durable.make_directory(directory / folder)
    copied = []
    for name in names:
        if not layout.is_table(name):
            path = f"{folder}/{name}"
            copied.append(_Copied(path, copy_and_sum(source / name, directory / path, meter)))
    durable.sync_directory(directory / folder)
    return copied


def _previous_sha256(repository: Repository) -> bytes | None:
    """Return the hash of the newest manifest made before, be its backup deleted or not."""
    made = {
        tombstone.id: tombstone.manifest_sha256
        for tombstone in repository.tombstones
        if tombstone.manifest_sha256
    }
    made |= {backup_id: stored.sha256 for backup_id, stored in repository.manifests.items()}
    return made[max(made)] if made else None
