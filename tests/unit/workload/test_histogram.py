"""Percentiles from buckets against the sorted list of what was seen."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qed.workload.histogram import Histogram

VALUES = st.lists(
    st.one_of(st.integers(0, 5000), st.integers(0, 10**7), st.integers(0, 2**42 - 1)), min_size=1
)
PERCENTS = st.sampled_from([0.0, 1.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0])


def filled(values):
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


@given(VALUES, PERCENTS)
def test_a_percentile_is_never_too_low_and_hardly_too_high(values, percent):
    exact = sorted(values)[max(1, math.ceil(len(values) * percent / 100 - 1e-9)) - 1]

    found = filled(values).percentile_us(percent)

    assert exact <= found <= exact + exact // 1024
    shift = max(0, exact.bit_length() - 11)
    assert found >> shift == exact >> shift  # of the same bucket


@given(VALUES)
def test_what_is_exact_is_exact(values):
    histogram = filled(values)

    assert histogram.count == len(values)
    assert histogram.largest_us == histogram.percentile_us(100) == max(values)
    assert histogram.mean_us == sum(values) / len(values)


@given(VALUES, VALUES, PERCENTS)
def test_two_added_are_as_one(ones, others, percent):
    both = filled(ones)
    both.add(filled(others))

    whole = filled(ones + others)
    assert both.percentile_us(percent) == whole.percentile_us(percent)
    assert (both.count, both.sum_us, both.largest_us) == (
        whole.count,
        whole.sum_us,
        whole.largest_us,
    )


def test_nothing_seen_is_nothing():
    histogram = Histogram()

    assert histogram.percentile_us(99) == histogram.largest_us == histogram.mean_us == 0


@pytest.mark.parametrize(("value", "counted"), [(-5, 0), (2**60, 2**42 - 1)])
def test_what_cannot_be_is_cut(value, counted):
    assert filled([value]).percentile_us(100) == counted


def test_the_999th_of_1000_is_its_99_9_percent():
    assert filled(range(1, 1001)).percentile_us(99.9) == 999


@pytest.mark.parametrize("percent", [-1, 100.5])
def test_no_percentage_is_a_bug(percent):
    with pytest.raises(AssertionError):
        filled([1]).percentile_us(percent)
