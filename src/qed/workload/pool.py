"""The connections of a load: opened at once at the beginning, opened again when one is gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from qed.errors import UnreachableError
from qed.workload.connection import Connection, Owner, Target, open_connection
from qed.workload.tally import Errors

RECONNECT_S = 10.0  # how long a connection is tried to be opened again
_PAUSE_S = 0.2


class Holder(Owner, Protocol):
    """Whose connections they are."""

    def opened(self, connection: Connection) -> None:
        """Use a connection that was opened in the place of another."""

    def given_up(self, error: UnreachableError) -> None:
        """Take note that a place stays empty."""

    def needs_connections(self) -> bool:
        """Whether there is still something to send."""


class Pool:
    """Places for connections, each with an open one or one that is being opened; one event loop."""

    def __init__(
        self,
        holder: Holder,
        errors: Errors,
        timeout_s: float,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Begin without a place."""
        self.connections: list[Connection] = []
        self.opening = 0
        self._holder = holder
        self._errors = errors
        self._timeout_s = timeout_s
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def empty(self) -> bool:
        """Whether no connection is open or being opened."""
        return not self.connections and not self.opening

    async def open_all(self, targets: Sequence[Target], count: int) -> None:
        """Open connections, in turn to each target; those that cannot be opened are counted.

        Raises:
            UnreachableError: that is all of them.
        """
        wanted = [targets[at % len(targets)] for at in range(count)]
        opened = await asyncio.gather(
            *(open_connection(self._holder, target, self._timeout_s) for target in wanted),
            return_exceptions=True,
        )
        failure: UnreachableError | None = None
        for each in opened:
            if isinstance(each, Connection):
                self.connections.append(each)
            elif isinstance(each, UnreachableError):
                failure = each
                self._errors.count("cannot connect", each.message)
            else:
                raise each
        if failure is not None and not self.connections:
            raise failure

    def replace(self, connection: Connection, after_s: float = 0.0) -> None:
        """Let go of a connection, and open another in its place while there is a use for it.

        `after_s` is how long to wait first, so that a server that turns connections away is not
        run down.
        """
        connection.close()
        with suppress(ValueError):
            self.connections.remove(connection)
        if not self._holder.needs_connections():
            return
        self.opening += 1
        task = asyncio.get_running_loop().create_task(self._reopen(connection.target, after_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Close what is open and stop opening."""
        for task in self._tasks:
            task.cancel()
        for connection in self.connections:
            connection.close()

    async def _reopen(self, target: Target, after_s: float) -> None:
        await asyncio.sleep(after_s)
        until_s = self._clock() + min(RECONNECT_S, self._timeout_s)
        while True:
            try:
                connection = await open_connection(self._holder, target, self._timeout_s)
            except UnreachableError as error:
                if self._clock() >= until_s or not self._holder.needs_connections():
                    self.opening -= 1
                    self._errors.count("cannot connect", error.message)
                    self._holder.given_up(error)
                    return
            else:
                self.opening -= 1
                self.connections.append(connection)
                self._holder.opened(connection)
                return
            await asyncio.sleep(_PAUSE_S)
