"""Durable keys and values: RocksDB through rocksdict, and only the part of it that answers rightly.

rocksdict 0.3.29 has calls that answer wrongly without an error. Nothing else in the project imports
it, and here only these are used, each for a reason that `tests/contract/test_database_traps.py`
shows on the library itself:

- `get([keys])` and raw `iter()`, the key compared in the loop and `status()` asked after it:
  iterator bounds dangle or are swapped; `keys()`, `items()`, `values()` end silently at damage.
- `WriteBatch` with `write()` and then `flush_wal(True)`: other threads run during the fsync.
- every family flushed before a checkpoint, so that writers wait a millisecond instead of 127.
- explicit `Options` at each open, `create_if_missing(False)` unless creating.
- `tolerate_corrupted_tail_records`: the default mode drops synced rows after a flipped bit.
- calls are counted and drained before `close()`, which fails while another thread is inside; child
  objects (families, iterators) are dropped first, since each of them keeps the database locked.

Threads: every method may be called from any thread. Rows are visible to every thread once `commit`
has written them. Do not fork while a database is open.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from rocksdict import (
    AccessType,
    BlockBasedOptions,
    Cache,
    Checkpoint,
    ColumnFamily,
    DBCompressionType,
    DBRecoveryMode,
    Options,
    Rdict,
    WriteBatch,
)

from qed import durable
from qed.errors import (
    ConflictError,
    DamagedError,
    LockedError,
    NotFoundError,
    QedError,
    StorageError,
)

Put = tuple[str, bytes, bytes]  # family, key, value
Row = tuple[bytes, bytes]  # key, value

DEFAULT_FAMILY = "default"  # RocksDB makes it, whatever else there is
SCAN_ROWS = 512  # rows that `scan` takes at a time; no iterator lives between two takes
SCAN_BYTES = 1024 * 1024

_TABLE_FORMAT = 5  # 6, the library's default, cannot be opened by Debian 12's `ldb`
_BLOCK_CACHE_BYTES = 8 * 1024 * 1024
_WRITE_BUFFER_BYTES = 8 * 1024 * 1024
_WAL_BYTES = 32 * 1024 * 1024  # beyond it the oldest buffers are flushed: bounds replay at open
_INFO_LOG_BYTES = 1024 * 1024
_INFO_LOG_FILES = 4
_OPEN_FILES = 512
_CONFIG_FILE = "rocksdict-config.json"  # rewritten at every open; a database without it opens

_ERRNO = {os.strerror(number): number for number in errno.errorcode}
# The databases that this process has open for writing, by real path. Asking the kernel who holds
# RocksDB's LOCK opens that file, and closing any descriptor of it drops the lock of its owner: so
# the question is never asked about one of these. Guarded by the lock below.
_open_paths: set[str] = set()
_open_paths_lock = threading.Lock()


def holds_engine_files(path: Path) -> bool:
    """Return whether RocksDB's files lie in the directory, whole or not.

    What a creation leaves that was interrupted before its CURRENT does not count.
    """
    return durable.exists(path / "CURRENT") or _has_tables(path)


def _has_tables(path: Path) -> bool:
    return durable.is_directory(path) and any(
        file.suffix == ".sst" for file in durable.list_directory(path)
    )


def lock_owner(path: Path) -> int | None:
    """Return the process that has the database open for writing, None when nobody has.

    Safe in the owner itself: its own number is answered without opening RocksDB's LOCK.
    """
    with _open_paths_lock:
        if os.path.realpath(path) in _open_paths:
            return os.getpid()
    return durable.lock_owner(path / "LOCK")


def locked_error(path: Path) -> LockedError:
    """Return the refusal of a second process, with the number of the first when it is known."""
    owner = lock_owner(path)
    who = f" (pid {owner})" if owner else ""
    return LockedError(
        f"database {path} is in use by another process{who}",
        hint="stop that process first, or name another database",
    )


class Database:
    """An open RocksDB with a fixed set of families."""

    def __init__(self, rdict: Rdict, path: Path, families: Sequence[str], *, owns: bool) -> None:
        """Use `create` or `open`."""
        self.path = path
        self._owns = owns
        self._rdict: Rdict | None = rdict
        self._families: dict[str, Rdict] = {
            name: rdict if name == DEFAULT_FAMILY else rdict.get_column_family(name)
            for name in families
        }
        self._handles: dict[str, ColumnFamily] = {
            name: rdict.get_column_family_handle(name) for name in families
        }
        # Guards the two fields below; held for a few instructions.
        self._gate = threading.Condition()
        self._calls = 0
        self._closing = False

    @classmethod
    def create(cls, path: Path, families: Sequence[str]) -> Database:
        """Create an empty database in a directory that exists.

        One that holds as much as a row or a table is a `ConflictError` and stays as it is. Without
        either it is what an interrupted creation leaves: it is taken over.
        """
        if holds_engine_files(path) and not cls._is_blank(path, families):
            raise ConflictError(
                f"{path} holds a database already", hint="open it, or name another directory"
            )
        return cls._start(path, families, create=True)

    @classmethod
    def open(cls, path: Path, families: Sequence[str], *, read_only: bool = False) -> Database:
        """Open what is there; never create.

        None there, or one whose creation was interrupted before its first row: `NotFoundError`.
        Another process writes it: `LockedError`. `read_only` takes no lock and leaves the directory
        as it was: it is for a database that no writer has, a checkpoint's.
        """
        if not holds_engine_files(path):
            raise NotFoundError(f"there is no database in {path}")
        if not durable.exists(path / "CURRENT"):
            raise DamagedError(
                f"{path} has tables but no file CURRENT", hint="restore a backup with `qed restore`"
            )
        with _rocksdb_errors("open", path):
            others = {*Rdict.list_cf(str(path), _options(Cache(0), create=False))} - {*families}
        if others:  # a restore over a store that was taken for a damaged log would end it
            named = ", ".join(sorted(others))
            raise ConflictError(
                f"{path} holds another database than the one looked for: {named}",
                hint="name another one; `qed check` is for a log, `qed store check` for a store",
            )
        if cls._is_blank(path, families):
            raise NotFoundError(
                f"{path} holds no row: its creation was interrupted", hint="create it again"
            )
        if read_only:
            return cls._start_read_only(path, families)
        return cls._start(path, families, create=False)

    @classmethod
    def _is_blank(cls, path: Path, families: Sequence[str]) -> bool:
        """Return whether nothing was ever committed there, as far as the files can tell."""
        if _has_tables(path):
            return False
        with _rocksdb_errors("open", path):
            present = Rdict.list_cf(str(path), _options(Cache(0), create=False))
        if not set(present) <= set(families):
            return False
        database = cls._start_read_only(path, present)
        try:
            return not any(True for name in present for _ in database.scan(name, b""))
        finally:
            database.close()

    @classmethod
    def _start(cls, path: Path, families: Sequence[str], *, create: bool) -> Database:
        real = os.path.realpath(path)
        with _open_paths_lock:
            if real in _open_paths:
                raise LockedError(f"database {path} is open in this process already")
            _open_paths.add(real)
        with _rocksdb_errors("open", path):
            try:
                rdict = _open_rdict(path, families, AccessType.read_write(), create=create)
                return cls(rdict, path, families, owns=True)
            except BaseException:
                with _open_paths_lock:  # before the error is named: it may ask who has the lock
                    _open_paths.discard(real)
                raise

    @classmethod
    def _start_read_only(cls, path: Path, families: Sequence[str]) -> Database:
        config = path / _CONFIG_FILE
        had_config = durable.exists(config)
        try:
            with _rocksdb_errors("open", path):
                access = AccessType.read_only(error_if_log_file_exist=False)
                rdict = _open_rdict(path, families, access, create=False)
        finally:
            if not had_config:
                with contextlib.suppress(OSError):
                    config.unlink()
        return cls(rdict, path, families, owns=False)

    def get(self, family: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the value of each key, None where there is no row."""
        with self._call("read"):
            values: list[bytes | None] = self._families[family].get(list(keys)) or []
            return values

    def scan(self, family: str, start: bytes, stop: bytes | None = None) -> Iterator[Row]:
        """Yield the rows with start <= key < stop in ascending order.

        Some hundreds are taken at a time: rows committed behind the reader's place are seen.
        """
        while True:
            rows = self._take(family, start, stop)
            yield from rows
            if not rows:
                return
            start = rows[-1][0] + b"\x00"

    def _take(self, family: str, start: bytes, stop: bytes | None) -> list[Row]:
        rows: list[Row] = []
        room_bytes = SCAN_BYTES
        with self._call("read"):
            iterator = self._families[family].iter()
            try:
                iterator.seek(start)
                while room_bytes > 0 and len(rows) < SCAN_ROWS and iterator.valid():
                    key: bytes = iterator.key()
                    if stop is not None and key >= stop:
                        break
                    value: bytes = iterator.value()
                    rows.append((key, value))
                    room_bytes -= len(value)
                    iterator.next()
                iterator.status()  # an iterator also becomes invalid at a corrupt block
            finally:
                del iterator  # also from a traceback: it would keep the database locked
        return rows

    def last(self, family: str, key: bytes) -> Row | None:
        """Return the row with the greatest key that is at most `key`, None when there is none."""
        with self._call("read"):
            iterator = self._families[family].iter()
            try:
                iterator.seek_for_prev(key)
                row = (iterator.key(), iterator.value()) if iterator.valid() else None
                iterator.status()
            finally:
                del iterator  # also from a traceback: it would keep the database locked
        return row

    def commit(self, puts: Sequence[Put]) -> None:
        """Write the rows as one batch and sync them: all are on disk when it returns.

        An error leaves it unknown (after EIO at the fdatasync they were): none of them, or all.
        """
        batch = WriteBatch(raw_mode=True)
        with self._call("write") as rdict:
            for family, key, value in puts:
                batch.put(key, value, self._handles[family])
            rdict.write(batch)
            rdict.flush_wal(sync=True)

    def flush(self) -> None:
        """Move the rows of every family from the write-ahead log to tables."""
        with self._call("flush"):
            for family in self._families.values():
                family.flush(wait=True)

    def checkpoint(self, path: Path) -> None:
        """Make a copy in a new directory by hard links; its parent must exist.

        If the caller keeps writers out, the copy's write-ahead log holds no row.
        """
        if durable.exists(path):
            raise ConflictError(f"{path} exists already")
        self.flush()
        with self._call("make a checkpoint of") as rdict:
            Checkpoint(rdict).create_checkpoint(str(path))
        with durable.storage_errors("remove", path / _CONFIG_FILE):
            (path / _CONFIG_FILE).unlink(missing_ok=True)

    def sequence_number(self) -> int:
        """Return RocksDB's own count of the rows ever written."""
        with self._call("read") as rdict:
            return rdict.latest_sequence_number()

    def close(self) -> None:
        """Wait for the calls that are inside, then close; a second call does nothing."""
        with self._gate:
            self._closing = True
            self._gate.wait_for(lambda: not self._calls)
            rdict, self._rdict = self._rdict, None
            self._families = {}
            self._handles = {}
        if rdict is None:
            return
        try:
            with _rocksdb_errors("close", self.path):
                rdict.close()
        finally:
            if self._owns:
                with _open_paths_lock:
                    _open_paths.discard(os.path.realpath(self.path))

    @contextlib.contextmanager
    def _call(self, what: str) -> Iterator[Rdict]:
        """Count the caller in, hand it the database, and give its errors our names."""
        with self._gate:
            if self._closing or self._rdict is None:
                raise StorageError(f"cannot {what} {self.path}: the database is closed")
            self._calls += 1
            rdict = self._rdict
        try:
            with _rocksdb_errors(what, self.path):
                yield rdict
        finally:
            del rdict
            with self._gate:
                self._calls -= 1
                if not self._calls:
                    self._gate.notify_all()


def _open_rdict(path: Path, families: Sequence[str], access: AccessType, *, create: bool) -> Rdict:
    cache = Cache(_BLOCK_CACHE_BYTES)
    main, *others = (_options(cache, create=create) for _ in ("", *families))
    return Rdict(str(path), main, dict(zip(families, others, strict=True)), access)


def _options(cache: Cache, *, create: bool) -> Options:
    """Return every option that matters, said explicitly: the library would load older ones."""
    options = Options(raw_mode=True)
    options.create_if_missing(create)
    options.create_missing_column_families(create)
    options.set_paranoid_checks(True)
    options.set_wal_recovery_mode(DBRecoveryMode.tolerate_corrupted_tail_records())
    # Digests do not compress: a table of 10^5 shrinks to 99.9 % with LZ4, 99.8 % with Zstandard.
    options.set_compression_type(DBCompressionType.none())
    table = BlockBasedOptions()
    table.set_format_version(_TABLE_FORMAT)
    table.set_block_cache(cache)
    options.set_block_based_table_factory(table)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_max_total_wal_size(_WAL_BYTES)
    options.set_max_background_jobs(2)
    options.set_max_open_files(_OPEN_FILES)
    options.set_keep_log_file_num(_INFO_LOG_FILES)
    options.set_max_log_file_size(_INFO_LOG_BYTES)
    options.set_stats_dump_period_sec(0)
    options.set_stats_persist_period_sec(0)
    return options


@contextlib.contextmanager
def _rocksdb_errors(what: str, path: Path) -> Iterator[None]:
    """Turn RocksDB's exceptions, plain ones with a text, into ours; a `TypeError` stays one."""
    try:
        with durable.storage_errors(what, path):  # rocksdict writes a file of its own there
            yield
    except Exception as error:
        if type(error) not in (Exception, RuntimeError):
            raise
        raise _named_error(what, path, str(error)) from error


def _named_error(what: str, path: Path, text: str) -> QedError:
    """Return our error for RocksDB's text, told apart by the status it begins with."""
    locked = "While lock file" in text and text.endswith(os.strerror(errno.EAGAIN))
    if locked or "lock hold by current process" in text:
        return locked_error(path)
    number = next((n for name, n in _ERRNO.items() if text.endswith(name)), None)
    wrong = ("Corruption:", "Invalid argument: Column family not found")
    if number == errno.ENOENT or text.startswith(wrong):
        return DamagedError(
            f"{path} is damaged: {text}",
            hint="restore a backup with `qed restore`; the damaged files are kept aside",
        )
    return StorageError(
        f"cannot {what} {path}: {text}",
        errno=number,
        hint=durable.NEXT_STEP.get(number or 0, ""),
    )
