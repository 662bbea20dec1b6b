"""The body of `GET /backups` on the management port. Source: SPEC 6."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qed.errors import MalformedError
from qed.wire.bounds import BOUNDS
from qed.wire.fields import read_list, read_object, read_text, read_u64
from qed.wire.json_text import format_text, parse_answer


@dataclass(frozen=True, slots=True)
class BackupEntry:
    """One backup of the list; `metadata` is its last version as text.

    `problem` is empty, or why this backup cannot be restored. Of one that cannot even be read
    only the id is known: numbers are 0 and `metadata` is empty.
    """

    id: int
    timestamp_s: int
    size_bytes: int
    num_files: int
    metadata: str
    problem: str = ""


def encode_backups(entries: Sequence[BackupEntry]) -> bytes:
    """Return the list of backups, sorted by id; `[]` when there is none.

    An entry has QED's five fields, and `Problem` only where there is one (beyond QED).
    """
    texts = map(_format_backup, sorted(entries, key=lambda entry: entry.id))
    return ("[" + ",".join(texts) + "]").encode("ascii")


def _format_backup(entry: BackupEntry) -> str:
    problem = f',"Problem":{format_text(entry.problem)}' if entry.problem else ""
    return (
        f'{{"ID":{entry.id},"Timestamp":{entry.timestamp_s},"Size":{entry.size_bytes}'
        f',"NumFiles":{entry.num_files},"Metadata":{format_text(entry.metadata)}{problem}}}'
    )


def decode_backups(body: bytes) -> list[BackupEntry]:
    """Return the backups in the order of the list, or raise MalformedError.

    Fields that are not known are passed over: the list proves nothing.
    """
    values = read_list(parse_answer(body, max_bytes=BOUNDS.backups_bytes), "the list of backups")
    return [_read_backup(read_object(value, "a backup")) for value in values]


def _read_backup(fields: dict[str, object]) -> BackupEntry:
    return BackupEntry(
        id=read_u64(fields.get("ID"), "ID"),
        timestamp_s=read_u64(fields.get("Timestamp"), "Timestamp"),
        size_bytes=read_u64(fields.get("Size"), "Size"),
        num_files=read_u64(fields.get("NumFiles"), "NumFiles"),
        metadata=read_text(fields.get("Metadata"), "Metadata"),
        problem=_read_problem(fields),
    )


def _read_problem(fields: dict[str, object]) -> str:
    """Return the problem; there is none where the field is missing, and nowhere else."""
    if "Problem" not in fields:
        return ""
    problem = read_text(fields["Problem"], "Problem")
    if not problem:
        raise MalformedError("Problem is empty; a backup without one has no such field")
    return problem
