"""`check`: recompute every root of a closed log from its groups, and compare all rows.

Opening compares the same rows but may trust the derived index for the groups before it; `check`
trusts nothing and writes nothing, unless the index is to be rebuilt.
"""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass
from pathlib import Path

from qed import durable
from qed.database import Database, holds_engine_files, lock_owner, locked_error
from qed.engine import hyper_index, rows
from qed.engine.group_rows import read_groups
from qed.engine.page_file import PageFile
from qed.engine.replay import Verified, fresh_states, read_meta, replay
from qed.engine.rows import Head, Identity
from qed.engine.snapshot_rows import Progress
from qed.engine.state import CACHE_BYTES
from qed.errors import NotFoundError
from qed.trees.values import DIGEST_BYTES, split_digests

__all__ = ["CACHE_BYTES", "Report", "check", "count_shared", "holds_engine_files", "read_head"]


@dataclass(frozen=True, slots=True)
class Report:
    """What a check has found in order; a contradiction is an error, not a report."""

    identity: Identity
    size: int
    groups: int
    history_digest: bytes
    hyper_digest: bytes
    snapshot_root: bytes
    index_rebuilt: bool


def check(
    path: Path,
    *,
    rebuild_index: bool = False,
    progress: Progress | None = None,
    cache_bytes: int = CACHE_BYTES,
) -> Report:
    """Recompute everything that the log in `path` holds and compare it with every row.

    Errors as `Log.open`: `NotFoundError`, `LockedError` while a server or another check has it,
    `NewerFormatError`, `DamagedError` naming the first row that contradicts.

    Rows of the snapshot log that are not there, or not for the newest groups, are no damage: an
    earlier version of this program has added them, and the next open makes these rows.

    Cost: reads every row; about 50 hashes an event. Memory as an open log: about `cache_bytes`.
    """
    if not holds_engine_files(path):
        raise NotFoundError(f"there is no log in {path}", hint="check the path")
    with contextlib.ExitStack() as stack:
        stack.enter_context(
            durable.lock_directory(path, exclusive=True, refusal=lambda: locked_error(path))
        )
        if lock_owner(path) is not None:
            raise locked_error(path)
        database = Database.open(path, rows.FAMILIES, read_only=True)
        stack.callback(database.close)
        identity, head = read_meta(database)
        pages = PageFile(path / hyper_index.DIRECTORY)
        stack.callback(pages.close)
        new_state = fresh_states(database, head, pages, cache_bytes)
        state = replay(database, head, new_state, None, progress)
        if rebuild_index:
            verified = Verified(
                log_id=head.log_id,
                size=head.size,
                history_digest=head.history_digest,
                hyper_digest=head.hyper_digest,
                ends_digest=state.ends_digest,
            )
            hyper_index.write_index(path, verified)
    return Report(
        identity=identity,
        size=head.size,
        groups=head.sequence,
        history_digest=head.history_digest,
        hyper_digest=head.hyper_digest,
        snapshot_root=state.frontier.root,
        index_rebuilt=rebuild_index,
    )


def read_head(path: Path) -> tuple[Identity, Head]:
    """Return whose log lies in a directory and where it stands, as its meta rows say.

    For a checkpoint or a staged restore that nobody else has open: no lock is taken, nothing in
    the directory changes and no group is read. Errors as `Log.open`.
    """
    database = Database.open(path, rows.FAMILIES, read_only=True)
    try:
        return read_meta(database)
    finally:
        database.close()


def count_shared(path: Path, other: Path) -> int:
    """Return how many events, from the first on, two logs have in common; no lock is taken.

    Where one group ends is not compared: two logs may hold the same events in other groups.
    Errors as `read_head`.

    Cost: reads the event digests of both up to the first that differs.
    """
    with contextlib.ExitStack() as stack:
        streams = []
        for directory in (path, other):
            database = Database.open(directory, rows.FAMILIES, read_only=True)
            stack.callback(database.close)
            streams.append(group.digests for group in read_groups(database))
        shared_bytes = 0
        left = right = b""
        while True:
            left, right = left or next(streams[0], b""), right or next(streams[1], b"")
            length = min(len(left), len(right))
            if length == 0 or left[:length] != right[:length]:
                break
            shared_bytes += length
            left, right = left[length:], right[length:]
        digests = zip(split_digests(left), split_digests(right), strict=False)
        same = itertools.takewhile(lambda pair: pair[0] == pair[1], digests)
        return shared_bytes // DIGEST_BYTES + sum(1 for _ in same)
