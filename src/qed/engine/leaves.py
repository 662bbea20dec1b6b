"""Leaves of the snapshot log, made from the groups whenever they are wanted: none is stored."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

from qed.database import Database
from qed.engine.group_rows import read_range
from qed.engine.rows import StoredGroup
from qed.engine.snapshots import hash_groups
from qed.trees.kernel import History, extend_history
from qed.trees.snapshot_log import LEAF_BYTES, TAG
from qed.trees.values import DIGEST_BYTES, split_digests

# One leaf in a bundle: its length and tag, its version, its three digests.
_ENTRY = struct.Struct(">14sQ32s32s32s")
_ENTRY_HEAD = LEAF_BYTES.to_bytes(2, "big") + TAG


@dataclass(frozen=True, slots=True)
class Leaves:
    """The leaves of some versions that follow on, from `first_version` on.

    `digests` and `history_digests` have 32 bytes a leaf, end to end. `ends` are the last version
    and the hyper digest of each group that has some of them, in order; the last may go beyond.
    """

    first_version: int
    digests: bytes
    history_digests: bytes
    ends: tuple[tuple[int, bytes], ...]
    _hashed: bytes | None = None  # their hashes where they were made already

    @property
    def stop(self) -> int:
        """The version after the last."""
        return self.first_version + len(self.digests) // DIGEST_BYTES

    def leaf(self, version: int) -> bytes:
        """Return the leaf of a version, 116 bytes; of one that is not here: `ValueError`."""
        if not self.first_version <= version < self.stop:
            raise ValueError(f"version {version} is not in [{self.first_version}, {self.stop})")
        hyper_digest = next(digest for last, digest in self.ends if version <= last)
        return self._encode(version, hyper_digest)

    def leaves(self) -> Iterator[bytes]:
        """Yield the leaves in order."""
        version = self.first_version
        for last, hyper_digest in self.ends:
            for number in range(version, min(last + 1, self.stop)):
                yield self._encode(number, hyper_digest)
            version = last + 1

    def encode_bundle(self) -> bytes:
        """Return the leaves as a bundle of c2sp.org/tlog-tiles has them.

        Cost: a fifth of a microsecond a leaf, which readers that follow a fast log pay for.
        """
        hyper_digests: list[bytes] = []
        for last, hyper_digest in self.ends:
            events = min(last + 1, self.stop) - self.first_version - len(hyper_digests)
            hyper_digests += [hyper_digest] * events
        entries = map(
            _ENTRY.pack,
            repeat(_ENTRY_HEAD),
            range(self.first_version, self.stop),
            split_digests(self.digests),
            split_digests(self.history_digests),
            hyper_digests,
        )
        return b"".join(entries)

    def hashes(self) -> bytes:
        """Return the hash of each leaf, end to end."""
        if self._hashed is not None:
            return self._hashed
        stops = [min(last + 1, self.stop) for last, _ in self.ends]
        counts = [
            stop - start for start, stop in zip([self.first_version, *stops], stops, strict=False)
        ]
        hyper_digests = b"".join(digest for _, digest in self.ends)
        return hash_groups(
            self.first_version, self.digests, self.history_digests, counts, hyper_digests
        )

    def _encode(self, version: int, hyper_digest: bytes) -> bytes:
        start = (version - self.first_version) * DIGEST_BYTES
        here = slice(start, start + DIGEST_BYTES)
        return b"".join(
            (
                TAG,
                version.to_bytes(8, "big"),
                self.digests[here],
                self.history_digests[here],
                hyper_digest,
            )
        )


def read_leaves(database: Database, history: History, first: int, stop: int) -> Leaves:
    """Return the leaves of the versions [first, stop), from their groups' rows.

    Their history digests are computed again, from the history tree's peaks at `first`. All of them
    must be in the log, else it is a `ValueError`. Rows that contradict their neighbours are a
    `DamagedError`. Any thread may call it.

    Cost: reads each group that has one of them; 2 + log2(stop) hashes a leaf: about
    half a millisecond for a bundle of 256.
    """
    if not 0 <= first <= stop <= history.size:
        raise ValueError(f"no leaves [{first}, {stop}) are among {history.size}")
    if first == stop:
        return Leaves(first, b"", b"", ())
    groups = read_range(database, first, stop)
    start = groups[0].first_version
    read = b"".join(group.digests for group in groups)
    digests = read[(first - start) * DIGEST_BYTES : (stop - start) * DIGEST_BYTES]
    _, history_digests = extend_history(first, history.peaks(first), digests)
    return Leaves(first, digests, history_digests, _ends(groups))


def _ends(groups: Sequence[StoredGroup]) -> tuple[tuple[int, bytes], ...]:
    return tuple((group.end_version - 1, group.hyper_digest) for group in groups)
