"""The readable kernel: both trees of a log as two objects, on `history` and `hyper`.

The native kernel (`_kernel`) has the same two classes; `kernel` picks one of the two, and the tests
run every law over both. A kernel works on whole groups: `plan` computes what a group would make of
the tree and changes nothing, `accept` takes a plan over, and one plan may stand on another that is
not accepted yet. Digests and hashes travel as one `bytes`, 32 bytes each, end to end.

Threads: one thread plans and accepts; any thread may read (`walk`, `prove_*`, `root`, `digest`).
A reader sees the tree before or after an `accept`, never between. Source: SPEC 1 to 4.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from qed.trees import history, hyper, snapshot_log
from qed.trees.snapshot_log import extend as extend_snapshots
from qed.trees.snapshot_log import hash_leaves
from qed.trees.values import DIGEST_BYTES, Position, split_digests

__all__ = [
    "NAME",
    "History",
    "HistoryPlan",
    "Hyper",
    "HyperPlan",
    "Pages",
    "ReadDigests",
    "Report",
    "extend_history",
    "extend_snapshots",
    "hash_leaves",
    "newest_entries",
    "sha256_many",
]

NAME = "twin (pure Python)"

# Given (first, stop), returns the event digests of these versions, end to end.
ReadDigests = Callable[[int, int], bytes]
# Called now and then with the events done and the events there are; what it raises ends the work.
Report = Callable[[int, int], None]


class Pages(Protocol):
    """Where a hyper tree beyond its budget keeps what memory has no room for."""

    @property
    def size_bytes(self) -> int:
        """The size of one page."""

    def read(self, number: int) -> bytes:
        """Return a page that was written."""

    def write(self, number: int, page: bytes) -> None:
        """Write one page; numbers start at 0 and stay dense."""


@dataclass(slots=True, eq=False)
class HistoryPlan:
    """A group as the history tree will hold it: `roots` are its history digests, one a version.

    `base` is the plan that this one stands on, until it is accepted itself: no chain of old plans
    stays alive.
    """

    first_version: int
    digests: bytes
    roots: bytes
    frozen: dict[Position, bytes]
    base: HistoryPlan | None

    @property
    def size(self) -> int:
        """The number of events after the group."""
        return self.first_version + len(self.digests) // DIGEST_BYTES


class History:
    """The history tree of one log, and the event digests that memory holds."""

    def __init__(self, _read: ReadDigests | None = None) -> None:
        """Start empty; `_read` gives digests that memory has let go of, this twin keeps all."""
        self._digests = bytearray()
        # levels[h] holds the frozen nodes of height h in order. Only appended to, by the writer,
        # and before the size that needs them is shown.
        self._levels: list[bytearray] = [bytearray()]

    @property
    def size(self) -> int:
        """The number of events accepted."""
        return len(self._digests) // DIGEST_BYTES

    @property
    def memory_bytes(self) -> int:
        """The bytes held for digests and nodes."""
        return len(self._digests) + sum(map(len, self._levels))

    def plan(self, digests: bytes, base: HistoryPlan | None = None) -> HistoryPlan:
        """Return what a group of event digests would add; nothing is changed.

        `base` is the plan of the group before when that is not accepted yet. No digest, or bytes
        that are no whole number of digests, are a `ValueError`.

        Cost: 2 + log2(size) hashes an event.
        """
        each = split_digests(digests)
        if not each:
            raise ValueError("a group has at least one event")
        size = self.size if base is None else base.size
        frozen, roots = history.extend(lambda wanted: self._look_up(wanted, base), size, each)
        return HistoryPlan(size, digests, b"".join(roots), dict(frozen), base)

    def accept(self, plan: HistoryPlan) -> None:
        """Take over a plan. Plans are accepted in order; another order is a `ValueError`."""
        if plan.first_version != self.size:
            raise ValueError(f"a plan for version {plan.first_version} after {self.size} events")
        for (index, height), node in plan.frozen.items():
            self._append(index, height, node)
        self._digests += plan.digests
        plan.base = None

    def freeze(self, digests: bytes) -> None:
        """Append events without the roots between: for replay, before anybody reads.

        Cost: two hashes an event.
        """
        for digest in split_digests(digests):
            version = self.size
            node = history.leaf_hash(digest, version)
            self._append(version, 0, node)
            height = 0
            while version >> height & 1:
                height += 1
                start = version + 1 - (1 << height)
                left = self.frozen([(start, height - 1)])[0]
                node = history.inner_hash(left, node, (start, height))
                self._append(start, height, node)
            self._digests += digest

    def root(self, version: int) -> bytes:
        """Return the history digest as of a version that is in the log, else a `ValueError`."""
        self._check(version)
        return history.root(self.frozen, version)

    def peaks(self, size: int) -> bytes:
        """Return the largest frozen nodes of the first `size` events, left to right, end to end.

        From them `extend_history` goes on. A size above the log's own: `ValueError`.
        """
        if not 0 <= size <= self.size:
            raise ValueError(f"no {size} events are among {self.size}")
        return b"".join(self.frozen(history.peaks(size)))

    def digest(self, version: int) -> bytes:
        """Return the event digest of a version that is in the log, else a `ValueError`."""
        self._check(version)
        return bytes(self._digests[version * DIGEST_BYTES : (version + 1) * DIGEST_BYTES])

    def prove_membership(self, leaf: int, version: int) -> bytes:
        """Return the hashes of the path of `leaf` as of `version`, from the root down.

        Their positions are `trees.paths.membership_positions(leaf, version)`. Not
        `leaf <= version < size`: `ValueError`.
        """
        self._check(version)
        if not 0 <= leaf <= version:
            raise ValueError(f"no path from leaf {leaf} as of version {version}")
        return b"".join(history.prove_membership(self.frozen, leaf, version).values())

    def prove_incremental(self, start: int, end: int) -> bytes:
        """Return the hashes that tie the roots of two versions together, left to right.

        Their positions are `trees.paths.incremental_positions(start, end)`. Not
        `start <= end < size`: `ValueError`.
        """
        self._check(end)
        if not 0 <= start <= end:
            raise ValueError(f"no increment from version {start} to {end}")
        return b"".join(history.prove_incremental(self.frozen, start, end).values())

    def forget(self, keep_bytes: int) -> int:  # noqa: ARG002  # the interface's
        """Let go of the oldest digests until `memory_bytes` is at most `keep_bytes`.

        Returns the bytes freed. The twin keeps everything and returns 0; the native kernel keeps
        at least the newest chunk, and asks `read` for what it has let go of.
        """
        return 0

    def frozen(self, positions: Sequence[Position]) -> list[bytes]:
        """Return the hashes of frozen nodes, in the order asked for."""
        return self._look_up(positions, None)

    def _look_up(self, positions: Sequence[Position], base: HistoryPlan | None) -> list[bytes]:
        hashes = []
        for index, height in positions:
            plan = base
            while plan is not None and (index, height) not in plan.frozen:
                plan = plan.base
            if plan is not None:
                hashes.append(plan.frozen[index, height])
                continue
            start = (index >> height) * DIGEST_BYTES
            node = b""
            if height < len(self._levels):
                node = bytes(self._levels[height][start : start + DIGEST_BYTES])
            if len(node) != DIGEST_BYTES:
                raise AssertionError(f"the history node ({index}, {height}) is not frozen yet")
            hashes.append(node)
        return hashes

    def _append(self, index: int, height: int, node: bytes) -> None:
        if height == len(self._levels):
            self._levels.append(bytearray())
        level = self._levels[height]
        if len(level) != (index >> height) * DIGEST_BYTES:
            raise AssertionError(f"the history node ({index}, {height}) is not the next one")
        level += node

    def _check(self, version: int) -> None:
        if not 0 <= version < self.size:
            raise ValueError(f"version {version} is not among {self.size} events")


@dataclass(frozen=True, slots=True, eq=False)
class HyperPlan:
    """A group as the hyper tree will hold it: `root` is the hyper digest after it."""

    first_version: int
    size: int
    root: bytes
    tree: hyper.Tree


class Hyper:
    """The hyper tree of one log."""

    def __init__(
        self,
        log: History,
        *,
        pages: Pages | None = None,  # noqa: ARG002  # the interface's
        budget_bytes: int | None = None,
    ) -> None:
        """Start empty. `log` is the history tree whose digests this tree is about.

        What would exceed `budget_bytes` goes to `pages`; this twin keeps everything in memory.
        """
        self._history = log
        # Swapped by one reference, so that a reader has one tree with its size.
        self._now: tuple[int, hyper.Tree] = (0, None)
        self.budget_bytes = budget_bytes

    @property
    def size(self) -> int:
        """The number of events accepted; of equal ones all count."""
        return self._now[0]

    @property
    def root(self) -> bytes:
        """The hyper digest."""
        return hyper.root(self._now[1])

    @property
    def memory_bytes(self) -> int:
        """The bytes held, roughly: about 490 an event."""
        return self._now[0] * 490

    def plan(self, digests: bytes, first_version: int, base: HyperPlan | None = None) -> HyperPlan:
        """Return what a group would make of the tree; nothing is changed.

        The first of equal digests in a group keeps the entry, and the newest group's entry replaces
        an older one. `base` is the plan of the group before when that is not accepted yet. A
        `first_version` that is not the size there, or bytes that are no digests: `ValueError`.

        Cost: about 24 hashes an event less what the group shares.
        """
        size, tree = self._now if base is None else (base.size, base.tree)
        if first_version != size:
            raise ValueError(f"a plan for version {first_version} after {size} events")
        each = split_digests(digests)
        if not each:
            raise ValueError("a group has at least one event")
        grown = hyper.insert(tree, list(newest_entries(first_version, each).items()))
        return HyperPlan(first_version, size + len(each), hyper.root(grown), grown)

    def accept(self, plan: HyperPlan) -> None:
        """Take over a plan. Plans are accepted in order; another order is a `ValueError`."""
        if plan.first_version != self._now[0]:
            raise ValueError(f"a plan for version {plan.first_version} after {self.size} events")
        self._now = (plan.size, plan.tree)

    def extend(self, digests: bytes, counts: Sequence[int]) -> bytes:
        """Add groups one after the other, for replay; return the hyper digest after each.

        `counts` are the events of each group; not summing up to the digests: `ValueError`.
        """
        each = split_digests(digests)
        if sum(counts) != len(each) or not all(count > 0 for count in counts):
            raise ValueError("the groups are not these digests")
        roots = []
        start = 0
        for count in counts:
            group = b"".join(each[start : start + count])
            self.accept(self.plan(group, self.size))
            roots.append(self.root)
            start += count
        return b"".join(roots)

    def build(self, ends: bytes, report: Report | None = None) -> None:
        """Make the tree of all events that the history tree holds, at once.

        Bit v & 7 of byte v >> 3 of `ends` is set where version v ends a group. On a tree that is
        not empty: `ValueError`. Cost: about two hashes an event.
        """
        if self.size:
            raise ValueError("the tree is not empty")
        entries: dict[bytes, int] = {}
        group: dict[bytes, int] = {}
        for version in range(self._history.size):
            group.setdefault(self._history.digest(version), version)
            if ends[version >> 3] >> (version & 7) & 1:
                entries |= group
                group = {}
        if group:
            raise ValueError("the last version ends no group")
        tree: hyper.Tree = None
        ordered = sorted(entries.items())
        for start in range(0, len(ordered), _PART_EVENTS):
            if report is not None:
                report(start, len(ordered))
            tree = hyper.insert(tree, ordered[start : start + _PART_EVENTS])
        self._now = (self._history.size, tree)

    def walk(self, digest: bytes) -> tuple[int, bytes, int | None]:
        """Return where the way to a digest ends, in one tree: (its size, siblings, version).

        The siblings' hashes go from height 255 down to where the way ends. The version is that of
        the leaf met, of this digest or of another (compare `History.digest`), None at an empty
        node. Not 32 bytes: `ValueError`. Source: SPEC 4.
        """
        if len(digest) != DIGEST_BYTES:
            raise ValueError(f"a digest has {DIGEST_BYTES} bytes, not {len(digest)}")
        size, tree = self._now
        walk = hyper.walk(tree, digest)
        version = None if walk.leaf is None else walk.leaf[1]
        return size, b"".join(walk.path.values()), version


_PART_EVENTS = 20_000  # inserted between two reports


def extend_history(size: int, peaks: bytes, digests: bytes) -> tuple[bytes, bytes]:
    """Return the peaks of a history tree after more events, and their history digests. Pure.

    `peaks` are the largest frozen nodes of its first `size` events, left to right. Peaks that
    cannot be those of the size, or bytes that are no digests: `ValueError`.

    Cost: 2 + log2(size) hashes an event. Source: SPEC 2.
    """
    events = split_digests(digests)
    if not 0 <= size <= snapshot_log.MAX_SIZE - len(events):
        raise ValueError(f"no log has {size} leaves and {len(events)} more")
    held = split_digests(peaks)
    if len(held) != size.bit_count():
        raise ValueError(f"{len(held)} peaks are not those of {size} leaves")
    nodes = dict(zip(history.peaks(size), held, strict=True))
    frozen, roots = history.extend(lambda wanted: [nodes[at] for at in wanted], size, events)
    nodes |= dict(frozen)
    after = history.peaks(size + len(events))
    return b"".join(nodes[at] for at in after), b"".join(roots)


def newest_entries(first_version: int, digests: Sequence[bytes]) -> dict[bytes, int]:
    """Return what a group puts into the hyper tree: the first version of each of its digests."""
    entries: dict[bytes, int] = {}
    for version, digest in enumerate(digests, first_version):
        entries.setdefault(digest, version)
    return entries


def sha256_many(messages: Sequence[bytes]) -> list[bytes]:
    """Return the SHA-256 of each message."""
    return [hashlib.sha256(message).digest() for message in messages]
