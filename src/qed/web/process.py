"""What a server asks of its own process: open files, turns of threads, word of a long start."""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from collections.abc import Callable, Iterator

from qed.errors import StoppingError
from qed.web.stop import Stop

PROGRESS_EVERY_S = 2.0


def raise_file_limit() -> None:
    """Allow as many open files as the system lets us: connections and tables need them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def short_turns(interval_s: float) -> Iterator[None]:
    """Let threads take turns of this length within the block; it holds for the process."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(interval_s)
    try:
        yield
    finally:
        sys.setswitchinterval(before_s)


def announce_opening(
    what: str, rows: str, announce: Callable[[str], None], stop: Stop
) -> Callable[[int, int], None]:
    """Return a callback that announces how far an opening is, every two seconds.

    `what` is opened by recomputing its `rows`. The callback raises `StoppingError` once a stop is
    asked for.
    """
    last_s = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal last_s
        if stop.is_requested:
            raise StoppingError(f"stopped before the {what} was open: nothing was served")
        now_s = time.monotonic()
        if now_s - last_s >= PROGRESS_EVERY_S:
            last_s = now_s
            announce(f"opening the {what}: {done:,} of {total:,} {rows} recomputed")

    return report
