"""What a log keeps in memory, and who owns it.

Both trees live in a kernel (`trees.kernel`); here are the bounds of their memory, the *head*, where
the log stands, and the *frontier*, where its snapshot log does. The writer thread alone changes
anything. A reader takes what it needs in one call of the kernel, so it sees the log before or after
a group, never between; what is asked of the history tree as of a version never changes once the
version is there.
"""

from __future__ import annotations

import hashlib
import threading

from qed.engine.group import Plan, plan_group
from qed.engine.rows import Head
from qed.engine.snapshots import EMPTY, Frontier
from qed.trees.kernel import History, Hyper, Pages, ReadDigests
from qed.trees.values import DIGEST_BYTES

CACHE_BYTES = 1024**3  # what the trees of one log may take of memory, unless it is said

_EMPTY_HYPER_DIGEST = Hyper(History()).root


class State:
    """The one mutable thing of an open log; only the writer thread changes it."""

    def __init__(
        self,
        head: Head,
        read: ReadDigests | None = None,
        pages: Pages | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """Start from an empty log; `head` is the one of size 0.

        `read` returns the digests that memory has let go of, `pages` take what of the hyper tree
        it has no room for; together both trees take about `cache_bytes`.
        """
        # Swapped by the writer thread, read by every thread.
        self.head = head
        # Likewise: the snapshot log's size and root are read as one.
        self.frontier: Frontier = EMPTY
        # Set after each group, for who follows the log; cleared by that one alone.
        self.changed = threading.Event()
        self.history = History(read)
        self.hyper = Hyper(self.history, pages=pages, budget_bytes=cache_bytes)
        self._cache_bytes = cache_bytes
        # SHA-256 over the hyper digests of all group ends so far; the writer thread's.
        self._ends = hashlib.sha256()

    @property
    def size(self) -> int:
        """The events that are here: during replay more than those of the head."""
        return self.history.size

    @property
    def memory_bytes(self) -> int:
        """What both trees take."""
        return self.history.memory_bytes + self.hyper.memory_bytes

    @property
    def ends_digest(self) -> bytes:
        """SHA-256 over the hyper digests of all groups, one after the other."""
        return self._ends.digest()

    def plan(self, digests: bytes, base: Plan | None = None) -> Plan:
        """Return the group of these digests; see `plan_group`. Changes nothing."""
        return plan_group(self, digests, base)

    def accept(self, plan: Plan) -> None:
        """Take over what was planned here and is on disk now.

        The history first: a reader who meets a version in the hyper tree finds its leaf. Stop
        between: nobody sees it, a process that stops has no memory left.
        """
        self.history.accept(plan.history)
        self.hyper.accept(plan.hyper)
        self.head = plan.head
        self.frontier = plan.frontier
        self.changed.set()
        self._ends.update(plan.head.hyper_digest)
        self.trim()

    def trim(self) -> None:
        """Keep to the bound: first the oldest digests go, which the log's rows hold too.

        What they leave is the budget of the hyper tree, which goes to its pages beyond it.
        """
        room = self._cache_bytes - self.hyper.memory_bytes
        if self.history.memory_bytes > room:
            self.history.forget(max(0, room))
        self.hyper.budget_bytes = max(0, self._cache_bytes - self.history.memory_bytes)

    def end_groups(self, hyper_digests: bytes) -> None:
        """Count the ends of replayed groups into `ends_digest`."""
        self._ends.update(hyper_digests)

    def history_root(self) -> bytes:
        """Return the history digest as of the last leaf here; there must be one."""
        return self.history.root(self.history.size - 1)

    def stand_at(self, head: Head) -> None:
        """Show readers the state that replay has reached."""
        self.head = head


def empty_head(log_id: bytes) -> Head:
    """Return where a new log stands."""
    return Head(
        log_id=log_id,
        epoch=0,
        sequence=0,
        size=0,
        history_digest=bytes(DIGEST_BYTES),
        hyper_digest=_EMPTY_HYPER_DIGEST,
    )
