"""How far an agent has come, on disk: written after the work that it stands for, never before.

A file is replaced as a whole and durably, so it holds one position or the next. Its last field is
a SHA-256 over the others. What cannot be read or does not match is damage: it is said, and the
work begins again from the start, which costs time and repeats work, and skips nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

import structlog

from qed import durable
from qed.errors import ConflictError, NotFoundError

FORMAT = "qed/agent-position/v1"
MAX_FILE_BYTES = 1024 * 1024  # a checkpoint with 64 cosignatures has 212 KiB

_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")
_MAX_NAME_CHARS = 80

Fields = Mapping[str, int | str]


class PositionFile:
    """One position; read and written by one thread."""

    def __init__(self, path: Path) -> None:
        """Look at nothing yet; the directory must be there before the first `write`."""
        self.path = path

    def read(self) -> dict[str, int | str] | None:
        """Return the fields as they were written, None when there are none.

        None also for a damaged file, after a warning that names it: the work starts over.
        `StorageError` when the system refuses to read it.
        """
        try:
            data = durable.read_file(self.path, MAX_FILE_BYTES)
        except NotFoundError:
            return None
        except ConflictError as error:
            self._say_damaged(error.message)
            return None
        fields = _parse(data)
        if fields is None:
            self._say_damaged("it does not match its checksum")
        return fields

    def write(self, fields: Fields) -> None:
        """Replace the position durably; `StorageError` when the system refuses.

        Stop here: the old position is there, and what was done since is done again.
        """
        durable.write_file(self.path, _format(fields))

    def _say_damaged(self, why: str) -> None:
        structlog.get_logger().warning(
            "position file is damaged: starting over from the beginning",
            path=str(self.path),
            why=why,
        )


def safe_name(text: str) -> str:
    """Return a name for a file that stands for a text, of two texts never the same one.

    What no file name should have becomes `_`, and 8 hex digits of the text's SHA-256 follow where
    anything was changed.
    """
    name = _UNSAFE.sub("_", text).strip("._")[:_MAX_NAME_CHARS]
    if name == text:
        return name
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _format(fields: Fields) -> bytes:
    whole: dict[str, int | str] = {"Format": FORMAT, **fields}
    body = json.dumps(whole, ensure_ascii=True)
    whole["Sum"] = hashlib.sha256(body.encode()).hexdigest()
    return json.dumps(whole, ensure_ascii=True).encode() + b"\n"


def _parse(data: bytes) -> dict[str, int | str] | None:
    """Return the fields, None unless writing them again gives the same bytes."""
    try:
        whole = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(whole, dict) or whole.pop("Format", None) != FORMAT:
        return None
    whole.pop("Sum", None)
    return whole if _format(whole) == data else None
