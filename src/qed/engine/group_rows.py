"""The groups, read back from their rows: all in order, a range of versions, or part by part.

Whoever replays, checks, serves or signs reads them here, so that what one of them takes for damage
the others do too: a gap, an overlap, a group without its end or an end without its group.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from qed.database import Database
from qed.engine import rows
from qed.engine.rows import StoredGroup
from qed.errors import DamagedError
from qed.trees.values import DIGEST_BYTES

PART_EVENTS = 16_384  # given to the kernel at a time, while the next are being read


def read_groups(
    database: Database, first: int = 0, stop: int | None = None
) -> Iterator[StoredGroup]:
    """Yield every group in order, from the one that begins at version `first` on.

    With `stop`, a group end, only those before it. Rows that contradict their neighbours are a
    `DamagedError`.
    """
    expected = first
    # From the very first key on: one that is no version is found.
    start = rows.encode_version(first) if first else b""
    ends = (start, None if stop is None else rows.encode_version(stop))
    both = zip_longest(database.scan(rows.LOG, *ends), database.scan(rows.ENDS, *ends))
    for log_row, end_row in both:
        if log_row is None:
            name = rows.name_row(rows.ENDS, rows.decode_version(rows.ENDS, end_row[0]))
            raise DamagedError(f"the row {name} ends no group", hint=rows.RESTORE_HINT)
        first_version = rows.decode_version(rows.LOG, log_row[0])
        if first_version != expected:
            raise DamagedError(
                f"the row {rows.name_row(rows.LOG, first_version)} does not follow on: "
                f"the next version is {expected}",
                hint=rows.RESTORE_HINT,
            )
        if end_row is None:
            raise DamagedError(
                f"the row {rows.name_row(rows.LOG, first_version)} has no end row",
                hint=rows.RESTORE_HINT,
            )
        group = rows.decode_group(log_row, end_row)
        yield group
        expected = group.end_version


def read_digests(database: Database, first: int, stop: int) -> bytes:
    """Return the event digests of versions [first, stop), end to end, from the rows.

    A version without a row is a `DamagedError`. Cost: reads each group that has one of them.
    """
    row = database.last(rows.LOG, rows.encode_version(first))
    found = bytearray()
    if row is not None:
        for key, value in database.scan(rows.LOG, row[0], rows.encode_version(stop)):
            start = rows.decode_version(rows.LOG, key)
            if start > first + len(found) // DIGEST_BYTES:
                break
            found += value[max(0, first - start) * DIGEST_BYTES : (stop - start) * DIGEST_BYTES]
    if len(found) != (stop - first) * DIGEST_BYTES:
        missing = first + len(found) // DIGEST_BYTES
        raise DamagedError(f"no row of log holds version {missing}", hint=rows.RESTORE_HINT)
    return bytes(found)


def read_range(database: Database, first: int, stop: int) -> list[StoredGroup]:
    """Return the groups that have the versions [first, stop), whole, in order.

    All of these versions must have been committed: a missing row, or rows that contradict their
    neighbours, are a `DamagedError`. Cost: reads each group that has one of them, and its end.
    """
    if first >= stop:
        return []
    start = database.last(rows.LOG, rows.encode_version(first))
    if start is None:
        raise DamagedError(f"no row of log holds version {first}", hint=rows.RESTORE_HINT)
    log_rows = list(database.scan(rows.LOG, start[0], rows.encode_version(stop)))
    last = rows.decode_version(rows.LOG, log_rows[-1][0])
    end = last + len(log_rows[-1][1]) // DIGEST_BYTES
    end_rows = list(database.scan(rows.ENDS, start[0], rows.encode_version(end)))
    groups: list[StoredGroup] = []
    expected = rows.decode_version(rows.LOG, start[0])
    for number, log_row in enumerate(log_rows):
        if rows.decode_version(rows.LOG, log_row[0]) != expected or number >= len(end_rows):
            break
        groups.append(rows.decode_group(log_row, end_rows[number]))
        expected = groups[-1].end_version
    if expected < stop or not groups or groups[0].end_version <= first:
        missing = max(expected, first) if groups else first
        raise DamagedError(
            f"no row of log and ends holds version {missing}", hint=rows.RESTORE_HINT
        )
    return groups


@dataclass(slots=True)
class Part:
    """Some groups that follow on: their digests, how many each has, and their ends as stored."""

    first_version: int
    end_version: int
    digests: bytearray = field(default_factory=bytearray)
    counts: array[int] = field(default_factory=lambda: array("Q"))
    hyper_digests: bytearray = field(default_factory=bytearray)


def cut_parts(groups: Iterable[StoredGroup], boundary: int = 0) -> Iterator[Part]:
    """Yield the groups in parts; one ends at `boundary` if a group does."""
    part = Part(0, 0)
    full = 0
    for first_version, end_version, digests, hyper_digest in groups:
        if not part.counts:
            part = Part(first_version, first_version)
            full = first_version + PART_EVENTS
        part.digests += digests
        part.counts.append(end_version - first_version)
        part.hyper_digests += hyper_digest
        part.end_version = end_version
        if end_version >= full or end_version == boundary:
            yield part
            part = Part(end_version, end_version)
    if part.counts:
        yield part
