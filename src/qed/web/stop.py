"""The one way to end a serving process: a request to stop, with the reason if there is one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from qed.errors import QedError


class Stop:
    """The one way to end `run`; may be used from any thread, before it runs and after."""

    def __init__(self) -> None:
        """Start out with nothing requested."""
        self.error: QedError | None = None  # why the process cannot go on; the first one is kept
        self._lock = threading.Lock()  # guards the three fields below and `error`
        self._requests = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._notify: Callable[[int], None] = lambda _requests: None

    def request(self, error: QedError | None = None) -> None:
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
