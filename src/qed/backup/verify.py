"""Every byte of one backup, compared with what was written about it, before it is restored."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from qed import durable
from qed.backup import rocksdb_layout as layout
from qed.backup.checksums import Meter, sum_file
from qed.backup.delete import unknown_backup
from qed.backup.manifest import Manifest
from qed.backup.repository import Repository, version_text
from qed.errors import (
    ConflictError,
    DamagedError,
    MalformedError,
    NewerFormatError,
    NotFoundError,
    QedError,
)
from qed.trees.values import NO_VERSION

_CURRENT_LIMIT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file to restore: where it lies, its name in the database, and its sums.

    `sha256` is None where no manifest of ours vouches for the backup.
    """

    source: Path
    name: str
    size_bytes: int
    crc32c: int
    sha256: bytes | None


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """One backup whose files are all there; `manifest` is None when RocksDB's own tools made it."""

    backup_id: int
    version_text: str
    manifest: Manifest | None
    files: tuple[PlannedFile, ...]

    @property
    def size_bytes(self) -> int:
        """The bytes of all files."""
        return sum(file.size_bytes for file in self.files)


def plan_restore(repository: Repository, backup_id: int | None) -> RestorePlan:
    """Return what restoring a backup takes, the newest one when no id is given.

    Raises:
        RequestError: there is no such backup, or it holds the data of QED itself.
        FatalError: the backup is damaged; never another one in its place.
    """
    if backup_id is None:
        if not repository.entries:
            raise NotFoundError(
                f"there are no backups in {repository.directory}",
                hint="name a directory that `qed backup create` wrote to",
            )
        backup_id = max(repository.entries)
    entry = repository.entries.get(backup_id)
    if entry is None:
        raise unknown_backup(repository, backup_id)
    if entry.newer:
        raise NewerFormatError(
            entry.problem, hint="restore it with the version of this program that made it"
        )
    if entry.meta is None or entry.problem:
        raise DamagedError(entry.problem)
    crcs = {file.path: file.crc32c for file in entry.meta.files}
    hashes = {file.path: file.sha256 for file in entry.manifest.files} if entry.manifest else {}
    files = tuple(
        PlannedFile(
            repository.directory / path,
            layout.database_name(path),
            repository.files.get(path, 0),
            crc,
            hashes.get(path),
        )
        for path, crc in crcs.items()
    )
    return RestorePlan(backup_id, version_text(entry.meta), entry.manifest, files)


def verify_backup(plan: RestorePlan, meter: Meter | None = None) -> None:
    """Read every file of a backup and compare it with its sums; return when all are right.

    Raises:
        RequestError: it holds the data of QED itself, which is not read yet.
        FatalError: a file differs; the sentence names it.

    Cost: one read of the backup.
    """
    for file in plan.files:
        sums = sum_file(file.source, meter)
        if sums.crc32c != file.crc32c or (file.sha256 and sums.sha256 != file.sha256):
            raise DamagedError(
                f"backup {plan.backup_id}: {file.source} is damaged: its bytes are not those that "
                f"were backed up"
            )
    _check_engine_files(plan)


def _check_engine_files(plan: RestorePlan) -> None:
    """Refuse a backup that names no whole database, or one of another program."""
    by_name = {file.name: file for file in plan.files}
    current = by_name.get("CURRENT")
    if current is None:
        raise DamagedError(f"backup {plan.backup_id} has no file CURRENT")
    try:
        name = layout.parse_current(durable.read_file(current.source, _CURRENT_LIMIT_BYTES))
    except (MalformedError, ConflictError) as error:
        raise DamagedError(
            f"backup {plan.backup_id}: {current.source} is damaged: {error}"
        ) from error
    if name not in by_name:
        raise DamagedError(f"backup {plan.backup_id} lacks {name}, which its CURRENT names")
    manifest = by_name[name].source
    if layout.is_of_qed(durable.read_chunks(manifest)):
        raise ConflictError(
            f"backup {plan.backup_id} was made by QED itself and holds its own data format, which "
            "this version does not restore; its checksums are right, and nothing was changed",
            hint="restore it with QED, or name a backup of this program",
        )


def explain_older(repository: Repository, error: QedError, target: Path, backup_id: int) -> str:
    """Return the command that restores the next older whole backup, and what it would lose.

    A backup that refers to a file which the error names is passed over. Nothing is chosen here:
    the person who reads it decides.
    """
    for entry in sorted(repository.entries.values(), key=lambda entry: -entry.id):
        if entry.id >= backup_id or entry.problem or entry.meta is None:
            continue
        paths = (str(repository.directory / file.path) for file in entry.meta.files)
        if any(path in error.message for path in paths):
            continue
        command = shlex.join(
            [
                *("qed", "restore", "--backup-dir", str(repository.directory)),
                *("--restore-path", str(target), "--backup-id", str(entry.id)),
            ]
        )
        lost = _describe_loss(_size_of(repository, backup_id), _size_of(repository, entry.id))
        return f"nothing was changed; the next older backup is restored with `{command}`, {lost}"
    return "nothing was changed; there is no older backup that is whole"


def _describe_loss(newest_size: int | None, older_size: int | None) -> str:
    if newest_size is None or older_size is None:
        return "which loses an unknown number of versions"
    lost = newest_size - older_size
    return f"which loses {lost} version{'' if lost == 1 else 's'}"


def _size_of(repository: Repository, backup_id: int) -> int | None:
    """Return the number of events in a backup, as its manifest or else its metadata says."""
    entry = repository.entries[backup_id]
    stored = repository.manifests.get(backup_id)
    if stored and stored.manifest and (entry.manifest or entry.problem):
        version = stored.manifest.version
    else:
        try:
            version = layout.parse_decimal(version_text(entry.meta) if entry.meta else "", "it")
        except MalformedError:
            return None
    return 0 if version == NO_VERSION else version + 1
