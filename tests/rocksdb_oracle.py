"""RocksDB 7.8 as Debian ships it: its library through ctypes, its `ldb`. We wrote neither.

They judge our backup directories, and make ones that ours must read.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

_LIBRARY = "librocksdb.so.7.8"
_INFO = {
    "timestamp": ctypes.c_int64,
    "backup_id": ctypes.c_uint32,
    "size": ctypes.c_uint64,
    "number_files": ctypes.c_uint32,
}


class OracleError(Exception):
    """RocksDB refused; its own words."""


@dataclass(frozen=True, slots=True)
class Info:
    """One backup as RocksDB lists it."""

    backup_id: int
    created_s: int
    size_bytes: int
    num_files: int


@functools.cache
def library() -> ctypes.CDLL:
    """Load the library, or skip the test where it is not installed."""
    try:
        loaded = ctypes.CDLL(_LIBRARY)
    except OSError:
        pytest.skip(f"{_LIBRARY} is not installed (apt-get install rocksdb-tools)")
    for name in ("options_create", "restore_options_create", "backup_engine_open"):
        getattr(loaded, f"rocksdb_{name}").restype = ctypes.c_void_p
    loaded.rocksdb_backup_engine_get_backup_info.restype = ctypes.c_void_p
    for name, kind in _INFO.items():
        function = getattr(loaded, f"rocksdb_backup_engine_info_{name}")
        function.restype = kind
        function.argtypes = [ctypes.c_void_p, ctypes.c_int]
    loaded.rocksdb_backup_engine_info_count.argtypes = [ctypes.c_void_p]
    loaded.rocksdb_backup_engine_info_destroy.argtypes = [ctypes.c_void_p]
    loaded.rocksdb_backup_engine_get_backup_info.argtypes = [ctypes.c_void_p]
    loaded.rocksdb_backup_engine_close.argtypes = [ctypes.c_void_p]
    return loaded


def _call(name: str, *arguments: object) -> int | None:
    error = ctypes.c_char_p()
    result = getattr(library(), name)(*arguments, ctypes.byref(error))
    if error.value is not None:
        raise OracleError(error.value.decode())
    return cast("int | None", result)


@contextlib.contextmanager
def _engine(directory: Path) -> Iterator[ctypes.c_void_p]:
    options = ctypes.c_void_p(library().rocksdb_options_create())
    opened = _call("rocksdb_backup_engine_open", options, str(directory).encode())
    engine = ctypes.c_void_p(opened)
    try:
        yield engine
    finally:
        library().rocksdb_backup_engine_close(engine)
        library().rocksdb_options_destroy(options)


def list_infos(directory: Path) -> list[Info]:
    """List the backups that RocksDB takes for whole."""
    with _engine(directory) as engine:
        info = library().rocksdb_backup_engine_get_backup_info(engine)
        read = {name: getattr(library(), f"rocksdb_backup_engine_info_{name}") for name in _INFO}
        count = library().rocksdb_backup_engine_info_count(info)
        infos = [
            Info(
                read["backup_id"](info, index),
                read["timestamp"](info, index),
                read["size"](info, index),
                read["number_files"](info, index),
            )
            for index in range(count)
        ]
        library().rocksdb_backup_engine_info_destroy(info)
    return infos


def verify(directory: Path, backup_id: int) -> None:
    """Let RocksDB look whether a backup's files are there."""
    with _engine(directory) as engine:
        _call("rocksdb_backup_engine_verify_backup", engine, ctypes.c_uint32(backup_id))


def restore(directory: Path, target: Path, backup_id: int) -> None:
    """Let RocksDB restore a backup by its id; it compares the checksums of what it copies."""
    with _engine(directory) as engine:
        options = ctypes.c_void_p(library().rocksdb_restore_options_create())
        _call(
            "rocksdb_backup_engine_restore_db_from_backup",
            engine,
            str(target).encode(),
            str(target).encode(),
            options,
            ctypes.c_uint32(backup_id),
        )
        library().rocksdb_restore_options_destroy(options)


def purge(directory: Path, keep: int) -> None:
    """Let RocksDB delete all backups but the newest ones, and collect what it takes for garbage."""
    with _engine(directory) as engine:
        _call("rocksdb_backup_engine_purge_old_backups", engine, ctypes.c_uint32(keep))


def _ldb(database: Path, command: str, directory: Path) -> str:
    program = shutil.which("ldb")
    if program is None:
        pytest.skip("ldb is not installed (apt-get install rocksdb-tools)")
    done = subprocess.run(
        [
            program,
            f"--db={database}",
            "--ignore_unknown_options",
            command,
            f"--backup_dir={directory}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    if done.returncode or "Failed" in output or "Error" in output:
        raise OracleError(output)
    return output


def ldb_backup(database: Path, directory: Path) -> None:
    """Back a closed database up with RocksDB's own tool."""
    _ldb(database, "backup", directory)


def ldb_restore(directory: Path, target: Path) -> None:
    """Restore the newest backup with RocksDB's own tool."""
    _ldb(target, "restore", directory)
