"""One question at a time, before and after a load: how long the log is, and what was added."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self

from qed import wire
from qed.client.calls import Response as Answer
from qed.client.refusals import read_refusal
from qed.errors import MalformedError, UnreachableError, VerificationError
from qed.workload.connection import Connection, Target, open_connection
from qed.workload.questions import Question, ask_digest
from qed.workload.responses import Response


class Asker:
    """A connection whose answers are awaited; one event loop."""

    def __init__(self, target: Target, timeout_s: float) -> None:
        """Keep where to ask; nothing is opened yet."""
        self._target = target
        self._timeout_s = timeout_s
        self._connection: Connection | None = None
        self._waiter: asyncio.Future[Response] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    async def ask(self, question: Question) -> bytes:
        """Return the body of the answer.

        Raises:
            UnreachableError: there is none, or not in time.
            RequestError: the server's refusal; UnavailableError likewise.
        """
        if self._connection is None:
            self._connection = await open_connection(self, self._target, self._timeout_s)
        connection = self._connection
        self._waiter = asyncio.get_running_loop().create_future()
        connection.ask(question, -1, 0.0, time.perf_counter())
        where = f"{question.kind} at {self._target.endpoint}"
        try:
            async with asyncio.timeout(self._timeout_s):
                head, body = await self._waiter
        except TimeoutError:
            connection.close()
            self._connection = None
            raise UnreachableError(f"{where}: no answer within {self._timeout_s:g} s") from None
        if head.closes:
            connection.close()
            self._connection = None
        if head.status != question.expected_status:
            raise read_refusal(Answer(head.status, {"content-type": head.media_type}, body), where)
        return body

    async def current_version(self) -> int:
        """Return the newest version of the log, NO_VERSION when it is empty.

        Raises:
            VerificationError: the answer is none of a log server. Else as `ask`.
        """
        body = await self.ask(ask_digest(bytes(32)))
        try:
            return wire.decode_membership(body).current_version
        except MalformedError as error:
            raise VerificationError(
                f"the answer of {self._target.endpoint} does not parse: {error.message}",
                step="answer",
                hint="is this the data port of a log server?",
            ) from error

    def answered(self, connection: Connection, response: Response) -> None:
        """Hand the answer to who waits for it."""
        connection.question = None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(response)

    def lost(self, connection: Connection, reason: str) -> None:
        """Tell who waits that no answer will come."""
        del connection
        self._connection = None
        if self._waiter is not None and not self._waiter.done():
            where = f"{self._target.endpoint}: {reason}"
            self._waiter.set_exception(UnreachableError(where))
