"""Evidence by replay: the log signed digests that its own events do not have.

The file holds every event digest from the first on and where groups end, which is all that both
trees are made of. So anybody can make the leaves again, see that they are the ones under the signed
checkpoint, and compute what their history and hyper digests should have been.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Final, Self

from qed.client.evidence_frame import (
    Evidence,
    Fields,
    Finding,
    Frame,
    format_bytes_as_text,
    format_hashes,
    open_signed,
    read_hashes,
    read_text_as_bytes,
    shows_nothing,
)
from qed.errors import MalformedError, VerificationError
from qed.signing.note import VerifierKey
from qed.trees.kernel import History, Hyper, extend_history, extend_snapshots, hash_leaves
from qed.trees.snapshot_log import root as snapshot_root
from qed.trees.values import DIGEST_BYTES, split_digests
from qed.trees.verify_log import verify_consistency
from qed.wire.bounds import BOUNDS
from qed.wire.fields import format_base64, read_bytes

_RECORD: Final = struct.Struct(">Q32s")  # a version and a digest
_GROUPS_AT_ONCE: Final = 4096  # replayed between two comparisons

Ends = tuple[tuple[int, bytes], ...]


@dataclass(frozen=True, slots=True)
class Replay(Evidence):
    """Events, group ends and signed digests from which at least one signed digest does not follow.

    Attributes:
        checkpoint: the signed note.
        digests: the event digests of versions 0 to M - 1, end to end.
        ends: (last version, hyper digest as signed) of each group among them, in order; the last
            may be a group that goes on after M.
        history: the signed history digests that are not those that the events give, by version.
        consistency: proves that the first M leaves are those under the checkpoint; empty where M is
            its size.
    """

    kind: ClassVar[str] = "replay"
    names: ClassVar[tuple[str, ...]] = ("Checkpoint", "Digests", "Ends", "History", "Consistency")

    checkpoint: bytes
    digests: bytes
    ends: Ends
    history: Mapping[int, bytes]
    consistency: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """How many versions the file holds, M."""
        return len(self.digests) // DIGEST_BYTES

    def format_fields(self) -> Sequence[str]:
        """Return the fields as JSON: whatever is many, as bytes end to end."""
        return (
            format_bytes_as_text(self.checkpoint),
            f'"{format_base64(self.digests)}"',
            _format_records(self.ends),
            _format_records(sorted(self.history.items())),
            format_hashes(self.consistency),
        )

    @classmethod
    def read_fields(cls, frame: Frame, fields: Fields) -> Self:
        """Return the evidence of parsed fields."""
        digests = read_bytes(fields["Digests"], "Digests")
        if not digests or len(digests) % DIGEST_BYTES:
            raise MalformedError("Digests are not one digest or more of 32 bytes")
        size = len(digests) // DIGEST_BYTES
        return cls(
            frame,
            checkpoint=read_text_as_bytes(fields["Checkpoint"], "Checkpoint"),
            digests=digests,
            ends=_read_ends(fields["Ends"], size),
            history=_read_history(fields["History"], size),
            consistency=read_hashes(fields["Consistency"], "Consistency", BOUNDS.file_proof),
        )

    def judge(self, key: VerifierKey) -> Finding:
        """Make the leaves again, tie them to the checkpoint, and replay them to the first fault.

        Cost: that of replaying M events, some ten seconds a million added one by one.
        """
        checkpoint = open_signed(self.checkpoint, key, "Checkpoint")
        root, wrong_history = self._make_leaves()
        if self.size > checkpoint.size:
            raise shows_nothing(
                f"{self.size} digests are not under a checkpoint of {checkpoint.size}"
            )
        try:
            verify_consistency(
                self.size, root, checkpoint.size, checkpoint.root, list(self.consistency)
            )
        except VerificationError as error:
            raise VerificationError(
                f"the leaves of the file are not those that were signed: {error.message}",
                step="leaves",
            ) from error
        # The group of the last end may go on after M: then its hyper digest says nothing yet.
        complete = len(self.ends) - (self.size < checkpoint.size)
        wrong_hyper = self._find_wrong_hyper(complete)
        if wrong_history is None and wrong_hyper is None:
            raise shows_nothing("every digest in it follows from the events")
        if wrong_hyper is None or (wrong_history is not None and wrong_history <= wrong_hyper):
            what = f"history digest for version {wrong_history}"
        else:
            what = f"hyper digest for the group that ends at version {wrong_hyper}"
        sentence = (
            f"{checkpoint.origin} signed, under its checkpoint of size {checkpoint.size},"
            f" a {what} that its own events do not give"
        )
        return self.found_that(sentence, signed=True)

    def _make_leaves(self) -> tuple[bytes, int | None]:
        """Return the snapshot log's root over the leaves, and the first wrong history digest."""
        snapshot_peaks, history_peaks = b"", b""
        wrong = None
        for first, ends in self._batches():
            digests = self._events(first, ends[-1][0] + 1)
            history_peaks, made = extend_history(first, history_peaks, digests)
            signed, at = self._signed_history(first, made)
            wrong = at if wrong is None else wrong
            hashes, start = [], 0
            for last, hyper_digest in ends:
                part = slice(start, (last + 1 - first) * DIGEST_BYTES)
                version = first + start // DIGEST_BYTES
                hashes.append(hash_leaves(version, digests[part], signed[part], hyper_digest))
                start = part.stop
            snapshot_peaks, _ = extend_snapshots(first, snapshot_peaks, b"".join(hashes))
        return snapshot_root(snapshot_peaks), wrong

    def _signed_history(self, first: int, made: bytes) -> tuple[bytes, int | None]:
        """Return the signed history digests of a part, and the first that is not the one made."""
        if not self.history:
            return made, None
        signed, wrong = bytearray(made), None
        for at in range(0, len(made), DIGEST_BYTES):
            version = first + at // DIGEST_BYTES
            digest = self.history.get(version)
            if digest is not None and digest != made[at : at + DIGEST_BYTES]:
                wrong = version if wrong is None else wrong
                signed[at : at + DIGEST_BYTES] = digest
        return bytes(signed), wrong

    def _find_wrong_hyper(self, count: int) -> int | None:
        """Return the end of the first of `count` groups whose hyper digest is wrong, else None."""
        history = History()
        hyper = Hyper(history)
        for first, ends in self._batches(count):
            digests = self._events(first, ends[-1][0] + 1)
            starts = [first, *(last + 1 for last, _ in ends)]
            history.freeze(digests)
            roots = hyper.extend(digests, [after - at for at, after in pairwise(starts)])
            for (last, digest), root in zip(ends, split_digests(roots), strict=True):
                if root != digest:
                    return last
        return None

    def _batches(self, count: int | None = None) -> Iterator[tuple[int, Ends]]:
        """Yield the first `count` groups, many at once, each time with their first version."""
        first = 0
        wanted = self.ends[:count]
        for start in range(0, len(wanted), _GROUPS_AT_ONCE):
            ends = wanted[start : start + _GROUPS_AT_ONCE]
            yield first, ends
            first = ends[-1][0] + 1

    def _events(self, first: int, stop: int) -> bytes:
        return self.digests[first * DIGEST_BYTES : stop * DIGEST_BYTES]


def _format_records(records: Iterable[tuple[int, bytes]]) -> str:
    """Return versions with a digest each as one JSON text: u64 and 32 bytes, end to end."""
    packed = b"".join(_RECORD.pack(version, digest) for version, digest in records)
    return f'"{format_base64(packed)}"'


def _read_records(value: object, name: str) -> Ends:
    """Return what `_format_records` wrote; versions rise."""
    packed = read_bytes(value, name)
    if len(packed) % _RECORD.size:
        raise MalformedError(f"{name} are not records of {_RECORD.size} bytes")
    records = tuple(_RECORD.iter_unpack(packed))
    for (version, _), (after, _) in pairwise(records):
        if after <= version:
            raise MalformedError(f"{name}: version {after} does not follow {version}")
    return records


def _read_ends(value: object, size: int) -> Ends:
    """Return group ends that rise up to the last version, no two with one hyper digest in a row.

    Where the hyper digest does not change there is no group end (SPEC 1): two ends with one digest
    would be one group cut in two, whose first half never had that digest.
    """
    ends = _read_records(value, "Ends")
    if not ends or ends[-1][0] != size - 1:
        raise MalformedError(f"Ends do not end at version {size - 1}")
    for (_, digest), (after, same) in pairwise(ends):
        if digest == same:
            raise MalformedError(f"the group that ends at version {after} was cut in two")
    return ends


def _read_history(value: object, size: int) -> Mapping[int, bytes]:
    history = dict(_read_records(value, "History"))
    if history and max(history) >= size:
        raise MalformedError(f"History has the version {max(history)}, which Digests have not")
    return history
