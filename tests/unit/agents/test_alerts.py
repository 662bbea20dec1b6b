"""Alerts: kinds with a next step, durable before the caller goes on, never a flood."""

import pytest
import structlog

from qed.agents.alerts import KINDS, SAME_AGAIN_S, Alert, Alerts
from qed.errors import StorageError


class Kept:
    """A mailbox that keeps what it is given."""

    def __init__(self):
        self.alerts = []

    def put(self, alert, told_s):
        self.alerts.append((alert, told_s))

    @property
    def texts(self):
        return [alert.text for alert, _ in self.alerts]


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now_s = 1_000_000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_says_what_to_do_next(kind):
    assert Alert(kind, "http://store:8888", "text").next_step == KINDS[kind]
    assert len(KINDS[kind]) > 30


def test_a_kind_that_is_not_in_the_table_is_a_bug():
    with pytest.raises(AssertionError):
        Alert("oddity", "http://store:8888", "text")


def test_each_mailbox_gets_it_and_the_log_has_it(clock, tmp_path):
    one, other = Kept(), Kept()
    alert = Alert("rollback", "http://a:8800", "went back", tmp_path / "evidence.json")
    with structlog.testing.capture_logs() as logs:
        assert Alerts([one, other], clock=clock).tell(alert)

    assert one.alerts == other.alerts == [(alert, clock.now_s)]
    assert logs[0]["kind"] == "rollback"
    assert logs[0]["next_step"] == KINDS["rollback"]
    assert logs[0]["evidence"].endswith("evidence.json")


def test_the_same_again_is_held_back_for_ten_minutes_and_then_counted(clock):
    box = Kept()
    alerts = Alerts([box], clock=clock)
    told = []
    assert not alerts.is_held_back("lag", "store")
    for _ in range(5):
        told.append(alerts.tell(Alert("lag", "store", "behind")))
        clock.now_s += 120.0
    assert told == [True, False, False, False, False]

    clock.now_s -= 1.0
    assert alerts.is_held_back("lag", "store")
    assert not alerts.is_held_back("lag", "another")
    clock.now_s += 1.001
    assert not alerts.is_held_back("lag", "store")
    assert alerts.tell(Alert("lag", "store", "behind"))
    assert box.texts == ["behind", "behind (4 more like it in 10 minutes)"]
    assert alerts.raised["lag"] == 6
    assert alerts.held_back["lag"] == 4


def test_a_lie_repeated_500_times_is_one_line_of_the_log_and_a_count_when_it_is_told_again(clock):
    alerts = Alerts([Kept()], clock=clock)
    with structlog.testing.capture_logs() as logs:
        for _ in range(500):
            alerts.tell(Alert("absence", "server", "its map lacks it"))
        clock.now_s += SAME_AGAIN_S
        alerts.tell(Alert("absence", "server", "its map lacks it"))
    assert [line["text"] for line in logs if line["log_level"] != "debug"] == [
        "its map lacks it",
        "its map lacks it (499 more like it in 10 minutes)",
    ]
    held = [line for line in logs if line["log_level"] == "debug"]
    assert [line["event"] for line in held] == ["alert held back"] * 499


def test_another_subject_and_another_kind_are_not_the_same(clock):
    box = Kept()
    alerts = Alerts([box], clock=clock)
    for kind, subject in (("lag", "a"), ("lag", "b"), ("silence", "a"), ("lag", "a")):
        alerts.tell(Alert(kind, subject, f"{kind} {subject}"))
    assert box.texts == ["lag a", "lag b", "silence a"]


def test_a_clock_that_was_set_back_holds_nothing_back(clock):
    box = Kept()
    alerts = Alerts([box], clock=clock)
    alerts.tell(Alert("lag", "a", "first"))
    clock.now_s -= 100_000.0
    assert alerts.tell(Alert("lag", "a", "second"))


def test_what_could_not_be_kept_is_not_counted_as_told(clock):
    class Full(Kept):
        broken = True

        def put(self, alert, told_s):
            if self.broken:
                raise StorageError("disk full")
            super().put(alert, told_s)

    box = Full()
    alerts = Alerts([box], clock=clock)
    with structlog.testing.capture_logs() as logs, pytest.raises(StorageError):
        alerts.tell(Alert("lag", "a", "behind"))
    assert [line["log_level"] for line in logs] == ["error"]  # the one place that still has it
    box.broken = False
    assert alerts.tell(Alert("lag", "a", "behind"))
    assert box.texts == ["behind"]


def test_the_memory_of_subjects_is_bounded(clock):
    alerts = Alerts([], clock=clock)
    for number in range(1500):
        alerts.tell(Alert("lag", f"store {number}", "behind"))
    assert len(alerts._last_s) == 1000
    assert clock.now_s - alerts._last_s[("lag", "store 1499")] < SAME_AGAIN_S
