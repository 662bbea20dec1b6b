"""Law: how a log is cut into groups changes no history digest, and the map only by repeats."""

from __future__ import annotations

from hypothesis import given

from laws import logs
from pure_log import PureLog


@given(logs)
def test_history_is_the_same_however_it_is_cut(groups):
    grouped, single = PureLog(), PureLog()
    for group in groups:
        grouped.add(group)
        for digest in group:
            single.add([digest])

    assert grouped.frozen == single.frozen
    assert history_digests(grouped) == history_digests(single)


@given(logs)
def test_without_repeats_in_a_group_the_map_after_it_is_that_of_single_adds(groups):
    grouped, single = PureLog(), PureLog()
    for group in groups:
        distinct = list(dict.fromkeys(group))
        grouped.add(distinct)
        for digest in distinct:
            single.add([digest])

        assert grouped.snapshots[-1] == single.snapshots[-1]


def history_digests(log) -> list[bytes]:
    return [snapshot.history_digest for snapshot in log.snapshots]
