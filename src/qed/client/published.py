"""Published snapshots, each believed only under a signed checkpoint of a pinned key.

Where a snapshot comes from (a store, the log server, a mirror) is trusted for nothing: its leaf
must lie under a checkpoint that `trusted` holds. The key is the one given, else that of the pin,
else the one that the server shows at the first use; that is said, and pinned. What is not published
yet is waited for, and told apart from what is false.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from qed.client import pins
from qed.client.calls import check_version
from qed.client.config import ClientConfig
from qed.client.feed import Source, open_source
from qed.client.trusted import Trusted
from qed.errors import (
    ContradictionError,
    NotFoundError,
    NotPublishedError,
    UnavailableError,
    UnreachableError,
    VerificationError,
)
from qed.signing.checkpoint import Checkpoint
from qed.signing.note import VerifierKey, format_verifier_key
from qed.trees.snapshot_log import TILE_HASHES
from qed.trees.tiles import ENTRIES, prove_consistency, tile_width
from qed.trees.values import Snapshot

_LOG = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0
_NO_BOUND_S = 60.0  # of one wait, where all of them together have no bound
_STORE_HINT = (
    "is a snapshot store there? The log server publishes its snapshots too: qed client"
    " --from-server, or its address as snapshot_store_url"
)


@dataclass(frozen=True, slots=True)
class Proven:
    """A snapshot, and what shows it to others: its path to the root that the note signs."""

    snapshot: Snapshot
    path: tuple[bytes, ...]
    note: bytes


class Published:
    """The published snapshots of one log, as a client's settings name log and source.

    May be shared by threads: one reads at a time, the others wait for it.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Keep the settings; no file is read and nobody is asked yet."""
        self._config = config
        self._clock = clock
        self._pause = pause
        self._lock = threading.Lock()  # held while the two below are used
        self._source: Source | None = None
        self._trusted: Trusted | None = None

    def close(self) -> None:
        """Close the connection; the next question opens it again."""
        with self._lock:
            if self._source is not None:
                self._source.close()

    def snapshot(self, version: int) -> Snapshot:
        """Return the snapshot of a version; raises as `prove`."""
        return self.prove([version])[version].snapshot

    def snapshots(self, versions: Iterable[int]) -> list[Snapshot]:
        """Return the snapshots of versions in their order, each once; raises as `prove`."""
        return [proven.snapshot for _, proven in sorted(self.prove(versions).items())]

    def prove(self, versions: Iterable[int]) -> dict[int, Proven]:
        """Return the snapshots of versions with their proofs, all under one checkpoint.

        Raises:
            NotPublishedError: one is under no checkpoint of the source within the time; also where
                the source is behind the checkpoint that was seen before.
            VerificationError: a signature, a proof or a leaf is false, or the key is another one.
            ContradictionError: the log has signed two histories; it carries the evidence.
            UnavailableError: the source does not answer.
            RequestError: key or pin cannot be read.
        """
        wanted = sorted({check_version(version) for version in versions})
        with self._lock:
            source, trusted = self._open()
            try:
                self._cover(source, trusted, wanted[-1] + 1 if wanted else 0)
                return {version: _prove(source, trusted, version) for version in wanted}
            except VerificationError:
                source.forget()
                raise

    def checkpoint(self) -> bytes:
        """Return the newest signed note of the source, verified and remembered; raises as `prove`.

        One that is behind what was seen before is a NotPublishedError.
        """
        with self._lock:
            source, trusted = self._open()
            self._cover(source, trusted, 0)
            return trusted.note

    def growth(self, older: bytes) -> tuple[bytes, tuple[bytes, ...]]:
        """Return the newest signed note, and the proof that its log begins with an older note's.

        Both are verified and the newest is remembered, as by `checkpoint`; raises as `prove`, a
        `ContradictionError` too where the older one is signed and excluded.
        """
        with self._lock:
            source, trusted = self._open()
            self._cover(source, trusted, trusted.read(older).size)
            size = trusted.compare(older, source.read_nodes).size
            proof = prove_consistency(
                lambda nodes: source.read_nodes(nodes, trusted.size), size, trusted.size
            )
            return trusted.note, tuple(proof)

    @property
    def key(self) -> VerifierKey:
        """The pinned key; asks the server at the first use. Raises as `prove`."""
        with self._lock:
            return self._open()[1].key

    def _open(self) -> tuple[Source, Trusted]:
        """Return source and trust, made at the first call."""
        if self._source is None:
            self._source = self._open_source(self._config.snapshot_store_url)
        if self._trusted is None:
            self._trusted = self._open_trusted()
        return self._source, self._trusted

    def _open_source(self, place: str) -> Source:
        config = self._config
        return open_source(
            place,
            timeout_s=config.timeout_s,
            dial_timeout_s=config.dial_timeout_s,
            insecure=config.insecure,
        )

    def _open_trusted(self) -> Trusted:
        path = Path(self._config.pin) if self._config.pin else None
        key = pins.read_key(self._config.key) if self._config.key else None

        def announce(shown: VerifierKey) -> None:
            _LOG.warning(
                "trusting on first use: the key of the log is taken to be %s, as its server says;"
                " it is pinned %s. Compare it with what whoever runs the log tells you",
                format_verifier_key(shown),
                "for this client's life only" if path is None else f"in {path}",
            )

        trusted = pins.open_first(path, key, self._ask_key, announce)
        if path is not None and key is not None and not trusted.note:
            # A key that is given counts from now on, also where nothing is published yet.
            pins.keep_pin(path, trusted)
        return trusted

    def _ask_key(self) -> VerifierKey:
        """Return the key that the server shows; the first endpoint that answers is asked."""
        for endpoint in self._config.endpoints[:-1]:
            try:
                return self._ask_key_of(endpoint)
            except UnreachableError as error:
                _LOG.info("%s", error)
        return self._ask_key_of(self._config.endpoints[-1])

    def _ask_key_of(self, endpoint: str) -> VerifierKey:
        with self._open_source(endpoint) as server:
            return pins.ask_key(server)

    def _cover(self, source: Source, trusted: Trusted, size: int) -> None:
        """Trust a checkpoint of at least this size, and remember it."""
        before = trusted.note
        try:
            wait_for_size(
                source,
                trusted,
                size,
                timeout_s=self._config.timeout_s or None,
                clock=self._clock,
                pause=self._pause,
            )
        except UnreachableError as error:
            raise UnreachableError(error.message, hint=_STORE_HINT) from error
        except VerificationError as error:
            if error.step not in {"origin", "signature"}:
                raise
            where = f"the pin {self._config.pin}" if self._config.pin else "the key given"
            raise VerificationError(
                error.message,
                step=error.step,
                hint=f"this is not the log of {where}: ask whoever runs it, in another way, whether"
                " it has a new key; only then move the pin away and begin anew",
            ) from error
        if trusted.note != before and self._config.pin:
            # Stop here: the pin has the older checkpoint, and the next call verifies this again.
            pins.keep_pin(Path(self._config.pin), trusted)


def wait_for_size(  # noqa: PLR0913 (who, what, and two things that a test replaces)
    source: Source,
    trusted: Trusted,
    size: int,
    *,
    timeout_s: float | None,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Trust a checkpoint of the source of at least `size` leaves and of those trusted before.

    Args:
        source: is asked until it has one; a server is asked to answer when it has.
        trusted: is extended by the checkpoint, once that is proven.
        size: 0 takes any.
        timeout_s: for how long; it is asked once in any case. None is no bound.
        clock: counts seconds from anywhere.
        pause: does nothing for so many seconds.

    Raises:
        NotPublishedError: it has none in time.
        VerificationError, ContradictionError: as `Trusted.compare`.
        UnavailableError: it does not answer, or lacks what its own checkpoint covers.
    """
    size = max(size, trusted.size)
    deadline_s = None if timeout_s is None else clock() + timeout_s
    pause_s = _FIRST_PAUSE_S
    while True:
        note, refusal = _fetch(source, size, _left_s(deadline_s, clock))
        found = None if note is None else trusted.read(note)
        if note is not None and found is not None and found.size >= size:
            try:
                trusted.compare(note, source.read_nodes)
            except NotFoundError as error:
                raise _withheld(source, error) from error
            return
        left_s = _left_s(deadline_s, clock)
        if left_s <= 0:
            raise refusal or _not_published(source, trusted, found, size)
        # A server has waited already; a static mirror, and one that is busy, has not.
        pause(min(pause_s, left_s))
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)


def _left_s(deadline_s: float | None, clock: Callable[[], float]) -> float:
    return _NO_BOUND_S if deadline_s is None else max(0.0, deadline_s - clock())


def _fetch(
    source: Source, size: int, wait_s: float
) -> tuple[bytes | None, UnavailableError | None]:
    """Return the newest note, or none: there is none yet, or the server says why not now."""
    try:
        note = source.checkpoint(after=size - 1, wait_s=wait_s) if size else source.checkpoint()
    except NotFoundError:
        return None, None
    except UnreachableError:
        raise
    except UnavailableError as error:
        return None, error
    return note, None


def _prove(source: Source, trusted: Trusted, version: int) -> Proven:
    """Return a snapshot that the trusted checkpoint covers."""
    index, offset = divmod(version, TILE_HASHES)
    try:
        leaf = source.bundle(index, tile_width(ENTRIES, index, trusted.size))[offset]
        path = trusted.prove(source.read_nodes, leaf, version)
    except NotFoundError as error:
        raise _withheld(source, error) from error
    except ContradictionError:
        raise
    except VerificationError as error:
        raise VerificationError(
            f"{source.name} serves a snapshot of version {version} that the signed checkpoint does"
            f" not cover: {error.message}",
            step=error.step,
        ) from error
    return Proven(trusted.authenticate(leaf, version, path), tuple(path), trusted.note)


def _withheld(source: Source, error: NotFoundError) -> UnavailableError:
    return UnavailableError(
        f"{source.name} does not serve all that its own checkpoint covers: {error.message}",
        hint="ask again later, or somewhere else: the log server, another store or a mirror",
    )


def _not_published(
    source: Source, trusted: Trusted, found: Checkpoint | None, size: int
) -> NotPublishedError:
    """Return the error of a source whose checkpoint, if any, is of fewer than `size` versions."""
    if found is None:
        return NotPublishedError(
            f"{source.name} has published no checkpoint yet",
            hint="ask again, or raise --timeout; or is another port of the log there? A snapshot"
            " store is at 8888, the log's own data port at 8800",
        )
    if found.size < trusted.size:
        return NotPublishedError(
            f"{source.name} publishes a checkpoint of {found.size} versions, and one of"
            f" {trusted.size} was seen before: it is behind, or somebody has put it back",
            hint="ask again later; one that does not catch up hides what was published",
        )
    return NotPublishedError(
        f"version {size - 1} is not published yet: the newest checkpoint of {source.name} covers"
        f" {found.size} versions",
        hint="that says nothing against it: ask again, or raise --timeout",
    )
