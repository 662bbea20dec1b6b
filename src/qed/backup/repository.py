"""A backup directory, read as a whole: what is there, what is missing, and what is not ours.

Nothing here writes. A list is read without a lock, so that it never waits for a backup that is
being made: `meta/<id>` comes last and goes first, and is looked at again before a file of it is
called missing.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from qed import durable
from qed.backup import manifest as manifests
from qed.backup import rocksdb_layout as layout
from qed.backup.manifest import Ids, Manifest, Tombstone
from qed.backup.rocksdb_layout import Meta
from qed.errors import ConflictError, MalformedError, NewerFormatError, NotFoundError, QedError

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class BackupInfo:
    """One backup of a list.

    `version_text` is the backup's last version as its maker wrote it, empty where nothing is
    written. `manifest` says whether our own manifest vouches for it. `problem` is empty, or the
    sentence that says why this backup cannot be restored.
    """

    id: int
    created_s: int
    size_bytes: int
    num_files: int
    version_text: str
    manifest: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One backup: its meta where it could be read, and its manifest where that is bound to it."""

    id: int
    meta: Meta | None
    meta_sha256: bytes | None
    manifest: Manifest | None
    problem: str
    newer: bool = False  # the problem is that a later version of this program made it


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A file below `qed/manifests`: its hash, and what it says where it could be read."""

    sha256: bytes
    manifest: Manifest | None
    problem: str
    newer: bool = False


@dataclass(frozen=True, slots=True)
class Repository:
    """A backup directory at one time.

    `files` maps each regular file below private, shared and shared_checksum to its size.
    `stray` says what else cannot be understood, a sentence each; nothing is removed while there
    is any.
    """

    directory: Path
    files: Mapping[str, int]
    entries: Mapping[int, Entry]
    manifests: Mapping[int, StoredManifest]
    tombstones: tuple[Tombstone, ...]
    ids: Ids
    stray: tuple[str, ...]

    @property
    def problems(self) -> list[str]:
        """Return every sentence that keeps files from being collected."""
        return [entry.problem for entry in self.entries.values() if entry.problem] + [*self.stray]

    @property
    def next_id(self) -> int:
        """Return an id that no backup here ever had, as far as anything left of it says so."""
        used = {self.ids.highest, *self.entries, *self.manifests}
        used |= {tombstone.id for tombstone in self.tombstones}
        used |= set(self.private_ids())
        return max(used) + 1

    def bound_ids(self) -> list[int]:
        """Return the ids of the backups that a manifest of ours vouches for."""
        return [entry.id for entry in self.entries.values() if entry.manifest]

    def private_ids(self) -> list[int]:
        """Return the ids that have a directory below private, whether or not they are backups."""
        return _private_ids(self.directory)


def list_backups(directory: Path) -> list[BackupInfo]:
    """Return every backup of a directory, sorted by id; empty when the directory is missing.

    A backup that cannot be read or misses a file is listed too and says so in `problem`.
    Cost: the names and sizes of all files, and every meta and manifest; no table is read.
    """
    if not durable.is_directory(directory):
        return []
    repository = read_repository(directory)
    return [_info(repository, entry) for _, entry in sorted(repository.entries.items())]


def info_of(repository: Repository, backup_id: int) -> BackupInfo:
    """Return the line of one backup in the list."""
    return _info(repository, repository.entries[backup_id])


def _info(repository: Repository, entry: Entry) -> BackupInfo:
    if entry.meta is None:
        return BackupInfo(entry.id, 0, 0, 0, "", manifest=False, problem=entry.problem)
    return BackupInfo(
        entry.id,
        entry.meta.created_s,
        sum(repository.files.get(file.path, 0) for file in entry.meta.files),
        len(entry.meta.files),
        version_text(entry.meta),
        manifest=entry.manifest is not None,
        problem=entry.problem,
    )


def version_text(meta: Meta) -> str:
    """Return the metadata as text, empty when there is none."""
    return (meta.metadata or b"").decode("utf-8", errors="backslashreplace")


def read_repository(directory: Path) -> Repository:
    """Read everything of a backup directory but the contents of its data files."""
    metas = _read_names(directory, layout.META)
    files = dict(_scan_files(directory))
    stored = {
        backup_id: _read_manifest(directory, backup_id)
        for backup_id in _numbered(_read_names(directory, manifests.MANIFESTS), ".json")
    }
    tombstones, tombstone_problems = _read_tombstones(directory)
    ids, ids_problem = _read_ids(directory)
    entries = {}
    stray = [*tombstone_problems, *ids_problem, *_find_links(directory)]
    for name in metas:
        backup_id = _as_number(name)
        if backup_id is None:
            stray.append(f"{directory / layout.META / name} is not the name of a backup")
        elif (entry := _read_entry(directory, backup_id, files, stored)) is not None:
            entries[backup_id] = _miss_manifest(directory, entry, stored, ids)
    repository = Repository(directory, files, entries, stored, tombstones, ids, tuple(stray))
    return _with_lost_metas(repository)


def _with_lost_metas(repository: Repository) -> Repository:
    """Add an entry for each backup of ours whose meta is gone although nobody deleted it.

    A manifest without a meta is also what an interrupted creation leaves (`ids.unfinished` says
    so), and what another program leaves that deleted the backup: then its own files are gone too,
    and nothing of it could be recovered.
    """
    lost = {}
    deleted = {tombstone.manifest_sha256 for tombstone in repository.tombstones}
    for backup_id, stored in repository.manifests.items():
        if backup_id in repository.entries or backup_id == repository.ids.unfinished:
            continue
        prefix = f"{layout.PRIVATE}/{backup_id}/"
        if stored.sha256 in deleted or not any(
            path.startswith(prefix) for path in repository.files
        ):
            continue
        path = repository.directory / layout.META / str(backup_id)
        problem = f"backup {backup_id}: {path} is missing, although nothing deleted it"
        lost[backup_id] = Entry(backup_id, None, None, None, problem)
    return replace(repository, entries={**repository.entries, **lost})


def _read_entry(
    directory: Path,
    backup_id: int,
    files: Mapping[str, int],
    stored: Mapping[int, StoredManifest],
) -> Entry | None:
    path = directory / layout.META / str(backup_id)
    try:
        data = _read_regular(path, layout.META_LIMIT_BYTES)
    except NotFoundError:
        return None  # deleted since its name was read
    except QedError as error:
        problem = f"backup {backup_id}: {error}"
        return Entry(backup_id, None, None, None, problem)
    digest = hashlib.sha256(data).digest()
    try:
        meta = layout.parse_meta(data, backup_id)
    except MalformedError as error:
        problem = f"backup {backup_id}: {path} is damaged: {error}"
        return Entry(backup_id, None, digest, None, problem)
    entry = _bind(directory, Entry(backup_id, meta, digest, None, ""), stored.get(backup_id))
    missing = entry.problem or _first_misfit(directory, meta, files, entry.manifest)
    if missing and not durable.exists(path):
        return None  # deleted while it was looked at
    return replace(entry, problem=entry.problem or (missing and f"backup {backup_id}: {missing}"))


def _bind(directory: Path, entry: Entry, stored: StoredManifest | None) -> Entry:
    """Give an entry the manifest that names its meta, if there is one.

    A manifest of another meta makes the backup foreign: RocksDB's tools reuse the ids of backups
    that they deleted. But where both name the same files, somebody changed the meta.
    """
    if stored is None or entry.meta is None:
        return entry
    where = directory / manifests.manifest_path(entry.id)
    if stored.manifest is None:
        return replace(entry, problem=f"backup {entry.id}: {stored.problem}", newer=stored.newer)
    same_files = [file.path for file in entry.meta.files] == [
        file.path for file in stored.manifest.files
    ]
    if stored.manifest.meta_sha256 == entry.meta_sha256:
        if same_files:
            return replace(entry, manifest=stored.manifest)
        return replace(entry, problem=f"backup {entry.id}: {where} names other files than its meta")
    if same_files:
        meta = directory / layout.META / str(entry.id)
        return replace(
            entry, problem=f"backup {entry.id}: {meta} is damaged: {where} was made for other bytes"
        )
    return entry


def _miss_manifest(
    directory: Path, entry: Entry, stored: Mapping[int, StoredManifest], ids: Ids
) -> Entry:
    """Say that a backup of ours has lost its manifest, instead of taking it for a foreign one."""
    if entry.problem or entry.id in stored or entry.id not in ids.ours:
        return entry
    where = directory / manifests.manifest_path(entry.id)
    return replace(entry, problem=f"backup {entry.id}: {where} is missing")


def _first_misfit(
    directory: Path, meta: Meta, files: Mapping[str, int], manifest: Manifest | None
) -> str:
    """Return a sentence about the first file that is missing or has another size, or nothing."""
    sizes = {file.path: file.size_bytes for file in manifest.files} if manifest else {}
    for file in meta.files:
        path = directory / file.path
        there = files.get(file.path)
        if there is None:
            there = durable.size_bytes(path)  # it may have come after the names were read
        if there is None:
            return f"{path} is missing"
        wanted = sizes.get(file.path, layout.declared_size_bytes(file.path))
        if wanted is not None and there != wanted:
            return f"{path} is damaged: it has {there} bytes instead of {wanted}"
    return ""


def _read_manifest(directory: Path, backup_id: int) -> StoredManifest:
    path = directory / manifests.manifest_path(backup_id)
    data = b""
    try:
        data = _read_regular(path, manifests.LIMIT_BYTES)
        manifest = manifests.decode_manifest(data, backup_id)
    except QedError as error:
        problem = f"{path} cannot be used: {error}"
        newer = isinstance(error, NewerFormatError)
        return StoredManifest(hashlib.sha256(data).digest(), None, problem, newer)
    return StoredManifest(hashlib.sha256(data).digest(), manifest, "")


def _read_tombstones(directory: Path) -> tuple[tuple[Tombstone, ...], list[str]]:
    tombstones, problems = [], []
    for name in _read_names(directory, manifests.DELETED):
        path = directory / manifests.DELETED / name
        found, problem = _decode(path, manifests.decode_tombstone)
        if found is None:
            problems.append(problem)
        else:
            tombstones.append(found)
    return tuple(tombstones), problems


def _read_ids(directory: Path) -> tuple[Ids, list[str]]:
    path = directory / manifests.IDS
    if not durable.exists(path):
        return Ids(0, None, ()), []  # RocksDB's own directory, or a first backup
    ids, problem = _decode(path, manifests.decode_ids)
    return (Ids(0, None, ()), [problem]) if ids is None else (ids, [])


def _decode(path: Path, decode: Callable[[bytes], _T]) -> tuple[_T | None, str]:
    try:
        return decode(_read_regular(path, manifests.LIMIT_BYTES)), ""
    except QedError as error:
        return None, f"{path} cannot be used: {error}"


def _read_regular(path: Path, limit_bytes: int) -> bytes:
    """Return a whole small file; a pipe, which nobody may ever write to, is refused unopened."""
    if durable.size_bytes(path) is None and (durable.is_link(path) or durable.exists(path)):
        raise ConflictError(f"{path} is not a regular file")
    return durable.read_file(path, limit_bytes)


def _read_names(directory: Path, below: str) -> list[str]:
    """Return the names in a directory, sorted; temporary ones of a stopped writer are left out."""
    with durable.storage_errors("read", directory / below):
        try:
            names = [path.name for path in (directory / below).iterdir()]
        except FileNotFoundError:
            return []
    return sorted(name for name in names if not is_temporary(name))


def is_temporary(name: str) -> bool:
    """Return whether a name is one under which a file is written before it gets its own."""
    return name.startswith(".") and name.endswith(".tmp")


def _data_folders(directory: Path) -> list[str]:
    private = [f"{layout.PRIVATE}/{number}" for number in _private_ids(directory)]
    return [layout.SHARED, layout.SHARED_CHECKSUM, *private]


def _find_links(directory: Path) -> Iterator[str]:
    """Yield a sentence for each folder that leads elsewhere.

    What lies there is read as if it lay here, but it may be anybody's, so nothing is removed.
    """
    for folder in (layout.PRIVATE, *_data_folders(directory)):
        if durable.is_link(directory / folder):
            yield f"{directory / folder} is a symbolic link"


def _scan_files(directory: Path) -> Iterator[tuple[str, int]]:
    for folder in _data_folders(directory):
        try:
            with os.scandir(directory / folder) as found:
                for item in found:
                    if item.is_file(follow_symlinks=False) and not is_temporary(item.name):
                        yield f"{folder}/{item.name}", item.stat(follow_symlinks=False).st_size
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTDIR}:
                with durable.storage_errors("read", directory / folder):
                    raise


def _private_ids(directory: Path) -> list[int]:
    return _numbered(_read_names(directory, layout.PRIVATE), "")


def _numbered(names: list[str], suffix: str) -> list[int]:
    numbers = (_as_number(name.removesuffix(suffix)) for name in names if name.endswith(suffix))
    return [number for number in numbers if number is not None]


def _as_number(name: str) -> int | None:
    try:
        return layout.parse_id(name)
    except MalformedError:
        return None
