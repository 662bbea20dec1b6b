"""Both sums of a file in one pass: CRC-32C, which RocksDB's metas hold, and SHA-256, ours."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import google_crc32c

from qed import durable

Progress = Callable[[int, int], None]  # bytes done, bytes in all


@dataclass(frozen=True, slots=True)
class Sums:
    """The size of a file and the two sums of its bytes."""

    size_bytes: int
    crc32c: int
    sha256: bytes


class Meter:
    """Counts bytes up to a total that is known before, and tells somebody."""

    def __init__(self, total_bytes: int, progress: Progress | None) -> None:
        """Start at nothing done."""
        self._done_bytes = 0
        self._total_bytes = total_bytes
        self._progress = progress

    def add(self, size_bytes: int) -> None:
        """Count bytes that are done."""
        self._done_bytes += size_bytes
        if self._progress is not None:
            self._progress(self._done_bytes, self._total_bytes)


class _Summer:
    def __init__(self, meter: Meter | None) -> None:
        self._meter = meter
        self._size_bytes = 0
        self._crc32c = 0
        self._sha256 = hashlib.sha256()

    def update(self, chunk: bytes) -> None:
        self._size_bytes += len(chunk)
        self._crc32c = google_crc32c.extend(self._crc32c, chunk)
        self._sha256.update(chunk)
        if self._meter is not None:
            self._meter.add(len(chunk))

    def sums(self) -> Sums:
        return Sums(self._size_bytes, self._crc32c, self._sha256.digest())


def sum_file(path: Path, meter: Meter | None = None) -> Sums:
    """Return the sums of a file. Cost: one read of it, memory flat."""
    summer = _Summer(meter)
    for chunk in durable.read_chunks(path):
        summer.update(chunk)
    return summer.sums()


def copy_and_sum(source: Path, target: Path, meter: Meter | None = None) -> Sums:
    """Copy a file and sync it; return the sums of what was read. The caller syncs the directory."""
    summer = _Summer(meter)
    durable.copy_file(source, target, summer.update)
    return summer.sums()
