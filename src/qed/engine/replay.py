"""Replay: the groups, read back in order. Everything else a log holds is a function of them.

Opening after a crash, `check` and a restore all replay here, so that what one of them takes for
damage the others do too: rows of groups that contradict each other, a head or a snapshot log that
they do not lead to.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import accumulate

from qed.database import Database
from qed.engine import group_rows, rows
from qed.engine.group_rows import Part, cut_parts, read_digests, read_groups
from qed.engine.rows import Head, Identity
from qed.engine.snapshot_rows import Comparison, Progress, verify_frontier
from qed.engine.state import State, empty_head
from qed.errors import DamagedError
from qed.trees.kernel import Pages
from qed.trees.values import DIGEST_BYTES

# Makes the empty state that a replay fills.
NewState = Callable[[], State]


@dataclass(frozen=True, slots=True)
class Verified:
    """A group end up to which the hyper digests of all groups were compared with replay once.

    `ends_digest` is the SHA-256 over the hyper digests of all groups up to there, so that a row
    that has changed since is noticed.
    """

    log_id: bytes
    size: int
    history_digest: bytes
    hyper_digest: bytes
    ends_digest: bytes


def read_meta(database: Database) -> tuple[Identity, Head]:
    """Return what the meta rows say; they have not been compared with the groups.

    A later format is a `NewerFormatError`, rows that are missing or contradict each other a
    `DamagedError`.
    """
    keys = [rows.FORMAT_KEY, rows.LOG_KEY, rows.NODE_KEY, rows.HEAD_KEY]
    format_value, log_value, node_value, head_value = database.get(rows.META, keys)
    if format_value is None:
        raise DamagedError("the row default/format is missing", hint=rows.RESTORE_HINT)
    rows.check_format(format_value)
    identity = rows.decode_identity(log_value, node_value)
    head = rows.decode_head(head_value)
    if head.log_id != identity.log_id:
        raise DamagedError(
            f"the row default/head is of log {head.log_id.hex()}, "
            f"default/log of {identity.log_id.hex()}",
            hint=rows.RESTORE_HINT,
        )
    return identity, head


def fresh_states(database: Database, head: Head, pages: Pages, cache_bytes: int) -> NewState:
    """Return what makes empty states over a database: they read from it what they let go of."""

    def read(first: int, stop: int) -> bytes:
        return read_digests(database, first, stop)

    return lambda: State(empty_head(head.log_id), read, pages, cache_bytes)


def replay(
    database: Database,
    head: Head,
    new_state: NewState,
    verified: Verified | None = None,
    progress: Progress | None = None,
) -> State:
    """Return the state that the groups lead to, each group's hyper digest and the head compared.

    So is the snapshot log: every row that there is of it; where one is missing, it is written later
    (`snapshot_rows.write_missing`).

    With `verified` the groups up to there are added together, and only what stands at its end is
    compared. If that does not agree in every digest, or the last rows of the snapshot log do not,
    `verified` is dropped and every group is compared: so it saves time and decides nothing. Any
    contradiction is a `DamagedError` that names the row.

    Cost: two history hashes an event; about 25 hyper hashes an event and group and another 25 for
    its leaf, up to `verified` about three.
    """
    report = progress or _ignore
    if verified is not None and verified.log_id == head.log_id and verified.size <= head.size:
        state = _Replay(new_state(), head, report).run(database, verified)
        frontier = None if state is None else verify_frontier(database, state.history)
        if state is not None and frontier is not None:
            state.frontier = frontier
            return state
    state = _Replay(new_state(), head, report).run(database, None)
    if state is None:
        raise AssertionError("a replay from the start compares with nothing")
    return state


class _Replay:
    """One run over all groups; the kernel hashes in a second thread while this one reads."""

    def __init__(self, state: State, head: Head, report: Progress) -> None:
        self._state = state
        self._head = head
        self._report = report
        self._groups = 0
        self._ends = bytearray((head.size + 7) // 8)  # a bit a version: it ends a group
        # Of the snapshot log's rows; only where every group is compared.
        self._comparison: Comparison | None = None

    def run(self, database: Database, verified: Verified | None) -> State | None:
        """Return the state that the groups lead to; None when they contradict `verified`."""
        boundary = verified.size if verified is not None else 0
        cut = boundary
        if verified is None:
            self._comparison = Comparison(database)
            cut = self._comparison.boundary
        pending: Future[None] | None = None
        before: Part | None = None
        # A log of one part has nothing to read meanwhile: no thread is made for it.
        small = self._head.size <= group_rows.PART_EVENTS
        with _Here() if small else ThreadPoolExecutor(1, thread_name_prefix="qed-replay") as kernel:
            try:
                for part in cut_parts(read_groups(database), cut):
                    if pending is not None:
                        pending.result()
                    self._groups += len(part.counts)
                    if part.end_version <= boundary:
                        pending = kernel.submit(self._freeze, part)
                    elif self._state.size < boundary:
                        return None  # no group ends where it says
                    else:
                        pending = kernel.submit(self._extend, part)
                        # The snapshot log here, of what the trees have taken in, while they go on.
                        self._compare(before)
                        before = part
                    if part.end_version == boundary and verified is not None:
                        pending.result()
                        if not self._agrees(verified):
                            return None
                    self._report(self._done(part.end_version, boundary), self._head.size)
            finally:  # also where a row is damaged: what comes before it is named first
                if pending is not None:
                    pending.result()
        self._compare(before)
        self._compare_head()
        if self._comparison is not None:
            self._state.frontier = self._comparison.finish()
        self._state.stand_at(self._head)
        return self._state

    def _freeze(self, part: Part) -> None:
        """Take in groups that were compared once: the hyper tree is made of all of them later."""
        for end in accumulate(part.counts, initial=part.first_version):
            if end > part.first_version:
                self._ends[end - 1 >> 3] |= 1 << (end - 1 & 7)
        self._state.history.freeze(bytes(part.digests))
        self._state.end_groups(bytes(part.hyper_digests))
        self._state.trim()

    def _extend(self, part: Part) -> None:
        """Take in groups and compare the hyper digest of each with its row."""
        digests, stored = bytes(part.digests), bytes(part.hyper_digests)
        self._state.history.freeze(digests)
        found = self._state.hyper.extend(digests, part.counts)
        if found != stored:
            _raise_first_difference(part, found)
        self._state.end_groups(stored)
        self._state.trim()

    def _compare(self, part: Part | None) -> None:
        """Compare the rows of the snapshot log with groups whose hyper digests are right."""
        if part is not None and self._comparison is not None:
            self._comparison.extend(bytes(part.digests), part.counts, bytes(part.hyper_digests))

    def _agrees(self, verified: Verified) -> bool:
        """Make the hyper tree of what is here, and return whether `verified` says the same."""
        state, size = self._state, verified.size
        # What is cheap first: half a minute's work is not begun for a claim that is wrong.
        if (state.history_root(), state.ends_digest) != (
            verified.history_digest,
            verified.ends_digest,
        ):
            return False

        def report(done: int, total: int) -> None:
            self._report(size // 2 + done * size // max(1, 2 * total), self._head.size)

        try:
            state.hyper.build(bytes(self._ends[: (size + 7) // 8]), report)
        except ValueError:
            return False
        state.trim()
        return state.hyper.root == verified.hyper_digest

    def _done(self, end_version: int, boundary: int) -> int:
        """Return how far that is, in events: up to the boundary reading them is half the work."""
        return end_version // 2 if end_version < boundary else end_version

    def _compare_head(self) -> None:
        """Compare the head row with what the groups lead to."""
        head, state = self._head, self._state
        expected = replace(
            head,
            sequence=self._groups,
            size=state.size,
            history_digest=state.history_root() if state.size else bytes(DIGEST_BYTES),
            hyper_digest=state.hyper.root,
        )
        for name in ("size", "sequence", "history_digest", "hyper_digest"):
            is_, should = getattr(head, name), getattr(expected, name)
            if is_ != should:
                raise DamagedError(
                    f"the row default/head has the {name.replace('_', ' ')} {_show(is_)}, "
                    f"the groups lead to {_show(should)}",
                    hint=rows.RESTORE_HINT,
                )


class _Here(Executor):
    """Does what is submitted at once, in the caller's thread."""

    def submit(self, work: Callable[..., None], /, *arguments: Part) -> Future[None]:  # type: ignore[override]
        done: Future[None] = Future()
        try:
            work(*arguments)
            done.set_result(None)
        except BaseException as error:  # noqa: BLE001  # it is raised by result()
            done.set_exception(error)
        return done


def _raise_first_difference(part: Part, found: bytes) -> None:
    """Name the first group whose end row does not hold what the groups lead to."""
    for number, end in enumerate(accumulate(part.counts, initial=part.first_version)):
        here = slice((number - 1) * DIGEST_BYTES, number * DIGEST_BYTES)
        if number and part.hyper_digests[here] != found[here]:
            raise DamagedError(
                f"the row {rows.name_row(rows.ENDS, end - 1)} has the hyper digest "
                f"{part.hyper_digests[here].hex()}, the groups lead to {found[here].hex()}",
                hint=rows.RESTORE_HINT,
            )
    raise AssertionError("the digests differ, but none of them")


def _show(value: int | bytes) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _ignore(_done: int, _total: int) -> None:
    pass
