"""The store: what it takes, what it refuses, what it keeps, and what it answers.

A directory with RocksDB's files, held by one process: `flock` on the directory from before the
database opens until after it has closed. It holds one log's snapshots from version 0 on, without a
gap, every one of them under a checkpoint that the log's key signed. Nothing is changed or removed.

Life of a batch [a, b) with a checkpoint of size c:

1. The key signed the checkpoint, the versions follow each other, and b <= c. *Stop here: nothing
   happened.*
2. A checkpoint that contradicts what is here becomes a conflict: kept, alerted, refused.
3. a is not beyond what is here. The root over what is here and the batch is recomputed, and the
   proof leads from it to the checkpoint's: now every leaf of the batch is signed for.
4. What is here already is the same, or it is a conflict; what is new is written: one WriteBatch,
   synced. *Stop here: all of the batch is on disk or nothing.*
5. The state is replaced, and readers see the new leaves. The answer leaves after that.

Threads: `accept` and `add_alert` one at a time, by a lock; everything else from any thread.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Self

from qed import durable
from qed.database import Database, Put, holds_engine_files, locked_error
from qed.errors import (
    ConflictError,
    ContradictionError,
    FatalError,
    NotFoundError,
    VerificationError,
)
from qed.signing.note import VerifierKey, format_verifier_key, parse_verifier_key
from qed.signing.snapshot_signature import verify_snapshot_signature
from qed.snapshot_store import rows
from qed.snapshot_store.alerts import MAX_ALERTS, Alerts
from qed.snapshot_store.conflicts import Conflict
from qed.snapshot_store.offers import dense_run, open_offer, plan_offer
from qed.snapshot_store.runs import Run
from qed.snapshot_store.state import Progress, State, read_key, verify_rows
from qed.snapshot_store.view import Stored
from qed.trees.snapshot_log import EMPTY_ROOT, TILE_HASHES
from qed.trees.tiles import encode_bundle
from qed.trees.values import Snapshot
from qed.web.tiles import Published
from qed.wire.batches import Batch

MAX_CONFLICTS = 64  # checkpoints that are kept with their leaves; more are counted and refused


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the store holds after a batch, and how many of its snapshots were new."""

    count: int
    added: int
    published_size: int


class Store:
    """An open store. Use `create` or `open`; close it, or use it as a context manager."""

    def __init__(
        self, database: Database, keys: Sequence[VerifierKey], state: State, max_alerts: int
    ) -> None:
        """Serve rows that were verified; the first key is the log's, others are cosigners'."""
        self.key = keys[0]
        self.alerts = Alerts(database, max_alerts=max_alerts)
        self.conflicts_refused = 0  # beyond the bound; guarded by the lock below
        self._keys = tuple(keys)
        self._database = database
        self._stored = Stored(database)
        self._state = state
        self._conflicts = {key for key, _ in database.scan(rows.CONFLICTS, b"")}
        self._writing = threading.Lock()  # guards every write, and all that writes change
        self._failure: FatalError | None = None  # guarded by the same lock
        self._lock = contextlib.ExitStack()

    @classmethod
    def create(
        cls,
        path: Path,
        key: VerifierKey,
        *,
        cosigner_keys: Sequence[VerifierKey] = (),
        max_alerts: int = MAX_ALERTS,
    ) -> Self:
        """Create an empty store for the log with a key; the directory is made when missing.

        Where a database is it is a `ConflictError`. Another process has it:
        `LockedError`.

        Stop here: before the rows are synced there is no store, and creating it again finishes it.
        """
        durable.make_directory(path)
        with contextlib.ExitStack() as stack:
            stack.enter_context(_hold(path))
            database = Database.create(path, rows.FAMILIES)
            stack.callback(database.close)
            database.commit(rows.encode_creation(format_verifier_key(key), EMPTY_ROOT))
            # In tables, the key outlives a write-ahead log that somebody deletes.
            database.flush()
            store = cls(database, [key, *cosigner_keys], State(), max_alerts)
            store._lock = stack.pop_all()
        return store

    @classmethod
    def open(
        cls,
        path: Path,
        key: VerifierKey | None = None,
        *,
        cosigner_keys: Sequence[VerifierKey] = (),
        max_alerts: int = MAX_ALERTS,
        progress: Progress | None = None,
    ) -> Self:
        """Open a store after recomputing every root from its leaves; never create one.

        No store there: `NotFoundError`. Created for another key than the one given:
        `ConflictError`. Another process has it: `LockedError`. A row that contradicts the others:
        `DamagedError` with its name.
        """
        if not holds_engine_files(path):
            raise NotFoundError(
                f"there is no snapshot store in {path}", hint="check --db-path, or start one there"
            )
        with contextlib.ExitStack() as stack:
            stack.enter_context(_hold(path))
            database = Database.open(path, rows.FAMILIES)
            stack.callback(database.close)
            known = parse_verifier_key(read_key(database))
            if key not in (None, known):
                raise ConflictError(
                    f"the snapshot store in {path} is of the log with the key "
                    f"{format_verifier_key(known)}, not of another one",
                    hint="a store mirrors one log for ever: give another one its own --db-path",
                )
            state = verify_rows(database, known, progress)
            store = cls(database, [known, *cosigner_keys], state, max_alerts)
            store._lock = stack.pop_all()
        return store

    @property
    def count(self) -> int:
        """How many snapshots there are."""
        return self._state.size

    @property
    def root(self) -> bytes:
        """The root over all snapshots."""
        return self._state.root

    @property
    def conflicts(self) -> int:
        """How many checkpoints contradict what is here; each is kept beside it."""
        return len(self._conflicts)

    @property
    def path(self) -> Path:
        """The directory of the store."""
        return self._database.path

    def conflicting(self) -> list[tuple[bytes, Run | None]]:
        """Return each checkpoint that contradicts what is here, with its leaves where proven."""
        return [rows.decode_conflict(row) for row in self._database.scan(rows.CONFLICTS, b"")]

    def verify_signatures(self) -> None:
        """Return if each signature that is kept is the log's, of the snapshot that is here.

        Raises: DamagedError with the name of the first row that is not. Cost: 0.1 ms each.
        """
        for key, _ in self._database.scan(rows.SIGNATURES, b""):
            version = rows.decode_version(rows.SIGNATURES, key)
            try:
                (leaf,) = self._stored.one(version).leaves()
                verify_snapshot_signature(self.key, leaf, self._stored.signature(version))
            except VerificationError as error:
                name = rows.name_row(rows.SIGNATURES, version)
                raise rows.damaged(name, f"is not the log's: {error.message}") from error

    @property
    def failure(self) -> FatalError | None:
        """Why nothing is taken any more, None while it is."""
        return self._failure

    def published(self) -> Published | None:
        """Return the newest checkpoint of which every leaf is here."""
        claim = self._state.published
        return None if claim is None else Published(claim.note, claim.size)

    def snapshot(self, version: int) -> tuple[Snapshot, bytes]:
        """Return a snapshot, and the signature that it came with or `b""`."""
        if version >= self._state.size:
            raise NotFoundError(f"Version not found: {version}")
        (snapshot,) = self._stored.one(version).snapshots()
        return snapshot, self._stored.signature(version)

    def tile(self, level: int, index: int, width: int) -> bytes:
        """Return the first hashes of a tile."""
        first = index * TILE_HASHES
        return self._stored.hashes(level, first, first + width)

    def bundle(self, index: int, width: int) -> bytes:
        """Return the first leaves of a bundle, as tlog-tiles writes them."""
        first = index * TILE_HASHES
        return encode_bundle(self._stored.run(first, first + width).leaves())

    def add_alert(self, body: bytes) -> None:
        """Keep an alert that somebody posted; on disk when this returns."""
        with self._turn():
            self._commit([self.alerts.plan_posted(body)])
            self.alerts.accept(own=False)

    def accept(self, batch: Batch) -> Accepted:
        """Take a batch over, or say why not; what was taken is on disk when this returns.

        Raises:
            MalformedError: versions that do not follow each other.
            VerificationError: the key did not sign the checkpoint, or the checkpoint does not
                cover exactly these snapshots after those that are here. Nothing is kept.
            ConflictError: the batch begins beyond what is here; the sentence names the count.
            ContradictionError: the checkpoint is signed and excludes what is here. It is kept, an
                alert is raised, and the error carries the evidence.
            FatalError: the disk failed, now or before; open the store again.
        """
        if batch.checkpoint is None:
            return self._compare(dense_run(batch.snapshots))
        offer = open_offer(batch, self._keys)
        with self._turn():
            plan = plan_offer(self._state, self._stored, offer)
            if isinstance(plan, Conflict):
                self._keep(plan)
            # Stop here: nothing happened.
            if plan.puts:
                self._commit(plan.puts)
            # Stop here: the leaves and their checkpoint are on disk; a repeated batch adds nothing.
            self._state = plan.after
            return self._accepted(plan.added)

    def close(self) -> None:
        """Wait for the batch that is being written, then close the database."""
        with self._writing:
            self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _compare(self, run: Run) -> Accepted:
        """Answer a batch without a checkpoint: QED's own, which nothing authenticates."""
        state = self._state
        if run.stop > state.size:
            raise VerificationError(
                f"the batch has no checkpoint, and version {max(run.first, state.size)} is not "
                "here yet: nothing shows that the log signed it",
                step="checkpoint",
                hint="publish with `qed agent publisher`, whose batches carry the checkpoint",
            )
        if self._stored.run(run.first, run.stop).hash_leaves() != run.hash_leaves():
            raise VerificationError(
                "the batch has no checkpoint, and a snapshot of it is another one than is here",
                step="checkpoint",
            )
        return self._accepted(0)

    def _keep(self, conflict: Conflict) -> NoReturn:
        """Keep a conflict, raise the alert, and raise its error; never returns."""
        key = rows.conflict_key(conflict.claim.text_hash)
        evidence = b"" if conflict.evidence is None else conflict.evidence.encode()
        if key not in self._conflicts and len(self._conflicts) < MAX_CONFLICTS:
            name = conflict.evidence_name
            where = f"; evidence: {name}" if name else ""
            puts = [
                rows.encode_conflict(conflict.claim.text_hash, conflict.claim.note, conflict.run),
                self.alerts.plan_own(f"{conflict.sentence}{where}"),
            ]
            if evidence:
                puts.append(rows.encode_evidence(name, evidence))
            # Stop here: nothing happened; the same batch will be a conflict again.
            self._commit(puts)
            # Stop here: both claims, the alert and the evidence are on disk.
            self._conflicts.add(key)
            self.alerts.accept(own=True)
        elif key not in self._conflicts:
            self.conflicts_refused += 1
        raise ContradictionError(
            conflict.sentence,
            step="fork",
            hint="both are kept: see GET /alert and GET /evidence",
            evidence=evidence,
        )

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        with self._writing:
            if self._failure is not None:
                raise self._failure
            yield

    def _commit(self, puts: Sequence[Put]) -> None:
        """Write and sync; after an error it is unknown what is there, so nothing more is taken."""
        try:
            self._database.commit(puts)
        except FatalError as error:
            self._failure = error
            raise

    def _accepted(self, added: int) -> Accepted:
        published = self._state.published
        return Accepted(self._state.size, added, published.size if published else 0)


def _hold(path: Path) -> contextlib.AbstractContextManager[None]:
    """Hold a store's directory; a refusal names the process that has it."""
    return durable.lock_directory(path, exclusive=True, refusal=lambda: locked_error(path))
