"""How long to rest after a failure: longer each time, up to a bound, and never in step with others.

Agents of one log fail together when its server goes down. Without the random part they would come
back together too.
"""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_S = 0.25
LONGEST_S = 30.0


class BackOff:
    """The rests of one work; used by its thread only."""

    def __init__(
        self,
        *,
        first_s: float = FIRST_S,
        longest_s: float = LONGEST_S,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Begin at `first_s`; `draw` returns numbers from 0 to 1, spread evenly."""
        self.failures = 0  # in a row
        self._first_s = first_s
        self._longest_s = longest_s
        self._draw = draw

    def next_s(self) -> float:
        """Count a failure and return how long to rest: half the bound of its turn to all of it.

        The bound doubles with each failure in a row, from `first_s` to `longest_s`.
        """
        bound_s = self._longest_s
        if self.failures < 64:  # noqa: PLR2004  # beyond, the power would leave the floats
            bound_s = min(self._longest_s, self._first_s * 2.0**self.failures)
        self.failures += 1
        return bound_s * (0.5 + 0.5 * self._draw())

    def reset(self) -> None:
        """Begin at the first rest again: something has worked."""
        self.failures = 0
