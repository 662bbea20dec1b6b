"""The outbox: every alert at least once, the urgent first, and nobody is flooded."""

import json
import threading
from pathlib import Path

import pytest
import structlog

from qed.agents.alerts import Alert
from qed.agents.backoff import BackOff
from qed.agents.outbox import HOURLY, Outbox, decode_alert, encode_alert
from qed.errors import MalformedError, UnreachableError

LAG = Alert("lag", "http://store:8888", "behind")
NOW_S = 1_000_000.0


class Listener:
    """A notifier that keeps what it hears, or fails as it is told to."""

    name = "listener"

    def __init__(self):
        self.heard = []
        self.errors = []
        self.heard_one = threading.Event()

    def deliver(self, alert, _told_s):
        if self.errors:
            error = self.errors.pop(0)
            if error is not None:
                raise error
        self.heard.append(alert)
        self.heard_one.set()

    @property
    def kinds(self):
        return [alert.kind for alert in self.heard]


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def outbox(tmp_path, listener):
    return open_outbox(tmp_path, listener)


def open_outbox(tmp_path, listener, clock=lambda: NOW_S):
    rests = BackOff(first_s=1.0, longest_s=8.0, draw=lambda: 1.0)
    return Outbox(tmp_path / "outbox", listener, clock=clock, back_off=rests)


def files(tmp_path, suffix=".json"):
    return sorted(path.name for path in (tmp_path / "outbox").iterdir() if path.suffix == suffix)


def test_what_is_put_is_delivered_once_and_forgotten(tmp_path, outbox, listener):
    alert = Alert("rollback", "http://a:8800", "went back", Path("/var/evidence.json"))
    outbox.put(alert, NOW_S)
    assert len(files(tmp_path)) == outbox.waiting == 1

    assert outbox.deliver_pending() is None
    assert listener.heard == [alert]
    assert files(tmp_path) == []
    assert outbox.waiting == 0
    assert outbox.deliver_pending() is None
    assert listener.heard == [alert]


def test_it_is_on_disk_when_put_returns(tmp_path, outbox, listener):
    outbox.put(LAG, NOW_S)

    again = open_outbox(tmp_path, listener)
    assert again.waiting == 1
    again.deliver_pending()
    assert listener.heard == [LAG]


def test_the_most_urgent_goes_first_then_the_oldest(outbox, listener):
    for kind, told_s in (("lag", 1.0), ("silence", 2.0), ("lag", 0.5), ("equivocation", 3.0)):
        outbox.put(Alert(kind, f"at {told_s}", "text"), told_s)
    outbox.deliver_pending()

    assert listener.kinds == ["equivocation", "silence", "lag", "lag"]
    assert [alert.subject for alert in listener.heard[2:]] == ["at 0.5", "at 1.0"]


def test_one_that_is_down_gets_them_later(outbox, listener):
    listener.errors = [UnreachableError("down"), UnreachableError("down")]
    outbox.put(LAG, NOW_S)
    outbox.put(Alert("silence", "a", "text"), NOW_S)

    with structlog.testing.capture_logs() as logs:
        assert [outbox.deliver_pending(), outbox.deliver_pending()] == [1.0, 2.0]
    assert [line["why"] for line in logs] == ["down", "down"]
    assert listener.heard == []
    assert outbox.deliver_pending() is None
    assert listener.kinds == ["silence", "lag"]


def test_one_alert_that_is_refused_does_not_hold_up_the_next(outbox, listener):
    listener.errors = [MalformedError("too odd"), None, None]
    outbox.put(Alert("silence", "a", "refused"), NOW_S)
    outbox.put(LAG, NOW_S)

    outbox.deliver_pending()
    assert listener.kinds == ["lag"]
    outbox.deliver_pending()
    assert listener.kinds == ["lag", "silence"]


def test_a_delivery_that_is_interrupted_is_made_again(tmp_path, outbox, listener):
    class Killed(BaseException):
        pass

    listener.errors = [Killed()]
    outbox.put(LAG, NOW_S)
    with pytest.raises(Killed):
        outbox.deliver_pending()

    open_outbox(tmp_path, listener).deliver_pending()
    assert listener.heard == [LAG]


def test_no_more_than_sixty_an_hour_also_over_a_restart(tmp_path, listener):
    now_s = [NOW_S]
    outbox = open_outbox(tmp_path, listener, lambda: now_s[0])
    for number in range(HOURLY + 20):
        outbox.put(Alert("lag", f"store {number}", "text"), NOW_S)

    assert outbox.deliver_pending() == 3600.0
    assert len(listener.heard) == HOURLY
    assert open_outbox(tmp_path, listener, lambda: now_s[0]).deliver_pending() == 3600.0
    assert len(listener.heard) == HOURLY

    outbox.put(Alert("equivocation", "log", "text"), NOW_S)
    now_s[0] += 3600.0
    assert outbox.deliver_pending() is None
    assert listener.kinds[HOURLY] == "equivocation"
    assert len(listener.heard) == HOURLY + 21


def test_what_was_tried_in_vain_is_none_of_the_sixty_an_hour(outbox, listener):
    outbox.put(LAG, NOW_S)
    listener.errors = [UnreachableError("refused")] * (HOURLY + 5)
    for _ in range(HOURLY + 5):
        assert outbox.deliver_pending() <= 8.0
    assert outbox.deliver_pending() is None
    assert listener.kinds == ["lag"]


def test_a_damaged_file_is_put_aside_and_said(tmp_path, outbox, listener):
    outbox.put(LAG, NOW_S)
    outbox.put(Alert("silence", "a", "text"), NOW_S)
    first = tmp_path / "outbox" / files(tmp_path)[0]
    first.write_bytes(first.read_bytes()[:-20])

    with structlog.testing.capture_logs() as logs:
        assert outbox.deliver_pending() is None
    assert listener.kinds == ["lag"]
    assert "damaged" in logs[0]["event"]
    assert len(files(tmp_path, ".damaged")) == 1


def test_a_file_that_somebody_removed_is_no_trouble(tmp_path, outbox):
    outbox.put(LAG, NOW_S)
    (tmp_path / "outbox" / files(tmp_path)[0]).unlink()

    assert outbox.deliver_pending() is None
    assert outbox.waiting == 0


def test_above_the_bound_the_least_urgent_is_dropped_and_said(tmp_path, outbox, monkeypatch):
    monkeypatch.setattr("qed.agents.outbox._MAX_WAITING", 3)
    with structlog.testing.capture_logs() as logs:
        for kind in ("lag", "lag", "silence", "lag", "equivocation"):
            outbox.put(Alert(kind, "a", "text"), NOW_S)

    assert [line["event"] for line in logs] == ["alert dropped: too many wait"] * 2
    kinds = [
        json.loads((tmp_path / "outbox" / name).read_bytes())["Kind"] for name in files(tmp_path)
    ]
    assert kinds == ["equivocation", "silence", "lag"]


def test_the_thread_delivers_by_itself_and_close_tries_once_more(outbox, listener):
    outbox.start()
    outbox.put(LAG, NOW_S)
    assert listener.heard_one.wait(30)

    listener.errors = [UnreachableError("down")]
    outbox.put(Alert("silence", "a", "text"), NOW_S)
    outbox.close()
    assert "lag" in listener.kinds


def test_close_says_what_is_left(outbox, listener):
    listener.errors = [UnreachableError("down")] * 9
    outbox.put(LAG, NOW_S)
    outbox.start()
    with structlog.testing.capture_logs() as logs:
        outbox.close()
    assert "alerts wait for the next start" in [line["event"] for line in logs]
    assert outbox.waiting == 1


def test_a_bug_in_a_notifier_does_not_end_the_thread(outbox, listener):
    outbox._back_off = BackOff(first_s=0.0)
    listener.errors = [ZeroDivisionError("bug")]
    with structlog.testing.capture_logs() as logs:
        outbox.put(LAG, NOW_S)
        outbox.start()
        assert listener.heard_one.wait(30)
        outbox.close()
    assert "bug in the delivery of alerts" in [line["event"] for line in logs]


def test_an_alert_survives_its_file():
    alert = Alert("feed", "http://ä:1", 'a "quoted" text\n', Path("/x y"))
    assert decode_alert(encode_alert(alert, 12.5)) == (alert, 12.5)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"Format": "qed/alert/v1"}',
        b"\xff",
        b'{"Format":"qed/alert/v1","Kind":"x","Subject":"","Text":"","Evidence":"","When":1}',
    ],
)
def test_what_is_no_alert_is_refused(data):
    with pytest.raises(ValueError, match=r"alert|Expecting|codec"):
        decode_alert(data)
