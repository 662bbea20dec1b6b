"""What a program asks of its process: open files, turns of threads, its place, word of a start."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator

from qed.errors import StoppingError
from qed.web.stop import Stop

PROGRESS_EVERY_S = 2.0
BEHIND = 10  # how nice a program is that may come after others; 0 is usual, 19 the nicest


def raise_file_limit() -> None:
    """Allow as many open files as the system lets us: connections and tables need them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def step_back() -> None:
    """Let other programs of this machine go first, for the life of this thread and its threads.

    Only where processors are short does it make a difference. One that is nicer already stays so.
    """
    here = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, max(here, BEHIND))


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
