"""Groups read back: all, from one on, a range, in parts; what does not fit is damage."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import accumulate, pairwise
from pathlib import Path

import pytest

from harness import event, events
from qed.database import Database
from qed.engine import group_rows, rows
from qed.engine.group_rows import cut_parts, read_digests, read_groups, read_range
from qed.engine.log import Log
from qed.errors import DamagedError

GROUPS = [events(0, 2), [event(0)], events(2, 5), [event(5)]]
ALL = [digest for digests in GROUPS for digest in digests]
ENDS = [0, *accumulate(map(len, GROUPS))]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Log.create(tmp_path / "db") as log:
        for digests in GROUPS:
            log.append(digests)
    with contextlib.closing(Database.open(tmp_path / "db", rows.FAMILIES)) as database:
        yield database


def u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


def test_groups_come_in_order(database) -> None:
    groups = list(read_groups(database))
    assert [group.digests for group in groups] == [b"".join(digests) for digests in GROUPS]
    assert [group.first_version for group in groups] == ENDS[:-1]


def test_groups_between_two_ends(database) -> None:
    for number, first in enumerate(ENDS[:-1]):
        for last, stop in enumerate(ENDS[number + 1 :], number + 1):
            found = [group.first_version for group in read_groups(database, first, stop)]
            assert found == ENDS[number:last]


def test_a_start_within_a_group_does_not_follow_on(database) -> None:
    with pytest.raises(DamagedError, match="log/2 does not follow on: the next version is 1"):
        list(read_groups(database, 1))


def test_a_range_has_the_whole_groups_of_its_versions(database) -> None:
    for first in range(7):
        for stop in range(first + 1, 8):
            groups = read_range(database, first, stop)
            assert groups[0].first_version <= first < groups[0].end_version
            assert groups[-1].first_version < stop <= groups[-1].end_version
            found = b"".join(group.digests for group in groups)
            assert found == b"".join(ALL[groups[0].first_version : groups[-1].end_version])
    assert read_range(database, 3, 3) == []


@pytest.mark.parametrize(
    ("puts", "sentence"),
    [
        ([], "no row of log and ends holds version 7"),
        ([("log", u64(8), bytes(32))], "no row of log and ends holds version 7"),
        ([("log", u64(7), bytes(64))], "no row of log and ends holds version 7"),
        ([("log", u64(7), bytes(64)), ("ends", u64(7), bytes(32))], "ends at version 8"),
    ],
)
def test_a_range_that_no_rows_hold_is_damage(database, puts, sentence) -> None:
    database.commit(puts)
    with pytest.raises(DamagedError, match=sentence):
        read_range(database, 5, 9)


def test_a_range_before_the_first_row_is_damage(tmp_path) -> None:
    with contextlib.closing(Database.create(tmp_path, rows.FAMILIES)) as database:
        with pytest.raises(DamagedError, match="no row of log holds version 0"):
            read_range(database, 0, 1)
        database.commit([("log", u64(0), bytes(32)), ("ends", u64(0), bytes(32))])
        with pytest.raises(DamagedError, match="no row of log and ends holds version 5"):
            read_range(database, 5, 6)


def test_digests_are_read_back_by_version(database) -> None:
    for first in range(7):
        for stop in range(first + 1, 8):
            assert read_digests(database, first, stop) == b"".join(ALL[first:stop])


@pytest.mark.parametrize(("part_events", "boundary"), [(1, 0), (2, 0), (3, 0), (9, 0), (9, 3)])
def test_parts_are_groups_that_follow_on(database, monkeypatch, part_events, boundary) -> None:
    monkeypatch.setattr(group_rows, "PART_EVENTS", part_events)
    parts = list(cut_parts(read_groups(database), boundary))
    assert b"".join(part.digests for part in parts) == b"".join(ALL)
    assert [count for part in parts for count in part.counts] == list(map(len, GROUPS))
    assert all(before.end_version == part.first_version for before, part in pairwise(parts))
    assert (parts[0].first_version, parts[-1].end_version) == (0, 7)
    assert not boundary or boundary in [part.end_version for part in parts]
    for part in parts:
        assert len(part.digests) == 32 * (part.end_version - part.first_version)
        assert part.end_version - part.counts[-1] - part.first_version < part_events


def test_parts_from_the_middle_begin_there(database) -> None:
    (part,) = cut_parts(read_groups(database, 3))
    assert (part.first_version, part.end_version, list(part.counts)) == (3, 7, [3, 1])
