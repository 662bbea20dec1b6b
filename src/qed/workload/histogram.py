"""Latencies in bounded memory: a histogram whose buckets are 1/1024 wide or narrower. Pure.

Values are whole microseconds. Up to 2,047 each has a bucket of its own; above, each power of two
is cut into 1,024 buckets. So a percentile is never too low, and too high by less than 0.1 %.
Source: the idea of HdrHistogram.
"""

from __future__ import annotations

from array import array

_BITS = 11  # values below 2**_BITS are exact
_HALF = 1 << (_BITS - 1)
_MAX_US = 2**42 - 1  # 50 days
_BUCKETS = (42 - _BITS) * _HALF + 2 * _HALF


class Histogram:
    """How often each latency was seen; not locked, one owner.

    Cost: 260 KiB; `record` about 0.2 us.
    """

    __slots__ = ("_counts", "count", "largest_us", "sum_us")

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._counts = array("Q", bytes(8 * _BUCKETS))
        self.count = 0
        self.sum_us = 0
        self.largest_us = 0

    def record(self, value_us: int) -> None:
        """Count one latency; below 0 counts as 0, above 50 days as that."""
        if not 0 <= value_us <= _MAX_US:
            value_us = 0 if value_us < 0 else _MAX_US
        shift = value_us.bit_length() - _BITS
        if shift > 0:
            self._counts[shift * _HALF + (value_us >> shift)] += 1
        else:
            self._counts[value_us] += 1
        self.count += 1
        self.sum_us += value_us
        self.largest_us = max(self.largest_us, value_us)

    def percentile_us(self, percent: float) -> int:
        """Return the least latency that at least `percent` of those seen do not exceed.

        It is the upper end of its bucket, and the largest latency itself at 100; 0 when nothing
        was seen.
        """
        if not 0 <= percent <= 100:  # noqa: PLR2004 - percent
            raise AssertionError(f"{percent} is no percentage")
        # In parts of a million of a percent, so that 99.9 % of 1,000 is 999 and not 1,000.
        parts = round(percent * 1_000_000)
        wanted = max(1, -(-self.count * parts // 100_000_000))
        seen = 0
        for at, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return min(_upper_end_us(at), self.largest_us)
        return self.largest_us

    @property
    def mean_us(self) -> float:
        """The mean, exact; 0 when nothing was seen."""
        return self.sum_us / self.count if self.count else 0.0

    def add(self, other: Histogram) -> None:
        """Count everything that another histogram has seen as well."""
        self._counts = array("Q", map(int.__add__, self._counts, other._counts))
        self.count += other.count
        self.sum_us += other.sum_us
        self.largest_us = max(self.largest_us, other.largest_us)


def _upper_end_us(bucket: int) -> int:
    """Return the largest value that a bucket counts."""
    if bucket < 2 * _HALF:
        return bucket
    shift = bucket // _HALF - 1
    return ((bucket - shift * _HALF + 1) << shift) - 1
