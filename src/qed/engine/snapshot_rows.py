"""The rows of the snapshot log against the groups: verified at open, compared, made where missing.

They are derived: what the groups lead to is right. A database that an earlier version of this
program has written, wholly or since some size, is no damage; its rows are made at the next open.
Rows that are there and contradict the groups are damage, and named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qed.database import Database, Put
from qed.engine import rows
from qed.engine.group_rows import cut_parts, read_groups
from qed.engine.leaves import read_leaves
from qed.engine.rows import Mark
from qed.engine.snapshots import EMPTY, Frontier, Trace
from qed.engine.state import State
from qed.errors import DamagedError
from qed.trees.kernel import History, extend_snapshots
from qed.trees.snapshot_log import EMPTY_ROOT, TILE_HASHES, TILE_HEIGHT, StoredNode
from qed.trees.values import DIGEST_BYTES

# Called now and then with the events done and the events there are. What it raises ends the work.
Progress = Callable[[int, int], None]

# Written at a time while missing rows are made: so much is not done again if that is interrupted.
_BATCH_NODES = 4096


def read_mark(database: Database) -> Mark | None:
    """Return how far the rows go; None when there are none, or ones of another format."""
    (value,) = database.get(rows.META, [rows.SNAPSHOTS_KEY])
    return rows.decode_snapshots(value)


def read_nodes(database: Database, level: int, first: int, stop: int) -> bytes:
    """Return the kept nodes [first, stop) of a level, end to end; a `DamagedError` names a row.

    All of them must be complete. Cost: one row each.
    """
    keys = [rows.encode_node_key(level, index) for index in range(first, stop)]
    found = bytearray()
    for index, node in enumerate(database.get(rows.META, keys), first):
        if node is None or len(node) != DIGEST_BYTES:
            raise _damaged(
                rows.name_node(level, index),
                "is missing"
                if node is None
                else f"has {len(node)} bytes instead of {DIGEST_BYTES}",
            )
        found += node
    return bytes(found)


def compare_nodes(database: Database, nodes: Sequence[StoredNode]) -> None:
    """Compare kept nodes with their rows; a `DamagedError` names the first that differs."""
    stored = database.get(rows.META, [rows.encode_node_key(node[0], node[1]) for node in nodes])
    for (level, index, expected), found in zip(nodes, stored, strict=True):
        if found != expected:
            raise _damaged(
                rows.name_node(level, index),
                "is missing"
                if found is None
                else f"has the hash {found.hex()}, the groups lead to {expected.hex()}",
            )


class Comparison:
    """Follows all groups from the first, and compares what they lead to with the rows there."""

    def __init__(self, database: Database) -> None:
        """Begin; a part of the groups must end at `boundary`, if a group does."""
        self._database = database
        self._mark = read_mark(database) or Mark(0, EMPTY_ROOT)
        self._trace = Trace()
        self._compared = self._mark.size == 0

    @property
    def boundary(self) -> int:
        """The size up to which there are rows."""
        return self._mark.size

    def extend(self, digests: bytes, counts: Sequence[int], hyper_digests: bytes) -> None:
        """Take in groups that follow on; a row that contradicts them is a `DamagedError`."""
        self._trace, traced = self._trace.extend(digests, counts, hyper_digests)
        if self._trace.size <= self.boundary:
            compare_nodes(self._database, traced.nodes)
        if self._trace.size == self.boundary:
            self._compare_root(self._trace.frontier.root)

    def finish(self) -> Frontier:
        """Return where the snapshot log stands after all groups; see `extend`."""
        if not self._compared:
            size = self._trace.size
            why = "where no group ends" if self.boundary < size else f"the groups lead to {size}"
            raise _damaged("default/snapshots", f"has the size {self.boundary}, {why}")
        return self._trace.frontier

    def _compare_root(self, root: bytes) -> None:
        if self._mark.root != root:
            raise _damaged(
                "default/snapshots",
                f"has the root {self._mark.root.hex()}, the groups lead to {root.hex()}",
            )
        self._compared = True


def verify_frontier(database: Database, history: History) -> Frontier | None:
    """Return where the rows say that the snapshot log stands; None where they say what is wrong.

    The hashes of the last leaves are made from the groups, and with the kept nodes they must lead
    to the root in the row `snapshots`. Without that row, it is the beginning. Which row is wrong
    shows a comparison of all.

    Cost: up to 255 leaves, and as many nodes a level.
    """
    try:
        mark = read_mark(database)
        if mark is None or not mark.size:
            return EMPTY
        end_row = database.get(rows.ENDS, [rows.encode_version(mark.size - 1)])
        if mark.size > history.size or end_row == [None]:
            return None
        start = mark.size - mark.size % TILE_HASHES
        high = Frontier(start, _high_peaks(database, start), b"")
        leaves = read_leaves(database, history, start, mark.size)
    except (DamagedError, OverflowError):
        return None
    frontier, _ = high.extend(leaves.hashes())
    return frontier if frontier.root == mark.root else None


def write_missing(database: Database, state: State, progress: Progress | None = None) -> None:
    """Make the rows that are missing of a replayed log, and set its frontier to its size.

    Rows that are there were compared by the replay. Stop here: those that were written already are
    found at the next open, which goes on from there.

    Cost: nothing where none are missing; else about 25 hashes for each of the leaves without them,
    and a sync for every million.
    """
    mark = read_mark(database)
    if state.frontier.size == state.size == (mark.size if mark else 0):
        return
    frontier = verify_frontier(database, state.history)
    if frontier is None:
        raise AssertionError("replay has compared the rows of the snapshot log")
    trace = Trace(frontier, state.history.peaks(frontier.size))
    waiting: list[Put] = []
    for part in cut_parts(read_groups(database, frontier.size)):
        trace, traced = trace.extend(bytes(part.digests), part.counts, bytes(part.hyper_digests))
        reached = Mark(trace.size, trace.frontier.root)
        *nodes, mark_row = rows.encode_snapshots(reached, traced.nodes)
        waiting += nodes
        if len(waiting) >= _BATCH_NODES or trace.size == state.size:
            # The mark in the same batch as the nodes below it: it is never ahead of them.
            database.commit([*waiting, mark_row])
            waiting = []
        if progress is not None:
            progress(trace.size, state.size)
    if trace.size != state.size:
        raise AssertionError(f"{trace.size} events are there, {state.size} were replayed")
    state.frontier = trace.frontier


def _high_peaks(database: Database, size: int) -> bytes:
    """Return the peaks of a size that is a whole number of tiles, from kept nodes."""
    peaks = []
    for height in range(size.bit_length() - 1, TILE_HEIGHT - 1, -1):
        if size >> height & 1:
            level, spread = divmod(height, TILE_HEIGHT)
            first = (size >> height & ~1) << spread
            nodes = read_nodes(database, level, first, first + (1 << spread))
            # A perfect subtree has one peak.
            peaks.append(extend_snapshots(0, b"", nodes)[0])
    return b"".join(peaks)


def _damaged(row: str, what: str) -> DamagedError:
    return DamagedError(f"the row {row} {what}", hint=rows.RESTORE_HINT)
