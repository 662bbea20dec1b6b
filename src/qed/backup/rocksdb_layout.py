"""Names and bytes of RocksDB's BackupEngine, schema version 1. Pure: no file is touched here.

```
<backup dir>/meta/<id>                  text, see `format_meta`
<backup dir>/private/<id>/              CURRENT, MANIFEST-*, OPTIONS-*, *.log
<backup dir>/shared/<number>.sst        QED's own form, read only
<backup dir>/shared_checksum/           <number>_s<session>_<size>.sst, which we write,
                                        and <number>_<crc>_<size>.sst for tables without session
```

Everything parsed here comes from a directory that anybody may have written to: the parsers bound,
parse, format again and compare, and raise MalformedError for whatever is not in the one form.
Source: SPEC 9; RocksDB `utilities/backup/backup_engine.cc`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from qed.errors import MalformedError

META_LIMIT_BYTES = 16 * 1024 * 1024  # about 200,000 tables
MAX_ID = 2**32 - 1  # RocksDB's BackupID
MAX_METADATA_BYTES = 1024 * 1024

META = "meta"
PRIVATE = "private"
SHARED = "shared"
SHARED_CHECKSUM = "shared_checksum"

_NUMBER = r"[0-9]{1,20}"
_PRIVATE_NAME = re.compile(
    rf"CURRENT|(?:MANIFEST|OPTIONS)-{_NUMBER}|{_NUMBER}\.(?:log|sst|blob)", re.ASCII
)
_SHARED_NAME = re.compile(rf"{_NUMBER}\.(?:sst|blob)", re.ASCII)
_CHECKSUM_NAME = re.compile(
    rf"(?P<number>{_NUMBER})_(?:s[0-9A-Z]{{1,64}}(?:_(?P<size>{_NUMBER}))?"
    rf"|{_NUMBER}_(?P<old_size>{_NUMBER}))\.(?P<kind>sst|blob)",
    re.ASCII,
)
_ENGINE_NAME = re.compile(
    r"CURRENT|IDENTITY|LOG|LOG\.old\.[0-9]+|rocksdict-config\.json|archive"
    rf"|(?:MANIFEST|OPTIONS)-{_NUMBER}(?:\.dbtmp)?|{_NUMBER}\.(?:log|sst|blob|dbtmp|ldb)",
    re.ASCII,
)
_CURRENT_LINE = re.compile(rb"(MANIFEST-[0-9]{1,20})\n")
# RocksDB's tag of a family that is added to a MANIFEST (201 as a varint), and the length of a name.
_FAMILIES_OF_QED = (b"\xc9\x01\x0ahypercache", b"\xc9\x01\x03fsm")


@dataclass(frozen=True, slots=True)
class MetaFile:
    """One file of a backup: its path below the backup directory and the CRC-32C of its bytes."""

    path: str
    crc32c: int


@dataclass(frozen=True, slots=True)
class Meta:
    """What `meta/<id>` says. `metadata` is None when the line is missing."""

    created_s: int
    sequence: int
    metadata: bytes | None
    files: tuple[MetaFile, ...]


def parse_decimal(text: str, what: str, limit: int = 2**64 - 1) -> int:
    """Return a canonical decimal from 0 to `limit`: no sign, no leading zero, ASCII digits."""
    if not (0 < len(text) <= len(str(limit)) and text.isascii() and text.isdigit()):
        raise MalformedError(f"{what} is not a decimal number")
    value = int(text)
    if value > limit or str(value) != text:
        raise MalformedError(f"{what} is not a canonical decimal number up to {limit}")
    return value


def parse_id(name: str) -> int:
    """Return the id of a backup from the name of its meta file: a canonical decimal from 1."""
    value = parse_decimal(name, "the id of a backup", MAX_ID)
    if value == 0:
        raise MalformedError("the id of a backup is 0; ids begin at 1")
    return value


def format_meta(meta: Meta) -> bytes:
    """Return the bytes of `meta/<id>`.

    Schema version 1 on purpose: with sizes in it (version 2) RocksDB silently falls back to an
    older backup when a file is short.
    """
    lines = [str(meta.created_s), str(meta.sequence)]
    if meta.metadata is not None:
        lines.append(f"metadata {meta.metadata.hex().upper()}")
    lines.append(str(len(meta.files)))
    lines.extend(f"{file.path} crc32 {file.crc32c}" for file in meta.files)
    return ("\n".join(lines) + "\n").encode("ascii")


def parse_meta(data: bytes, backup_id: int) -> Meta:
    """Return what the bytes of `meta/<backup_id>` say.

    Raises:
        MalformedError: they are not in the form that `format_meta` writes, a path leads elsewhere,
            or two of the files would get the same name in a database.
    """
    if len(data) > META_LIMIT_BYTES:
        raise MalformedError(f"it has more than {META_LIMIT_BYTES} bytes")
    try:
        lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise MalformedError(f"it is not ASCII at byte {error.start}") from None
    if lines[0].startswith("schema_version"):
        raise MalformedError("it is in RocksDB's second schema, which is not read")
    rest = iter(lines)
    created_s = parse_decimal(next(rest, ""), "the time on line 1")
    sequence = parse_decimal(next(rest, ""), "the sequence number on line 2")
    line = next(rest, "")
    metadata = None
    if line.startswith("metadata "):
        metadata = _parse_metadata(line.removeprefix("metadata "))
        line = next(rest, "")
    count = parse_decimal(line, "the number of files", META_LIMIT_BYTES)
    files = tuple(_parse_file_line(line, backup_id) for line in rest if line)
    if len(files) != count:
        raise MalformedError(f"it announces {count} files and names {len(files)}")
    meta = Meta(created_s, sequence, metadata, files)
    if format_meta(meta) != data:
        raise MalformedError("it is not in the form that RocksDB writes")
    if len({database_name(file.path) for file in files}) != count:
        raise MalformedError("two of its files have one name in the database")
    return meta


def _parse_metadata(text: str) -> bytes:
    try:
        metadata = bytes.fromhex(text)
    except ValueError:
        raise MalformedError("the metadata is not hexadecimal") from None
    if len(metadata) > MAX_METADATA_BYTES:
        raise MalformedError(f"the metadata has more than {MAX_METADATA_BYTES} bytes")
    return metadata


def _parse_file_line(line: str, backup_id: int) -> MetaFile:
    path, separator, checksum = line.partition(" crc32 ")
    if not separator:
        raise MalformedError(f"the line {line[:80]!r} has no checksum")
    check_path(path, backup_id)
    return MetaFile(path, parse_decimal(checksum, f"the checksum of {path}", 2**32 - 1))


def check_path(path: str, backup_id: int) -> None:
    """Refuse a path that does not lie where this backup's files lie, or has an unknown name."""
    folder, _, name = path.rpartition("/")
    pattern = {
        f"{PRIVATE}/{backup_id}": _PRIVATE_NAME,
        SHARED: _SHARED_NAME,
        SHARED_CHECKSUM: _CHECKSUM_NAME,
    }.get(folder)
    if pattern is None or not pattern.fullmatch(name):
        raise MalformedError(f"it names {path[:120]!r}, which is no file of this backup")


def database_name(path: str) -> str:
    """Return the name that a backup's file has in the database that it is restored to."""
    folder, _, name = path.rpartition("/")
    if folder != SHARED_CHECKSUM:
        return name
    match = _CHECKSUM_NAME.fullmatch(name)
    if match is None:
        raise AssertionError(path)
    return f"{match['number']}.{match['kind']}"


def declared_size_bytes(path: str) -> int | None:
    """Return the size that stands in the name of a shared file, None where there is none."""
    folder, _, name = path.rpartition("/")
    match = _CHECKSUM_NAME.fullmatch(name) if folder == SHARED_CHECKSUM else None
    size = match and (match["size"] or match["old_size"])
    return int(size) if size else None


def shared_path(name: str, session: str | None, size_bytes: int, crc32c: int | None) -> str:
    """Return the path of a table `<number>.sst` below the backup directory.

    RocksDB's default since 2020 is by session id; without one (tables older than that) it is by
    checksum, which then must be given.
    """
    number, _, kind = name.partition(".")
    middle = f"s{session}" if session else str(crc32c)
    return f"{SHARED_CHECKSUM}/{number}_{middle}_{size_bytes}.{kind}"


def is_table(name: str) -> bool:
    """Return whether a file of a database is one that backups share."""
    return bool(_SHARED_NAME.fullmatch(name))


def is_private(name: str) -> bool:
    """Return whether a file of a database is one that each backup keeps for itself."""
    return bool(_PRIVATE_NAME.fullmatch(name)) and not is_table(name)


def is_shared_name(folder: str, name: str) -> bool:
    """Return whether a name below `shared` or `shared_checksum` is one that a backup may have."""
    pattern = _CHECKSUM_NAME if folder == SHARED_CHECKSUM else _SHARED_NAME
    return bool(pattern.fullmatch(name))


def is_engine_file(name: str) -> bool:
    """Return whether a name in a database's directory is RocksDB's, so that a restore moves it.

    LOCK is not: it is empty, and who holds it must stay visible while the others move.
    """
    return bool(_ENGINE_NAME.fullmatch(name))


def parse_current(data: bytes) -> str:
    """Return the name of the MANIFEST that the file CURRENT names."""
    match = _CURRENT_LINE.fullmatch(data)
    if match is None:
        raise MalformedError("it does not name a MANIFEST")
    return match[1].decode("ascii")


def is_of_qed(manifest: Iterable[bytes]) -> bool:
    """Return whether a MANIFEST, given in chunks, adds QED's own column families."""
    missing = set(_FAMILIES_OF_QED)
    longest = max(len(family) for family in _FAMILIES_OF_QED)
    tail = b""
    for chunk in manifest:
        window = tail + chunk
        missing -= {family for family in missing if family in window}
        tail = window[-longest:]
    return not missing
