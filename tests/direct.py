"""A published log as a source, without a socket: what it is asked is answered in the same call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from publishing import PublishedLog, Serving
from qed.client.calls import Request, Response
from qed.client.feed import Source
from qed.errors import UnreachableError


@dataclass
class DirectPlace:
    """Answers as `publishing.serving` does, and keeps what it was asked."""

    name: str
    serving: Serving
    down: bool = False
    before: Callable[[Request], None] = field(default=lambda _request: None)

    def send(self, request: Request, timeout_s: float) -> Response:
        del timeout_s
        if self.down:
            raise UnreachableError(f"{self.name} is down")
        self.before(request)
        path = request.path.partition("?")[0] if request.path.startswith("/checkpoint") else ""
        status, body = self.serving.answer(request.method, path or request.path, request.body)
        return Response(status, {"content-type": "application/json"}, body)

    def close(self) -> None:
        pass


class Direct:
    """A log that is served under a name; `lies` as those of `Serving`."""

    def __init__(self, log: PublishedLog, name: str, **fields: Any) -> None:
        self.serving = Serving(log, **fields)
        self.place = DirectPlace(name, self.serving)

    @property
    def lies(self):
        return self.serving.lies

    def source(self) -> Source:
        """Return a source of its own, as each thread has one."""
        return Source(self.place, timeout_s=20.0)

    def asked(self, path: str) -> list[bytes]:
        """Return the bodies of what a path was asked, in order."""
        both = zip(self.serving.asked, self.serving.bodies, strict=True)
        return [body for asked, body in both if asked.split(" ", 1)[1].startswith(path)]
