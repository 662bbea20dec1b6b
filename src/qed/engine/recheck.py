"""Check before sign: the root at a group end, computed again from what the database returns.

What is about to be signed can never be taken back. So the signer does not take the planner's word:
a trace of its own, which stands where opening verified the rows and which nothing else moves,
follows the groups as they are read back, and every row of the snapshot log on the way is compared.
The hyper digests are taken from the groups' end rows, as they are: replay compares those.
Source: SPEC 10.
"""

from __future__ import annotations

from itertools import accumulate

from qed.database import Database
from qed.engine import rows
from qed.engine.group_rows import Part, cut_parts, read_groups
from qed.engine.leaves import Leaves
from qed.engine.snapshot_rows import compare_nodes
from qed.engine.snapshots import Trace, Traced
from qed.engine.state import State
from qed.errors import DamagedError
from qed.trees.values import DIGEST_BYTES, split_digests

# The newest leaves of one recheck that are handed out; a first one after hours has more.
RECENT_EVENTS = 65_536


class Recheck:
    """Follows one log's groups as they are on disk. One caller at a time: the signer's thread."""

    def __init__(self, database: Database, state: State) -> None:
        """Stand where the rows of an open log were verified: call it before anything is added."""
        self._database = database
        self._state = state
        self._trace = Trace(state.frontier, state.history.peaks(state.frontier.size))

    @property
    def size(self) -> int:
        """The group end up to which the rows were checked."""
        return self._trace.size

    def run(self, stop: int) -> tuple[bytes, Leaves]:
        """Return the root at a group end, and the newest leaves that were read on the way there.

        These are all since the last call, at most the newest 65,536 or so (whole parts of them).
        A size that was passed already, or is not in the log yet, is a `ValueError`. Rows that
        contradict the planner's trees or each other are a `DamagedError` that names one; then
        nothing has moved, and nothing must be signed.

        Cost: reads the groups; about 2 + log2(size) hashes an event for its history digest and two
        for its leaf.
        """
        if not self.size <= stop <= self._state.head.size:
            raise ValueError(f"no check from {self.size} to {stop}")
        trace, recent = self._trace, _Recent(self.size)
        for part in cut_parts(read_groups(self._database, self.size, stop)):
            trace, traced = trace.extend(
                bytes(part.digests), part.counts, bytes(part.hyper_digests)
            )
            self._compare_history(part, traced)
            compare_nodes(self._database, traced.nodes)
            recent.add(part, traced)
        if trace.size != stop:
            raise _damaged(f"the rows of log end at version {trace.size - 1}, before {stop - 1}")
        self._compare_rows(trace, recent)
        self._trace = trace
        return trace.frontier.root, recent.leaves()

    def _compare_history(self, part: Part, traced: Traced) -> None:
        """Compare with the history tree in memory; name the first group that differs."""
        expected = self._state.history.root(part.end_version - 1)
        if traced.history_digests[-DIGEST_BYTES:] == expected:
            return
        first = part.first_version
        for count in part.counts:
            last = first + count - 1
            start = (last - part.first_version) * DIGEST_BYTES
            found = traced.history_digests[start : start + DIGEST_BYTES]
            if found != self._state.history.root(last):
                break
            first += count
        raise _damaged(
            f"the row {rows.name_row(rows.LOG, first)} leads to another history digest than the "
            "events that were added"
        )

    def _compare_rows(self, trace: Trace, recent: _Recent) -> None:
        """Compare with what the head row, the row of the snapshot log and the planner say there.

        With groups that came since, the rows are about a later size: the next check's.
        """
        head_value, mark_value = self._database.get(rows.META, [rows.HEAD_KEY, rows.SNAPSHOTS_KEY])
        head, mark = rows.decode_head(head_value), rows.decode_snapshots(mark_value)
        size, root = trace.size, trace.frontier.root
        if size == 0:
            return
        if head.size < size or (
            head.size == size
            and recent.digests_at_end not in ((), (head.history_digest, head.hyper_digest))
        ):
            raise _damaged("the row default/head is not what the groups lead to")
        if mark is None or mark.size < size or (mark.size == size and mark.root != root):
            raise _damaged("the row default/snapshots is not what the groups lead to")
        planned = self._state.frontier
        if planned.size == size and planned.root != root:
            raise _damaged(
                f"the rows {rows.name_row(rows.ENDS, recent.first_version)} to "
                f"{rows.name_row(rows.ENDS, size - 1)} lead to another root than was planned"
            )


class _Recent:
    """Collects the newest leaves that were read."""

    def __init__(self, first_version: int) -> None:
        self.first_version = first_version
        self.digests_at_end: tuple[bytes, ...] = ()  # history and hyper digest, once there is one
        self._stop = first_version
        self._parts: list[tuple[Part, Traced]] = []

    def add(self, part: Part, traced: Traced) -> None:
        self._stop = part.end_version
        self.digests_at_end = (
            traced.history_digests[-DIGEST_BYTES:],
            bytes(part.hyper_digests[-DIGEST_BYTES:]),
        )
        self._parts.append((part, traced))
        while self._stop - self._parts[0][0].end_version >= RECENT_EVENTS:
            del self._parts[0]

    def leaves(self) -> Leaves:
        if not self._parts:
            return Leaves(self._stop, b"", b"", (), b"")
        return Leaves(
            self._parts[0][0].first_version,
            b"".join(part.digests for part, _ in self._parts),
            b"".join(traced.history_digests for _, traced in self._parts),
            tuple(end for part, _ in self._parts for end in _ends(part)),
            b"".join(traced.hashes for _, traced in self._parts),
        )


def _ends(part: Part) -> list[tuple[int, bytes]]:
    lasts = [stop - 1 for stop in accumulate(part.counts, initial=part.first_version)][1:]
    return list(zip(lasts, split_digests(bytes(part.hyper_digests)), strict=True))


def _damaged(sentence: str) -> DamagedError:
    return DamagedError(sentence, hint="nothing was signed for it: run `qed check`")
