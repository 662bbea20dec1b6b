"""The auditor against honest servers and lying ones: every alert, and what its evidence shows."""

import base64
import copy
import itertools
import json
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_station import Clock, open_station
from direct import Direct
from lying_log import LyingLog, fill
from publishing import PublishedLog
from qed import wire
from qed.agents import auditor
from qed.agents.auditor import ProofWork, StoreFeed, build_auditor
from qed.agents.head import Head
from qed.agents.positions import PositionFile
from qed.agents.trust import Trust
from qed.errors import (
    ContradictionError,
    NotPublishedError,
    RequestError,
    UnavailableError,
    VerificationError,
)
from qed.signing.note import format_verifier_key
from qed.wire.bounds import BOUNDS

PROOFS = "/proofs/digest-membership"
EVENTS = [sha256(b"%d" % n).digest() for n in range(6)]


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(auditor, "HEAD_WAIT_S", 0.0)


@pytest.fixture
def agent(tmp_path):
    with open_station(tmp_path / "state") as made:
        yield made


class Audit:
    """A feed and the work of proofs, stepped by hand."""

    def __init__(self, agent, log, *, store_log=None, **settings):
        self.log = log
        self.server = Direct(log, "server", info={"verifier_key": format_verifier_key(log.key)})
        self.store = Direct(store_log or log, "store")
        self.head = Head()
        self.trust = Trust(agent.station.config.state_path / "pin.json", None)
        store, server = self.store.source, self.server.source
        self.feed = StoreFeed(agent.station, self.trust, store(), server(), self.head)
        self.clock = Clock()
        self.work = ProofWork(
            agent.station, self.trust, self.head, store(), server(), clock=self.clock, **settings
        )

    def run(self):
        """Step until everything published is audited, and the position is written."""
        self.feed.step()
        for _ in range(400):
            self.work.step()
            if self.work.progress.position == self.store.serving.log.size == self.work._written:
                return
        raise AssertionError(f"still at {self.work.progress}")

    @property
    def questions(self):
        return [wire.decode_digest_query(body)[0] for body in self.server.asked(PROOFS)]


def change(position, replacement):
    """Return a lie that changes the answer about the n-th question."""
    count = itertools.count()

    def lie(body):
        return replacement(body) if next(count) == position else body

    return lie


def test_every_leaf_is_asked_about_once(agent):
    log = PublishedLog()
    log.fill(600)
    audit = Audit(agent, log)
    audit.run()
    assert audit.questions == [one.event_digest for one in log.snapshots]
    log.add(b"more")
    audit.run()
    assert len(audit.questions) == 601
    assert agent.told == []


@settings(max_examples=40, deadline=None)
@given(
    groups=st.lists(st.lists(st.sampled_from(EVENTS), min_size=1, max_size=6), max_size=20),
    cuts=st.sets(st.integers(0, 20)),
    ahead=st.integers(0, 3),
)
def test_no_false_alarm_however_events_repeat(groups, cuts, ahead, tmp_path_factory):
    log = LyingLog()
    log.publish()
    with open_station(tmp_path_factory.mktemp("honest")) as agent:
        audit = Audit(agent, log, publish_wait_s=60.0)
        later = iter(groups[len(groups) - min(ahead, len(groups)) :])

        def grow(_request):
            # The log goes on while it is asked: answers come from versions not yet published.
            for group in itertools.islice(later, 1):
                log.add_digests(group)

        audit.server.place.before = grow
        audit.work._head = WaitingHead(audit)
        for number, group in enumerate(groups[: len(groups) - min(ahead, len(groups))]):
            log.add_digests(group)
            if number in cuts:
                log.publish()
                audit.run()
        log.publish()
        audit.run()
        assert agent.told == []


class WaitingHead:
    """A head in front of a log that publishes as soon as somebody waits for more."""

    def __init__(self, audit):
        self._audit = audit

    closed = False

    def wait_beyond(self, size, wait_s):
        shown = self._audit.head.wait_beyond(size, wait_s)
        if shown is None and len(self._audit.log.leaves) > size:
            self._audit.log.publish()
            self._audit.feed.step()
            shown = self._audit.head.wait_beyond(size, wait_s)
        return shown


@pytest.mark.parametrize("forgotten", [1, 4, 9])
def test_an_event_that_the_map_lacks_is_proven_absent(agent, forgotten):
    log = fill(LyingLog(forgotten={forgotten}), [3, 3, 4])
    Audit(agent, log).run()
    (alert,) = agent.kept.alerts
    finding = agent.finding(alert, log.key)
    assert (alert.kind, alert.subject, finding.kind) == ("absence", "server", "absence")
    assert finding.signed
    assert f"as version {forgotten}" in finding.sentence


def test_a_map_that_knows_only_the_older_of_two_equal_events(agent):
    log = LyingLog(forgotten={4})
    for group in ([EVENTS[0]], [EVENTS[1]], [EVENTS[2]], [EVENTS[3], EVENTS[0]], [EVENTS[4]]):
        log.add_digests(group)
    log.publish()
    Audit(agent, log).run()
    (alert,) = agent.kept.alerts
    finding = agent.finding(alert, log.key)
    assert (alert.kind, finding.kind, finding.signed) == ("absence", "outdated", True)
    assert "knows only its version 0" in finding.sentence


def test_an_equal_event_of_the_same_group_far_before_is_right(agent, monkeypatch):
    monkeypatch.setattr(auditor, "AT_ONCE", 4)
    log = LyingLog()
    log.add_digests([EVENTS[0], *(sha256(b"x%d" % n).digest() for n in range(20)), EVENTS[0]])
    log.publish()
    Audit(agent, log).run()
    assert agent.told == []


def flip(body):
    answer = json.loads(body)
    place = next(iter(answer["Hyper"]))
    answer["Hyper"][place] = "A" * 43 + "="
    return json.dumps(answer, separators=(",", ":")).encode()


def test_a_false_answer_is_told_with_what_judged_it(agent):
    log = PublishedLog()
    log.fill(300)
    audit = Audit(agent, log)
    audit.server.lies[PROOFS] = change(7, flip)
    audit.run()
    (alert,) = agent.kept.alerts
    finding = agent.finding(alert, log.key)
    assert (alert.kind, alert.subject, finding.kind) == ("answer", "server", "answer")
    assert not finding.signed
    assert "version 7" in alert.text


def test_an_answer_to_another_question_is_evidence_too(agent):
    log = PublishedLog()
    log.fill(300)
    audit = Audit(agent, log)
    audit.server.lies[PROOFS] = change(200, lambda body: edit(body, QueryVersion=3))
    audit.run()
    (alert,) = agent.kept.alerts
    finding = agent.finding(alert, log.key)
    assert (alert.kind, finding.kind, finding.signed) == ("answer", "answer", False)
    assert "query version 3 is not 299" in finding.sentence


def test_an_absence_is_evidence_although_the_answer_repeats_the_event(agent):
    events = [b"event %d" % number for number in range(6)]
    log = LyingLog(forgotten={4})
    for event in events:
        log.add_digests([sha256(event).digest()])
    log.publish()
    audit = Audit(agent, log)
    repeated = base64.b64encode(events[4]).decode()
    audit.server.lies[PROOFS] = change(4, lambda body: edit(body, Key=repeated))
    audit.run()
    (alert,) = agent.kept.alerts
    finding = agent.finding(alert, log.key)
    assert (alert.kind, finding.kind, finding.signed) == ("absence", "absence", True)


def edit(body, **fields):
    return json.dumps(json.loads(body) | fields, separators=(",", ":")).encode()


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[1", b"\xff" * 40])
def test_an_answer_that_does_not_parse_is_told_with_what_came(agent, body):
    log = PublishedLog()
    log.fill(100)
    audit = Audit(agent, log)
    audit.server.lies[PROOFS] = change(7, lambda _body: body)
    audit.run()
    (alert,) = agent.kept.alerts
    finding = agent.finding(alert, log.key)
    assert (alert.kind, finding.kind, finding.signed) == ("answer", "answer", False)
    assert "as version 7, is none" in finding.sentence


def test_an_answer_longer_than_any_can_be_is_told_without_evidence(agent):
    log = PublishedLog()
    log.fill(100)
    audit = Audit(agent, log)
    audit.server.lies[PROOFS] = change(7, lambda _body: b"1" * (BOUNDS.proof_bytes + 1))
    audit.run()
    (alert,) = agent.kept.alerts
    assert (alert.kind, alert.evidence) == ("answer", None)


def test_a_server_that_says_it_is_empty(agent):
    log, empty = PublishedLog(), PublishedLog()
    log.fill(100)
    audit = Audit(agent, log)
    digest = log.snapshots[7].event_digest
    body = wire.encode_membership(empty.log.membership(digest))
    audit.server.lies[PROOFS] = change(7, lambda _body: body)
    audit.run()
    assert agent.kinds == ["answer"]


def test_an_answer_out_of_the_past_is_told(agent):
    log = PublishedLog()
    log.fill(100)
    old = copy.copy(log.log)
    old.snapshots = log.log.snapshots[:]
    log.fill(100, "more ")
    audit = Audit(agent, log)
    digest = log.snapshots[150].event_digest
    past = wire.encode_membership(old.membership(digest))
    audit.server.lies[PROOFS] = change(150, lambda _body: past)
    audit.run()
    (alert,) = agent.kept.alerts
    assert alert.kind == "answer"
    assert "from version 99" in alert.text


def test_versions_that_are_never_published_are_told(agent):
    log = PublishedLog()
    log.fill(100)
    audit = Audit(agent, log, publish_wait_s=30.0)
    audit.feed.step()
    log.add(b"hidden", publish=False)
    for _ in range(3):
        with pytest.raises(NotPublishedError):
            _step_while_time_passes(audit)
    assert agent.told == [("stalled", "server")]
    assert audit.work.progress.position == 0
    log.publish()
    audit.run()
    assert agent.kinds == ["stalled"]


def test_a_store_that_does_not_get_what_the_server_publishes_is_told(agent):
    log = PublishedLog()
    log.fill(100)
    audit = Audit(agent, log, store_log=_frozen(log), publish_wait_s=30.0)
    audit.feed.step()
    log.add(b"withheld")
    with pytest.raises(NotPublishedError):
        _step_while_time_passes(audit)
    (alert,) = agent.kept.alerts
    finding = agent.finding(alert, log.key)
    assert (alert.kind, alert.subject, finding.kind) == ("lag", "store", "lag")


def _fork(size):
    """Return a log that shares 50 versions with one that was filled, under the same key."""
    log = PublishedLog()
    log.fill(50)
    log.add(*[b"another %d" % n for n in range(50, size)])
    return log


@pytest.mark.parametrize("size", [100, 120])
def test_a_server_that_answers_from_another_history_has_signed_it(agent, size):
    log = PublishedLog()
    log.fill(100)
    audit = Audit(agent, _fork(size), store_log=log)
    if size == 100:
        audit.run()  # its answers are false, and so is what they are from
    else:
        audit.feed.step()
        with pytest.raises(ContradictionError):  # its answers are from what is never published
            _step_while_time_passes(audit)
    told = {alert.kind: agent.finding(alert, log.key) for alert in agent.kept.alerts}
    assert sorted(told) == (["answer", "equivocation"] if size == 100 else ["equivocation"])
    assert told["equivocation"].signed


def test_a_server_that_shows_no_checkpoint_is_not_compared(agent):
    log = PublishedLog()
    log.fill(100)
    audit = Audit(agent, _fork(100), store_log=log)
    audit.server.lies["/checkpoint"] = lambda _body: (503, b"")
    audit.run()
    assert agent.kinds == ["answer"] * len(agent.kinds)
    assert agent.kinds


def _step_while_time_passes(audit):
    """Step with a clock that jumps each time that it is read."""
    times = itertools.count(0.0, 20.0)
    audit.work._clock = lambda: next(times)
    audit.work.step()


def _frozen(log):
    """Return what a store has that gets nothing more."""
    frozen = PublishedLog()
    frozen.leaves, frozen.notes, frozen.size = log.leaves[:], log.notes[:], log.size
    frozen.rows = {level: row[:] for level, row in log.rows.items()}
    frozen.peaks = log.peaks
    return frozen


def test_a_server_that_refuses_is_told_and_asked_again(agent):
    log = PublishedLog()
    log.fill(10)
    audit = Audit(agent, log)
    audit.server.lies[PROOFS] = lambda _body: (412, b"not proven\n")
    audit.feed.step()
    with pytest.raises(RequestError):
        audit.work.step()
    assert agent.told == [("answer", "server")]
    audit.server.lies.clear()
    audit.run()
    assert audit.work.progress.position == 10


def test_a_server_that_is_down_is_asked_again_and_nothing_is_told(agent):
    log = PublishedLog()
    log.fill(10)
    audit = Audit(agent, log)
    audit.feed.step()
    audit.server.place.down = True
    with pytest.raises(UnavailableError):
        audit.work.step()
    audit.server.place.down = False
    audit.run()
    assert agent.told == []


def test_leaves_of_the_store_that_were_not_signed_are_told(agent):
    log = PublishedLog()
    log.fill(300)
    store = _frozen(log)
    store.leaves[200] = store.leaves[200][:-1] + b"x"
    audit = Audit(agent, log, store_log=store)
    audit.feed.step()
    with pytest.raises(VerificationError):
        audit.work.step()
    (alert,) = agent.kept.alerts
    finding = agent.finding(alert, log.key)
    assert (alert.kind, alert.subject, finding.kind) == ("snapshot", "store", "snapshot")
    assert "for version 200" in finding.sentence
    assert audit.questions == []


def test_sampling_asks_about_some(agent):
    log = PublishedLog()
    log.fill(1000)
    audit = Audit(agent, log, sampling=0.1, draw=itertools.cycle([0.05, 0.5, 0.95]).__next__)
    audit.run()
    assert audit.questions == [one.event_digest for one in log.snapshots[::3]]
    assert audit.work.progress.position == 1000


class KilledError(BaseException):
    pass


def test_after_a_kill_at_any_write_nothing_is_skipped(tmp_path, monkeypatch):
    monkeypatch.setattr(auditor, "AT_ONCE", 8)
    monkeypatch.setattr(auditor, "WRITE_EVERY_S", 0.0)
    log = fill(LyingLog(forgotten={11, 30}), [3] * 12)
    real = PositionFile.write
    for fatal in itertools.count(1):
        writes, killed, asked, kinds = itertools.count(1), False, [], []

        def write(self, fields, writes=writes, fatal=fatal):
            if next(writes) == fatal:
                raise KilledError
            real(self, fields)

        monkeypatch.setattr(PositionFile, "write", write)
        for _ in range(2):
            with open_station(tmp_path / f"state-{fatal}") as agent:
                audit = Audit(agent, log)
                try:
                    audit.run()
                except KilledError:
                    killed = True
                asked += audit.questions
                kinds += agent.kinds
        assert set(asked) == {one.event_digest for one in log.snapshots}
        assert set(kinds) == {"absence"}
        if not killed:
            break
        assert len(asked) <= 36 + 8
    assert fatal > 4


def test_the_position_is_written_now_and_then_and_at_rest(agent):
    log = PublishedLog()
    log.fill(600)
    audit = Audit(agent, log)
    written = []
    audit.work._file.write = written.append
    audit.run()
    assert [fields["Size"] for fields in written] == [600]


def test_a_first_start_without_a_checkpoint_waits(agent):
    audit = Audit(agent, PublishedLog())
    audit.feed.step()
    assert audit.head.newest is None
    assert audit.work.step() == 0
    audit.head.close()
    assert audit.work.step() is None


def test_an_auditor_has_a_work_for_each_thing(agent):
    log = PublishedLog()
    log.fill(10)
    places = {name: Direct(log, name) for name in ("one", "other", "server")}
    trust = Trust(agent.station.config.state_path / "pin.json", log.key)

    def open_place(name):
        return places[name].source()

    def names(**settings):
        works = build_auditor(
            agent.station, trust, ["one", "other"], "server", open_place, **settings
        )
        return [work.progress.name for work in works]

    assert names(replay=False, sampling=0.0) == ["feed", "sweep one", "sweep other"]
    assert names() == ["feed", "proofs", "replay", "sweep one", "sweep other"]
