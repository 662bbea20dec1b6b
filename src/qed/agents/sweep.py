"""The auditor's sweep: every leaf that a store has, read over and over.

The leaves that follow on are read when they are published. A snapshot that is changed in a store
afterwards is found here: part by part from version 0 on, each leaf under the checkpoint that the
store serves, and at the end from the beginning again.
"""

from __future__ import annotations

from qed.agents import claims
from qed.agents.false_leaves import tell_false_leaves
from qed.agents.leaves import PART_LEAVES, Frontier, read_leaves
from qed.agents.proving import checkpoint_of
from qed.agents.runtime import Station
from qed.agents.trust import Trust
from qed.client.feed import Source
from qed.client.trusted import Trusted
from qed.errors import NotFoundError, VerificationError

EVERY_S = 2.0
REST_S = 10.0


class SweepWork:
    """Reads one store's leaves from the first to the last, a part a step."""

    def __init__(  # noqa: PLR0913 - what to read, who has it, and three settings
        self,
        station: Station,
        trust: Trust,
        store: Source,
        server: Source,
        *,
        every_s: float = EVERY_S,
        rest_s: float = REST_S,
        part_leaves: int = PART_LEAVES,
    ) -> None:
        """Read `part_leaves` leaves of `store` every `every_s` seconds, and rest after the last."""
        self.progress = station.progress(f"sweep {store.name}")
        self._station = station
        self._trust = trust
        self._store = store
        self._server = server
        self._every_s = every_s
        self._rest_s = rest_s
        self._part_leaves = part_leaves
        self._frontier = Frontier()  # this thread's; no file: a sweep may begin anywhere

    def step(self) -> float | None:
        """Read one part; the last one of a sweep ends at the store's checkpoint."""
        key = self._trust.open(self._server).key
        try:
            note = claims.fetch(self._station, self._store)
        except NotFoundError:
            return self._rest()  # an empty store is in order
        claims.check_signed(self._station, Trusted(key), self._store, note)
        trusted = Trusted(key, note)
        if self._frontier.size >= trusted.size:
            self._frontier = Frontier()
        first = self._frontier.size
        self.progress.head = trusted.size
        checkpoint = checkpoint_of(trusted)
        try:
            for part in read_leaves(self._store, self._frontier, checkpoint, self._part_leaves):
                self._frontier = self._frontier.extend(part.hashes)
                break
        except VerificationError as error:
            # The frontier is of leaves that were signed; what follows it is looked at again.
            tell_false_leaves(
                self._station, trusted, self._store, self._server, first=first, error=error
            )
            raise
        self.progress.position = self._frontier.size
        return self._rest(done=self._frontier.size >= trusted.size)

    def _rest(self, *, done: bool = True) -> float | None:
        if self._station.config.once:
            return None if done else 0
        return self._rest_s if done else self._every_s
