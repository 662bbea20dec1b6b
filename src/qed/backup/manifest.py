"""Our files below `<backup dir>/qed/`: manifests, tombstones, the record of the ids. Pure.

```
qed/manifests/<id>.json                     written before meta/<id>, says what that backup is
qed/deleted/<id>-<8 bytes of the meta>.json what is kept of a deleted one
qed/ids.json                                the highest id ever used, the one that is being made,
                                            and those that must have a manifest
```

RocksDB's engine and its garbage collection leave the directory alone. A manifest is bound to the
backup whose `meta/<id>` has the SHA-256 that it names. Source: SPEC 9.
"""

from __future__ import annotations

from dataclasses import dataclass

from qed.backup.canonical_json import (
    Fields,
    decode_document,
    encode_document,
    format_hex,
    read_hex,
    read_int,
    read_ints,
    read_objects,
    read_optional_hex,
    read_optional_int,
    read_text,
)
from qed.backup.rocksdb_layout import MAX_ID, check_path
from qed.errors import MalformedError

FORMAT = 1
LIMIT_BYTES = 32 * 1024 * 1024  # about 200,000 tables
DIRECTORY = "qed"
MANIFESTS = "qed/manifests"
DELETED = "qed/deleted"
IDS = "qed/ids.json"

_UUID_BYTES = 16
_DIGEST_BYTES = 32
_LOG_ID_BYTES = 16
_FILE_NAMES = ("path", "size_bytes", "sha256")
_MANIFEST_NAMES = (
    *("format", "uuid", "id", "created_s", "previous_sha256", "log_id", "origin", "epoch"),
    *("sequence", "version", "history_digest", "hyper_digest", "meta_sha256", "files"),
)
_TOMBSTONE_NAMES = (
    *("format", "id", "uuid", "deleted_s", "meta_sha256", "manifest_sha256", "previous_sha256"),
)
_IDS_NAMES = ("format", "highest", "unfinished", "ours")


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One file of a backup: its path below the backup directory, its size and its SHA-256."""

    path: str
    size_bytes: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup of ours is.

    `previous_sha256` is the hash of the manifest made before this one, None in the first.
    `version` is the log's last one, 2^64 - 1 for an empty log; the digests are its roots.
    `meta_sha256` is the hash of the bytes of `meta/<id>`.
    """

    uuid: bytes
    id: int
    created_s: int
    previous_sha256: bytes | None
    log_id: bytes
    origin: str
    epoch: int
    sequence: int
    version: int
    history_digest: bytes
    hyper_digest: bytes
    meta_sha256: bytes
    files: tuple[ManifestFile, ...]


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is kept of a backup that was deleted; of a foreign one only the meta's hash is known."""

    id: int
    uuid: bytes | None
    deleted_s: int
    meta_sha256: bytes | None
    manifest_sha256: bytes | None
    previous_sha256: bytes | None


@dataclass(frozen=True, slots=True)
class Ids:
    """What is remembered of ids.

    `highest` was ever given; the backup `unfinished` is being made; of each of `ours`, in ascending
    order, there must be a manifest, so that losing one does not turn a backup into a foreign one.
    """

    highest: int
    unfinished: int | None
    ours: tuple[int, ...]


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the bytes of `qed/manifests/<id>.json`."""
    return encode_document(
        {
            "format": FORMAT,
            "uuid": manifest.uuid.hex(),
            "id": manifest.id,
            "created_s": manifest.created_s,
            "previous_sha256": format_hex(manifest.previous_sha256),
            "log_id": manifest.log_id.hex(),
            "origin": manifest.origin,
            "epoch": manifest.epoch,
            "sequence": manifest.sequence,
            "version": manifest.version,
            "history_digest": manifest.history_digest.hex(),
            "hyper_digest": manifest.hyper_digest.hex(),
            "meta_sha256": manifest.meta_sha256.hex(),
            "files": [
                {
                    "path": file.path,
                    "size_bytes": file.size_bytes,
                    "sha256": file.sha256.hex(),
                }
                for file in manifest.files
            ],
        }
    )


def decode_manifest(data: bytes, backup_id: int) -> Manifest:
    """Return what `qed/manifests/<backup_id>.json` says.

    Raises:
        NewerFormatError: a later version of this program wrote it.
        MalformedError: for every other input that `encode_manifest` cannot have returned.
    """
    fields = decode_document(data, newest_format=FORMAT, names=_MANIFEST_NAMES)
    if read_int(fields, "id") != backup_id:
        raise MalformedError(f"it is the manifest of backup {fields['id']}")
    manifest = Manifest(
        uuid=read_hex(fields, "uuid", _UUID_BYTES),
        id=backup_id,
        created_s=read_int(fields, "created_s"),
        previous_sha256=read_optional_hex(fields, "previous_sha256", _DIGEST_BYTES),
        log_id=read_hex(fields, "log_id", _LOG_ID_BYTES),
        origin=read_text(fields, "origin"),
        epoch=read_int(fields, "epoch"),
        sequence=read_int(fields, "sequence"),
        version=read_int(fields, "version"),
        history_digest=read_hex(fields, "history_digest", _DIGEST_BYTES),
        hyper_digest=read_hex(fields, "hyper_digest", _DIGEST_BYTES),
        meta_sha256=read_hex(fields, "meta_sha256", _DIGEST_BYTES),
        files=tuple(_read_file(item) for item in read_objects(fields, "files", _FILE_NAMES)),
    )
    for file in manifest.files:
        check_path(file.path, backup_id)
    return manifest


def _read_file(fields: Fields) -> ManifestFile:
    return ManifestFile(
        read_text(fields, "path"),
        read_int(fields, "size_bytes"),
        read_hex(fields, "sha256", _DIGEST_BYTES),
    )


def encode_tombstone(tombstone: Tombstone) -> bytes:
    """Return the bytes of a file below `qed/deleted`."""
    return encode_document(
        {
            "format": FORMAT,
            "id": tombstone.id,
            "uuid": format_hex(tombstone.uuid),
            "deleted_s": tombstone.deleted_s,
            "meta_sha256": format_hex(tombstone.meta_sha256),
            "manifest_sha256": format_hex(tombstone.manifest_sha256),
            "previous_sha256": format_hex(tombstone.previous_sha256),
        }
    )


def decode_tombstone(data: bytes) -> Tombstone:
    """Return what a file below `qed/deleted` says, or raise as `decode_manifest` does."""
    fields = decode_document(data, newest_format=FORMAT, names=_TOMBSTONE_NAMES)
    return Tombstone(
        id=read_int(fields, "id"),
        uuid=read_optional_hex(fields, "uuid", _UUID_BYTES),
        deleted_s=read_int(fields, "deleted_s"),
        meta_sha256=read_optional_hex(fields, "meta_sha256", _DIGEST_BYTES),
        manifest_sha256=read_optional_hex(fields, "manifest_sha256", _DIGEST_BYTES),
        previous_sha256=read_optional_hex(fields, "previous_sha256", _DIGEST_BYTES),
    )


def tombstone_path(tombstone: Tombstone) -> str:
    """Return where a tombstone lies; the hash keeps apart two backups that had one id."""
    mark = tombstone.meta_sha256 or tombstone.manifest_sha256 or bytes(_DIGEST_BYTES)
    return f"{DELETED}/{tombstone.id}-{mark[:8].hex()}.json"


def manifest_path(backup_id: int) -> str:
    """Return where the manifest of a backup lies."""
    return f"{MANIFESTS}/{backup_id}.json"


def encode_ids(ids: Ids) -> bytes:
    """Return the bytes of `qed/ids.json`."""
    return encode_document(
        {
            "format": FORMAT,
            "highest": ids.highest,
            "unfinished": ids.unfinished,
            "ours": list(ids.ours),
        }
    )


def decode_ids(data: bytes) -> Ids:
    """Return what `qed/ids.json` says, or raise as `decode_manifest` does."""
    fields = decode_document(data, newest_format=FORMAT, names=_IDS_NAMES)
    ids = Ids(
        read_int(fields, "highest"),
        read_optional_int(fields, "unfinished"),
        tuple(read_ints(fields, "ours")),
    )
    if ids.highest > MAX_ID:
        raise MalformedError("its highest id is above RocksDB's limit")
    return ids
