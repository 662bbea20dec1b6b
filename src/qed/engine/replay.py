"""Replay: the groups, read back in order. Everything else a log holds is a function of them.

Opening after a crash, `check` and a restore all read groups here, so that what one of them takes
for damage the others do too: a gap, an overlap, a group without its end or an end without its
group, a length that is no multiple of a digest's, a head that the rows do not lead to.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import accumulate, zip_longest

from qed.database import Database
from qed.engine import rows
from qed.engine.rows import Head, Identity, StoredGroup
from qed.engine.state import State, empty_head
from qed.errors import DamagedError
from qed.trees.kernel import Pages
from qed.trees.values import DIGEST_BYTES

# Called now and then with the events done and the events there are. What it raises ends the replay.
Progress = Callable[[int, int], None]
# Makes the empty state that a replay fills.
NewState = Callable[[], State]

_PART_EVENTS = 16_384  # given to the kernel at a time, while the next are being read


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


def read_groups(database: Database) -> Iterator[StoredGroup]:
    """Yield every group in order; rows that contradict their neighbours are a `DamagedError`."""
    expected = 0
    both = zip_longest(database.scan(rows.LOG, b""), database.scan(rows.ENDS, b""))
    for log_row, end_row in both:
        if log_row is None:
            name = rows.name_row(rows.ENDS, rows.decode_version(rows.ENDS, end_row[0]))
            raise DamagedError(f"the row {name} ends no group", hint=rows.RESTORE_HINT)
        first_version = rows.decode_version(rows.LOG, log_row[0])
        if first_version != expected:
            raise DamagedError(
                f"the row {rows.name_row(rows.LOG, first_version)} does not follow on: "
                f"the next version is {expected}",
                hint=rows.RESTORE_HINT,
            )
        if end_row is None:
            raise DamagedError(
                f"the row {rows.name_row(rows.LOG, first_version)} has no end row",
                hint=rows.RESTORE_HINT,
            )
        group = rows.decode_group(log_row, end_row)
        yield group
        expected = group.end_version


def read_digests(database: Database, first: int, stop: int) -> bytes:
    """Return the event digests of versions [first, stop), end to end, from the rows.

    A version without a row is a `DamagedError`. Cost: reads each group that has one of them.
    """
    row = database.last(rows.LOG, rows.encode_version(first))
    found = bytearray()
    if row is not None:
        for key, value in database.scan(rows.LOG, row[0], rows.encode_version(stop)):
            start = rows.decode_version(rows.LOG, key)
            if start > first + len(found) // DIGEST_BYTES:
                break
            found += value[max(0, first - start) * DIGEST_BYTES : (stop - start) * DIGEST_BYTES]
    if len(found) != (stop - first) * DIGEST_BYTES:
        missing = first + len(found) // DIGEST_BYTES
        raise DamagedError(f"no row of log holds version {missing}", hint=rows.RESTORE_HINT)
    return bytes(found)


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

    With `verified` the groups up to there are added together, and only what stands at its end is
    compared. If that does not agree in every digest, `verified` is dropped and every group is
    compared: so it saves time and decides nothing. Any contradiction is a `DamagedError` that
    names the row.

    Cost: two history hashes an event; about 25 hyper hashes an event and group, up to `verified`
    about three.
    """
    report = progress or _ignore
    if verified is not None and verified.log_id == head.log_id and verified.size <= head.size:
        state = _Replay(new_state(), head, report).run(database, verified)
        if state is not None:
            return state
    state = _Replay(new_state(), head, report).run(database, None)
    if state is None:
        raise AssertionError("a replay from the start compares with nothing")
    return state


@dataclass(slots=True)
class _Part:
    """Some groups that follow on: their digests, how many each has, and their ends as stored."""

    first_version: int
    end_version: int
    digests: bytearray = field(default_factory=bytearray)
    counts: array[int] = field(default_factory=lambda: array("Q"))
    hyper_digests: bytearray = field(default_factory=bytearray)


def _cut(groups: Iterable[StoredGroup], boundary: int) -> Iterator[_Part]:
    """Yield the groups in parts; one ends at `boundary` if a group does."""
    part = _Part(0, 0)
    full = _PART_EVENTS
    for first_version, end_version, digests, hyper_digest in groups:
        part.digests += digests
        part.counts.append(end_version - first_version)
        part.hyper_digests += hyper_digest
        part.end_version = end_version
        if end_version >= full or end_version == boundary:
            yield part
            part = _Part(end_version, end_version)
            full = end_version + _PART_EVENTS
    if part.counts:
        yield part


class _Replay:
    """One run over all groups; the kernel hashes in a second thread while this one reads."""

    def __init__(self, state: State, head: Head, report: Progress) -> None:
        self._state = state
        self._head = head
        self._report = report
        self._groups = 0
        self._ends = bytearray((head.size + 7) // 8)  # a bit a version: it ends a group

    def run(self, database: Database, verified: Verified | None) -> State | None:
        """Return the state that the groups lead to; None when they contradict `verified`."""
        boundary = verified.size if verified is not None else 0
        pending: Future[None] | None = None
        # A log of one part has nothing to read meanwhile: no thread is made for it.
        small = self._head.size <= _PART_EVENTS
        with _Here() if small else ThreadPoolExecutor(1, thread_name_prefix="qed-replay") as kernel:
            try:
                for part in _cut(read_groups(database), boundary):
                    if pending is not None:
                        pending.result()
                    self._groups += len(part.counts)
                    if part.end_version <= boundary:
                        pending = kernel.submit(self._freeze, part)
                    elif self._state.size < boundary:
                        return None  # no group ends where it says
                    else:
                        pending = kernel.submit(self._extend, part)
                    if part.end_version == boundary and verified is not None:
                        pending.result()
                        if not self._agrees(verified):
                            return None
                    self._report(self._done(part.end_version, boundary), self._head.size)
            finally:  # also where a row is damaged: what comes before it is named first
                if pending is not None:
                    pending.result()
        self._compare_head()
        self._state.stand_at(self._head)
        return self._state

    def _freeze(self, part: _Part) -> None:
        """Take in groups that were compared once: the hyper tree is made of all of them later."""
        for end in accumulate(part.counts, initial=part.first_version):
            if end > part.first_version:
                self._ends[end - 1 >> 3] |= 1 << (end - 1 & 7)
        self._state.history.freeze(bytes(part.digests))
        self._state.end_groups(bytes(part.hyper_digests))
        self._state.trim()

    def _extend(self, part: _Part) -> None:
        """Take in groups and compare the hyper digest of each with its row."""
        digests, stored = bytes(part.digests), bytes(part.hyper_digests)
        self._state.history.freeze(digests)
        found = self._state.hyper.extend(digests, part.counts)
        if found != stored:
            _raise_first_difference(part, found)
        self._state.end_groups(stored)
        self._state.trim()

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

    def submit(self, work: Callable[..., None], /, *arguments: _Part) -> Future[None]:  # type: ignore[override]
        done: Future[None] = Future()
        try:
            work(*arguments)
            done.set_result(None)
        except BaseException as error:  # noqa: BLE001  # it is raised by result()
            done.set_exception(error)
        return done


def _raise_first_difference(part: _Part, found: bytes) -> None:
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
