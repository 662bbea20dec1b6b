"""The records below `<db>/qed-restore/`: a decided restore, and a swap that has begun. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from qed.backup.canonical_json import (
    Fields,
    decode_document,
    encode_document,
    format_hex,
    read_hex,
    read_int,
    read_names,
    read_objects,
    read_optional_hex,
    read_optional_int,
    read_optional_object,
    read_text,
)
from qed.backup.rocksdb_layout import is_engine_file
from qed.errors import MalformedError

FORMAT = 1
LIMIT_BYTES = 32 * 1024 * 1024

_PENDING_NAMES = (
    *("format", "stage", "staged_s", "backup_id", "uuid", "log_id", "size", "history_digest"),
    *("hyper_digest", "files", "replaces"),
)
_SWAPPING_NAMES = ("format", "stage", "kept_aside", "old_files", "lost_versions")
_REPLACES_NAMES = ("current_sha256", "manifest", "manifest_bytes", "manifest_sha256")
_FILE_NAMES = ("name", "size_bytes", "sha256")
_UUID_BYTES = 16
_DIGEST_BYTES = 32
_LOG_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Replaced:
    """The database that a restore replaces: its CURRENT, and its MANIFEST as far as it was written.

    A server that goes on appends to the MANIFEST; whoever opens the database anew begins another.
    """

    current_sha256: bytes
    manifest: str
    manifest_bytes: int
    manifest_sha256: bytes


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file of a stage, as it was when it was copied: days may pass before it is swapped in."""

    name: str
    size_bytes: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Pending:
    """What COMMIT says. `replaces` is None when the target held no database."""

    stage: str
    staged_s: int
    backup_id: int
    uuid: bytes | None
    log_id: bytes
    size: int
    history_digest: bytes
    hyper_digest: bytes
    files: tuple[StagedFile, ...]
    replaces: Replaced | None


@dataclass(frozen=True, slots=True)
class Swapping:
    """What SWAPPING says: the files that are moved aside, where to, and what is lost with them.

    `kept_aside` is a name below `qed-replaced`, None when there was nothing to move.
    `lost_versions` of the old log are not in the restored one, None when it cannot be read.
    """

    stage: str
    kept_aside: str | None
    old_files: tuple[str, ...]
    lost_versions: int | None


def encode_pending(pending: Pending) -> bytes:
    """Return the bytes of COMMIT."""
    replaced = pending.replaces
    return encode_document(
        {
            "format": FORMAT,
            "stage": pending.stage,
            "staged_s": pending.staged_s,
            "backup_id": pending.backup_id,
            "uuid": format_hex(pending.uuid),
            "log_id": pending.log_id.hex(),
            "size": pending.size,
            "history_digest": pending.history_digest.hex(),
            "hyper_digest": pending.hyper_digest.hex(),
            "files": [
                {"name": file.name, "size_bytes": file.size_bytes, "sha256": file.sha256.hex()}
                for file in pending.files
            ],
            "replaces": replaced
            and {
                "current_sha256": replaced.current_sha256.hex(),
                "manifest": replaced.manifest,
                "manifest_bytes": replaced.manifest_bytes,
                "manifest_sha256": replaced.manifest_sha256.hex(),
            },
        }
    )


def decode_pending(data: bytes) -> Pending:
    """Return what COMMIT says.

    Raises:
        NewerFormatError: a later version of this program wrote it.
        MalformedError: for every other input that `encode_pending` cannot have returned.
    """
    fields = decode_document(data, newest_format=FORMAT, names=_PENDING_NAMES)
    replaced = read_optional_object(fields, "replaces", _REPLACES_NAMES)
    return Pending(
        stage=_check_name(read_text(fields, "stage")),
        staged_s=read_int(fields, "staged_s"),
        backup_id=read_int(fields, "backup_id"),
        uuid=read_optional_hex(fields, "uuid", _UUID_BYTES),
        log_id=read_hex(fields, "log_id", _LOG_ID_BYTES),
        size=read_int(fields, "size"),
        history_digest=read_hex(fields, "history_digest", _DIGEST_BYTES),
        hyper_digest=read_hex(fields, "hyper_digest", _DIGEST_BYTES),
        files=tuple(_read_file(item) for item in read_objects(fields, "files", _FILE_NAMES)),
        replaces=None if replaced is None else _read_replaced(replaced),
    )


def _read_file(fields: Fields) -> StagedFile:
    return StagedFile(
        _check_engine(read_text(fields, "name")),
        read_int(fields, "size_bytes"),
        read_hex(fields, "sha256", _DIGEST_BYTES),
    )


def _read_replaced(fields: Fields) -> Replaced:
    return Replaced(
        current_sha256=read_hex(fields, "current_sha256", _DIGEST_BYTES),
        manifest=_check_name(read_text(fields, "manifest")),
        manifest_bytes=read_int(fields, "manifest_bytes"),
        manifest_sha256=read_hex(fields, "manifest_sha256", _DIGEST_BYTES),
    )


def encode_swapping(swapping: Swapping) -> bytes:
    """Return the bytes of SWAPPING."""
    return encode_document(
        {
            "format": FORMAT,
            "stage": swapping.stage,
            "kept_aside": swapping.kept_aside,
            "old_files": list(swapping.old_files),
            "lost_versions": swapping.lost_versions,
        }
    )


def decode_swapping(data: bytes) -> Swapping:
    """Return what SWAPPING says, or raise as `decode_pending` does."""
    fields = decode_document(data, newest_format=FORMAT, names=_SWAPPING_NAMES)
    kept_aside = fields["kept_aside"]
    return Swapping(
        stage=_check_name(read_text(fields, "stage")),
        kept_aside=None if kept_aside is None else _check_name(read_text(fields, "kept_aside")),
        old_files=tuple(_check_engine(name) for name in read_names(fields, "old_files")),
        lost_versions=read_optional_int(fields, "lost_versions"),
    )


def _check_name(name: str) -> str:
    """Refuse a name that leads out of its directory."""
    if "/" in name or "\0" in name or name in {".", ".."}:
        raise MalformedError(f"it names {name[:80]!r}, which is no plain name")
    return name


def _check_engine(name: str) -> str:
    if not is_engine_file(name):
        raise MalformedError(f"it names {name[:80]!r}, which is no file of a database")
    return name
