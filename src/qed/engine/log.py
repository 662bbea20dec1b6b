"""The log: create, open, append, prove, close, and what each of them promises.

A log is a directory with RocksDB's files. One process holds it: `flock` on the directory from
before the database opens until after it has closed. Threads: any method from any thread, except
that `close` must not be called from a future's callback.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Self

from qed import durable
from qed.database import Database, holds_engine_files, locked_error
from qed.engine import hyper_index, proofs, rows
from qed.engine.committer import Committer
from qed.engine.leaves import Leaves, read_leaves
from qed.engine.page_file import PageFile
from qed.engine.recheck import Recheck
from qed.engine.replay import Verified, fresh_states, read_meta, replay
from qed.engine.requests import Added, Done, Limits
from qed.engine.rows import LOG_ID_BYTES, Head, Identity
from qed.engine.snapshot_rows import Progress, read_nodes, write_missing
from qed.engine.state import State, empty_head
from qed.errors import (
    ConflictError,
    FatalError,
    NotFoundError,
    QedError,
)
from qed.signing.origins import check_origin
from qed.trees import paths
from qed.trees.snapshot_log import TILE_HEIGHT
from qed.trees.values import FlatIncremental, FlatMembership, IncrementalProof, MembershipProof

__all__ = ["Added", "Head", "Identity", "Limits", "Log"]


class Log:
    """An open log. Use `create` or `open`; close it, or use it as a context manager."""

    def __init__(
        self, database: Database, identity: Identity, state: State, limits: Limits
    ) -> None:
        """Start the writer on a database whose rows were verified."""
        self.identity = identity
        self._database = database
        self._state = state
        self._recheck = Recheck(database, state)
        self._committer = Committer(database, state, limits)
        self._lock: contextlib.ExitStack = contextlib.ExitStack()
        # Held while closing, so that a second caller returns only when it is closed.
        self._closing = threading.Lock()
        self._closed = False

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        origin: str | None = None,
        node_id: str = "",
        limits: Limits | None = None,
        held: bool = False,
    ) -> Log:
        """Create an empty log under a new id; the directory is made when it is missing.

        Where engine files are it is a `ConflictError`, except where an earlier creation was
        interrupted before its first row: that one is finished. Another process has the directory:
        `LockedError`. `held` says that the caller holds the directory's lock itself. An origin
        that cannot stand in a signed note is a `MalformedError`.

        Stop here: before the rows are synced there is no log, and creating it again finishes it;
        after that it is there and empty.
        """
        log_id = secrets.token_bytes(LOG_ID_BYTES)
        identity = Identity(log_id, check_origin(origin or f"qed-{log_id.hex()}"), node_id)
        head = empty_head(log_id)
        durable.make_directory(path)
        with contextlib.ExitStack() as stack:
            stack.enter_context(_hold(path, held=held))
            database = Database.create(path, rows.FAMILIES)
            stack.callback(database.close)
            database.commit(rows.encode_creation(identity, head))
            # In tables, the log's name outlives a write-ahead log that somebody deletes.
            database.flush()
            pages = PageFile(path / hyper_index.DIRECTORY)
            stack.callback(pages.close)
            state = fresh_states(database, head, pages, (limits or Limits()).cache_bytes)()
            log = cls(database, identity, state, limits or Limits())
            log._lock = stack.pop_all()
        return log

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        node_id: str = "",
        limits: Limits | None = None,
        held: bool = False,
        progress: Progress | None = None,
    ) -> Log:
        """Open a log by replay of its groups; never create one, nor a file where there is none.

        No log there: `NotFoundError`. Another process has it: `LockedError`. A `node_id` that is
        given and is not the one it was created with: `ConflictError`. A later format:
        `NewerFormatError`. Rows that contradict each other: `DamagedError` with the row's name.
        """
        if not holds_engine_files(path):
            raise NotFoundError(
                f"there is no log in {path}", hint="check the path, or create a log there"
            )
        with contextlib.ExitStack() as stack:
            stack.enter_context(_hold(path, held=held))
            database = Database.open(path, rows.FAMILIES)
            stack.callback(database.close)
            identity, head = read_meta(database)
            _check_node(identity, node_id)
            pages = PageFile(path / hyper_index.DIRECTORY)
            stack.callback(pages.close)
            new_state = fresh_states(database, head, pages, (limits or Limits()).cache_bytes)
            state = replay(database, head, new_state, hyper_index.read_index(path), progress)
            write_missing(database, state, progress)
            log = cls(database, identity, state, limits or Limits())
            log._lock = stack.pop_all()
        return log

    @property
    def path(self) -> Path:
        """The directory of the log."""
        return self._database.path

    @property
    def head(self) -> Head:
        """Where the log stands; everything up to there is on disk."""
        return self._state.head

    @property
    def current_version(self) -> int:
        """The version of the newest event, `NO_VERSION` when there is none."""
        return self.head.current_version

    @property
    def snapshot_root(self) -> tuple[int, bytes]:
        """How many leaves the snapshot log has, and its root there; always at a group end."""
        frontier = self._state.frontier
        return frontier.size, frontier.root

    @property
    def changed(self) -> threading.Event:
        """Set after each group; cleared by the one who follows the log, and by nobody else."""
        return self._state.changed

    @property
    def failure(self) -> FatalError | None:
        """Why the log takes nothing any more, None while it does. Proofs go on being answered."""
        return self._committer.failure

    @property
    def memory_bytes(self) -> int:
        """What the trees take of memory; about `Limits.cache_bytes` at most."""
        return self._state.memory_bytes

    def submit(self, digests: Sequence[bytes] | bytes) -> Future[Added]:
        """Queue events as one request; the future is done when they are on disk.

        The digests come one by one, or end to end as one `bytes`. Refused at once:
        `MalformedError`, `TooLargeError`, `BusyError`, `StoppingError`, or `FatalError` after a
        failed commit. The future fails with a `FatalError` if the commit fails; whether the events
        are in the log then shows when it is opened again.
        """
        return self._committer.submit(digests)

    def submit_with(self, digests: bytes, done: Done) -> None:
        """Queue events as one request, for callers that have many; refused as `submit`.

        `done` is called once, on the writer's thread, in the order of versions, with what was
        added or the error that the future would have had. It must not block.
        """
        self._committer.submit_with(digests, done)

    def append(self, digests: Sequence[bytes] | bytes) -> Added:
        """Add events and wait until they are on disk; errors as `submit` and its future."""
        return self.submit(digests).result()

    def flat_membership(self, digest: bytes, version: int | None = None) -> FlatMembership:
        """Return the proof that a digest is in the log as of a version, or that it is not.

        `NotProvenError` with QED's text when its newest entry is later than the version.
        """
        return proofs.prove_membership(self._state, digest, version)

    def flat_incremental(self, start: int, end: int) -> FlatIncremental:
        """Return the proof that the log of `end` extends that of `start`.

        `NotProvenError` with QED's text when there is no such range.
        """
        return proofs.prove_incremental(self._state, start, end)

    def prove_membership(self, digest: bytes, version: int | None = None) -> MembershipProof:
        """Return `flat_membership` with its positions written out."""
        return paths.unflatten_membership(self.flat_membership(digest, version))

    def prove_incremental(self, start: int, end: int) -> IncrementalProof:
        """Return `flat_incremental` with its positions written out."""
        return paths.unflatten_incremental(self.flat_incremental(start, end))

    def read_leaves(self, first: int, stop: int) -> Leaves:
        """Return the leaves of the versions [first, stop); see `leaves.read_leaves`."""
        return read_leaves(self._database, self._state.history, first, stop)

    def read_nodes(self, level: int, first: int, stop: int) -> bytes:
        """Return the hashes [first, stop) of a level of the snapshot log's tiles, end to end.

        Of level 1 and above: one is over 256^level leaves, all of which must be in the log, else
        it is a `ValueError`. A row that is missing is a `DamagedError`. Cost: one row each.
        """
        if level < 1 or not 0 <= first <= stop <= self._state.frontier.size >> TILE_HEIGHT * level:
            raise ValueError(f"no nodes [{first}, {stop}) of level {level} are complete")
        return read_nodes(self._database, level, first, stop)

    def recheck(self, stop: int) -> tuple[bytes, Leaves]:
        """Return the root at a group end, computed again from rows; see `Recheck.run`."""
        return self._recheck.run(stop)

    def checkpoint(self, path: Path) -> None:
        """Make a copy of the database in a new directory by hard links, at a group end.

        Adds wait while tables are linked (about a millisecond), proofs do not. The tables of the
        copy hold every row: its write-ahead log is empty.
        """
        failure = self.failure
        if failure is not None:
            raise failure
        self._database.flush()
        with self._committer.at_rest():
            self._database.checkpoint(path)

    def close(self) -> None:
        """Commit what is queued, then close; a second call does nothing.

        The derived index is written last, when it stands at the last group; failing to write it
        costs time at the next open, nothing else.
        """
        with self._closing:
            if self._closed:
                return
            self._closed = True
            with self._lock:
                self._committer.stop()
                if self.failure is None:
                    with contextlib.suppress(QedError):
                        hyper_index.write_index(self.path, self._verified())

    def _verified(self) -> Verified:
        head = self.head
        return Verified(
            log_id=head.log_id,
            size=head.size,
            history_digest=head.history_digest,
            hyper_digest=head.hyper_digest,
            ends_digest=self._state.ends_digest,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _hold(path: Path, *, held: bool) -> contextlib.AbstractContextManager[None]:
    """Hold the directory's lock, unless the caller does already; say who has it when refused."""
    if held:
        return contextlib.nullcontext()
    return durable.lock_directory(path, exclusive=True, refusal=lambda: locked_error(path))


def _check_node(identity: Identity, node_id: str) -> None:
    """Refuse a node id that was given and differs: another node's database, or a wrong volume."""
    if node_id and identity.node_id and node_id != identity.node_id:
        raise ConflictError(
            f"the database belongs to node {identity.node_id!r}, not to {node_id!r}",
            hint=f"start with --node-id {identity.node_id}, or check the path of the database",
        )
