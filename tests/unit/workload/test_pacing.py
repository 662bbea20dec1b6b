"""Open-loop schedules: when a request is due does not depend on what became of the others."""

import pytest

from qed.workload.pacing import Schedule


def taken(schedule, now_s):
    found = []
    while (due := schedule.take(now_s)) is not None:
        found.append(due)
    return found


def test_a_request_is_due_at_its_time_and_not_before():
    schedule = Schedule(10.0, 100.0, limit=None, length_s=None)

    assert taken(schedule, 99.9) == []
    assert taken(schedule, 100.0) == [100.0]
    assert taken(schedule, 100.35) == pytest.approx([100.1, 100.2, 100.3])
    assert not schedule.ended


def test_what_was_not_sent_in_time_keeps_its_due_time():
    schedule = Schedule(1000.0, 0.0, limit=5, length_s=None)

    assert taken(schedule, 60.0) == pytest.approx([0.0, 0.001, 0.002, 0.003, 0.004])
    assert schedule.ended


@pytest.mark.parametrize(
    ("limit", "length_s", "total"), [(7, None, 7), (None, 0.5, 5), (3, 0.5, 3), (None, None, None)]
)
def test_it_ends_with_the_count_or_the_time(limit, length_s, total):
    assert Schedule(10.0, 0.0, limit=limit, length_s=length_s).total == total


def test_what_is_given_up_is_told_since_when_it_was_due():
    schedule = Schedule(10.0, 0.0, limit=None, length_s=10.0)
    schedule.take(0.0)

    assert schedule.give_up(0.31) == pytest.approx([0.1, 0.2, 0.3])
    assert schedule.ended
    assert schedule.take(5.0) is None


def test_no_more_is_given_up_than_there_was():
    schedule = Schedule(10.0, 0.0, limit=2, length_s=None)

    assert schedule.give_up(100.0) == pytest.approx([0.0, 0.1])
