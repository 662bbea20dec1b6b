"""A whole log server in a thread: port 0 of the loopback, a database of its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qed.server.config import ServerConfig
from qed.server.start import serve
from qed.web.stop import Stop

DEADLINE_S = 30.0


@dataclass(frozen=True)
class LogServer:
    """Where the server answers."""

    data: str
    management: str
    metrics: str


@contextlib.contextmanager
def log_server(db_path: Path, **fields: Any) -> Iterator[LogServer]:
    """Serve the log in a directory for the length of the block; it is created when missing."""
    anywhere = dict.fromkeys(("http_addr", "mgmt_addr", "metrics_addr"), "127.0.0.1:0")
    config = ServerConfig(db_path=db_path, **(anywhere | fields))
    stop, ready = Stop(), threading.Event()
    places: list[Any] = []
    outcome: list[BaseException] = []

    def target() -> None:
        try:
            serve(config, announce=lambda _line: None, stop=stop, on_ready=opened)
        except BaseException as error:  # noqa: BLE001 (raised again by the test's thread)
            outcome.append(error)
        finally:
            ready.set()

    def opened(found: Any) -> None:
        places.append(found)
        ready.set()

    thread = threading.Thread(target=target)
    thread.start()
    try:
        assert ready.wait(DEADLINE_S)
        if outcome:
            raise outcome[0]
        scheme = "https" if config.enable_tls else "http"
        yield LogServer(
            f"{scheme}://{places[0].data.address}",
            f"{scheme}://{places[0].management.address}",
            f"http://{places[0].metrics.address}",
        )
    finally:
        stop.request()
        thread.join(DEADLINE_S)
        assert not thread.is_alive(), "the server did not stop"
    if outcome:
        raise outcome[0]
