"""A snapshot store in memory that checks nothing and fails as it is told to.

What publishes is tested against it; that a store checks is the store's own test.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from publishing import DEADLINE_S, Answer, answering
from qed.trees.values import Snapshot
from qed.wire.batches import Batch, decode_batch

Lie = Callable[[Batch], Answer | None]


@dataclass
class Storing:
    """What the store has and what it was sent; `news` guards all of it."""

    port: int = 0
    snapshots: list[Snapshot] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    twice: int = 0  # snapshots that were sent although they were there
    down: bool = False  # every answer is a 503
    refuse: Lie | None = None  # an answer in the place of the store's own; None: its own
    count_lie: bytes | None = None
    connections: int = 0
    asked: list[str] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_for(self, size: int) -> None:
        """Wait until the store has this many snapshots."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.snapshots) >= size, DEADLINE_S), (
                f"{len(self.snapshots)} of {size} after {DEADLINE_S} s"
            )

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds that a request brings about."""
        with self.news:
            assert self.news.wait_for(holds, DEADLINE_S)

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        with self.news:
            self.asked.append(f"{method} {target}")
            answer = self._answer(target, body)
            self.news.notify_all()
            return answer

    def _answer(self, target: str, body: bytes) -> Answer:
        if self.down:
            return 503, b"down for a while\n"
        if target == "/count":
            count = b"%d" % len(self.snapshots)
            return 200, count if self.count_lie is None else self.count_lie
        if target == "/batch":
            batch = decode_batch(body)
            told = None if self.refuse is None else self.refuse(batch)
            return self._keep(batch) if told is None else told
        return 404, b"404 page not found\n"

    def _keep(self, batch: Batch) -> Answer:
        first, have = batch.snapshots[0].version, len(self.snapshots)
        if first > have:
            return 409, b"there are %d\n" % have
        known = self.snapshots[first : first + len(batch.snapshots)]
        if known != list(batch.snapshots[: len(known)]):
            return 409, b"something else is here\n"
        self.batches.append(batch)
        self.twice += len(known)
        self.snapshots += batch.snapshots[len(known) :]
        return 200, b""


@contextlib.contextmanager
def storing() -> Iterator[Storing]:
    """Serve an empty store for the length of the block."""
    state = Storing()
    with answering(state):
        yield state
