from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator

import pytest

from qed.errors import StorageError
from qed.web.stop import SIGNALS, Stop


def test_the_first_reason_is_kept() -> None:
    stop = Stop()
    first = StorageError("no space")
    stop.request()
    stop.request(first)
    stop.request(StorageError("and again"))
    assert stop.error is first


def test_requests_from_before_and_from_other_threads_reach_the_loop() -> None:
    async def scenario() -> list[int]:
        stop, seen = Stop(), []
        both = asyncio.Event()

        def notify(requests: int) -> None:
            seen.append(requests)
            if requests == 2:
                both.set()

        stop.request()
        stop.attach(asyncio.get_running_loop(), notify)
        await asyncio.to_thread(stop.request)
        await both.wait()
        return seen

    assert asyncio.run(scenario()) == [1, 2]


def test_a_stop_outlives_its_loop() -> None:
    async def scenario() -> Stop:
        stop = Stop()
        stop.attach(asyncio.get_running_loop(), lambda _requests: None)
        stop.detach()
        return stop

    asyncio.run(scenario()).request()


@pytest.fixture
def taken() -> Iterator[list[int]]:
    """What the handlers from before the block were given; they stand in for the system's."""
    seen: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _frame: seen.append(number))
        for number in SIGNALS
    }
    yield seen
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_asks_for_the_stop_and_the_second_is_as_before(
    number: int, taken: list[int]
) -> None:
    stop = Stop()
    with stop.on_signals():
        assert not stop.is_requested
        signal.raise_signal(number)
        assert (stop.is_requested, taken) == (True, [])
        signal.raise_signal(number)
    assert taken == [number]


def test_after_the_block_signals_are_as_before(taken: list[int]) -> None:
    stop = Stop()
    with stop.on_signals():
        pass
    signal.raise_signal(signal.SIGTERM)
    assert (stop.is_requested, taken) == (False, [signal.SIGTERM])


def test_a_signal_may_come_while_its_thread_is_asking_for_the_stop(taken: list[int]) -> None:
    stop = Stop()
    with stop.on_signals(), stop._lock:
        signal.raise_signal(signal.SIGTERM)
    assert (stop.is_requested, taken) == (True, [])


def test_other_threads_leave_signals_alone() -> None:
    def look() -> None:
        with Stop().on_signals():
            seen.append(signal.getsignal(signal.SIGTERM))

    seen: list[object] = []
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]
