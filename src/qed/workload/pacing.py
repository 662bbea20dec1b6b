"""When requests are due, where they are sent at a rate whatever becomes of the earlier ones. Pure.

In a closed loop a server that stalls gets no requests while it does, and so the stall is counted
once for each connection instead of for everybody who would have come meanwhile. At a rate, request
i is due at i / rate, and its latency counts from there although it left later.
"""

from __future__ import annotations

import math


class Schedule:
    """The due times of one open loop; one owner. Times are in seconds of the owner's clock."""

    __slots__ = ("issued", "rate", "start_s", "total")

    def __init__(
        self, rate: float, start_s: float, *, limit: int | None, length_s: float | None
    ) -> None:
        """Begin at `start_s`; end after `limit` requests or `length_s` seconds, if there is one."""
        self.rate = rate
        self.start_s = start_s
        self.issued = 0
        timed = None if length_s is None else math.ceil(length_s * rate)
        totals = [total for total in (limit, timed) if total is not None]
        self.total = min(totals) if totals else None

    def due_s(self, number: int) -> float:
        """Return when request `number` (from 0) is due."""
        return self.start_s + number / self.rate

    def take(self, now_s: float) -> float | None:
        """Issue the next request if it is due by now; return since when, None when it is not."""
        if self.issued == self.total:
            return None
        due_s = self.due_s(self.issued)
        if due_s > now_s:
            return None
        self.issued += 1
        return due_s

    @property
    def ended(self) -> bool:
        """Whether every request has been issued."""
        return self.issued == self.total

    def give_up(self, now_s: float) -> list[float]:
        """End at once; return the due times of what was due by now and not issued."""
        due = math.floor((now_s - self.start_s) * self.rate) + 1
        if self.total is not None:
            due = min(due, self.total)
        waiting = [self.due_s(number) for number in range(self.issued, due)]
        self.total = self.issued
        return waiting
