from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from qed.engine.log import Added, Log
from qed.errors import BusyError, StorageError
from qed.server.data_port import THREAD_EVENTS
from qed.server.hot_port import HotPort
from qed.server.metrics import Counts
from qed.web.limits import WebLimits
from qed.web.messages import JSON, RAW
from serving import Reply, Wire
from unit.server.conftest import serving_log

HYPER = hashlib.sha256(b"hyper").digest()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def compact(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def event(text: str) -> bytes:
    return compact({"Event": b64(text.encode())})


def bulk(events: int) -> bytes:
    return compact({"Events": [b64(b"bulk %d" % number) for number in range(events)]})


def membership(text: str, version: int | None = None) -> bytes:
    return compact({"KeyDigest": b64(digest(text)), "Version": version})


REQUESTS = [
    ("/proofs/digest-membership", membership("event 0")),  # of an empty log
    ("/events", event("event 0")),
    ("/events", event("event 0")),
    ("/events", b'{ "event" : "ZXZlbnQgMQ==" }'),
    ("/events", compact({"Event": ""})),
    ("/events", b"{"),
    ("/events/bulk", bulk(1)),
    ("/events/bulk", bulk(3)),
    ("/events/bulk", bulk(4)),  # above the bound of the test's server
    ("/events/bulk", compact({"Events": []})),
    ("/events/digests", digest("event 2") + digest("event 3")),
    ("/events/digests", bytes(31)),
    ("/events/digests", bytes(4 * 32)),
    ("/proofs/digest-membership", membership("event 0")),
    ("/proofs/digest-membership", membership("event 0", 1)),
    ("/proofs/digest-membership", membership("event 3", 2)),  # 412: it came later
    ("/proofs/digest-membership", membership("never")),
    ("/proofs/digest-membership", membership("event 3", 2**64 - 1)),
    ("/proofs/digest-membership", compact({"KeyDigest": b64(bytes(31)), "Version": None})),
    ("/proofs/membership", compact({"Key": b64(b"event 1"), "Version": None})),
    ("/proofs/membership", compact({"Key": "", "Version": None})),
    ("/proofs/incremental", compact({"Start": 0, "End": 5})),
    ("/proofs/incremental", compact({"Start": 5, "End": 0})),
    ("/proofs/incremental", compact({"Start": 0, "End": 2**64})),
]
ACCEPTS = [{}, {"Accept": "application/json"}, {"Accept": "*/*", "Api-Key": "my-key"}]


@pytest.mark.parametrize("headers", ACCEPTS, ids=["nothing", "JSON", "anything"])
def test_both_ways_answer_and_count_the_same(tmp_path: Path, headers: dict[str, str]) -> None:
    answers: list[list[Reply]] = []
    counted: list[tuple[object, ...]] = []
    for hot in (False, True):
        with (
            Log.create(tmp_path / f"{hot}") as log,
            serving_log(log, WebLimits(request_events=3), hot=hot) as server,
            Wire(server.port) as wire,
        ):
            replies = [wire.ask("POST", path, body, headers) for path, body in REQUESTS]
            for reply in replies:
                reply.headers.pop("date")
            answers.append(replies)
            counts = dataclasses.replace(server.counts, add_durations=None)
            observed = sum(server.counts.add_durations._numbers)
            counted.append((counts, observed, server.application.answers, log.head.size))
    assert answers[0] == answers[1]
    assert counted[0] == counted[1]
    assert {reply.status for reply in answers[0]} == {200, 201, 400, 412, 413}


# --- what is taken ------------------------------------------------------------------------------


@dataclass
class Remembering:
    """An asker that remembers how it was answered."""

    answers: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def answer(self, status: int, content_type: bytes, body: bytes) -> None:
        self.answers.append((status, content_type, body))
        self.told.set()

    def fail(self, error: Exception) -> None:
        self.errors.append(error)
        self.told.set()


@dataclass
class WaitingLog:
    """A log that keeps its requests until a test says what became of them."""

    waiting: list[tuple[bytes, object]] = field(default_factory=list)
    refusal: Exception | None = None

    def submit_with(self, digests: bytes, done: object) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.waiting.append((digests, done))

    def commit(self) -> None:
        """Answer every request on another thread, as one group."""
        waiting, self.waiting = self.waiting, []

        def write() -> None:
            version = 0
            for digests, done in waiting:
                done(Added(version, digests, digests[::-1], HYPER))
                version += len(digests) // 32

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()


def hot_port(log: object, limits: WebLimits | None = None) -> HotPort:
    return HotPort(log, Counts(), limits or WebLimits())


def handlers(port: HotPort) -> dict[str, object]:
    return {route.path: route.handler for route in port.routes()}


def test_the_usual_spellings_are_taken(tmp_path: Path) -> None:
    async def ask_all() -> None:
        with Log.create(tmp_path / "db") as log:
            table = handlers(hot_port(log))
            for path, body, status, content_type in (
                ("/events", event("event 0"), 201, JSON),
                ("/events/bulk", bulk(THREAD_EVENTS - 1), 201, JSON),
                ("/events/digests", bytes(32 * 4_000), 201, RAW),
                ("/proofs/digest-membership", membership("event 0"), 200, JSON),
                ("/proofs/membership", compact({"Key": "eA==", "Version": 0}), 200, JSON),
                ("/proofs/incremental", compact({"Start": 0, "End": 9}), 200, JSON),
            ):
                asker = Remembering()
                assert table[path](body, asker) is True
                await asker.told.wait()
                assert asker.answers[0][:2] == (status, content_type), asker.errors

    asyncio.run(ask_all())


def test_a_large_bulk_and_a_bad_body_are_left_untouched() -> None:
    log = WaitingLog()
    port = hot_port(log, WebLimits(request_events=10))
    for path, body in (
        ("/events", b'{"Event":""}'),
        ("/events/bulk", bulk(11)),
        ("/events/digests", bytes(32 * 11)),
        ("/events/digests", bytes(33)),
        ("/events/digests", b""),
        ("/proofs/membership", b"[]"),
        ("/proofs/digest-membership", b'{"KeyDigest":1}'),
        ("/proofs/incremental", b'{"Start":0}'),
    ):
        assert handlers(port)[path](body, Remembering()) is False
    assert handlers(hot_port(log))["/events/bulk"](bulk(THREAD_EVENTS), Remembering()) is False
    assert log.waiting == []
    assert dataclasses.replace(port._counts, add_durations=None) == Counts(add_durations=None)


def test_a_group_wakes_the_loop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def add_many() -> int:
        wakes = 0
        loop = asyncio.get_running_loop()
        wake = loop.call_soon_threadsafe

        def count(*arguments: object) -> None:
            nonlocal wakes
            wakes += 1
            wake(*arguments)

        monkeypatch.setattr(loop, "call_soon_threadsafe", count)
        log = WaitingLog()
        port = hot_port(log)
        for _ in range(3):
            askers = [Remembering() for _ in range(20)]
            for number, asker in enumerate(askers):
                assert port.add(event(f"event {number}"), asker)
            assert port._counts.adds_waiting == 20
            log.commit()
            for number, asker in enumerate(askers):
                await asker.told.wait()
                assert json.loads(asker.answers[0][2])["Version"] == number
            assert port._counts.adds_waiting == 0
        assert port._counts.events_added == sum(port._counts.add_durations._numbers) == 60
        return wakes

    assert asyncio.run(add_many()) == 3


def test_a_refusal_is_the_askers_and_nothing_waits() -> None:
    async def add() -> None:
        port = hot_port(WaitingLog(refusal=BusyError("the queue is full")))
        with pytest.raises(BusyError):
            port.add(event("x"), Remembering())
        assert (port._counts.add, port._counts.adds_waiting) == (1, 0)

    asyncio.run(add())


def test_a_failed_commit_and_a_bug_fail_their_own_requests_alone() -> None:
    async def add() -> None:
        log = WaitingLog()
        port = hot_port(log)
        askers = [Remembering() for _ in range(3)]
        for asker in askers:
            port.add(event("x"), asker)
        dones = [done for _, done in log.waiting]
        dones[0](StorageError("cannot sync"))
        dones[1](Added(0, b"no digest", b"", HYPER))
        dones[2](Added(1, bytes(32), bytes(32), HYPER))
        for asker in askers:
            await asker.told.wait()
        assert isinstance(askers[0].errors[0], StorageError)
        assert len(askers[1].errors) == 1
        assert askers[2].answers[0][0] == 201
        assert port._counts.adds_waiting == 0

    asyncio.run(add())


def test_an_outcome_for_a_loop_that_is_gone_is_dropped() -> None:
    log = WaitingLog()
    port = hot_port(log)

    async def add() -> None:
        port.add(event("x"), Remembering())

    asyncio.run(add())
    log.commit()
    assert len(port._outcomes) == 1
