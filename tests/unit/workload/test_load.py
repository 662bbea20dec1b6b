"""Loads against a log in memory whose answers, or manners, are changed."""

import asyncio
import contextlib
import itertools

import pytest

from answering_log import Hangup, answering_log
from qed import wire
from qed.errors import TooLargeError, UnreachableError, VerificationError
from qed.trees.values import NO_VERSION
from qed.workload import load as module
from qed.workload import pool
from qed.workload.answers import Judge
from qed.workload.connection import read_target
from qed.workload.ledger import Ledger
from qed.workload.load import Load
from qed.workload.plan import Plan
from qed.workload.questions import Questions


def prepared(server, plan, **settings):
    size = len(server.log.snapshots)
    ledger = Ledger(size - 1 if size else NO_VERSION)
    targets = [read_target(each, insecure=False) for each in plan.endpoints]
    return Load(plan, targets, Questions(plan, ledger), ledger, Judge(ledger), **settings)


def run(server, kind, *, during=None, settings=None, **fields):
    """Run a load to its end and return it."""
    fields = {"endpoints": [server.endpoint], "connections": 2, "timeout_s": 20.0} | fields
    plan = Plan(kind, **fields)

    async def main():
        load = prepared(server, plan, **(settings or {}))
        async with asyncio.timeout(30.0):
            if during is not None:
                await asyncio.gather(load.run(), during(load))
            else:
                await load.run()
        return load

    return asyncio.run(main())


async def until(condition):
    """Let the load go on until a condition holds."""
    while not condition():  # noqa: ASYNC110 - a load has no event for what a test wants to see
        await asyncio.sleep(0)


def counts(load):
    return {kind: (tally.requests, tally.items) for kind, tally in load.tallies.items()}


@pytest.mark.parametrize("connections", [1, 7, 30])
@pytest.mark.parametrize(
    ("kind", "requests", "items"),
    [("add", 20, 20), ("bulk", 4, 20), ("digests", 4, 20), ("membership", 20, 20)],
)
def test_each_kind_sends_what_the_plan_says(kind, requests, items, connections):
    with answering_log() as server:
        server.fill(20)
        load = run(server, kind, num_requests=20, bulk_size=6, size=20, connections=connections)
        added = len(server.log.snapshots) - 20

    assert counts(load) == {kind: (requests, items)}
    assert added == (0 if kind == "membership" else 20)
    assert (load.errors.counts, load.failure) == ({}, None)
    assert load.window_s[1] > load.window_s[0]
    assert load.cpu_s > 0


def test_incremental_proofs_too():
    with answering_log() as server:
        server.fill(30)
        load = run(server, "incremental", num_requests=25, incremental_delta=10)

    assert counts(load) == {"incremental": (25, 25)}


def test_a_mix_counts_each_kind():
    with answering_log() as server:
        server.fill(30)
        mix = [("add", 1), ("bulk", 1), ("digests", 1), ("membership", 2), ("incremental", 2)]
        load = run(server, "mixed", num_requests=70, mix=mix, size=30, bulk_size=3, seed=1)
        added = len(server.log.snapshots) - 30

    found = counts(load)
    assert sum(requests for requests, _ in found.values()) == 70
    assert all(requests > 2 for requests, _ in found.values())
    assert added == sum(found[kind][1] for kind in ("add", "bulk", "digests"))
    assert load._judge.counts.proofs_verified > 0


def test_connections_go_to_each_endpoint():
    with answering_log() as one, answering_log() as two:
        for server in (one, two):
            server.fill(3)
        load = run(one, "membership", endpoints=[one.endpoint, two.endpoint], num_requests=30)

    assert counts(load) == {"membership": (30, 30)}
    assert one.paths
    assert two.paths


# --- false answers: each ends the load at once


def lie_in(body_of):
    def alter(said):
        if said.number == 5:
            said.body = body_of(said.body)

    return alter


def other_version(change):
    def lie(body):
        snapshot = wire.decode_snapshot(body)
        return body.replace(
            b'"Version":%d' % snapshot.version, b'"Version":%d' % change(snapshot.version)
        )

    return lie


def other_digest(body):
    snapshot = wire.decode_snapshot(body)
    right = wire.encode_snapshot(snapshot).split(b'"')[3]
    return body.replace(right, b"A" * 43 + b"=", 1)


@pytest.mark.parametrize(
    ("kind", "lie", "step"),
    [
        ("add", other_version(lambda version: version - 3), "order"),
        ("add", other_version(lambda _: 2**64 - 1), "version"),
        ("add", other_digest, "event-digest"),
        ("add", lambda body: body[:-1], "answer"),
        ("bulk", lambda body: body.split(b"},{")[0] + b"}]", "count"),
        (
            "bulk",
            lambda body: body.replace(b'"HyperDigest":"', b'"HyperDigest":"AAAA', 1),
            "answer",
        ),
        ("digests", lambda body: bytes(8) + body[8:], "order"),
        (
            "membership",
            lambda body: body.replace(b'"QueryVersion":1', b'"QueryVersion":2'),
            "question",
        ),
        ("incremental", lambda body: body.replace(b'"Start":', b'"Start":1', 1), "question"),
    ],
)
def test_a_false_answer_ends_the_load(kind, lie, step):
    with answering_log(lie_in(lie)) as server:
        server.fill(19)
        load = run(
            server,
            kind,
            num_requests=10_000,
            bulk_size=4,
            size=19,
            incremental_delta=3,
            connections=1,
        )
        heard = len(server.paths)

    assert isinstance(load.failure, VerificationError)
    assert load.failure.step == step
    assert heard == 6


@pytest.mark.parametrize("kind", ["membership", "incremental"])
def test_a_false_path_is_found_in_the_sample(kind):
    def alter(said):
        at = said.body.index(b'|0":"') + 5
        if said.number == 3:
            said.body = said.body[:at] + b"AAAA" + said.body[at + 4 :]

    with answering_log(alter) as server:
        server.fill(19)
        load = run(server, kind, num_requests=12, incremental_delta=3, seed=1, connections=1)
        unverified = run(
            server, kind, num_requests=12, incremental_delta=3, verify="none", connections=1
        )

    assert isinstance(load.failure, VerificationError)
    assert unverified.failure is None


def test_all_proofs_are_verified_when_asked_for():
    with answering_log() as server:
        server.fill(19)
        load = run(server, "membership", num_requests=40, size=19, verify="all")

    assert load._judge.counts.proofs_verified == 40


# --- refusals and failures


def test_a_busy_server_is_asked_again():
    def busy(said):
        if said.number % 3 == 0:
            said.status, said.body = 503, b"later\n"
            said.headers["Retry-After"] = "0"

    with answering_log(busy) as server:
        server.fill(5)
        load = run(server, "membership", num_requests=20, size=5)

    assert counts(load) == {"membership": (20, 20)}
    assert load.refused == 10
    assert load.errors.counts == {}


def test_a_server_that_stays_busy_is_an_error(monkeypatch):
    monkeypatch.setattr(module, "REFUSALS", 2)

    def busy(said):
        said.status, said.body = 503, b"later\n"
        said.headers["Retry-After"] = "0"

    with answering_log(busy) as server:
        load = run(server, "add", num_requests=3, connections=1)

    assert load.refused == 9
    assert load.errors.counts == {"status 503": 3}
    assert load.errors.first == "later"
    assert load.events_unknown == 0
    assert load.tallies["add"].errors == 3


def test_an_open_loop_makes_no_request_again():
    def busy(said):
        said.status, said.body = 429, b"later\n"

    with answering_log(busy) as server:
        load = run(server, "add", num_requests=3, rate=1000.0)

    assert (load.refused, load.errors.counts) == (3, {"status 429": 3})


def test_a_server_that_turns_connections_away_is_not_run_down():
    def turn_away(said):
        said.status, said.body = 503, b"as many connections as there may be\n"
        said.headers |= {"Connection": "close", "Retry-After": "5"}

    with answering_log(turn_away) as server:
        load = run(server, "add", duration_s=0.3)
        heard = len(server.paths)

    assert (load.refused, load.errors.counts, heard) == (2, {"status 503": 2}, 2)


def test_a_failing_server_is_counted():
    def fail(said):
        if said.number in {2, 4}:
            said.status, said.body = 500, b"the disk failed\n"

    with answering_log(fail) as server:
        load = run(server, "bulk", num_requests=40, bulk_size=4)

    assert load.errors.counts == {"status 500": 2}
    assert load.errors.first == "the server failed: the disk failed"
    assert load.events_unknown == 8
    assert counts(load) == {"bulk": (8, 32)}


def test_a_refusal_that_says_fix_the_call_ends_the_load():
    def refuse(said):
        said.status, said.body = 413, b"too many events\n"

    with answering_log(refuse) as server:
        load = run(server, "bulk", num_requests=1000, connections=1)
        heard = len(server.paths)

    assert isinstance(load.failure, TooLargeError)
    assert load.failure.message == "too many events"
    assert load.events_unknown == 0
    assert heard == 1


def test_lost_connections_are_opened_again():
    def hang_up(said):
        if said.number in {3, 7}:
            raise Hangup

    with answering_log(hang_up) as server:
        load = run(server, "add", num_requests=20)

    assert load.errors.counts == {"the server closed the connection": 2}
    assert load.events_unknown == 2
    assert counts(load) == {"add": (18, 18)}


def test_a_server_that_closes_after_each_answer_is_no_error():
    def close(said):
        said.headers["Connection"] = "close"

    with answering_log(close) as server:
        load = run(server, "add", num_requests=10)

    assert (counts(load), load.errors.counts) == ({"add": (10, 10)}, {})


def test_a_server_that_goes_away_ends_the_load(monkeypatch):
    monkeypatch.setattr(pool, "RECONNECT_S", 0.0)

    with contextlib.ExitStack() as serving:
        server = serving.enter_context(answering_log())

        async def go_away(load):
            await until(lambda: load.tallies["add"].requests > 0)
            await asyncio.to_thread(serving.close)

        load = run(server, "add", num_requests=10**6, during=go_away)

    assert isinstance(load.failure, UnreachableError)
    assert load.errors.counts["the server closed the connection"] == 2
    assert load.errors.counts["cannot connect"] == 2
    assert load.events_unknown == 2


def test_a_server_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(module, "LOOK_S", 0.01)

    def hang_once(said):
        if said.number == 2:
            server.released.wait(20.0)

    with answering_log(hang_once) as server:
        load = run(server, "add", num_requests=6, timeout_s=1.0)

    assert load.errors.counts == {"no answer within 1 s": 1}
    assert load.events_unknown == 1
    assert counts(load) == {"add": (5, 5)}


def test_nobody_there_is_an_error_at_once():
    with answering_log() as server:
        pass

    with pytest.raises(UnreachableError, match="cannot connect"):
        run(server, "add", num_requests=5)


# --- time


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


def test_at_a_rate_a_latency_counts_from_when_the_request_was_due():
    clock = Clock()

    def stall(said):
        if said.number == 0:
            clock.now_s += 5.0  # the first answer takes that long, and one connection is all

    with answering_log(stall) as server:
        settings = {"clock": clock}
        load = run(server, "add", num_requests=5, rate=10.0, connections=1, settings=settings)

    times = load.tallies["add"].times
    assert times.count == 5
    # Due at 0.0, 0.1, 0.2, 0.3 and 0.4 s, and all of them answered at 5.0 s.
    assert times.largest_us == 5_000_000
    assert times.sum_us == pytest.approx(5 * 5_000_000 - 1_000_000, abs=10)


def test_a_closed_loop_counts_the_same_stall_once():
    clock = Clock()

    def stall(said):
        if said.number == 0:
            clock.now_s += 5.0

    with answering_log(stall) as server:
        load = run(server, "add", num_requests=5, connections=1, settings={"clock": clock})

    times = load.tallies["add"].times
    assert (times.count, times.largest_us, times.sum_us) == (5, 5_000_000, 5_000_000)


def test_what_could_not_be_sent_in_time_is_counted_with_its_wait():
    def stall(said):
        if said.number == 0:
            server.released.wait(0.4)

    with answering_log(stall) as server:
        load = run(server, "add", duration_s=0.3, rate=100.0, connections=1)

    assert load.unsent == 29
    assert load.waits.count == 29
    assert load.waits.percentile_us(50) > 150_000
    assert load.tallies["add"].requests == 1


def test_a_duration_ends_a_closed_loop():
    with answering_log() as server:
        load = run(server, "add", duration_s=0.2)

    assert load.tallies["add"].requests == len(server.log.snapshots) > 0
    assert load.window_s[1] - load.window_s[0] >= 0.2


@pytest.mark.parametrize("rate", [None, 200.0])
def test_the_warm_up_is_checked_and_not_counted(rate):
    opened = []

    with answering_log() as server:

        def open_window():
            opened.append(len(server.log.snapshots))

        settings = {"on_window": open_window}
        load = run(server, "add", duration_s=0.2, warmup_s=0.2, rate=rate, settings=settings)

    added = len(server.log.snapshots)
    assert 0 < opened[0] < added
    assert 0 < load.tallies["add"].requests < added
    assert load._judge.counts.answers == added


def test_a_timer_that_is_late_changes_nothing_of_what_counts(monkeypatch):
    on_time = Load._after

    def late(load, delay_s, what):
        on_time(load, delay_s + (0.1 if what == load._open_window else 0.0), what)

    monkeypatch.setattr(Load, "_after", late)
    with answering_log() as server:
        load = run(server, "add", duration_s=0.3, warmup_s=0.1, rate=200.0)

    assert load.tallies["add"].requests + load.unsent == 60


def test_progress_is_told(monkeypatch):
    monkeypatch.setattr(module, "LOOK_S", 0.001)
    told = []

    with answering_log() as server:
        settings = {"progress": lambda *both: told.append(both)}
        run(server, "add", num_requests=50, settings=settings)
        run(server, "add", num_requests=50, duration_s=0.05, settings=settings)

    assert {total for _, total in told} == {50, 0.05}
    assert all(a[0] <= b[0] for a, b in itertools.pairwise(told) if a[1] == b[1] == 50)


def test_a_stop_lets_the_answers_come():
    async def stop(load):
        await until(lambda: load.tallies["add"].requests > 0)
        load.stop()

    with answering_log() as server:
        load = run(server, "add", num_requests=10**6, during=stop)
        added = len(server.log.snapshots)

    assert load.over
    assert load.events_unknown == 0
    assert counts(load) == {"add": (added, added)}


def test_an_abort_waits_for_nothing():
    async def abort(load):
        await until(lambda: load._under_way > 0)
        load.abort()

    def hang(_said):
        server.released.wait(20.0)

    with answering_log(hang) as server:
        load = run(server, "add", num_requests=10, during=abort)

    assert load.events_unknown == 2
