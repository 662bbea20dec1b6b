"""A request tells its caller once, whoever that is."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from qed.engine.requests import Added, Request, join
from qed.errors import FatalError, MalformedError
from qed.trees.values import Snapshot

ADDED = Added(7, b"a" * 32 + b"b" * 32, b"c" * 32 + b"d" * 32, b"y" * 32)


def test_what_was_added_as_snapshots() -> None:
    assert ADDED.event_digests == [b"a" * 32, b"b" * 32]
    assert ADDED.history_digests == [b"c" * 32, b"d" * 32]
    assert ADDED.snapshots() == [
        Snapshot(7, b"a" * 32, b"c" * 32, b"y" * 32),
        Snapshot(8, b"b" * 32, b"d" * 32, b"y" * 32),
    ]


def test_a_future_is_told_once() -> None:
    future: Future[Added] = Future()
    request = Request(b"x" * 64, future, None)
    assert request.size == 2
    assert request.start()
    request.tell(ADDED)
    request.tell(FatalError("too late"))
    assert future.result() is ADDED


def test_a_future_is_told_of_a_failure() -> None:
    future: Future[Added] = Future()
    request = Request(b"x" * 32, future, None)
    assert request.start()
    request.tell(FatalError("no disk"))
    assert str(future.exception()) == "no disk"


def test_a_cancelled_future_is_not_started() -> None:
    future: Future[Added] = Future()
    request = Request(b"x" * 32, future, None)
    future.cancel()
    assert not request.start()


def test_a_callback_is_told_once() -> None:
    told: list[object] = []
    request = Request(b"x" * 32, None, told.append)
    assert request.start()
    request.tell(ADDED)
    request.tell(FatalError("too late"))
    assert told == [ADDED]


def test_digests_of_another_length_are_refused() -> None:
    assert join([b"a" * 32, b"b" * 32]) == b"a" * 32 + b"b" * 32
    with pytest.raises(MalformedError, match="not 31"):
        join([b"a" * 32, b"b" * 31])
