"""The runtime: steps, failures, stops, and what of them reaches the one who started it."""

import threading
import urllib.request
from collections import deque

import pytest
import structlog

from qed.agents import runtime
from qed.agents.alerts import FALSE_KINDS, KINDS, SIGNED_KINDS
from qed.agents.runtime import AgentConfig, run_agent
from qed.errors import (
    ConflictError,
    ContradictionError,
    DamagedError,
    LockedError,
    MalformedError,
    StoppingError,
    UnreachableError,
    VerificationError,
)
from qed.web.stop import Stop


class Scripted:
    """A work whose steps are written down: seconds, None, an error, or something to call."""

    def __init__(self, station, *steps, name="work"):
        self.progress = station.progress(name)
        self.made = 0
        self._steps = deque(steps)

    def step(self):
        self.made += 1
        outcome = self._steps.popleft()
        if callable(outcome):
            outcome = outcome()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


def run_steps(tmp_path, *steps, once=False, stop=None):
    """Run one scripted work to its end; return it."""
    made = []

    def build(station):
        made.append(Scripted(station, *steps))
        return made

    run_agent(AgentConfig("publisher", tmp_path / "state", once=once), build, stop=stop)
    return made[0]


@pytest.fixture
def quick(monkeypatch):
    """Rests after failures that take no time."""
    real = runtime.BackOff
    monkeypatch.setattr(runtime, "BackOff", lambda **_: real(first_s=0.0))


def test_steps_are_made_until_there_are_none_left(tmp_path):
    work = run_steps(tmp_path, 0, 0, 0, None)

    assert work.made == 4
    assert work.progress.steps == 4
    assert work.progress.last_success_s is not None


@pytest.mark.usefixtures("quick")
def test_a_step_that_fails_is_made_again(tmp_path):
    with structlog.testing.capture_logs() as logs:
        work = run_steps(tmp_path, UnreachableError("down"), UnreachableError("down"), 0, None)

    assert work.made == 4
    assert work.progress.failures == {"unreachable": 2}
    said = [(line["log_level"], line["event"]) for line in logs]
    assert said == [
        ("warning", "step failed, trying again"),
        ("debug", "step failed, trying again"),
        ("info", "works again"),
    ]


@pytest.mark.usefixtures("quick")
def test_a_failed_check_does_not_end_an_agent_that_stays(tmp_path):
    work = run_steps(tmp_path, VerificationError("no"), ContradictionError("no"), None)
    assert work.progress.failures == {"verification": 1, "contradiction": 1}


@pytest.mark.parametrize("error", [DamagedError("row"), ZeroDivisionError("bug")])
def test_an_error_of_our_own_stops_the_agent(tmp_path, error):
    halted = threading.Event()

    def build(station):
        def wait():
            assert station.halt.wait(60)
            halted.set()

        return [Scripted(station, error), Scripted(station, wait, name="other")]

    with pytest.raises(type(error)):
        run_agent(AgentConfig("monitor", tmp_path / "state"), build)
    assert halted.is_set()


def test_one_round_ends_with_the_error_of_its_step(tmp_path):
    with pytest.raises(UnreachableError):
        run_steps(tmp_path, UnreachableError("down"), once=True)


@pytest.mark.parametrize(
    ("errors", "raised"),
    [
        ([UnreachableError("a"), MalformedError("b")], UnreachableError),
        ([VerificationError("a"), ContradictionError("b")], ContradictionError),
        ([VerificationError("a"), UnreachableError("b")], VerificationError),
        ([ContradictionError("a"), DamagedError("b")], DamagedError),
        ([DamagedError("a"), ZeroDivisionError("b")], ZeroDivisionError),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_of_several_errors_the_gravest_is_raised(tmp_path, errors, raised, order):
    def build(station):
        return [Scripted(station, error) for error in errors[::order]]

    with pytest.raises(raised):
        run_agent(AgentConfig("monitor", tmp_path / "state", once=True), build)


def test_in_one_round_a_failure_does_not_end_the_others(tmp_path):
    works = []

    def build(station):
        works.extend([Scripted(station, ConflictError("a")), Scripted(station, 0, 0, None)])
        return works

    with pytest.raises(ConflictError):
        run_agent(AgentConfig("monitor", tmp_path / "state", once=True), build)
    assert works[1].made == 3


def test_a_round_that_was_cut_short_does_not_pass_for_one_that_found_nothing(tmp_path):
    stop = Stop()
    with pytest.raises(StoppingError, match="before the round was over"):
        run_steps(tmp_path, lambda: stop.request() or 60, once=True, stop=stop)


def test_a_stop_lets_the_step_in_hand_finish_and_begins_no_other(tmp_path):
    stop, finished = Stop(), []

    def build(station):
        def step():
            stop.request()
            assert station.halt.wait(60)
            finished.append(True)
            return 0

        return [Scripted(station, step)]

    run_agent(AgentConfig("publisher", tmp_path / "state"), build, stop=stop)
    assert finished == [True]


def test_a_stop_wakes_a_work_that_rests(tmp_path):
    stop = Stop()

    def step():
        stop.request()
        return 3600.0

    assert run_steps(tmp_path, step, stop=stop).made == 1


def test_a_step_that_does_not_end_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "STOP_S", 0.05)
    stop, never = Stop(), threading.Event()

    def step():
        stop.request()
        never.wait(60)

    with structlog.testing.capture_logs() as logs:
        run_steps(tmp_path, step, stop=stop)
    never.set()
    assert [line["event"] for line in logs] == ["stopped with a step in hand"]


def test_a_second_agent_on_the_directory_is_refused(tmp_path):
    def build(station):
        with pytest.raises(LockedError, match="another agent") as refused:
            run_agent(station.config, lambda _station: [])
        assert "--state-path" in refused.value.hint
        return []

    run_agent(AgentConfig("publisher", tmp_path / "state"), build)


def test_the_directory_is_free_again_afterwards(tmp_path):
    for _ in range(2):
        assert run_steps(tmp_path, None).made == 1


def test_the_metrics_are_served_while_it_works(tmp_path):
    told = []
    stop, ready = Stop(), threading.Event()

    def build(station):
        def step():
            assert ready.wait(60)
            with urllib.request.urlopen(f"http://{told[0]}/metrics") as answer:
                told.append(answer.read().decode())
            stop.request()

        work = Scripted(station, step)
        work.progress.position, work.progress.head = 7, 10
        return [work]

    def on_ready(address):
        told.append(address)
        ready.set()

    config = AgentConfig("publisher", tmp_path / "state", metrics_addr="127.0.0.1:0")
    run_agent(config, build, stop=stop, on_ready=on_ready)
    assert 'qed_agent_position{work="work"} 7.0' in told[1]
    assert 'qed_agent_lag_versions{work="work"} 3.0' in told[1]


def test_an_address_in_use_is_said_before_a_file_is_touched(tmp_path):
    def build(_station):
        return []

    taken = []
    stop = Stop()

    def on_ready(address):
        config = AgentConfig("monitor", tmp_path / "other", metrics_addr=str(address))
        with pytest.raises(ConflictError, match="in use"):
            run_agent(config, build)
        taken.append(address)

    config = AgentConfig("publisher", tmp_path / "state", metrics_addr="127.0.0.1:0")
    run_agent(config, build, stop=stop, on_ready=on_ready)
    assert taken
    assert not (tmp_path / "other").exists()


def test_a_station_hands_out_files_below_its_directory(tmp_path):
    def build(station):
        station.position("http://store:8888").write({"Position": 3})
        assert station.evidence_path == tmp_path / "state" / "evidence"
        return []

    run_agent(AgentConfig("publisher", tmp_path / "state"), build)
    assert len(list((tmp_path / "state" / "positions").iterdir())) == 1


def test_an_alert_of_a_work_is_delivered_before_the_agent_ends(tmp_path):
    heard = []

    class Listener:
        name = "listener"

        def deliver(self, alert, _told_s):
            heard.append(alert)

    def build(station):
        def step():
            station.alert("lag", "http://store:8888", "behind")

        return [Scripted(station, step)]

    config = AgentConfig("monitor", tmp_path / "state", once=True)
    run_agent(config, build, [Listener()])
    assert [(alert.kind, alert.subject) for alert in heard] == [("lag", "http://store:8888")]


@pytest.mark.parametrize(
    ("kinds", "error", "said"),
    [
        (("absence", "lag"), ContradictionError, "absence"),
        (("answer",), VerificationError, "answer"),
        (("answer", "replay"), ContradictionError, "replay, answer"),
    ],
)
def test_a_round_that_told_of_a_false_claim_does_not_end_well(tmp_path, kinds, error, said):
    def build(station):
        def step():
            for kind in kinds:
                station.alert(kind, "http://a", "it was found")

        return [Scripted(station, step)]

    with pytest.raises(error, match=said) as caught:
        run_agent(AgentConfig("auditor", tmp_path / "state", once=True), build)

    assert type(caught.value) is error


def test_a_round_that_told_of_a_lag_ends_as_its_steps_did(tmp_path):
    def build(station):
        def step():
            station.alert("lag", "http://a", "behind")

        return [Scripted(station, step)]

    run_agent(AgentConfig("monitor", tmp_path / "state", once=True), build)


def test_the_kinds_that_end_a_round_are_kinds():
    assert {*SIGNED_KINDS, *FALSE_KINDS} <= {*KINDS}
    assert not {*SIGNED_KINDS} & {*FALSE_KINDS}
