"""The programmatic entry: in this process, and as a process of its own."""

import contextlib
import io
import json
import signal
import subprocess
import sys
import threading

import pytest

from answering_log import answering_log
from qed.errors import NotProvenError, UnreachableError, VerificationError
from qed.workload import runner
from qed.workload.plan import Plan, build_plan
from qed.workload.runner import run


def plan_for(server, kind, **fields):
    return Plan(kind, **({"endpoints": [server.endpoint], "connections": 3} | fields))


def test_a_load_and_what_it_came_to():
    with answering_log() as server:
        server.fill(10)
        result = run(plan_for(server, "add", num_requests=40, size=10, alone=True))

    assert result.error is None
    assert (result.total.requests, result.total.items, result.total.kind) == (40, 40, "add")
    assert (result.events_added, result.next_number) == (40, 50)
    assert (result.first_version, result.last_version) == (10, 49)
    assert (result.events_unknown, result.events_by_others) == (0, 0)
    assert result.checked.proofs_verified == result.checked.against_snapshots > 40
    assert result.generator_cpu_us > 0
    assert result.total.seconds == result.window_s[1] - result.window_s[0] > 0
    assert list(result.rows) == [result.total]


def test_a_mix_has_rows_and_a_total():
    with answering_log() as server:
        server.fill(10)
        mix = [("add", 1), ("membership", 1)]
        result = run(plan_for(server, "mixed", mix=mix, num_requests=40, size=10))

    assert [row.kind for row in result.rows] == ["add", "membership"]
    assert result.total.kind == "total"
    assert result.total.requests == sum(row.requests for row in result.rows) == 40


def test_both_ends_of_the_window_are_told():
    told = []

    with answering_log() as server:
        server.fill(2)
        run(
            plan_for(server, "membership", num_requests=5),
            on_window=lambda: told.append("measuring"),
            on_measured=lambda: told.append("measured"),
        )

    assert told == ["measuring", "measured"]


def test_versions_of_others_are_counted():
    def add_another(said):
        if said.number == 3:
            servers[0].log.add([b"\1" * 32])

    servers = []
    with answering_log(add_another) as server:
        servers.append(server)
        result = run(plan_for(server, "add", num_requests=10))
        assert result.events_by_others == 1
        assert result.error is None

    servers.clear()
    with answering_log(add_another) as server:
        servers.append(server)
        error = run(plan_for(server, "add", num_requests=10, alone=True)).error
        assert isinstance(error, VerificationError)


def test_a_lie_after_the_load_is_found():
    def forget(said):
        if said.number > 25 and "membership" in said.path:
            said.status, said.body = 200, servers[0].answer(said.path, ABSENT)[1]

    servers = []
    with answering_log(forget) as server:
        servers.append(server)
        result = run(plan_for(server, "add", num_requests=10))
        assert result.error is None
        result = run(plan_for(server, "add", num_requests=10, size=10))

    assert isinstance(result.error, VerificationError)


ABSENT = json.dumps({"KeyDigest": "A" * 43 + "=", "Version": None}).encode()


def test_a_server_that_is_gone_afterwards_is_counted():
    def refuse(said):
        if said.number > 10:
            said.status, said.body = 503, b"later\n"

    with answering_log(refuse) as server:
        result = run(plan_for(server, "add", num_requests=10))

    assert result.errors == {"afterwards": 1}
    assert result.total.requests == 10


def test_nothing_is_asked_afterwards_when_nothing_is_to_be_verified():
    with answering_log() as server:
        result = run(plan_for(server, "add", num_requests=10, verify="none"))

    assert (result.checked.proofs_verified, len(server.paths)) == (0, 12)


def test_an_event_that_failed_is_not_asked_for_afterwards():
    with answering_log() as server:
        answer = server.answer

        def fail_once(path, body):
            if len(server.paths) == 5:
                return 500, b"not added\n"
            return answer(path, body)

        server.answer = fail_once
        result = run(plan_for(server, "add", num_requests=20))

    assert result.failure is None
    assert result.errors == {"status 500": 1}
    assert (result.events_added, result.events_unknown) == (19, 1)
    assert result.checked.proofs_verified > 19


def test_the_wait_of_what_was_never_sent_is_in_the_total():
    def stall(said):
        if said.number == 1:  # the first was to learn how long the log is
            server.released.wait(0.4)

    with answering_log(stall) as server:
        plan = plan_for(server, "add", duration_s=0.3, rate=100.0, connections=1, verify="none")
        result = run(plan)

    assert (result.unsent, result.total.requests) == (29, 1)
    assert 100 < result.total.latency_ms["p50"] < 300


def test_of_several_servers_one_may_be_behind():
    with answering_log() as one, answering_log() as other:
        one.fill(4)
        other.fill(3)
        endpoints = [one.endpoint, other.endpoint]
        plan = Plan("membership", endpoints=endpoints, connections=2, num_requests=40, size=3)
        result = run(plan)

    assert result.error is None


def test_one_server_alone_may_not():
    with answering_log() as server, answering_log() as older:
        server.fill(4)
        older.fill(3)
        answer = server.answer

        def go_back(path, body):
            return (older.answer if len(server.paths) > 5 else answer)(path, body)

        server.answer = go_back
        result = run(plan_for(server, "membership", num_requests=40, size=3))

    assert isinstance(result.error, VerificationError)
    assert result.error.step == "freshness"


def test_a_log_that_does_not_fit_is_refused_before_anything_is_sent():
    with answering_log() as server:
        with pytest.raises(NotProvenError):
            run(plan_for(server, "incremental"))
        assert len(server.paths) == 1


def test_nobody_there_is_an_error():
    with answering_log() as server:
        pass

    with pytest.raises(UnreachableError):
        run(plan_for(server, "add"))


def test_without_uvloop_python_has_a_loop_too(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)

    assert runner.loop_factory() is None
    with answering_log() as server:
        assert run(plan_for(server, "add", num_requests=5)).total.requests == 5


# --- as a process


def told(text):
    out = io.StringIO()
    code = runner.main(io.StringIO(text), out)
    return code, [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_plan_in_and_a_result_out():
    with answering_log() as server:
        code, lines = told(json.dumps(build_plan(plan_for(server, "add", num_requests=5))))

    assert code == 0
    assert [line["State"] for line in lines] == ["measuring", "measured", "done"]
    assert lines[2]["Error"] is None
    assert lines[2]["Result"]["Requests"] == 5


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"kind": "x"}', '{"kind": "add", "x": 1}', "[" * 100_000, " " * 2**21],
)
def test_what_is_no_plan_is_refused(text):
    code, lines = told(text)

    assert code == 1
    assert lines == [{"State": "done", "Result": None, "Error": lines[0]["Error"]}]
    assert lines[0]["Error"]["code"] == "malformed"


@contextlib.contextmanager
def apart(plan):
    """Run a plan in a process of its own; give it once it measures."""
    command = [sys.executable, "-m", "qed.workload.runner"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdin.write(json.dumps(build_plan(plan)))
        process.stdin.close()
        assert json.loads(process.stdout.readline()) == {"State": "measuring"}
        yield process
    assert process.returncode == 0


def interrupted(process):
    *_, last = [json.loads(line) for line in process.stdout]
    assert (last["State"], last["Error"]) == ("done", None)
    assert last["Result"]["Interrupted"] is True
    return last["Result"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_what_was_measured_is_told(number):
    with (
        answering_log() as server,
        apart(plan_for(server, "add", num_requests=10**6)) as process,
    ):
        process.send_signal(number)
        result = interrupted(process)

    assert result["EventsUnknown"] == 0


def test_answers_that_do_not_come_are_waited_for_until_a_second_signal():
    asked = threading.Semaphore(0)

    def hang(said):
        if said.number:
            asked.release()
            server.released.wait(20.0)

    with (
        answering_log(hang) as server,
        apart(plan_for(server, "add", num_requests=10**6)) as process,
    ):
        for _ in range(3):
            assert asked.acquire(timeout=20.0)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)  # two of one kind could be taken for one
        result = interrupted(process)

    assert (result["Requests"], result["EventsUnknown"]) == (0, 3)


def test_a_signal_ends_what_comes_afterwards_too():
    asked = threading.Event()

    def hang(said):
        if said.number > 10:
            asked.set()
            server.released.wait(20.0)

    with (
        answering_log(hang) as server,
        apart(plan_for(server, "add", num_requests=10)) as process,
    ):
        assert asked.wait(20.0)
        process.send_signal(signal.SIGINT)
        result = interrupted(process)

    assert result["Requests"] == 10
