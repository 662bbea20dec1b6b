"""Published logs that lie under their own signature: every leaf is signed, some are false.

What a reader of leaves can find only by computing the roots again. The proofs that such a log gives
are honest about the false trees, which is what makes the lie hard to see.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from hashlib import sha256

from publishing import PublishedLog
from pure_log import PureLog
from qed.trees import history, hyper
from qed.trees.values import Snapshot

Lie = Callable[[Snapshot], Snapshot]


class ForgetfulLog(PureLog):
    """A log whose map lacks the digests of some versions."""

    def __init__(self, forgotten: Collection[int]) -> None:
        super().__init__()
        self.forgotten = forgotten

    def add(self, digests: Sequence[bytes]) -> list[Snapshot]:
        first = len(self.snapshots)
        frozen, roots = history.extend(self.read, first, digests)
        newest: dict[bytes, int] = {}
        for version, digest in enumerate(digests, first):
            if version not in self.forgotten:
                newest.setdefault(digest, version)
        self.tree = hyper.insert(self.tree, list(newest.items()))
        self.frozen.update(frozen)
        added = [
            Snapshot(first + n, digest, root, hyper.root(self.tree))
            for n, (digest, root) in enumerate(zip(digests, roots, strict=True))
        ]
        self.snapshots += added
        return added


class LyingLog(PublishedLog):
    """Signs what its lies make of each snapshot; `forgotten` versions are not in its map."""

    def __init__(self, lies: dict[int, Lie] | None = None, forgotten: Collection[int] = ()) -> None:
        super().__init__()
        self.log = ForgetfulLog(forgotten)
        self.lies = lies or {}

    def add_digests(self, digests: Sequence[bytes]) -> None:
        """Add a group; nothing is signed yet."""
        for snapshot in self.log.add(digests):
            lie = self.lies.get(snapshot.version)
            told = snapshot if lie is None else lie(snapshot)
            self.snapshots[snapshot.version] = told
            self._append(told)


def fill(log: LyingLog, groups: Sequence[int]) -> LyingLog:
    """Add numbered events in groups of these sizes, sign, and return the log."""
    first = 0
    for size in groups:
        log.add_digests([sha256(b"event %d" % n).digest() for n in range(first, first + size)])
        first += size
    log.publish()
    return log


def false_history(snapshot: Snapshot) -> Snapshot:
    """Say another history digest."""
    return replace(snapshot, history_digest=sha256(snapshot.history_digest).digest())


def false_hyper(snapshot: Snapshot) -> Snapshot:
    """Say another hyper digest; of a group, every snapshot must say it."""
    return replace(snapshot, hyper_digest=sha256(snapshot.hyper_digest).digest())
