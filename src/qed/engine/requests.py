"""One request to add events, from its arrival until its caller is told what became of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from qed.engine.state import CACHE_BYTES
from qed.errors import FatalError, MalformedError
from qed.trees.values import DIGEST_BYTES, Snapshot, split_digests

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a log takes at most; a request above a queue's rest is refused, not delayed."""

    group_events: int = 20_000  # events in one group, hence in one request
    queue_events: int = 100_000  # events waiting for a group, of all requests
    queue_requests: int = 10_000  # requests waiting for a group
    cache_bytes: int = CACHE_BYTES  # memory of the trees, about; beyond it they are on disk too


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one request: its events have the versions from `first_version` on.

    `digests` and `roots` are the event digests and the history digests, 32 bytes each, end to end.
    """

    first_version: int
    digests: bytes
    roots: bytes
    hyper_digest: bytes

    @property
    def event_digests(self) -> list[bytes]:
        """The event digests, one by one."""
        return split_digests(self.digests)

    @property
    def history_digests(self) -> list[bytes]:
        """The history digests, one by one."""
        return split_digests(self.roots)

    def snapshots(self) -> list[Snapshot]:
        """Return one snapshot for each event, in order."""
        pairs = zip(self.event_digests, self.history_digests, strict=True)
        return [
            Snapshot(version, event_digest, history_digest, self.hyper_digest)
            for version, (event_digest, history_digest) in enumerate(pairs, self.first_version)
        ]


# Called once, on the writer's thread, with what became of a request; it must not block.
Done = Callable[[Added | FatalError], None]


class Request:
    """Digests that wait for a group, and whom to tell: a future or a callback."""

    __slots__ = ("digests", "done", "future", "size")

    def __init__(self, digests: bytes, future: Future[Added] | None, done: Done | None) -> None:
        """Wait; one of the two is told."""
        self.digests = digests
        self.size = len(digests) // DIGEST_BYTES
        self.future = future
        self.done = done

    def start(self) -> bool:
        """Return whether it is still wanted; from now on it cannot be cancelled."""
        return self.future is None or self.future.set_running_or_notify_cancel()

    def tell(self, outcome: Added | FatalError) -> None:
        """Tell its caller; a second call does nothing.

        What a callback raises is logged, as a future does: the others of its group are told too.
        """
        future, done = self.future, self.done
        self.future = self.done = None
        if done is not None:
            try:
                done(outcome)
            except Exception:
                _LOGGER.exception("bug in the callback of an add, whose outcome is lost")
        elif future is not None:
            if isinstance(outcome, Added):
                future.set_result(outcome)
            else:
                future.set_exception(outcome)


def join(digests: Sequence[bytes]) -> bytes:
    """Return digests end to end; one that has not 32 bytes is a `MalformedError`."""
    for digest in digests:
        if len(digest) != DIGEST_BYTES:
            raise MalformedError(f"an event digest has {DIGEST_BYTES} bytes, not {len(digest)}")
    return b"".join(digests)
