"""Create, open, close a log and commit to it: what each promises whatever fails."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fault.judges import digests, fill, judge_log, prove
from fault.trial import Acknowledge, Aftermath
from qed import database
from qed.database import Database
from qed.engine import group_rows, rows, snapshot_rows
from qed.engine.committer import AHEAD_EVENTS
from qed.engine.log import Limits, Log
from qed.engine.rows import Identity
from qed.engine.state import State, empty_head
from qed.errors import ConflictError


@dataclass(frozen=True, slots=True)
class CreateLog:
    """A new log is there as a whole, or can be created."""

    name: str = "create-log"

    def prepare(self, _directory: Path) -> None:
        pass

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        def act(acknowledge: Acknowledge) -> None:
            Log.create(directory / "db", origin="a.test/log", node_id="node")
            acknowledge("created")

        return act

    def judge(self, directory: Path, aftermath: Aftermath) -> None:
        path = directory / "db"
        try:
            Log.create(path, origin="a.test/log", node_id="node").close()
            assert not aftermath.acknowledged, "it was acknowledged and is not there"
        except ConflictError:
            Log.open(path).close()
        judge_log(path, 0, at_most=0)


@dataclass(frozen=True, slots=True)
class OpenLog:
    """Opening after a power cut loses nothing that was acknowledged, however it fails."""

    name: str = "open"

    def prepare(self, directory: Path) -> None:
        fill(directory / "db", [1, 1, 5, 1, 12])

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        def act(acknowledge: Acknowledge) -> None:
            Log.open(directory / "db")
            acknowledge("opened")

        return act

    def judge(self, directory: Path, _aftermath: Aftermath) -> None:
        judge_log(directory / "db", 20, at_most=20)


@dataclass(frozen=True, slots=True)
class OpenOldLog:
    """A log without rows of the snapshot log gets them at open; interrupted, the next open goes on.

    A batch is made small here, so that they are written in several.
    """

    name: str = "open-old"

    def prepare(self, directory: Path) -> None:
        fill_old(directory / "db", [1, 300, 3, 270, 5])

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        group_rows.PART_EVENTS = 1
        snapshot_rows._BATCH_NODES = 1

        def act(acknowledge: Acknowledge) -> None:
            Log.open(directory / "db")
            acknowledge("opened")

        return act

    def judge(self, directory: Path, aftermath: Aftermath) -> None:
        path = directory / "db"
        with contextlib.closing(Database.open(path, rows.FAMILIES, read_only=True)) as database:
            mark = snapshot_rows.read_mark(database)
        size = mark.size if mark else 0
        assert size in (0, 301, 574, 579), f"the rows go to {size}"
        assert size == 579 or not aftermath.acknowledged, "it was opened without them"
        judge_log(path, 579, at_most=579)


def fill_old(path: Path, sizes: list[int]) -> None:
    """Make a log as versions before the snapshot log have left it."""
    head = empty_head(bytes(16))
    state = State(head)
    path.mkdir()
    with contextlib.closing(Database.create(path, rows.FAMILIES)) as database:
        database.commit(rows.encode_creation(Identity(bytes(16), "old.test/log", ""), head))
        for size in sizes:
            plan = state.plan(b"".join(digests(state.size, state.size + size)))
            database.commit(rows.encode_group(plan.first_version, plan.digests, plan.head))
            state.accept(plan)


@dataclass(frozen=True, slots=True)
class CloseLog:
    """Closing loses nothing."""

    name: str = "close"

    def prepare(self, directory: Path) -> None:
        fill(directory / "db", [1, 5])

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        log = Log.open(directory / "db")
        log.append(digests(6, 9))

        def act(acknowledge: Acknowledge) -> None:
            log.close()
            acknowledge("closed")

        return act

    def judge(self, directory: Path, _aftermath: Aftermath) -> None:
        judge_log(directory / "db", 9, at_most=9)


@dataclass(frozen=True, slots=True)
class Commit:
    """A group is there as a whole or not at all; acknowledged means there."""

    name: str = "commit"

    def prepare(self, directory: Path) -> None:
        fill(directory / "db", [1, 5])

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        log = Log.open(directory / "db")

        def act(acknowledge: Acknowledge) -> None:
            added = log.append(digests(6, 13))
            acknowledge(f"{added.first_version + 7}")

        return act

    def judge(self, directory: Path, aftermath: Aftermath) -> None:
        promised = int(aftermath.acknowledged[-1]) if aftermath.acknowledged else 6
        size = judge_log(directory / "db", promised, at_most=13)
        assert size in (6, 13), f"a group was cut: {size} events"


@dataclass(frozen=True, slots=True)
class CommitMore:
    """After a group that failed nothing is acknowledged before the log was opened again."""

    name: str = "commit-many"

    def prepare(self, directory: Path) -> None:
        fill(directory / "db", [1])

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        log = Log.open(directory / "db")

        def act(acknowledge: Acknowledge) -> None:
            futures = [log.submit(digests(1 + 3 * n, 4 + 3 * n)) for n in range(5)]
            errors = []
            for future in futures:
                error = future.exception()
                if error is None:
                    acknowledge(f"{future.result().first_version + 3}")
                else:
                    errors.append(error)
            if errors:
                raise errors[0]

        return act

    def judge(self, directory: Path, aftermath: Aftermath) -> None:
        ends = [int(text) for text in aftermath.acknowledged]
        assert ends == [4 + 3 * n for n in range(len(ends))], f"acknowledged with a hole: {ends}"
        size = judge_log(directory / "db", ends[-1] if ends else 1, at_most=16)
        assert size % 3 == 1, f"a group was cut: {size} events"


@dataclass(frozen=True, slots=True)
class CommitAhead:
    """While one group is on its way the next is planned on top; a hole is never acknowledged."""

    name: str = "commit-ahead"

    def prepare(self, directory: Path) -> None:
        fill(directory / "db", [1])

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        log = Log.open(directory / "db", limits=Limits(group_events=AHEAD_EVENTS))
        log._committer._second.submit(int).result()  # its thread is there to be counted

        def act(acknowledge: Acknowledge) -> None:
            starts = range(1, 1 + 5 * AHEAD_EVENTS, AHEAD_EVENTS)
            futures = [log.submit(digests(start, start + AHEAD_EVENTS)) for start in starts]
            errors = [error for future in futures if (error := future.exception())]
            for future in futures[: len(futures) - len(errors)]:
                acknowledge(f"{future.result().first_version + AHEAD_EVENTS}")
            if errors:
                raise errors[0]

        return act

    def judge(self, directory: Path, aftermath: Aftermath) -> None:
        ends = [int(text) for text in aftermath.acknowledged]
        expected = [1 + AHEAD_EVENTS * (n + 1) for n in range(len(ends))]
        assert ends == expected, f"acknowledged with a hole: {ends}"
        size = judge_log(directory / "db", ends[-1] if ends else 1, at_most=1 + 5 * AHEAD_EVENTS)
        assert size % AHEAD_EVENTS == 1, f"a group was cut: {size} events"


@dataclass(frozen=True, slots=True)
class CommitBeyondMemory:
    """With no memory for the trees, branches go to scratch pages: those may fail, rows may not."""

    name: str = "commit-pages"

    def prepare(self, directory: Path) -> None:
        fill(directory / "db", [1, 300])

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        log = Log.open(directory / "db", limits=Limits(cache_bytes=1))

        def act(acknowledge: Acknowledge) -> None:
            for start in (301, 401, 501):
                added = log.append(digests(start, start + 100))
                acknowledge(f"{added.first_version + 100}")
            prove(log, digests(0, 601)[::50])

        return act

    def judge(self, directory: Path, aftermath: Aftermath) -> None:
        promised = int(aftermath.acknowledged[-1]) if aftermath.acknowledged else 301
        size = judge_log(directory / "db", promised, at_most=601)
        assert size % 100 == 1, f"a group was cut: {size} events"


@dataclass(frozen=True, slots=True)
class CommitAndFlush:
    """Groups that fill RocksDB's buffer: it begins a new log and writes tables in the background.

    The buffer is made small here, so that some thousand events fill it.
    """

    name: str = "commit-flush"

    def prepare(self, directory: Path) -> None:
        Log.create(directory / "db").close()

    def arrange(self, directory: Path) -> Callable[[Acknowledge], None]:
        database._WRITE_BUFFER_BYTES = 64 * 1024
        log = Log.open(directory / "db")
        log.append(digests(0, ALMOST_FULL))

        def act(acknowledge: Acknowledge) -> None:
            for start in range(ALMOST_FULL, FLUSHED, FLUSH_STEP):
                added = log.append(digests(start, start + FLUSH_STEP))
                acknowledge(f"{added.first_version + FLUSH_STEP}")
            _wait_for_flushes(log)

        return act

    def judge(self, directory: Path, aftermath: Aftermath) -> None:
        promised = int(aftermath.acknowledged[-1]) if aftermath.acknowledged else ALMOST_FULL
        size = judge_log(directory / "db", promised, at_most=FLUSHED)
        assert (size - ALMOST_FULL) % FLUSH_STEP == 0, f"a group was cut: {size} events"


ALMOST_FULL, FLUSH_STEP, FLUSHED = 2_000, 200, 2_600


def _wait_for_flushes(log: Log) -> None:
    """Wait until RocksDB has written what it wants to, or, after an error, a little."""
    paused = threading.Event()
    families = [log._database._families[name] for name in rows.FAMILIES]
    for _ in range(100):
        if not any(family.property_int_value(WAITING) for family in families):
            return
        paused.wait(0.01)


WAITING = "rocksdb.num-immutable-mem-table"
