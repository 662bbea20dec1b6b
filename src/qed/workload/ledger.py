"""What the answers so far have committed the server to, in bounded memory. Pure.

An acknowledged version is given once. A request that leaves after an acknowledgement gets a higher
version, and sees it in a proof. Of each version there is one history root and one hyper root,
wherever it comes from: the acknowledgement of an addition (a snapshot), or a proof, which implies
the roots that it can be true of.
"""

from __future__ import annotations

from typing import NamedTuple

from qed import wire
from qed.errors import VerificationError
from qed.trees.values import NO_VERSION, Snapshot

HELD_SNAPSHOTS = 50_000
PINNED_ROOTS = 50_000
RECENT_NUMBERS = 4096
_PAGE_BITS = 16
_PAGE = 1 << _PAGE_BITS
_PAGES = 512  # 32 MiB; what is older is caught by the order of versions


class Known(NamedTuple):
    """A root, and whether it came with the acknowledgement of an addition of this run."""

    digest: bytes
    from_snapshot: bool


class Ledger:
    """Owned by the run; every method that takes an answer raises VerificationError for a false one.

    A snapshot is kept as the bytes that it came in and read when it is needed.
    """

    def __init__(self, current_version: int = NO_VERSION) -> None:
        """Begin with a log whose newest version is `current_version` (NO_VERSION: empty)."""
        self.start = -1 if current_version == NO_VERSION else current_version
        self.highest = self.start  # the highest version that some answer has shown to be there
        self.first_version: int | None = None
        self.last_version: int | None = None
        self.acknowledged = 0
        self.recent: list[int] = []  # numbers of events of this run that are in the log
        self._recent_at = 0
        self._pages: dict[int, bytearray] = {}
        self._held: dict[int, bytes | Snapshot] = {}
        self._histories: dict[int, bytes] = {}
        self._hypers: dict[int, bytes] = {}

    def acknowledge(
        self, first: int, count: int, *, floor: int, number: int, last: bytes | Snapshot
    ) -> None:
        """Take note that events got the versions `first` to `first + count - 1`.

        Args:
            first: the version of the first event.
            count: how many events.
            floor: `highest` when the request was sent.
            number: the number of the first event.
            last: the snapshot of the last version, or the body that has it.
        """
        end = first + count - 1
        if first <= floor:
            raise VerificationError(
                f"version {first} was acknowledged after version {floor} had been", step="order"
            )
        if end >= NO_VERSION:
            raise VerificationError(f"{end} is no version", step="version")
        self._see(first, count)
        self.acknowledged += count
        self.highest = max(self.highest, end)
        if self.first_version is None or first < self.first_version:
            self.first_version = first
        if self.last_version is None or end > self.last_version:
            self.last_version = end
        self._keep_recent(number)
        if len(self._held) >= HELD_SNAPSHOTS:
            del self._held[next(iter(self._held))]
        self._held[end] = last
        if end in self._histories or end in self._hypers:
            self._compare_pins(end)

    def see_current(self, version: int, *, floor: int | None) -> None:
        """Take note of the current version that an answer names; `floor` as above, None is none."""
        if version > NO_VERSION:
            raise VerificationError(f"{version} is no version", step="version")
        if version == NO_VERSION:
            version = -1
        if floor is not None and version < floor:
            raise VerificationError(
                f"the answer is of version {version}, and version {floor} had been shown before",
                step="freshness",
            )
        self.highest = max(self.highest, version)

    def history_of(self, version: int) -> Known | None:
        """Return what the history root of a version must be, as far as that is known."""
        snapshot = self._snapshot(version)
        if snapshot is not None:
            return Known(snapshot.history_digest, from_snapshot=True)
        digest = self._histories.get(version)
        return None if digest is None else Known(digest, from_snapshot=False)

    def hyper_of(self, version: int) -> Known | None:
        """Return what the hyper root of a current version must be, as far as that is known."""
        snapshot = self._snapshot(version)
        if snapshot is not None:
            return Known(snapshot.hyper_digest, from_snapshot=True)
        digest = self._hypers.get(version)
        return None if digest is None else Known(digest, from_snapshot=False)

    def pin_history(self, version: int, digest: bytes) -> Known:
        """Commit the server to a history root that a proof implies; return what is known of it."""
        known = self.history_of(version)
        if known is None:
            known = Known(digest, from_snapshot=False)
            _pin(self._histories, version, digest)
        _compare("history", version, known, digest)
        return known

    def pin_hyper(self, version: int, digest: bytes) -> Known:
        """Commit the server to a hyper root that a proof implies; return what is known of it."""
        known = self.hyper_of(version)
        if known is None:
            known = Known(digest, from_snapshot=False)
            _pin(self._hypers, version, digest)
        _compare("hyper", version, known, digest)
        return known

    def known_histories(self) -> list[int]:
        """Return the versions whose history root is known, ascending."""
        return sorted({*self._held, *self._histories})

    def _see(self, first: int, count: int) -> None:
        """Mark versions as given; one that is marked already is a false claim."""
        at, end = first, first + count
        while at < end:
            number, offset = at >> _PAGE_BITS, at & (_PAGE - 1)
            page = self._pages.get(number)
            if page is None:
                page = self._open_page(number)
            stop = min(offset + end - at, _PAGE)
            if page.find(1, offset, stop) >= 0:
                twice = (number << _PAGE_BITS) + page.find(1, offset, stop)
                raise VerificationError(
                    f"version {twice} was acknowledged for two events", step="twice"
                )
            page[offset:stop] = b"\1" * (stop - offset)
            at += stop - offset

    def _open_page(self, number: int) -> bytearray:
        if len(self._pages) >= _PAGES:
            del self._pages[min(self._pages)]
        page = self._pages[number] = bytearray(_PAGE)
        return page

    def _keep_recent(self, number: int) -> None:
        if len(self.recent) < RECENT_NUMBERS:
            self.recent.append(number)
        else:
            self.recent[self._recent_at] = number
            self._recent_at = (self._recent_at + 1) % RECENT_NUMBERS

    def _snapshot(self, version: int) -> Snapshot | None:
        held = self._held.get(version)
        if isinstance(held, bytes):
            held = self._held[version] = wire.decode_snapshot(held)
        return held

    def _compare_pins(self, version: int) -> None:
        snapshot = self._snapshot(version)
        assert snapshot is not None  # noqa: S101 - it has just been put there
        for tree, pins, digest in (
            ("history", self._histories, snapshot.history_digest),
            ("hyper", self._hypers, snapshot.hyper_digest),
        ):
            if version in pins:
                _compare(tree, version, Known(digest, from_snapshot=True), pins.pop(version))


def _pin(pins: dict[int, bytes], version: int, digest: bytes) -> None:
    if len(pins) >= PINNED_ROOTS:
        del pins[next(iter(pins))]
    pins[version] = digest


def _compare(tree: str, version: int, known: Known, implied: bytes) -> None:
    if known.digest == implied:
        return
    source = "its snapshot" if known.from_snapshot else "an earlier proof"
    raise VerificationError(
        f"a proof implies the {tree} root {implied.hex()} of version {version},"
        f" {source} {known.digest.hex()}",
        step=f"{tree}-root",
    )
