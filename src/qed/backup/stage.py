"""The first half of a restore: a whole copy beside the database, and the record that decides.

```
<db>/qed-restore/new/<stage>/    the staged files; flock on qed-restore is held while it is written
<db>/qed-restore/COMMIT          says which stage is to be swapped in, and what it replaces
<db>/qed-restore/SWAPPING        written by `swap`, so that its moves can be repeated
```

A stage without a COMMIT that names it is a leftover. A second restore makes a stage of its own and
then replaces COMMIT by a rename: the newest one wins, and at no instant does COMMIT name half a
stage.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from qed import durable
from qed.backup import rocksdb_layout as layout
from qed.backup.checksums import Meter, copy_and_sum
from qed.backup.ownership import give_to_owner
from qed.backup.pending import (
    LIMIT_BYTES,
    Pending,
    Replaced,
    StagedFile,
    decode_pending,
    encode_pending,
)
from qed.backup.verify import RestorePlan
from qed.engine.check import read_head
from qed.engine.rows import Head
from qed.errors import (
    DamagedError,
    LockedError,
    MalformedError,
    NewerFormatError,
    NotFoundError,
    QedError,
    StorageError,
)

RESTORE = "qed-restore"
_CURRENT_LIMIT_BYTES = 4096
_DIGEST_BYTES = 32


def commit_path(database: Path) -> Path:
    """Return where the record lies that decides a restore."""
    return database / RESTORE / "COMMIT"


def stage_path(database: Path, stage: str) -> Path:
    """Return where the staged files lie."""
    return database / RESTORE / "new" / stage


@contextlib.contextmanager
def lock_restore(database: Path) -> Iterator[None]:
    """Hold the right to stage or swap below a database's directory; `LockedError` at once."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(durable.lock_directory(database / RESTORE, exclusive=True))
        except LockedError:
            raise LockedError(
                f"a restore into {database} is going on",
                hint="wait until it has finished, then do it again",
            ) from None
        yield


def write_stage(plan: RestorePlan, database: Path, meter: Meter) -> Pending:
    """Copy a verified backup beside the database, and open it to see that it is what it must be.

    Stop here: a stage that nothing names, removed by the next restore or start.

    Raises:
        FatalError: a byte changed since it was verified, or the log in it is not the one that
            the manifest names. Nothing is left of the stage.
    """
    stage = f"{plan.backup_id}-{uuid.uuid4().hex[:16]}"
    path = stage_path(database, stage)
    try:
        durable.make_directory(path)
        # Before the first file: should this be killed, the server must be able to remove them.
        give_to_owner([path.parent, path], database)
        files = _copy_files(plan, path, meter)
        head = _read_stage(plan, path)
        give_to_owner(durable.list_directory(path), database)
        durable.sync_directory(path)
    except BaseException:
        with contextlib.suppress(StorageError):
            durable.remove_tree(path)
        raise
    return Pending(
        stage=stage,
        staged_s=int(time.time()),
        backup_id=plan.backup_id,
        uuid=plan.manifest.uuid if plan.manifest else None,
        log_id=head.log_id,
        size=head.size,
        history_digest=head.history_digest,
        hyper_digest=head.hyper_digest,
        files=files,
        replaces=read_replaced(database),
    )


def _copy_files(plan: RestorePlan, path: Path, meter: Meter) -> tuple[StagedFile, ...]:
    files = []
    for file in plan.files:
        sums = copy_and_sum(file.source, path / file.name, meter)
        if sums.crc32c != file.crc32c or (file.sha256 and sums.sha256 != file.sha256):
            raise DamagedError(f"backup {plan.backup_id}: {file.source} changed while it was read")
        files.append(StagedFile(file.name, sums.size_bytes, sums.sha256))
    return tuple(files)


def _read_stage(plan: RestorePlan, path: Path) -> Head:
    """Open the stage read-only and compare it with the manifest; remove what opening has left."""
    try:
        _, head = read_head(path)
    except NewerFormatError:
        raise
    except QedError as error:
        raise DamagedError(
            f"backup {plan.backup_id} does not open as a log: {error}; nothing was changed"
        ) from error
    names = {file.name for file in plan.files}
    for left in durable.list_directory(path):
        if left.name not in names:
            durable.remove_tree(left)
    manifest = plan.manifest
    claimed = manifest and (
        *(manifest.log_id, manifest.epoch, manifest.sequence, manifest.version),
        *(manifest.history_digest, manifest.hyper_digest),
    )
    found = (
        *(head.log_id, head.epoch, head.sequence, head.current_version),
        *(head.history_digest, head.hyper_digest),
    )
    if claimed and claimed != found:
        raise DamagedError(
            f"backup {plan.backup_id} holds another log than its manifest names; "
            "nothing was changed"
        )
    # Text of another kind is another program's own; only a number can contradict.
    if plan.version_text.isdecimal() and plan.version_text != str(head.current_version):
        raise DamagedError(
            f"backup {plan.backup_id} says that its last version is {plan.version_text}, but it is "
            f"{head.current_version}; nothing was changed"
        )
    return head


def read_replaced(database: Path) -> Replaced | None:
    """Return what marks the database that lies in a directory, None when none does.

    Safe while a server writes to it: CURRENT is renamed into place, a MANIFEST only grows.
    """
    try:
        current = durable.read_file(database / "CURRENT", _CURRENT_LIMIT_BYTES)
    except NotFoundError:
        return None
    try:
        name = layout.parse_current(current)
        digest, size_bytes = _sum_prefix(database / name, None)
    except QedError:
        name, digest, size_bytes = "", bytes(_DIGEST_BYTES), 0  # broken: that is why it is replaced
    return Replaced(hashlib.sha256(current).digest(), name, size_bytes, digest)


def still_there(database: Path, replaced: Replaced | None) -> bool:
    """Return whether the database in a directory is the one that a record replaces."""
    try:
        current = durable.read_file(database / "CURRENT", _CURRENT_LIMIT_BYTES)
    except NotFoundError:
        return replaced is None
    if replaced is None or hashlib.sha256(current).digest() != replaced.current_sha256:
        return False
    if not replaced.manifest:
        return True
    try:
        digest, size_bytes = _sum_prefix(database / replaced.manifest, replaced.manifest_bytes)
    except QedError:
        return False
    return size_bytes == replaced.manifest_bytes and digest == replaced.manifest_sha256


def _sum_prefix(path: Path, limit_bytes: int | None) -> tuple[bytes, int]:
    """Return the SHA-256 of a file's first bytes, and how many there were."""
    digest, size_bytes = hashlib.sha256(), 0
    for chunk in durable.read_chunks(path):
        part = chunk if limit_bytes is None else chunk[: limit_bytes - size_bytes]
        digest.update(part)
        size_bytes += len(part)
    return digest.digest(), size_bytes


def write_commit(database: Path, pending: Pending) -> None:
    """Decide for a stage: from the rename on it will be swapped in.

    Stop here: before the rename nothing has happened, after it the next start swaps.
    """
    durable.write_file(commit_path(database), encode_pending(pending))


def read_commit(database: Path) -> Pending | None:
    """Return the decided restore, None when there is none.

    Raises:
        FatalError: the record cannot be read; the sentence names the ways out.
    """
    path = commit_path(database)
    try:
        return decode_pending(durable.read_file(path, LIMIT_BYTES))
    except NotFoundError:
        return None
    except MalformedError as error:
        raise DamagedError(
            f"the record of a staged restore, {path}, is damaged: {error}",
            hint=f"restore again with `qed restore`, or give that restore up: rm -r {path.parent}",
        ) from error
