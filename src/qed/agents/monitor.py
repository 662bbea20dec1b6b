"""The monitor: everything that a log's key signs, wherever it is served, is of one history.

Each place (the servers of `--qed-endpoints`, the stores) has a thread that asks it for its
checkpoint once an interval. In a round, in this order:

1. The note is signed by the pinned key. 2. The place did not go back (`rollback`), and a log's only
server is not behind what was seen anywhere before it was asked. 3. The note and
the newest checkpoint seen anywhere agree: equal sizes have equal roots, a larger one extends the
smaller (`equivocation`). A larger one becomes the newest. 4. The place is not too far behind the
newest (`lag`). 5. A server publishes what it takes (`stalled`). And whatever happened: a place that
has given no verified answer for three intervals is silent (`silence`).

Step 3 compares each place with one chain of checkpoints, so two places that show different
histories are found out as soon as both are seen, whichever of them lied. What it cannot see is a
place that shows the monitor one thing and others another: that takes a second monitor elsewhere.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from qed import wire
from qed.agents import claims
from qed.agents.runtime import Station, Work
from qed.agents.trust import Trust
from qed.client.evidence import new_lag
from qed.client.evidence_frame import Evidence
from qed.client.feed import Source
from qed.client.trusted import Trusted
from qed.errors import NotFoundError, NotPublishedError, QedError, VerificationError
from qed.trees.values import DIGEST_BYTES, NO_VERSION

SILENT_INTERVALS = 3

SERVER, STORE = "server", "store"

_OK = 200
_COUNT = re.compile(rb"(?:0|[1-9][0-9]{0,18})\s?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How long and how far behind is too much; 0 of the last two: no bound."""

    interval_s: float = 10.0
    max_lag: int = 0  # versions
    max_lag_age_s: float = 60.0

    @property
    def silent_s(self) -> float:
        """How long a place may give no verified answer."""
        return SILENT_INTERVALS * self.interval_s


@dataclass(frozen=True, slots=True)
class _Last:
    """A checkpoint that was verified: what a place served last, or the newest of all places."""

    size: int
    note: bytes


@dataclass(frozen=True, slots=True)
class _Since:
    """A size, when it was seen, and the checkpoint of that size, where it is needed."""

    size: int
    at_s: float
    note: bytes = b""


class PlaceWork:
    """Watches one place."""

    def __init__(  # noqa: PLR0913 - what to watch, what it is held against, and a clock
        self,
        station: Station,
        trust: Trust,
        source: Source,
        *,
        kind: str,
        others: Sequence[Source],
        thresholds: Thresholds,
        sole: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch `source`; `others`, of this thread alone, are asked for proofs when it is behind.

        `kind` is SERVER or STORE; `sole` says that it is the log's only server. `clock` counts
        seconds from anywhere.
        """
        self.progress = station.progress(f"{kind} {source.name}")
        self._station = station
        self._trust = trust
        self._source = source
        self._kind = kind
        self._sole = sole
        self._others = others
        self._thresholds = thresholds
        self._clock = clock
        self._file = station.position(f"{kind} {source.name}")
        self._last = self._read_last()
        self._agreed = b""  # the note that was compared last, in this process
        self._newest = _Last(0, b"")  # anywhere, as of the last round
        self._heard_s = clock()  # when it gave a verified answer; the start counts as one
        self._silence_told = False  # and it has given none since
        self._due: _Since | None = None  # a size published elsewhere that it lacks
        self._held: _Since | None = None  # the size at which it stands, and has taken more

    def step(self) -> float | None:
        """Make one round."""
        try:
            found = self._observe()
        except QedError as error:
            self._check_silence(error)
            raise
        behind = self._check_lag(found)
        stalled = self._check_stalled(found) if self._kind == SERVER else None
        if trouble := behind or stalled:
            raise trouble
        return None if self._station.config.once else self._thresholds.interval_s

    # 1, 2, 3: what it serves as its checkpoint

    def _observe(self) -> int:
        """Return the size of a checkpoint that agrees with everything seen before."""
        trusted = self._open_trust()
        note = self._fetch()
        if note is None:
            self._hear()
            self._newest = _Last(trusted.size, trusted.note)
            return 0
        found = claims.check_signed(self._station, trusted, self._source, note)
        ahead = self._find_ahead(trusted)
        went_back = ahead is not None and found.size < ahead.size
        if ahead is not None and went_back:
            claims.tell_rollback(self._station, self._source, ahead.note, note)
        # What was verified here once is a beginning of every checkpoint that became the newest.
        if note != self._agreed:
            trusted = self._compare(trusted, note)
            self._agreed = note
        self._hear()
        self._newest = _Last(trusted.size, trusted.note)
        before, self._last = self._last, _Last(found.size, note)
        if self._last != before:
            self._file.write({"Size": found.size, "Note": note.decode()})
        # Stop here: a place that went back is watched from where it is now, and told of as behind.
        self.progress.position, self.progress.head = found.size, trusted.size
        if ahead is not None and went_back:
            raise VerificationError(
                f"{self._source.name} went back from {ahead.size} to {found.size} versions",
                step="rollback",
            )
        return found.size

    def _find_ahead(self, trusted: Trusted) -> _Last | None:
        """Return the largest checkpoint that the place is known to have served before it was asked.

        What a store has, the log's only server has published, whether or not it was seen there.
        """
        seen = 0 if self._last is None else self._last.size
        if self._sole and trusted.size > seen:
            return _Last(trusted.size, trusted.note)
        return self._last

    def _open_trust(self) -> Trusted:
        """Return the newest that is trusted; where no key is pinned yet, a server is asked."""
        asks_itself = self._kind == SERVER or not self._others
        return self._trust.open(self._source if asks_itself else self._others[0])

    def _fetch(self) -> bytes | None:
        """Return the note served, None for a store that has none.

        One that is being filled for the first time has no checkpoint until it has all of the first
        one's leaves. That it counts them says that it is a store, and not that it is in order.
        """
        try:
            return claims.fetch(self._station, self._source)
        except NotFoundError:
            if self._kind != STORE or not _COUNT.fullmatch(self._source.get("/count").body):
                raise
        if self._last is not None and self._last.size:
            text = f"it had {self._last.size} versions and now has none"
            self._station.alert("store-lost", self._source.name, text)
        return None

    def _compare(self, trusted: Trusted, note: bytes) -> Trusted:
        """Return the newest that is trusted, with which the note agrees."""
        while True:
            known = trusted.note
            claims.judge(self._station, trusted, self._source, note, self._others)
            if self._trust.keep(trusted, known):
                return trusted
            trusted = self._open_trust()  # another place was faster

    # 4: how far it is behind

    def _check_lag(self, size: int) -> QedError | None:
        """Return what is wrong when the place is too far behind the newest, after telling of it.

        Too far: by more than `max_lag` versions, or something that was seen elsewhere is not here
        `max_lag_age_s` later.
        """
        now_s, newest = self._clock(), self._newest.size
        if self._due is None or size >= self._due.size:
            self._due = _Since(newest, now_s, self._newest.note) if size < newest else None
        bounds = self._thresholds
        late_s = 0.0 if self._due is None else now_s - self._due.at_s
        too_late = 0 < bounds.max_lag_age_s < late_s
        too_many = 0 < bounds.max_lag < newest - size
        if not too_late and not too_many:
            return None
        text = f"it has {size} versions, {newest - size} less than were published"
        if too_late:
            text += f"; some of them have been missing for {late_s:.0f} s"
        evidence = self._show_lag(size, text)
        claims.tell(self._station, "lag", self._source.name, text, evidence or b"")
        return NotPublishedError(f"{self._source.name} is behind: {text}")

    def _show_lag(self, size: int, text: str) -> Evidence | None:
        """Return both notes; none where the place has served none, and for what is not told."""
        if self._due is None or self._last is None or self._last.size != size:
            return None
        if self._station.alerts.is_held_back("lag", self._source.name):
            return None  # the newest goes on: it would be another file in every round
        return new_lag(self._due.note, self._last.note, found=f"{self._source.name}: {text}")

    # 5: whether a server publishes what it takes

    def _check_stalled(self, published: int) -> QedError | None:
        """Return what is wrong when a server takes events and publishes nothing, after telling.

        What it has taken is its own word, in an answer that nobody signed; it says it against
        itself.
        """
        taken, now_s = self._ask_taken(), self._clock()
        if taken <= published:
            self._held = None
        elif self._held is None or self._held.size != published:
            self._held = _Since(published, now_s)
        elif now_s - self._held.at_s >= self._thresholds.silent_s:
            text = f"it has taken {taken} versions and published {published}, unchanged for"
            text += f" {now_s - self._held.at_s:.0f} s"
            self._station.alert("stalled", self._source.name, text)
            return NotPublishedError(f"{self._source.name} publishes nothing: {text}")
        return None

    def _ask_taken(self) -> int:
        """Return how many versions a server says it has, 0 where it does not answer that."""
        body = wire.encode_digest_query(bytes(DIGEST_BYTES), None)
        try:
            answer = self._source.post("/proofs/digest-membership", body, "application/json")
            if answer.status != _OK:
                return 0
            current = wire.decode_membership(answer.body).current_version
        except QedError:
            return 0  # a mirror, or trouble that its checkpoint will show
        return 0 if current == NO_VERSION else current + 1

    # Always

    def _check_silence(self, error: QedError) -> None:
        """Tell of a place that has given no verified answer for three intervals."""
        silent_s = self._clock() - self._heard_s
        if silent_s >= self._thresholds.silent_s:
            text = f"no verified answer for {silent_s:.0f} s: {error.message}"
            told = self._station.alert("silence", self._source.name, text)
            self._silence_told = self._silence_told or told

    def _hear(self) -> None:
        """Note a verified answer; that it ends a silence which was told is said."""
        now_s = self._clock()
        if self._silence_told:
            silent_s = round(now_s - self._heard_s)
            name = self._source.name
            structlog.get_logger().warning("silence is over", subject=name, silent_s=silent_s)
        self._silence_told, self._heard_s = False, now_s

    def _read_last(self) -> _Last | None:
        fields = self._file.read()
        return None if fields is None else _Last(int(fields["Size"]), str(fields["Note"]).encode())


def build_monitor(  # noqa: PLR0913 - what is watched, what is trusted, and what is too much
    station: Station,
    trust: Trust,
    servers: Sequence[str],
    stores: Sequence[str],
    open_place: Callable[[str], Source],
    *,
    thresholds: Thresholds,
) -> list[Work]:
    """Return the works of a monitor: one for each place.

    Each has connections of its own to all of them, which `open_place(address)` makes.
    """
    places = [*((SERVER, one) for one in servers), *((STORE, one) for one in stores)]
    return [
        PlaceWork(
            station,
            trust,
            open_place(address),
            kind=kind,
            others=[open_place(other) for _, other in places if other != address],
            thresholds=thresholds,
            sole=kind == SERVER and len(servers) == 1,
        )
        for kind, address in places
    ]
