"""The one way to end a serving process: a request to stop, with the reason if there is one."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """The one way to end `run`; may be used from any thread, before it runs and after."""

    def __init__(self) -> None:
        """Start out with nothing requested."""
        self.error: Exception | None = None  # why the process cannot go on; the first one is kept
        # Guards the three fields below and `error`. Reentrant: a signal interrupts its own thread.
        self._lock = threading.RLock()
        self._requests = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._notify: Callable[[int], None] = lambda _requests: None

    @property
    def is_requested(self) -> bool:
        """Return whether anybody has asked for it; work that takes long looks here in between."""
        return self._requests > 0

    @contextlib.contextmanager
    def on_signals(self) -> Iterator[None]:
        """Let the first SIGTERM or SIGINT ask for the stop, for the length of the block.

        This is for the time before `run` listens to them on its loop. A second one does what it
        did before the block. Outside the main thread, which alone gets signals, nothing is done.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def take(_number: int, _frame: FrameType | None) -> None:
            restore()
            self.request()

        def restore() -> None:
            for number, handler in before.items():
                signal.signal(number, handler)

        before = {number: signal.getsignal(number) or signal.SIG_DFL for number in SIGNALS}
        for number in SIGNALS:
            signal.signal(number, take)
        try:
            yield
        finally:
            restore()

    def request(self, error: Exception | None = None) -> None:
        """Ask for the stop; a second request ends the wait for what is in flight."""
        with self._lock:
            self._requests += 1
            self.error = self.error or error
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._notify, self._requests)

    def attach(self, loop: asyncio.AbstractEventLoop, notify: Callable[[int], None]) -> None:
        """Have `notify` called on the loop with the number of requests so far, now if there are."""
        with self._lock:
            self._loop, self._notify = loop, notify
            if self._requests:
                loop.call_soon(notify, self._requests)

    def detach(self) -> None:
        """Forget the loop, which is about to close."""
        with self._lock:
            self._loop = None
