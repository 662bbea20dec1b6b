"""The auditor: the server proves every published snapshot, and every root is computed again.

```
store --checkpoints--> StoreFeed --Head--> ProofWork    leaves of the store, proofs of the server
                                           ReplayWork   `replay_work`: every root from the leaves
store --leaves-------> SweepWork                        `sweep`: every leaf a store has, for ever
```

`ProofWork` asks the server about each leaf v for a membership proof without a version, and judges
it by published leaves alone, those of a store and not the server's own. The answer is right iff
(1) it verifies against the hyper and history digest of leaf c, its current version, so c must be
published; (2) c is not before v; (3) the event exists; and (4) its actual version is not before v,
or is of v's own group, where the first of equal events counts: that leaf has the same hyper digest.
So no repetition of an event is a false alarm, and an event that the map lacks is found.

A position is written after the alerts that its leaves gave rise to are durable.
"""

from __future__ import annotations

import contextlib
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NoReturn

import structlog

from qed import wire
from qed.agents import claims, verdicts
from qed.agents.false_leaves import tell_false_leaves
from qed.agents.head import Head, Shown
from qed.agents.leaves import Frontier, Part, read_leaves
from qed.agents.proving import checkpoint_of, prove_snapshot, read_snapshots
from qed.agents.publisher import FeedWork
from qed.agents.replay_work import ReplayWork
from qed.agents.runtime import Station, Work
from qed.agents.sweep import EVERY_S, REST_S, SweepWork
from qed.agents.trust import Trust
from qed.agents.verdicts import Asked, Fault, tell_fault
from qed.client.evidence import new_lag
from qed.client.feed import Source
from qed.client.refusals import read_refusal
from qed.client.trusted import Trusted
from qed.errors import (
    NotPublishedError,
    QedError,
    RequestError,
    UnavailableError,
    VerificationError,
)
from qed.trees.values import Snapshot

HEAD_WAIT_S = 0.25
PUBLISH_WAIT_S = 30.0  # for the current version of an answer to be in the store
COMPARE_AFTER_S = 2.0  # of it: then the server's own checkpoint is held against the store's
AT_ONCE = 256  # answers asked for, then judged together
WRITE_EVERY_S = 1.0

_draw = random.SystemRandom().random
_PATH: Final = "/proofs/digest-membership"
_OK = 200


class StoreFeed(FeedWork):
    """Reads the checkpoints of a store; the key to believe them by is the server's to say."""

    may_be_empty = True

    def __init__(
        self, station: Station, trust: Trust, store: Source, server: Source, head: Head
    ) -> None:
        """Show in `head` what the store has published."""
        super().__init__(station, trust, [store], head)
        self._key_of = server

    def step(self) -> float | None:
        """Wait for one checkpoint, once a key is pinned."""
        self._trust.open(self._key_of)
        return super().step()


class ProofWork:
    """Asks the server to prove each leaf of a store."""

    def __init__(  # noqa: PLR0913 - two sides, and what of the rest a test replaces
        self,
        station: Station,
        trust: Trust,
        head: Head,
        store: Source,
        server: Source,
        *,
        sampling: float = 1.0,
        publish_wait_s: float = PUBLISH_WAIT_S,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = _draw,
    ) -> None:
        """Ask about each leaf with the probability `sampling`, which no server can foresee.

        An answer from a version that no checkpoint covers is waited for `publish_wait_s` seconds.
        `draw` returns numbers from 0 to 1, spread evenly.
        """
        self.progress = station.progress("proofs")
        self._station = station
        self._trust = trust
        self._head = head
        self._store = store
        self._server = server
        self._sampling = sampling
        self._publish_wait_s = publish_wait_s
        self._clock = clock
        self._draw = draw
        self._file = station.position("proofs")
        self._frontier = self._read_position()  # over the leaves that are audited
        self.progress.position = self._frontier.size
        self._written = self._frontier.size
        self._written_s = clock()
        self._trusted: Trusted  # the newest checkpoint that was shown; set with the first part
        self._parts: Iterator[Part] | None = None  # of a checkpoint that was shown
        self._part: Part | None = None  # what is left of the one in hand

    def step(self) -> float | None:
        """Audit some leaves, or wait a moment for them to be published."""
        try:
            return self._step()
        except QedError:
            self._parts = self._part = None
            raise

    def _step(self) -> float | None:
        if self._part is None:
            self._part = self._next_part()
        if self._part is None:
            self._write(at_once=True)
            return None if self._head.closed and self._parts is None else 0
        part, rest = self._part, None
        if part.stop - part.first_version > AT_ONCE:
            part, rest = part.split(part.first_version + AT_ONCE)
        self._audit(part)
        # Stop here: what was found is told again after the next start.
        self._frontier = self._frontier.extend(part.hashes)
        self._part = rest
        self.progress.position = self._frontier.size
        self._write()
        return 0

    # Leaves

    def _next_part(self) -> Part | None:
        """Return leaves that follow on, None when none are published."""
        if self._parts is None:
            shown = self._head.wait_beyond(self._frontier.size, HEAD_WAIT_S)
            if shown is None:
                return None
            self._trusted = self._trust_shown(shown)
            self.progress.head = self._trusted.size
            checkpoint = checkpoint_of(self._trusted)
            self._parts = read_leaves(self._store, self._frontier, checkpoint)
        try:
            part = next(self._parts, None)
        except VerificationError as error:
            self._tell_store(error)
            raise
        if part is None:
            self._parts = None
        return part

    def _trust_shown(self, shown: Shown) -> Trusted:
        return Trusted(self._trust.open(self._server).key, shown.note)

    def _tell_store(self, error: VerificationError) -> None:
        first = self._frontier.size
        tell_false_leaves(
            self._station, self._trusted, self._store, self._server, first=first, error=error
        )

    # Answers

    def _audit(self, part: Part) -> None:
        """Ask about some leaves, wait until all that they need is published, and judge."""
        versions = range(part.first_version, part.stop)
        wanted = [version for version in versions if self._draw() < self._sampling]
        asked = self._ask([part.snapshot(version) for version in wanted])
        currents = {one.current for one in asked if one.current is not None}
        self._wait_published(max(currents, default=0))
        leaves = {v: part.snapshot(v) for v in currents if part.first_version <= v < part.stop}
        try:
            leaves |= read_snapshots(self._trusted, self._store, sorted(currents - leaves.keys()))
        except VerificationError as error:
            self._tell_store(error)
            raise
        is_other = False
        for fault in verdicts.find_faults(asked, leaves):
            self._tell(part, fault)
            is_other |= fault.kind in {verdicts.FALSE, verdicts.BEHIND}
        if is_other:
            # The answer is nobody's word; the checkpoint behind it may be the log's.
            with contextlib.suppress(VerificationError):  # told, and so was the answer
                self._compare_server()

    def _compare_server(self) -> None:
        """Hold the checkpoint that the server shows us against the store's, where there is one.

        Who answers from another history than the one in the store has signed it, or it is not the
        log. Raises: VerificationError, ContradictionError: as `claims.judge`, told.
        """
        ours = Trusted(self._trusted.key, self._trusted.note)
        try:
            note = claims.fetch(self._station, self._server)
            claims.judge(self._station, ours, self._server, note, [self._store])
        except (UnavailableError, RequestError) as error:
            structlog.get_logger().info("server not compared with store", why=error.message)

    def _ask(self, snapshots: Sequence[Snapshot]) -> list[Asked]:
        """Ask about events; a server that refuses is told of, and asked again later."""
        bodies = [wire.encode_digest_query(one.event_digest, None) for one in snapshots]
        answers = self._server.post_many(_PATH, bodies, "application/json")
        for snapshot, answer in zip(snapshots, answers, strict=True):
            if answer.status != _OK:
                self._refuse(snapshot, read_refusal(answer, f"POST {self._server.name}{_PATH}"))
        return [
            Asked(snapshot, answer.body, verdicts.read_current(answer.body))
            for snapshot, answer in zip(snapshots, answers, strict=True)
        ]

    def _refuse(self, snapshot: Snapshot, error: QedError) -> NoReturn:
        if isinstance(error, RequestError):
            text = f"it gives no proof for version {snapshot.version}: {error.message}"
            self._station.alert("answer", self._server.name, text)
        raise error

    def _tell(self, part: Part, fault: Fault) -> None:
        """Tell of a fault, unless the answer names an equal event of the same group."""
        if fault.actual is not None:
            if part.first_version <= fault.actual:
                earlier = part.snapshot(fault.actual)
            else:
                earlier = prove_snapshot(self._trusted, self._store, fault.actual)[0]
            if not verdicts.is_outdated(fault, earlier):
                return
        tell_fault(self._station, self._trusted, self._store, self._server.name, fault)

    def _wait_published(self, version: int) -> None:
        """Trust a checkpoint that covers a version, the highest that an answer is from.

        Raises:
            NotPublishedError: none is in the store in time; told as `lag` when the server has one,
                as `stalled` when not even that.
            VerificationError, ContradictionError: the server shows another log, or another history
                of this one; told.
        """
        deadline_s = self._clock() + self._publish_wait_s
        compare_s = deadline_s + min(0.0, COMPARE_AFTER_S - self._publish_wait_s)
        while self._trusted.size <= version:
            shown = self._head.wait_beyond(version, HEAD_WAIT_S)
            if shown is not None:
                self._trusted = self._trust_shown(shown)
            elif self._head.closed or self._station.halt.is_set():
                raise NotPublishedError(f"version {version} is not published yet")
            elif self._clock() >= compare_s:
                compare_s = math.inf
                self._compare_server()
            elif self._clock() >= deadline_s:
                self._tell_unpublished(version)

    def _tell_unpublished(self, version: int) -> NoReturn:
        """Tell that the server answers from a version that it does not let others see."""
        note = claims.fetch(self._station, self._server)
        checkpoint = claims.check_signed(self._station, self._trusted, self._server, note)
        answers = f"it answers from version {version}"
        if checkpoint.size > version:
            name = self._store.name
            text = f"it has {self._trusted.size} versions, and the server answers from {version}"
            evidence = new_lag(note, self._trusted.note, found=text)
            claims.tell(self._station, "lag", name, text, evidence)
        else:
            text = f"{answers}, and its checkpoint covers {checkpoint.size} versions only"
            self._station.alert("stalled", self._server.name, text)
        raise NotPublishedError(f"version {version} is not published in {self._store.name}")

    # The position

    def _read_position(self) -> Frontier:
        fields = self._file.read()
        if fields is None:
            return Frontier()
        size, peaks = int(fields["Size"]), bytes.fromhex(str(fields["Peaks"]))
        return Frontier(size, peaks)

    def _write(self, *, at_once: bool = False) -> None:
        """Write the position, at most once a second while there is more to do."""
        frontier, now_s = self._frontier, self._clock()
        if frontier.size == self._written:
            return
        if at_once or now_s - self._written_s >= WRITE_EVERY_S:
            self._file.write({"Size": frontier.size, "Peaks": frontier.peaks.hex()})
            self._written, self._written_s = frontier.size, now_s


def build_auditor(  # noqa: PLR0913 - the sides, what is trusted, and what of it is to be done
    station: Station,
    trust: Trust,
    stores: Sequence[str],
    server: str,
    open_place: Callable[[str], Source],
    *,
    sampling: float = 1.0,
    replay: bool = True,
    interval_s: float = REST_S,
) -> list[Work]:
    """Return the works of an auditor: the first store's leaves are proven and replayed, all swept.

    Between two sweeps of a store `interval_s` seconds pass.

    Each has connections of its own, which `open_place(address)` makes.
    """
    head, first = Head(), stores[0]

    def both(store: str = first) -> tuple[Source, Source]:
        return open_place(store), open_place(server)

    works: list[Work] = [StoreFeed(station, trust, *both(), head)]
    if sampling > 0:
        works.append(ProofWork(station, trust, head, *both(), sampling=sampling))
    if replay:
        works.append(ReplayWork(station, trust, head, *both()))
    works += [
        SweepWork(station, trust, *both(store), rest_s=interval_s, every_s=min(interval_s, EVERY_S))
        for store in stores
    ]
    return works
