from __future__ import annotations

import asyncio

from qed.errors import StorageError
from qed.web.stop import Stop


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
