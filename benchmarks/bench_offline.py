"""Verifying proofs without a server, on one core: from the body of an answer to the verdict."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from context import Context
from figures import Figure, at_least, median
from worker import random_digests_of

from qed import Answer, verify_many, wire
from qed.database import Database
from qed.engine import rows
from qed.engine.log import Log
from qed.trees import quick, verify
from qed.trees.values import FlatMembership
from qed.trees.verify import Root
from qed.wire import flat

NAME = "verification"
PROOFS = 5_000
FLOOR_PER_S = 25_000
FROM_BODIES = "membership from bodies, native"


def run(context: Context) -> list[Figure]:
    """Verify membership proofs out of the largest log, in each of the ways that there are."""
    events = context.sizes[-1]
    path = context.log_of(events)
    with contextlib.closing(Database.open(path, rows.FAMILIES, read_only=True)) as database:
        digests = random_digests_of(database, PROOFS)
    with Log.open(path) as log:
        bodies = [flat.encode_membership(log.flat_membership(digest), None) for digest in digests]
        head = log.head
    hyper = Root(head.current_version, head.hyper_digest)
    history = Root(head.current_version, head.history_digest)

    proofs = [_decoded(body) for body in bodies]
    claims = [(p, d, None, hyper, history) for p, d in zip(proofs, digests, strict=True)]
    asked: dict[str, Any] = {"version": None, "hyper": hyper, "history": history}

    def quickly() -> None:
        for digest, body in zip(digests, bodies, strict=True):
            assert quick.verify_membership(_decoded(body), digest=digest, **asked)

    def for_a_caller() -> None:
        verdicts = verify_many(
            [Answer(digest, None, body) for digest, body in zip(digests, bodies, strict=True)],
            hyper_digests={hyper.version: hyper.digest},
            history_digests={history.version: history.digest},
        )
        assert all(verdict.error is None for verdict in verdicts)

    def without_decoding() -> None:
        for digest, proof in zip(digests, proofs, strict=True):
            assert quick.verify_membership(proof, digest=digest, **asked)

    def at_once() -> None:
        assert all(quick.verify_memberships(claims))

    def readably() -> None:
        for digest, body in zip(digests, bodies, strict=True):
            verify.verify_membership(wire.decode_membership(body), digest=digest, **asked)

    ways: dict[str, Callable[[], None]] = {
        FROM_BODIES: quickly,
        "membership from bodies, verify_many": for_a_caller,
        "membership, native, decoded before": without_decoding,
        "the same, all in one call": at_once,
        "membership from bodies, readable": readably,
    }
    figures = []
    for what, way in ways.items():
        runs = [_time(context, what, way, events, len(digests)) for _ in range(context.runs)]
        figures.append(median(runs))
        context.proofs += len(digests)
    return figures


def _decoded(body: bytes) -> FlatMembership:
    proof = flat.decode_membership(body)
    assert proof is not None
    return proof


def _time(context: Context, what: str, way: Callable[[], None], events: int, count: int) -> Figure:
    hashes = context.bare_hashes()
    start, cpu = time.perf_counter(), time.process_time()
    way()
    taken, cpu = time.perf_counter() - start, time.process_time() - cpu
    rate = count / taken
    floors = (at_least("proofs/s", rate, FLOOR_PER_S),) if what == FROM_BODIES else ()
    cpu_us = cpu / count * 1e6
    return Figure(NAME, what, events, rate, hashes, cpu_us=cpu_us, floors=floors)
