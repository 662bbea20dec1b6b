from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from qed.database import Database
from qed.engine.log import Added, Log
from qed.errors import FatalError, QedError
from qed.server.config import ServerConfig
from qed.server.data_port import DataPort
from qed.server.hot_port import HotPort
from qed.server.metrics import Counts
from qed.server.sites import Places
from qed.server.start import serve
from qed.web.application import Application
from qed.web.limits import WebLimits
from qed.web.stop import Stop
from qed.wire.topology import Shard, Shards
from serving import DEADLINE_S, Serving, serving

ServingLog = Callable[..., AbstractContextManager[Serving]]
SHARDS = Shards("node", "node", "http", {"node": Shard("node", "127.0.0.1:8800")})


@contextlib.contextmanager
def serving_log(
    log: object, limits: WebLimits | None = None, *, hot: bool = True
) -> Iterator[Serving]:
    """Serve a log, or what stands in for one, on a data port, with or without its short cuts."""
    limits, counts = limits or WebLimits(), Counts()
    port = DataPort(log, counts, limits, info={"node_id": "node"}, shards=SHARDS)
    short_cuts = HotPort(log, counts, limits).routes() if hot else []
    application = Application(port.routes(), limits, hot=short_cuts)
    with serving(application) as server:
        server.data_port, server.counts, server.application = port, counts, application
        yield server


@pytest.fixture(params=["ordinary", "hot"])
def serving_log_both_ways(request: pytest.FixtureRequest) -> ServingLog:
    """`serving_log` without and with short cuts: nobody can tell which it was."""
    return functools.partial(serving_log, hot=request.param == "hot")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log.create(tmp_path / "db") as log:
        yield log


@dataclass
class RefusingLog:
    """A log that refuses every call with one error."""

    error: QedError
    failure: FatalError | None = None

    def submit(self, _digests: Sequence[bytes]) -> Future[Added]:
        raise self.error

    def submit_with(self, _digests: bytes, _done: object) -> None:
        raise self.error

    def flat_membership(self, _digest: bytes, _version: int | None = None) -> None:
        raise self.error

    def flat_incremental(self, _start: int, _end: int) -> None:
        raise self.error

    def prove_membership(self, _digest: bytes, _version: int | None = None) -> None:
        raise self.error

    def prove_incremental(self, _start: int, _end: int) -> None:
        raise self.error


class SlowDisk:
    """Holds every commit of a log at the disk until it is let through, or fails it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached = threading.Semaphore(0)
        self.release = threading.Event()
        self.failure: FatalError | None = None
        commit = Database.commit

        def slow_commit(database: Database, puts: Sequence[tuple[str, bytes, bytes]]) -> None:
            self.reached.release()
            assert self.release.wait(DEADLINE_S)
            if self.failure is not None:
                raise self.failure
            commit(database, puts)

        monkeypatch.setattr(Database, "commit", slow_commit)

    def wait_for_a_commit(self) -> None:
        assert self.reached.acquire(timeout=DEADLINE_S)


@dataclass
class Running:
    """A whole server in a thread."""

    config: ServerConfig
    announced: list[str] = field(default_factory=list)
    about_the_kernel: list[str] = field(default_factory=list)
    stop: Stop = field(default_factory=Stop)
    outcome: list[BaseException | None] = field(default_factory=list)
    ready: threading.Event = field(default_factory=threading.Event)
    places: Places | None = None
    thread: threading.Thread | None = None

    def start(self) -> None:
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()
        assert self.ready.wait(DEADLINE_S)

    def _serve(self) -> None:
        try:
            serve(
                self.config,
                announce=self._announce,
                stop=self.stop,
                on_ready=self._take_places,
            )
            self.outcome.append(None)
        except BaseException as error:  # noqa: BLE001  # shown by the test that asks for it
            self.outcome.append(error)
        finally:
            self.ready.set()

    def _announce(self, line: str) -> None:
        about_the_kernel = line.startswith("warning: running on the ")
        (self.about_the_kernel if about_the_kernel else self.announced).append(line)

    def _take_places(self, places: Places) -> None:
        self.places = places
        self.ready.set()

    @property
    def data(self) -> int:
        return self.places.data.address.port

    @property
    def management(self) -> int:
        return self.places.management.address.port

    @property
    def metrics(self) -> int:
        return self.places.metrics.address.port

    def join(self) -> BaseException | None:
        self.thread.join(DEADLINE_S)
        assert not self.thread.is_alive(), "the server did not stop"
        return self.outcome[0]


def local(db_path: Path, **fields: object) -> ServerConfig:
    """A configuration on free ports of the loopback."""
    anywhere = "127.0.0.1:0"
    named = {"http_addr": anywhere, "mgmt_addr": anywhere, "metrics_addr": anywhere} | fields
    return ServerConfig(db_path=db_path, **named)


@contextlib.contextmanager
def running(config: ServerConfig) -> Iterator[Running]:
    """Run a server for the length of the block; it must start, and stop in order."""
    server = Running(config)
    server.start()
    assert server.places is not None, server.outcome
    try:
        yield server
    finally:
        server.stop.request()
        server.join()
