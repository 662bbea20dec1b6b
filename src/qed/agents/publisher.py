"""The publisher: what a log signs, brought at least once into every snapshot store.

```
server --checkpoint--> Feed --Head--> Store 1 --batches--> store
                                      Store 2 --batches--> store      a thread each
```

`FeedWork` waits for news and verifies that each checkpoint extends the last; what does not verify
is told with its evidence, and nothing of it goes further. Each `StoreWork` reads the leaves between
where its store is and the head, authenticates them by the signed root, cuts them at group ends and
posts them with the proof that they begin the checkpoint's log. Its position is written after the
store has answered (once a second at most, and at a stop), so nothing is skipped; what is sent twice
the store already has. A store that is slow or down holds up nobody else.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn
from urllib.parse import quote

import structlog

from qed.agents import claims
from qed.agents.batching import cut_batches
from qed.agents.head import Head, Shown
from qed.agents.leaves import Frontier, Part, read_leaves
from qed.agents.runtime import Station, Work
from qed.agents.trust import Trust
from qed.client.feed import Source
from qed.client.refusals import read_refusal
from qed.client.trusted import Trusted
from qed.errors import (
    ConflictError,
    NotFoundError,
    QedError,
    RequestError,
    UnavailableError,
    VerificationError,
)
from qed.trees import tiles, verify_log
from qed.wire.batches import Batch, encode_batch

WAIT_S = 1.0  # of one long poll; a stop takes that long at most
WRITE_EVERY_S = 1.0  # a position, while batches come thick and fast
HEAD_WAIT_S = 0.25

_OK = 200
_COUNT = re.compile(rb"(0|[1-9][0-9]{0,18})\s?", re.ASCII)

Open = Callable[[str], Source]


class FeedWork:
    """Reads the checkpoints of the log from the first of its servers that answers."""

    may_be_empty = False  # whether no checkpoint at all is no trouble: a store before its first one

    def __init__(
        self, station: Station, trust: Trust, sources: Sequence[Source], head: Head
    ) -> None:
        """Show in `head` what was verified."""
        self.progress = station.progress("feed", versions=False)
        self._station = station
        self._trust = trust
        self._sources = sources
        self._head = head
        self._turn = 0  # which server is asked
        self._seen: dict[str, int] = {}  # the size that each server has shown
        self._trusted: Trusted | None = None

    def step(self) -> float | None:
        """Wait for one checkpoint, verify it and show it."""
        once, asked_s = self._station.config.once, time.monotonic()
        source = self._sources[self._turn % len(self._sources)]
        try:
            news = self._read(source, 0 if once or self._head.newest is None else WAIT_S)
        except QedError:
            self._turn += 1  # one that lies holds up the others no more than one that is down
            raise
        finally:
            if once:
                self._head.close()
        if once:
            return None
        # A mirror does not wait for news, so we do.
        return 0 if news else max(0.0, WAIT_S - (time.monotonic() - asked_s))

    def _read(self, source: Source, wait_s: float) -> bool:
        """Return whether the checkpoint that a source serves is a new one, verified and shown."""
        trusted = self._trusted = self._trusted or self._trust.open(source)
        known = trusted.note
        after = trusted.size if wait_s else None
        try:
            note = claims.fetch(self._station, source, after, wait_s)
        except NotFoundError:
            if known or not self.may_be_empty:
                raise
            return False
        size = claims.check_signed(self._station, trusted, source, note).size
        if size < trusted.size:
            self._refuse_behind(source, trusted, note, size)
        self._seen[source.name] = size
        checkpoint = claims.judge(self._station, trusted, source, note)
        self._trust.keep(trusted, known)
        # Stop here: it is verified again after the next start, and shown then.
        if self._head.newest is not None and trusted.note == known:
            return False
        self._head.show(Shown(trusted.note, checkpoint, source.name))
        return True

    def _refuse_behind(self, source: Source, trusted: Trusted, note: bytes, size: int) -> NoReturn:
        """Raise for a server that is behind what was seen; that it went back is told.

        One of several servers may just have less than the others.
        """
        alone = len(self._sources) == 1
        if not alone and size >= self._seen.get(source.name, 0):
            raise UnavailableError(f"{source.name} is behind the other servers")
        claims.tell_rollback(self._station, source, trusted.note, note)
        raise VerificationError(
            f"{source.name} went back from {trusted.size} to {size} versions", step="rollback"
        )


class StoreWork:
    """Brings what the head shows into one store."""

    def __init__(  # noqa: PLR0913 - two sources of I/O and two times
        self,
        station: Station,
        head: Head,
        store: Source,
        open_server: Open,
        *,
        check_every_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Post to `store` what `open_server(place)` has of the head's leaves.

        An idle store is asked every `check_every_s` seconds whether it has what it had.
        """
        self.progress = station.progress(f"store {store.name}")
        self._station = station
        self._head = head
        self._store = store
        self._open_server = open_server
        self._servers: dict[str, Source] = {}
        self._file = station.position(store.name)
        self._check_every_s = check_every_s
        self._clock = clock
        self._checked_s = 0.0
        self._done: int | None = None  # what the store has for certain, once it was asked
        self._written: int | None = None  # the position in the file, where it is known
        self._written_s = clock() - WRITE_EVERY_S
        station.stack.callback(self._write)  # at a stop
        self._begun: int | None = None  # where the store stands; None: to be asked
        self._frontier: Frontier | None = None  # over what the store has; None: to be read
        self._shown: Shown | None = None  # what is being published
        self._batches: Iterator[Part] | None = None  # of it

    def step(self) -> float | None:
        """Bring one batch into the store, or wait a moment for one to be there."""
        try:
            return self._step()
        except QedError:
            # What the store has now is unknown, and so is what the server's tiles are worth.
            self._begun = self._frontier = self._batches = None
            raise

    def _step(self) -> float | None:
        if self._begun is None:
            self._begun = self._find_begin()
        if self._batches is None:
            shown = self._head.wait_beyond(self._begun, HEAD_WAIT_S)
            if shown is None:
                return self._idle()
            self._begin(shown)
        batch = next(self._batches or iter(()), None)
        if batch is None:
            self._batches = None
            return 0
        self._publish(batch)
        return 0

    # Where the store stands

    def _find_begin(self) -> int:
        """Return the position from which to go on: the smaller of ours and the store's own."""
        fields = self._file.read()
        ours = 0 if fields is None else int(fields["Position"])
        theirs = self._ask_count()
        self._checked_s = self._clock()
        if theirs < ours:
            self._station.alert(
                "store-lost",
                self._store.name,
                f"it had {ours} versions and now has {theirs}; they are published again",
            )
        self._written = None if fields is None else ours
        self._done = self.progress.position = min(ours, theirs)
        return self._done

    def _ask_count(self) -> int:
        answer = self._store.get("/count")
        if answer.status != _OK:
            raise read_refusal(answer, f"GET {self._store.name}/count")
        count = _COUNT.fullmatch(answer.body)
        if count is None:
            raise VerificationError(
                f"{self._store.name}/count answers no number: is this a snapshot store?",
                step="count",
            )
        return int(count[1])

    def _idle(self) -> float | None:
        """Nothing is to be done; ask now and then whether the store still has everything."""
        if self._clock() - self._written_s >= WRITE_EVERY_S:
            self._write()
        if self._head.closed:
            return None
        if self._clock() - self._checked_s >= self._check_every_s:
            self._begun = self._frontier = None
        return 0

    # What it is to get

    def _begin(self, shown: Shown) -> None:
        """Begin to read the leaves between the store and a checkpoint."""
        assert self._begun is not None  # noqa: S101 - set by the step
        source, size = self._server(shown), shown.checkpoint.size
        self.progress.head = size
        if self._frontier is None:
            # Peaks need no proof: only the right ones lead to the signed root, with the leaves.
            nodes = tiles.peak_nodes(self._begun)
            peaks = b"".join(source.read_nodes(nodes, size)) if nodes else b""
            self._frontier = Frontier(self._begun, peaks)
        self._shown = shown
        parts = read_leaves(source, self._frontier, shown.checkpoint)
        self._batches = cut_batches(self._watched(parts, source), size)

    def _watched(self, parts: Iterator[Part], source: Source) -> Iterator[Part]:
        """Yield the parts; leaves that do not lead to the signed root are told of."""
        try:
            yield from parts
        except VerificationError as error:
            source.forget()
            self._station.alert("feed", source.name, error.message)
            raise

    def _server(self, shown: Shown) -> Source:
        if shown.place not in self._servers:
            self._servers[shown.place] = self._open_server(shown.place)
        return self._servers[shown.place]

    def _publish(self, part: Part) -> None:
        """Post one batch, and write the position once the store has it."""
        assert self._shown is not None  # noqa: S101 - set by `_begin`
        assert self._frontier is not None  # noqa: S101 - as above
        after = self._frontier.extend(part.hashes)
        proof = self._prove(after, self._shown)
        snapshots = [part.snapshot(version) for version in range(part.first_version, part.stop)]
        batch = Batch(snapshots, [b""] * len(snapshots), self._shown.note, tuple(proof))
        answer = self._store.post("/batch", encode_batch(batch), "application/json")
        if answer.status != _OK:
            self._tell_refused(read_refusal(answer, f"POST {self._store.name}/batch"), part)
        # Stop here: the store has it, and is sent it again after the next start.
        self._frontier, self._begun = after, after.size
        self._done = self.progress.position = after.size
        self._checked_s = self._clock()
        if self._checked_s - self._written_s >= WRITE_EVERY_S:
            self._write()

    def _write(self) -> None:
        """Write the position, if it is not the one in the file: the store has all before it."""
        if self._done is not None and self._done != self._written:
            self._file.write({"Store": quote(self._store.name), "Position": self._done})
            self._written = self._done
        self._written_s = self._clock()

    def _prove(self, after: Frontier, shown: Shown) -> list[bytes]:
        """Return the proof that what the store has after a batch begins the checkpoint's log."""
        source, end = self._server(shown), shown.checkpoint

        def read(nodes: Sequence[tiles.Node]) -> Sequence[bytes]:
            return source.read_nodes(nodes, end.size)

        proof = tiles.prove_consistency(read, after.size, end.size)
        try:
            verify_log.verify_consistency(after.size, after.root, end.size, end.root, proof)
        except VerificationError as error:
            source.forget()
            self._station.alert("feed", source.name, error.message)
            raise
        return proof

    def _tell_refused(self, error: QedError, part: Part) -> None:
        """Raise the store's refusal, told of unless it says to come again later."""
        if isinstance(error, ConflictError) and self._ask_count() < part.first_version:
            structlog.get_logger().warning("store has less than it had", store=self._store.name)
            raise error  # asked again in the next step, and told of there
        where = f"versions {part.first_version} to {part.stop - 1}"
        if isinstance(error, ConflictError):
            text = f"it has something else than {where} of the log: {error.message}"
            self._station.alert("store-conflict", self._store.name, text)
        elif isinstance(error, RequestError):
            text = f"it does not take {where}: {error.message}"
            self._station.alert("store-refused", self._store.name, text)
        raise error


def build_publisher(  # noqa: PLR0913 - from where, to where, what is trusted, and how often
    station: Station,
    trust: Trust,
    servers: Sequence[str],
    stores: Sequence[str],
    open_place: Open,
    *,
    check_every_s: float,
) -> list[Work]:
    """Return the works of a publisher: one that reads the feed, one for each store.

    Each has connections of its own, which `open_place(address)` makes.
    """
    head = Head()
    feed = FeedWork(station, trust, [open_place(server) for server in servers], head)
    return [
        feed,
        *(
            StoreWork(station, head, open_place(store), open_place, check_every_s=check_every_s)
            for store in stores
        ),
    ]
