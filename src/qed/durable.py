"""Files and directories that survive a loss of power.

A function returns only after everything it did would be there after the machine stopped at once.
The happy path of `write_file`, as system calls:

    openat(".<name>.tmp", O_WRONLY|O_CREAT|O_TRUNC|O_NOFOLLOW, mode) fchmod write fsync close
    rename(".<name>.tmp", "<name>") openat("<dir>", O_DIRECTORY) fsync close

After an fsync that failed the kernel may have dropped the pages, so nothing is tried again here:
the caller throws the file away and starts over (Rebello et al., "Can Applications Recover from
fsync Failures?", USENIX ATC 2020). Every `OSError` leaves as `StorageError` with the system's
number.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from qed.errors import ConflictError, LockedError, NotFoundError, StorageError

COPY_CHUNK_BYTES = 1024 * 1024

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW

# What to do about the system's error numbers that people meet.
NEXT_STEP = {
    errno.ENOSPC: "free some space, then do it again",
    errno.EDQUOT: "raise the quota or free some space, then do it again",
    errno.EACCES: "check the owner and the mode of the path",
    errno.EPERM: "check the owner and the mode of the path",
    errno.EROFS: "the file system is mounted read-only",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.EXDEV: "something is mounted between the two: unmount it, then do it again",
}


@contextlib.contextmanager
def storage_errors(what: str, path: Path | str) -> Iterator[None]:
    """Turn any `OSError` of the block into a `StorageError` that says what was done where."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot {what} {path}: {os.strerror(error.errno) if error.errno else error}",
            errno=error.errno,
            hint=NEXT_STEP.get(error.errno or 0, ""),
        ) from error


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    with storage_errors("sync", path):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_directory(path: Path, mode: int = 0o755) -> None:
    """Create a directory and its missing parents, each name durable in its parent.

    The parent of a directory that was there already is synced too: whoever made it may have been
    killed before its own sync. Missing parents get mode 0755. Something else under the name is a
    `ConflictError`.
    """
    if not is_directory(path):
        if path.parent != path:
            make_directory(path.parent)
        with storage_errors("create", path), contextlib.suppress(FileExistsError):
            path.mkdir(mode)
        if not is_directory(path):
            raise ConflictError(f"{path} is in the way: it is not a directory")
    sync_directory(path.parent)


def is_directory(path: Path) -> bool:
    """Return whether a directory is there; trouble with looking is an error, not a no."""
    with storage_errors("look at", path):
        return path.is_dir()


def exists(path: Path) -> bool:
    """Return whether anything is there; trouble with looking is an error, not a no."""
    with storage_errors("look at", path):
        return path.exists()


def is_link(path: Path) -> bool:
    """Return whether a symbolic link is there, also one that leads nowhere."""
    with storage_errors("look at", path):
        return path.is_symlink()


def size_bytes(path: Path) -> int | None:
    """Return the size of a regular file, None when none is there; links are not followed."""
    with storage_errors("look at", path):
        try:
            found = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def list_directory(path: Path) -> list[Path]:
    """Return what lies in a directory, sorted by name."""
    with storage_errors("read", path):
        return sorted(path.iterdir())


def temporary_name(path: Path) -> Path:
    """Return the name under which a file is written before it gets its own: `.<name>.tmp`."""
    return path.with_name(f".{path.name}.tmp")


def write_file(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a whole file; at every instant either the old content or the new one is there.

    Two writers of one name at once need a lock of their own: they share the temporary name.
    """
    temporary = temporary_name(path)
    try:
        write_new_file(temporary, data, mode, replace=True)
        with storage_errors("rename", temporary):
            temporary.replace(path)
    except StorageError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_directory(path.parent)


def write_new_file(path: Path, data: bytes, mode: int = 0o644, *, replace: bool = False) -> None:
    """Write and sync a file under its final name; the caller syncs the directory.

    Unless `replace` is set, a file that is there already is a `ConflictError` and stays as it is.
    The mode is set on the descriptor before the first byte, whatever the umask. When writing fails
    the file is removed again, so that the next try does not find half of it.
    """
    flags = os.O_TRUNC if replace else os.O_EXCL
    try:
        with storage_errors("write", path):
            descriptor = os.open(path, _CREATE | flags, mode)
    except StorageError as error:
        if error.errno == errno.EEXIST:
            raise ConflictError(f"{path} exists already") from error
        raise
    try:
        with storage_errors("write", path):
            try:
                os.fchmod(descriptor, mode)
                _write_all(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    except StorageError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def copy_file(source: Path, target: Path, on_chunk: Callable[[bytes], None] | None = None) -> None:
    """Copy the bytes of a file and sync them; each chunk (at most 1 MiB) is shown to `on_chunk`.

    A target that is there already is removed first and not written into: its bytes may have other
    names (tables are hard links of each other's). The caller syncs the directory and, after an
    error, throws the target away. Cost: one read and one write of the file, memory flat.
    """
    what = f"{source} to {target}"
    with storage_errors("copy", what), source.open("rb", buffering=0) as reader:
        target.unlink(missing_ok=True)
        descriptor = os.open(target, _CREATE | os.O_EXCL, 0o644)
        try:
            while chunk := reader.read(COPY_CHUNK_BYTES):
                if on_chunk is not None:
                    on_chunk(chunk)
                _write_all(descriptor, chunk)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_chunks(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file in chunks of at most 1 MiB."""
    with storage_errors("read", path), path.open("rb", buffering=0) as reader:
        while chunk := reader.read(COPY_CHUNK_BYTES):
            yield chunk


def read_file(path: Path, limit_bytes: int) -> bytes:
    """Return a whole small file.

    One above the limit is a `ConflictError`, a missing one a `NotFoundError`.
    """
    try:
        with storage_errors("read", path), path.open("rb") as reader:
            data = reader.read(limit_bytes + 1)
    except StorageError as error:
        if error.errno == errno.ENOENT:
            raise NotFoundError(f"{path} does not exist") from error
        raise
    if len(data) > limit_bytes:
        raise ConflictError(f"{path} is larger than the {limit_bytes} bytes it may have")
    return data


def sha256_file(path: Path) -> bytes:
    """Return the SHA-256 of a file's bytes (32 bytes)."""
    digest = hashlib.sha256()
    for chunk in read_chunks(path):
        digest.update(chunk)
    return digest.digest()


def rename(source: Path, target: Path) -> None:
    """Move a name within one file system and make it durable on both sides."""
    with storage_errors("rename", source):
        source.rename(target)
    sync_directory(target.parent)
    if source.parent != target.parent:
        sync_directory(source.parent)


def remove_file(path: Path) -> None:
    """Remove a file durably; a missing one is fine."""
    with storage_errors("remove", path):
        path.unlink(missing_ok=True)
    if is_directory(path.parent):
        sync_directory(path.parent)


def remove_tree(path: Path) -> None:
    """Remove a tree durably; a missing one is fine and links are not followed."""
    with storage_errors("remove", path):
        if not path.is_symlink() and path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if is_directory(path.parent):
        sync_directory(path.parent)


def is_private(path: Path) -> bool:
    """Return whether nobody but the owner can read or write the file."""
    with storage_errors("look at", path):
        return stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


@contextlib.contextmanager
def lock_directory(
    path: Path, *, exclusive: bool, refusal: Callable[[], LockedError] | None = None
) -> Iterator[None]:
    """Hold `flock` on a descriptor of the directory itself for the length of the block.

    No lock file is made and nothing has to be unlocked after a crash: the kernel drops the lock
    with the process. A lock held elsewhere is a `LockedError` at once, the one that `refusal`
    makes where it is given; this never waits.
    """
    with storage_errors("open", path):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            with storage_errors("lock", path):
                kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except StorageError as error:
            if error.errno != errno.EWOULDBLOCK:
                raise
            if refusal is not None:
                raise refusal() from error
            raise LockedError(
                f"{path} is in use by another process", hint="wait until it has finished"
            ) from error
        yield
    finally:
        os.close(descriptor)


def lock_owner(path: Path) -> int | None:
    """Return the process that holds a POSIX lock on a file, None when nobody does or can be asked.

    Never ask about a file that this process has locked: the kernel does not count a process's own
    locks, and closing the descriptor that asks would drop them.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # struct flock: type, whence, start, length (0: to the end of the file), process.
        asked = struct.pack("@hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, owner = struct.unpack(
            "@hhqqi", fcntl.fcntl(descriptor, fcntl.F_GETLK, asked)
        )
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None if kind == fcntl.F_UNLCK else int(owner)
