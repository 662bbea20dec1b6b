"""Every bound that a server puts on what strangers send, in one place.

`docs/operations.md` lists them with the answer that each gives; a test compares.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB

MIN_BODY_BYTES = KIB  # every question about a proof fits, and an event of some 700 bytes
MAX_REQUEST_EVENTS = 200_000  # a client refuses to read the answer to many more


@dataclass(frozen=True, slots=True)
class WebLimits:
    """The bounds of one server process; the unit of each stands last in its name."""

    body_bytes: int = 32 * MIB  # one request's body; above: 413
    head_bytes: int = 32 * KIB  # request line and headers; above: 431
    request_events: int = 20_000  # events of one request; above: 413, nothing added
    connections: int = 1_000  # open connections of one port; above: 503
    queue_events: int = 200_000  # events that wait for a commit; above: 503
    queue_requests: int = 10_000  # add requests that wait for a commit; above: 503
    waiting_readers: int = 500  # requests that wait for the next checkpoint; above: 503
    waiting_backups: int = 8  # backup calls that wait for the one that runs; above: 503
    read_s: float = 30.0  # from a request's first byte to its last; after: 408
    keep_alive_s: float = 75.0  # idle, or an answer that nobody fetches; after: closed
    tls_handshake_s: float = 10.0  # after: closed
    tls_shutdown_s: float = 2.0  # how long a peer has to confirm the end; after: closed
    linger_s: float = 5.0  # how long the rest of a refused body, which is read away, may pause
    drain_s: float = 30.0  # how long a stop waits for requests in flight
    drain_idle_s: float = 0.25  # how long a stop leaves idle connections open
