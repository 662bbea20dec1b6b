"""Pages beyond memory: where the hyper tree goes when it has outgrown its budget.

One scratch file `<db>/qed-index/pages`, made anew at each open and removed at close. Nothing in it
has to survive or to be believed: the kernel recomputes the hash of each page that it reads and
compares it with the one that it has in memory. So it is not synced, and no format number is needed.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from qed import durable
from qed.errors import DamagedError

FILE = "pages"
PAGE_BYTES = 4096


class PageFile:
    """Numbered pages of one size; read by any thread, written by the writer's."""

    size_bytes = PAGE_BYTES

    def __init__(self, directory: Path) -> None:
        """Use `directory`; nothing is made there before the first page is written."""
        self._path = directory / FILE
        self._opening = threading.Lock()
        self._descriptor: int | None = None

    def read(self, number: int) -> bytes:
        """Return a page that was written; trouble with the disk is a `StorageError`."""
        if self._descriptor is None:
            raise AssertionError("no page was written yet")
        with durable.storage_errors("read", self._path):
            page = os.pread(self._descriptor, PAGE_BYTES, number * PAGE_BYTES)
        if len(page) != PAGE_BYTES:
            raise DamagedError(
                f"{self._path} ends inside page {number}",
                hint="start again: the file is made anew from the log",
            )
        return page

    def write(self, number: int, page: bytes) -> None:
        """Write one page; a full disk is a `StorageError`."""
        if len(page) != PAGE_BYTES:
            raise AssertionError(f"a page has {PAGE_BYTES} bytes, not {len(page)}")
        descriptor = self._open()
        with durable.storage_errors("write", self._path):
            written = os.pwrite(descriptor, page, number * PAGE_BYTES)
            if written != PAGE_BYTES:  # a full disk writes a part first
                os.pwrite(descriptor, page[written:], number * PAGE_BYTES + written)

    def close(self) -> None:
        """Remove the file if that can be done; a second call does nothing.

        One that stays does no harm: the next that writes pages begins with an empty one. So this
        neither fails a check that is through nor hides why a log has stopped.
        """
        with self._opening:
            descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _open(self) -> int:
        with self._opening:
            if self._descriptor is None:
                durable.make_directory(self._path.parent)
                flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
                with durable.storage_errors("create", self._path):
                    self._descriptor = os.open(self._path, flags, 0o600)
            return self._descriptor
