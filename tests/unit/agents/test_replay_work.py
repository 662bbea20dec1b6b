"""The auditor's replay: caught once and for all, told once a start, and nothing is skipped."""

import pytest

from agent_station import Clock, open_station
from direct import Direct
from lying_log import LyingLog, false_history, false_hyper, fill
from publishing import PublishedLog
from qed.agents import replay_work
from qed.agents.auditor import StoreFeed
from qed.agents.head import Head
from qed.agents.replay_work import ReplayWork
from qed.agents.trust import Trust
from qed.errors import ContradictionError, VerificationError


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(replay_work, "HEAD_WAIT_S", 0.0)


class Replaying:
    """A feed and the work of replay, stepped by hand."""

    def __init__(self, agent, log, store_log=None):
        self.store, server = Direct(store_log or log, "store"), Direct(log, "server")
        trust = Trust(agent.station.config.state_path / "pin.json", log.key)
        head = Head()
        self.feed = StoreFeed(agent.station, trust, self.store.source(), server.source(), head)
        self.head, self.clock = head, Clock()
        self.work = ReplayWork(
            agent.station, trust, head, self.store.source(), server.source(), clock=self.clock
        )

    def step(self):
        self.feed.step()
        self.work.step()


def test_what_is_published_is_replayed_and_kept(tmp_path):
    log = PublishedLog()
    log.fill(300)
    with open_station(tmp_path / "state") as agent:
        made = Replaying(agent, log)
        made.step()
        log.add(b"more")
        made.step()
        assert made.work.progress.position == 301
        assert made.work.step() == 0
        assert agent.told == []
    with open_station(tmp_path / "state") as agent:
        made = Replaying(agent, log)
        made.store.place.before = _refuse_leaves
        made.step()
        made.work.step()
        assert made.work._replayer.size == 301


def _refuse_leaves(request):
    assert "entries" not in request.path


@pytest.mark.parametrize(
    ("lies", "tree"), [({7: false_history}, "history"), ({7: false_hyper}, "hyper")]
)
def test_a_log_that_lies_is_told_with_evidence_and_replayed_no_further(tmp_path, lies, tree):
    log = fill(LyingLog(lies), [1] * 12)
    for _ in range(2):  # the second is another start: it is told again, from the same evidence
        with open_station(tmp_path / "state") as agent:
            made = Replaying(agent, log)
            for _ in range(3):
                with pytest.raises(ContradictionError):
                    made.step()
                log.add(b"more")
            (alert,) = agent.kept.alerts
            finding = agent.finding(alert, log.key)
            assert (alert.kind, alert.subject, finding.kind) == ("replay", "qed-test", "replay")
            assert finding.signed
            assert f"a {tree} digest" in finding.sentence
    assert len(list((tmp_path / "state" / "evidence").iterdir())) == 1


def test_a_kill_between_the_alert_and_the_position_tells_again(tmp_path):
    class KilledError(BaseException):
        pass

    def kill(**_settings):
        raise KilledError

    log = fill(LyingLog({7: false_history}), [1] * 12)
    for _ in range(2):
        with open_station(tmp_path / "state") as agent:
            made = Replaying(agent, log)
            made.feed.step()
            made.work._open(made.head.newest).commit = kill
            with pytest.raises(KilledError):
                made.work.step()
            assert agent.kinds == ["replay"]


def test_leaves_that_were_not_signed_are_the_stores_fault(tmp_path):
    log, other = PublishedLog(), PublishedLog()
    log.fill(300)
    other.fill(300)
    other.leaves[250] = other.leaves[250][:-1] + b"x"
    with open_station(tmp_path / "state") as agent:
        made = Replaying(agent, log, other)
        with pytest.raises(VerificationError):
            made.step()
        (alert,) = agent.kept.alerts
        assert (alert.kind, alert.subject) == ("snapshot", "store")
        assert "version 250" in agent.finding(alert, log.key).sentence
        other.leaves[250] = log.leaves[250]
        made.step()
        assert made.work.progress.position == 300


def test_the_position_is_written_once_a_second_and_at_rest(tmp_path):
    log = PublishedLog()
    with open_station(tmp_path / "state") as agent:
        made = Replaying(agent, log)
        log.publish()
        committed = []
        work = made.work
        for number in range(5):
            log.add(b"%d" % number)
            made.feed.step()
            work._open(made.head.newest).commit = lambda: committed.append(work._replayer.size)
            work.step()
            made.clock.now_s += 0.4
        assert committed == [4]
        made.work.step()
        assert committed == [4, 5]


def test_it_ends_when_nothing_more_will_be_shown(tmp_path):
    with open_station(tmp_path / "state") as agent:
        made = Replaying(agent, PublishedLog())
        assert made.work.step() == 0
        made.head.close()
        assert made.work.step() is None
