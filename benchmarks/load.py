"""A load generator: a closed loop on each of some connections, HTTP/1.1 over bare sockets.

A process of its own (`python benchmarks/load.py` with one JSON plan on standard input, one JSON
result on standard output), so that it shares no interpreter with what is measured. It counts only
answers with the expected status; anything else ends the run with an error.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import uvloop

JSON = "application/json"


@dataclass
class Plan:
    """What to send: `kind` for `seconds` on `connections`; events are named after `label`.

    `size` is the number of events that the log holds, for the kinds that ask; `known` says by which
    label and how many of them they were added.
    """

    kind: str
    port: int
    connections: int
    seconds: float
    label: str = "bench"
    bulk: int = 100
    size: int = 0
    known: list[tuple[str, int]] = field(default_factory=list)


def event(label: str, number: int) -> bytes:
    """Return the bytes of a numbered event."""
    return f"{label} event {number:012d}".encode()


def request(method: str, path: str, body: bytes) -> bytes:
    """Return one request as it travels."""
    head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {JSON}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def single(plan: Plan, number: int) -> bytes:
    """Add one event."""
    body = json.dumps({"Event": base64.b64encode(event(plan.label, number)).decode()})
    return request("POST", "/events", body.encode())


def bulk(plan: Plan, number: int) -> bytes:
    """Add `plan.bulk` events at once."""
    numbers = range(number * plan.bulk, (number + 1) * plan.bulk)
    events = [base64.b64encode(event(plan.label, each)).decode() for each in numbers]
    return request("POST", "/events/bulk", json.dumps({"Events": events}).encode())


def membership(plan: Plan, number: int) -> bytes:
    """Ask for the proof of an event that the log holds, chosen by the request's number."""
    chosen = random.Random(number)  # noqa: S311 - a choice that can be made again
    label, count = chosen.choices(plan.known, [count for _, count in plan.known])[0]
    digest = hashlib.sha256(event(label, chosen.randrange(count))).digest()
    body = json.dumps({"KeyDigest": base64.b64encode(digest).decode(), "Version": None})
    return request("POST", "/proofs/digest-membership", body.encode())


def incremental(plan: Plan, number: int) -> bytes:
    """Ask for the proof between two versions that lie 1,000 apart, where the log is that long."""
    span = min(1_000, plan.size - 1)
    start = random.Random(number).randrange(plan.size - span)  # noqa: S311 - as above
    body = json.dumps({"Start": start, "End": start + span})
    return request("POST", "/proofs/incremental", body.encode())


KINDS: dict[str, tuple[Callable[[Plan, int], bytes], int]] = {
    "single": (single, 201),
    "bulk": (bulk, 201),
    "membership": (membership, 200),
    "incremental": (incremental, 200),
}


class Tally:
    """Hands out the numbers of requests and keeps the times that they took."""

    def __init__(self, plan: Plan) -> None:
        """Start with nothing sent; the clock starts with `begin`."""
        self.plan = plan
        self.build, self.expected = KINDS[plan.kind]
        self.sent = 0
        self.latencies_s: list[float] = []
        self.deadline = 0.0

    def begin(self) -> None:
        """Start the clock."""
        self.started = time.perf_counter()
        self.deadline = self.started + self.plan.seconds

    def next(self) -> bytes | None:
        """Return the next request, None when time is up."""
        if time.perf_counter() >= self.deadline:
            return None
        self.sent += 1
        return self.build(self.plan, self.sent - 1)


class Connection(asyncio.Protocol):
    """One connection: the next request leaves when the last answer is complete."""

    def __init__(self, tally: Tally, done: asyncio.Future[None]) -> None:
        """Wait for the first `send`."""
        self.tally = tally
        self.done = done
        self.buffer = b""
        self.at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport

    def send(self) -> None:
        """Send the next request, or finish."""
        data = self.tally.next()
        if data is None:
            self.done.set_result(None)
            self.transport.close()
            return
        self.at = time.perf_counter()
        self.transport.write(data)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Take a part of an answer; when it is whole, count it and go on."""
        self.buffer += data
        head, mark, rest = self.buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        lower = head.lower()
        at = lower.index(b"content-length:") + 15
        end = lower.find(b"\r\n", at)
        if len(rest) < int(lower[at : end if end >= 0 else len(lower)]):
            return
        self.buffer = b""
        if int(head[9:12]) != self.tally.expected:
            self.fail(f"unexpected answer: {head.decode()}\n{rest[:200].decode()}")
            return
        self.tally.latencies_s.append(time.perf_counter() - self.at)
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection that ends before its time is an error."""
        self.fail(f"the server closed the connection: {exc}")

    def fail(self, why: str) -> None:
        """End the run."""
        if not self.done.done():
            self.done.set_exception(RuntimeError(why))


async def run(plan: Plan) -> dict[str, float]:
    """Run a plan; return the counts and times."""
    loop = asyncio.get_running_loop()
    tally = Tally(plan)
    ends: list[asyncio.Future[None]] = [loop.create_future() for _ in range(plan.connections)]
    connections = []
    for end in ends:
        _, connection = await loop.create_connection(
            lambda end=end: Connection(tally, end),  # type: ignore[misc]
            "127.0.0.1",
            plan.port,
        )
        connections.append(connection)
    tally.begin()
    for connection in connections:
        connection.send()
    await asyncio.gather(*ends)
    elapsed = time.perf_counter() - tally.started
    times = sorted(tally.latencies_s)
    return {
        "requests": len(times),
        "elapsed_s": elapsed,
        "p50_s": times[len(times) // 2],
        "p99_s": times[len(times) * 99 // 100],
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(Plan(**json.load(sys.stdin))))))
