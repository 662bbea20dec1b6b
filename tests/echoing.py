"""Applications that give back what they are sent, on the ordinary path or on the hot one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass, field

from qed.web.application import Application, Route
from qed.web.hot import Asker, HotRoute
from qed.web.limits import WebLimits
from qed.web.messages import TEXT, Answer, Request
from serving import DEADLINE_S


class Gate:
    """A handler that says when a request has arrived and answers when it is let through."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)
        self.open = threading.Event()

    async def __call__(self, request: Request) -> Answer:
        self.arrived.release()
        await asyncio.to_thread(self.open.wait, DEADLINE_S)
        return Answer(200, request.body, TEXT)

    def hot(self, body: bytes, asker: Asker) -> bool:
        """Take a request, and answer it on the loop once another thread says so."""
        loop = asyncio.get_running_loop()

        def wait() -> None:
            self.open.wait(DEADLINE_S)
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(asker.answer, 200, TEXT, body)

        threading.Thread(target=wait).start()
        self.arrived.release()
        return True


@dataclass
class HotEcho:
    """A hot handler; it leaves bodies that begin with `odd` to the ordinary way."""

    taken: list[bytes] = field(default_factory=list)

    def __call__(self, body: bytes, asker: Asker) -> bool:
        if body.startswith(b"odd"):
            return False
        self.taken.append(body)
        asker.answer(200, TEXT, body)
        return True


async def echo(request: Request) -> Answer:
    return Answer(200, request.body, TEXT)


def application(
    limits: WebLimits | None = None,
    gate: Gate | None = None,
    hot: HotEcho | None = None,
) -> Application:
    """Return one with `/echo`, `/gate` if a gate is given, and short cuts for both with `hot`."""
    routes = [Route("POST", "/echo", echo), Route("GET", "/echo", echo)]
    short_cuts = [HotRoute("/echo", hot)] if hot is not None else []
    if gate is not None:
        routes.append(Route("POST", "/gate", gate))
        if hot is not None:
            short_cuts.append(HotRoute("/gate", gate.hot))
    return Application(routes, limits or WebLimits(), hot=short_cuts)
