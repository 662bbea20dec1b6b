"""Rests after failures: longer each time, bounded, never quite the same."""

import pytest

from qed.agents.backoff import BackOff


def test_each_rest_is_up_to_twice_as_long_as_the_one_before():
    rests = BackOff(first_s=1.0, longest_s=8.0, draw=lambda: 1.0)
    assert [rests.next_s() for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]


def test_half_of_it_is_left_to_chance():
    rests = BackOff(first_s=1.0, longest_s=8.0, draw=lambda: 0.0)
    assert [rests.next_s() for _ in range(3)] == [0.5, 1.0, 2.0]


def test_it_is_bounded_for_ever():
    rests = BackOff(first_s=0.25, longest_s=30.0, draw=lambda: 1.0)
    assert max(rests.next_s() for _ in range(3000)) == 30.0


def test_it_begins_again_when_something_has_worked():
    rests = BackOff(first_s=1.0, longest_s=8.0, draw=lambda: 1.0)
    rests.next_s()
    rests.next_s()
    rests.reset()

    assert rests.failures == 0
    assert rests.next_s() == 1.0


def test_two_that_fail_together_do_not_come_back_together():
    one, other = BackOff(), BackOff()
    assert [one.next_s() for _ in range(5)] != pytest.approx([other.next_s() for _ in range(5)])
