"""The signer: one thread that follows the log and publishes checkpoints of it. Source: SPEC 11.

The writer never waits for it. However fast events come, there is at most one checkpoint an
interval, and a lone event, after a pause, is published at once. Every checkpoint is made in the
order of SPEC 11, which `Publication._publish` spells out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

import structlog

from qed.engine.leaves import Leaves
from qed.errors import DamagedError
from qed.server.metrics import Durations
from qed.server.recent_leaves import RecentLeaves
from qed.web.tiles import Published

INTERVAL_S = 0.1

_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

Sign = Callable[[int, bytes], bytes]  # given a size and the root there, returns a signed note


class SignedLog(Protocol):
    """What the signer needs of a log; `qed.engine.log.Log` is one."""

    @property
    def changed(self) -> threading.Event:
        """Set by the writer after each group; cleared by the signer alone."""

    @property
    def snapshot_root(self) -> tuple[int, bytes]:
        """The size of the log, a group end, and the root there by the writer's own account."""

    def recheck(self, stop: int) -> tuple[bytes, Leaves]:
        """Compute the root at a group end again, from rows; return what is new under it too."""


class Publication:
    """Publishes a log from `start` to `stop`; what is published may be read in any thread."""

    def __init__(
        self,
        log: SignedLog,
        sign: Sign,
        *,
        interval_s: float = INTERVAL_S,
        on_failure: Callable[[Exception], None] = lambda _error: None,
    ) -> None:
        """Follow a log; `on_failure` is told, on the signer's thread, why nothing is signed now."""
        self.recent = RecentLeaves()
        self.durations = Durations(_BUCKETS_S)  # of checkpoints: recomputing and signing
        self._log = log
        self._sign = sign
        self._interval_s = interval_s
        self._on_failure = on_failure
        self._tell: Callable[[], None] = lambda: None
        self._published: Published | None = None  # replaced whole by the signer, read by anybody
        self._next_s = 0.0  # not before, by the monotonic clock; the signer's alone
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="signer")

    @property
    def published(self) -> Published:
        """The newest checkpoint; there is one from `start` on."""
        if self._published is None:
            raise AssertionError("nothing is published before the start")
        return self._published

    def start(self) -> None:
        """Publish the log as it is, an empty one too, then follow it.

        Whatever was acknowledged before a crash is in the log, hence under this checkpoint.
        Errors: those of `recheck`; then nothing was signed, and there is no thread.
        """
        self._publish()
        self._thread.start()

    def follow(self, tell: Callable[[], None]) -> None:
        """Have `tell` called, on the signer's thread, after each checkpoint; it must not block."""
        self._tell = tell

    def stop(self) -> None:
        """Publish what is new, end the thread, and return when it has ended."""
        self._stopping.set()
        self._log.changed.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        changed, stopping, is_last = self._log.changed, self._stopping, False
        try:
            while not is_last:
                changed.wait()
                # Cleared before the log and the stop are looked at: what comes later sets it again.
                changed.clear()
                is_last = stopping.is_set()
                stopping.wait(max(0.0, self._next_s - time.monotonic()))
                self._publish_news()
        except Exception as error:  # noqa: BLE001 - a bug too: nobody would see that signing ended
            structlog.get_logger().error("nothing is signed any more", why=str(error))
            self._on_failure(error)

    def _publish_news(self) -> None:
        if self._log.snapshot_root[0] > self.published.size:
            self._publish()

    def _publish(self) -> None:
        """Make one checkpoint and publish it, in the order of SPEC 11. Stop anywhere: see there.

        `DamagedError` when the rows lead to another root than the writer had: then nothing is
        signed.
        """
        started_s = time.monotonic()
        self._next_s = started_s + self._interval_s
        # 1. Rows synced: the log has no size before its rows are on disk.
        size, planned = self._log.snapshot_root
        # 2. The root, again from the rows as the database returns them.
        root, leaves = self._log.recheck(size)
        if root != planned:
            raise DamagedError(
                f"the rows up to version {size - 1} lead to another root than was planned for them",
                hint="nothing was signed for it: run qed check on the database",
            )
        # 3. An archive's frames and its signed head have their place here: before any signature.
        # 4. Signed, in memory. Stop here: nobody has seen it. The guard has its place behind it:
        #    on disk before anybody can see what it guards.
        note = self._sign(size, root)
        self.durations.observe(time.monotonic() - started_s)
        # 5. Published: from here on it is never contradicted.
        self.recent.add(leaves)
        self._published = Published(note, size)
        self._tell()
