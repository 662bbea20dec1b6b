"""What a replay has verified, on disk: 32 bytes an event, 40 a group, and how far that goes.

```
<directory>/digests    the event digests of versions 0, 1, 2, ..., 32 bytes each
<directory>/ends       a row a group: u64 last version || hyper digest as published, 40 bytes
<directory>/position   how much of both is verified work, as `positions` writes it
```

Both files are only appended to. The position is written after their sync, so what lies beyond it
is the torn tail of a process that was killed: it is cut off at the next opening.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from qed import durable
from qed.agents.positions import PositionFile
from qed.errors import DamagedError
from qed.trees.values import DIGEST_BYTES

_END = struct.Struct(">Q32s")
_READ_ENDS = 4096  # rows at a time
_HINT = "remove the directory: the next replay begins with version 0"


@dataclass(frozen=True, slots=True)
class Position:
    """How far the verified work goes: a group end.

    `root` is that of the snapshot log there. `caught` names the evidence once the log was caught,
    and is empty before.
    """

    origin: str
    size: int = 0
    groups: int = 0
    root: bytes = b""
    caught: str = ""


class ReplayFiles:
    """The three files of one replay; one thread's, in one process at a time."""

    def __init__(self, directory: Path) -> None:
        """Open or create them; `LockedError` while another process has them."""
        durable.make_directory(directory, 0o700)
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as opening:
            opening.enter_context(durable.lock_directory(directory, exclusive=True))
            self._digests = _open(opening, directory / "digests")
            self._ends = _open(opening, directory / "ends")
            durable.sync_directory(directory)
            self._stack = opening.pop_all()
        self.directory = directory
        self._position = PositionFile(directory / "position")
        self.size = 0  # events in the file; equal to the position's after `cut`
        self.groups = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files and the lock; the next opening cuts off what is not committed."""
        self._stack.close()

    def read_position(self) -> Position | None:
        """Return how far the work goes; None when nothing of it can be used."""
        fields = self._position.read()
        if fields is None:
            return None
        found = _read_position(fields)
        if found is not None and not self._holds(found):
            return None
        return found

    def write_position(self, position: Position) -> None:
        """Make everything up to a position durable, then say so.

        Stop here: before the last write the older position holds, and the tail is cut off.
        """
        with durable.storage_errors("sync", self.directory):
            os.fsync(self._digests)
            os.fsync(self._ends)
        self._position.write(
            {
                "Origin": position.origin,
                "Size": position.size,
                "Groups": position.groups,
                "Root": position.root.hex(),
                "Caught": position.caught,
            }
        )

    def cut(self, size: int, groups: int) -> None:
        """Cut both files back to what is verified."""
        with durable.storage_errors("cut", self.directory):
            os.ftruncate(self._digests, size * DIGEST_BYTES)
            os.ftruncate(self._ends, groups * _END.size)
        self.size, self.groups = size, groups

    def append(self, digests: bytes, ends: list[tuple[int, bytes]]) -> None:
        """Write whole groups that follow on: their event digests and their ends."""
        self._append(self._digests, self.size * DIGEST_BYTES, digests)
        rows = b"".join([_END.pack(*end) for end in ends])
        self._append(self._ends, self.groups * _END.size, rows)
        self.size += len(digests) // DIGEST_BYTES
        self.groups += len(ends)

    def read_digests(self, first: int, stop: int) -> bytes:
        """Return the event digests of versions [first, stop), end to end."""
        return self._read(self._digests, first * DIGEST_BYTES, (stop - first) * DIGEST_BYTES)

    def read_ends(self) -> Iterator[tuple[int, bytes]]:
        """Yield the last version and the published hyper digest of each group, in order."""
        for group in range(0, self.groups, _READ_ENDS):
            rows = min(_READ_ENDS, self.groups - group)
            data = self._read(self._ends, group * _END.size, rows * _END.size)
            yield from _END.iter_unpack(data)

    def _holds(self, position: Position) -> bool:
        """Return whether the files have all that a position stands for."""
        with durable.storage_errors("look at", self.directory):
            digests = os.fstat(self._digests).st_size
            ends = os.fstat(self._ends).st_size
        return digests >= position.size * DIGEST_BYTES and ends >= position.groups * _END.size

    def _append(self, descriptor: int, at_bytes: int, data: bytes) -> None:
        with durable.storage_errors("write into", self.directory):
            view = memoryview(data)
            while view:
                written = os.pwrite(descriptor, view, at_bytes)
                view, at_bytes = view[written:], at_bytes + written

    def _read(self, descriptor: int, at_bytes: int, length_bytes: int) -> bytes:
        parts: list[bytes] = []
        with durable.storage_errors("read from", self.directory):
            while length_bytes:
                part = os.pread(descriptor, length_bytes, at_bytes)
                if not part:
                    break
                parts.append(part)
                at_bytes, length_bytes = at_bytes + len(part), length_bytes - len(part)
        if length_bytes:
            raise DamagedError(f"a file in {self.directory} ends too early", hint=_HINT)
        return b"".join(parts)


def _open(stack: contextlib.ExitStack, path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    with durable.storage_errors("open", path):
        descriptor = os.open(path, flags, 0o600)
    stack.callback(os.close, descriptor)
    return descriptor


def _read_position(fields: Mapping[str, int | str]) -> Position | None:
    """Return the position that these fields say, None when they say none of ours."""
    size, groups = fields.get("Size"), fields.get("Groups")
    origin, root, caught = fields.get("Origin"), fields.get("Root"), fields.get("Caught")
    if not isinstance(size, int) or not isinstance(groups, int) or not 0 <= groups <= size:
        return None
    if not isinstance(origin, str) or not isinstance(root, str) or not isinstance(caught, str):
        return None
    try:
        return Position(origin, size, groups, bytes.fromhex(root), caught)
    except ValueError:
        return None
