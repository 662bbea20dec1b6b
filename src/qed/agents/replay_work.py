"""The auditor's replay: every checkpoint of the log is recomputed from the published leaves.

Between two proofs of membership a root could be wrong for one group and right again at the next;
here no group is left out. The position (`replay_files`) is written after the alert, if there is
one, is durable; so a kill repeats work and skips none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from qed.agents.false_leaves import tell_false_leaves
from qed.agents.head import Head, Shown
from qed.agents.replay import CACHE_BYTES, Replayer, replay_to
from qed.agents.replay_files import ReplayFiles
from qed.agents.runtime import Station
from qed.agents.trust import Trust
from qed.client.evidence import write_evidence
from qed.client.feed import Source
from qed.client.trusted import Trusted
from qed.errors import ContradictionError, VerificationError

HEAD_WAIT_S = 0.25
COMMIT_EVERY_S = 1.0


class ReplayWork:
    """Replays what the head shows, out of one store."""

    def __init__(  # noqa: PLR0913 - what to replay, who has it, and two settings
        self,
        station: Station,
        trust: Trust,
        head: Head,
        store: Source,
        server: Source,
        *,
        cache_bytes: int = CACHE_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read from `store`; `server` is asked for the true leaf where a store's is false."""
        self.progress = station.progress("replay")
        self._station = station
        self._trust = trust
        self._head = head
        self._store = store
        self._server = server
        self._cache_bytes = cache_bytes
        self._clock = clock
        files = ReplayFiles(station.config.state_path / "replay")
        self._files = station.stack.enter_context(files)
        self._replayer: Replayer | None = None  # read from the files by the first step
        self._told = False  # that the log was caught
        self._committed = 0  # events
        self._committed_s = clock()

    def step(self) -> float | None:
        """Replay up to the newest checkpoint, or wait a moment for one."""
        size = 0 if self._replayer is None else self._replayer.size
        shown = self._head.wait_beyond(size, HEAD_WAIT_S)
        if shown is None:
            self._commit(at_once=True)
            return None if self._head.closed else 0
        replayer = self._open(shown)
        if shown.checkpoint.size > replayer.size or replayer.caught:
            self._replay(replayer, shown)
        return 0

    def _open(self, shown: Shown) -> Replayer:
        if self._replayer is None:
            self._replayer = Replayer(
                self._files, shown.checkpoint.origin, cache_bytes=self._cache_bytes
            )
            self._committed = self._replayer.size
        return self._replayer

    def _replay(self, replayer: Replayer, shown: Shown) -> None:
        trusted = Trusted(self._trust.open(self._server).key, shown.note)
        first = replayer.size
        self.progress.head = trusted.size

        def report(done: int, _total: int) -> None:
            self.progress.position = done

        try:
            replay_to(replayer, self._store, trusted, progress=report)
        except ContradictionError as error:
            self._tell_caught(replayer, error)
            raise
        except VerificationError as error:
            first = max(first, replayer.size)
            tell_false_leaves(
                self._station, trusted, self._store, self._server, first=first, error=error
            )
            raise
        self._commit()

    def _tell_caught(self, replayer: Replayer, error: ContradictionError) -> None:
        """Tell once a start that the log was caught; it is not replayed on."""
        if self._told:
            return
        path = Path(replayer.caught)
        if error.evidence:
            path = write_evidence(self._station.evidence_path, error.evidence)
        self._station.alert("replay", replayer.origin, error.message, path)
        # Stop here: it is found and told again after the next start.
        replayer.commit(caught=str(path))
        self._told = True

    def _commit(self, *, at_once: bool = False) -> None:
        """Write the position, at most once a second while there is more to do."""
        replayer, now_s = self._replayer, self._clock()
        if replayer is None or replayer.size == self._committed:
            return
        if at_once or now_s - self._committed_s >= COMMIT_EVERY_S:
            replayer.commit()
            self._committed, self._committed_s = replayer.size, now_s
