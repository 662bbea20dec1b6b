"""The publisher: at least once into every store, nothing skipped, nothing that does not verify."""

from collections import deque

import pytest

from agent_station import Clock, open_station
from publishing import PublishedLog, serving
from qed.agents import publisher
from qed.agents.head import Head
from qed.agents.publisher import FeedWork, StoreWork
from qed.agents.trust import Trust
from qed.client.feed import open_source
from qed.errors import (
    BusyError,
    ConflictError,
    ContradictionError,
    MalformedError,
    NotFoundError,
    UnavailableError,
    UnreachableError,
    VerificationError,
)
from qed.trees import verify_log
from storing import storing

STEPS = 200


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Waits for news take no time: what is there is there."""
    monkeypatch.setattr(publisher, "WAIT_S", 0.001)
    monkeypatch.setattr(publisher, "HEAD_WAIT_S", 0.0)
    monkeypatch.setattr(publisher, "WRITE_EVERY_S", 0.0)


@pytest.fixture
def log():
    made = PublishedLog()
    made.fill(1000)
    return made


@pytest.fixture
def agent(tmp_path):
    with open_station(tmp_path / "state") as made:
        yield made


class Publisher:
    """A feed and works for stores, stepped by hand."""

    def __init__(self, agent, log, servers, stores, clock=None):
        self.agent = agent
        self.head = Head()
        trust = Trust(agent.station.config.state_path / "pins" / "log.json", log.key)
        agent.station.stack.callback(trust.flush)
        sources = [agent.source(server.url) for server in servers]
        self.feed = FeedWork(agent.station, trust, sources, self.head)
        self.works = [
            StoreWork(
                agent.station,
                self.head,
                agent.source(store.url),
                agent.source,
                check_every_s=10.0,
                clock=clock or Clock(),
            )
            for store in stores
        ]

    def fill(self, size):
        """Step until every store's work has reached a size."""
        self.feed.step()
        for work in self.works:
            for _ in range(STEPS):
                if work.progress.position >= size:
                    break
                work.step()
            assert work.progress.position == size


def repeat(step, times):
    for _ in range(times):
        step()


def check_batches(log, store):
    """Check each batch as a store does: whole, at group ends, proven to begin its checkpoint."""
    assert store.snapshots == log.snapshots[: len(store.snapshots)]
    for batch in store.batches:
        end = batch.snapshots[-1].version + 1
        size, root = log_root(log, end)
        verify_log.verify_consistency(size, root, *checkpoint(log, batch), batch.consistency)


def log_root(log, size):
    from qed.trees import tiles  # noqa: PLC0415 - for this alone

    return size, tiles.compute_root(lambda nodes: log.read_nodes(nodes, size), size)


def checkpoint(log, batch):
    from qed.signing.checkpoint import open_checkpoint  # noqa: PLC0415 - for this alone

    found = open_checkpoint(batch.checkpoint, log.key)
    return found.size, found.root


def test_everything_that_was_signed_is_in_every_store(agent, log):
    with serving(log) as server, storing() as one, storing() as other:
        made = Publisher(agent, log, [server], [one, other])
        made.fill(1000)
        log.fill(300, "more ")
        made.fill(1300)
        for store in (one, other):
            assert len(store.snapshots) == 1300
            assert store.twice == 0
            check_batches(log, store)
    assert agent.told == []


def test_batches_are_cut_at_group_ends_and_proven(agent, log, monkeypatch):
    real = publisher.cut_batches
    monkeypatch.setattr(publisher, "cut_batches", lambda parts, stop: real(parts, stop, 250))
    with serving(log) as server, storing() as store:
        Publisher(agent, log, [server], [store]).fill(1000)
        assert [len(batch.snapshots) for batch in store.batches] == [200] * 5
        check_batches(log, store)


def test_a_restart_goes_on_where_the_store_is(tmp_path, log):
    with serving(log) as server, storing() as store:
        for size in (1000, 1200):
            with open_station(tmp_path / "state") as agent:
                Publisher(agent, log, [server], [store]).fill(size)
            log.fill(200, f"after {size} ")
        assert store.twice == 0
        check_batches(log, store)


def test_a_kill_between_the_answer_and_the_position_sends_it_again(tmp_path, log):
    class Killed(BaseException):
        pass

    def kill(_fields):
        raise Killed

    with serving(log) as server, storing() as store:
        with open_station(tmp_path / "state") as agent:
            made = Publisher(agent, log, [server], [store])
            made.works[0]._file.write = kill
            with pytest.raises(Killed):
                made.fill(1000)
            made.works[0]._done = None  # who is killed writes nothing at the end
        assert len(store.snapshots) == 1000
        with open_station(tmp_path / "state") as agent:
            Publisher(agent, log, [server], [store]).fill(1000)
            assert agent.told == []
        assert store.twice == 1000
        assert store.snapshots == log.snapshots


def test_a_damaged_position_starts_over_and_skips_nothing(tmp_path, log):
    with serving(log) as server, storing() as store:
        with open_station(tmp_path / "state") as agent:
            made = Publisher(agent, log, [server], [store])
            made.fill(1000)
            path = made.works[0]._file.path
        path.write_bytes(path.read_bytes()[:-3])
        with open_station(tmp_path / "state") as agent:
            Publisher(agent, log, [server], [store]).fill(1000)
        assert store.twice == 1000
        assert store.snapshots == log.snapshots


def test_a_store_that_is_down_holds_up_nobody(agent, log):
    with serving(log) as server, storing() as one, storing() as other:
        made = Publisher(agent, log, [server], [one, other])
        one.down = True
        made.feed.step()
        with pytest.raises(UnavailableError):
            made.works[0].step()
        made.works[1].step()
        made.works[1].step()
        assert len(other.snapshots) == 1000
        one.down = False
        made.fill(1000)
        assert one.snapshots == log.snapshots
    assert agent.told == []


def test_a_store_that_lost_data_is_filled_again_and_that_is_told(agent, log):
    clock = Clock()
    with serving(log) as server, storing() as store:
        made = Publisher(agent, log, [server], [store], clock)
        made.fill(1000)
        del store.snapshots[300:]
        made.works[0].step()
        assert agent.told == []  # it is asked now and then, not in each step
        clock.now_s += 10.0
        for _ in range(5):
            made.works[0].step()
        assert store.snapshots == log.snapshots
    assert agent.told == [("store-lost", store.url)]
    assert "1000" in agent.kept.alerts[0].text
    assert "300" in agent.kept.alerts[0].text


def test_a_store_that_lost_data_while_it_is_written_to(agent, log):
    with serving(log) as server, storing() as store:
        made = Publisher(agent, log, [server], [store])
        made.fill(1000)
        del store.snapshots[300:]
        log.fill(100, "more ")
        made.feed.step()
        with pytest.raises(ConflictError):
            repeat(made.works[0].step, 3)
        made.fill(1100)
        assert store.snapshots == log.snapshots
    assert agent.told == [("store-lost", store.url)]


def test_a_store_that_holds_something_else_is_told(agent, log):
    with serving(log) as server, storing() as store:
        store.snapshots = list(PublishedLog().add(*[b"other %d" % n for n in range(1000)]))
        made = Publisher(agent, log, [server], [store])
        made.feed.step()
        with pytest.raises(ConflictError):
            made.works[0].step()
    assert agent.told == [("store-conflict", store.url)]


@pytest.mark.parametrize(
    ("status", "error", "kinds"),
    [
        (400, MalformedError, ["store-refused"]),
        (404, NotFoundError, ["store-refused"]),
        (422, Exception, ["store-refused"]),
        (429, BusyError, []),
        (500, UnavailableError, []),
        (503, UnavailableError, []),
    ],
)
def test_a_refusal_is_told_unless_it_may_pass(agent, log, status, error, kinds):
    with serving(log) as server, storing() as store:
        store.refuse = lambda _batch: (status, b"not today\n")
        made = Publisher(agent, log, [server], [store])
        made.feed.step()
        with pytest.raises(error, match="not today"):
            made.works[0].step()
        assert agent.kinds == kinds
        store.refuse = None
        made.fill(1000)
        assert store.snapshots == log.snapshots


@pytest.mark.parametrize("count", [b"+5", b"-1", b"1e3", b"", b"007", b"9" * 30, b"1 2"])
def test_a_count_that_is_no_number_is_no_count(agent, log, count):
    with serving(log) as server, storing() as store:
        store.count_lie = count
        made = Publisher(agent, log, [server], [store])
        made.feed.step()
        with pytest.raises(VerificationError, match="snapshot store"):
            made.works[0].step()


def test_an_empty_log_is_no_error(agent):
    log = PublishedLog()
    log.publish()
    with serving(log) as server, storing() as store:
        made = Publisher(agent, log, [server], [store])
        made.fill(0)
        made.works[0].step()
        assert store.batches == []
        log.add(b"first")
        made.fill(1)
        assert store.snapshots == log.snapshots


@pytest.mark.parametrize("may_be_empty", [True, False])
def test_no_checkpoint_at_all_is_trouble_where_there_must_be_one(agent, may_be_empty):
    log = PublishedLog()
    with serving(log) as server, storing() as store:
        made = Publisher(agent, log, [server], [store])
        made.feed.may_be_empty = may_be_empty
        if may_be_empty:
            made.feed.step()
        else:
            with pytest.raises(NotFoundError):
                made.feed.step()
        assert made.head.newest is None
        log.add(b"first")
        made.fill(1)
        server.lies["/checkpoint"] = lambda _: (404, b"gone\n")
        with pytest.raises(NotFoundError):
            made.feed.step()


@pytest.mark.parametrize(
    ("path", "lie", "kind"),
    [
        ("/checkpoint", lambda _: PublishedLog(seed=2).publish(), "signature"),
        ("/checkpoint", lambda note: note[:-5], "signature"),
        ("/checkpoint", lambda _: b"x" * 1_000_000, "feed"),
    ],
)
def test_a_checkpoint_that_does_not_verify_goes_nowhere(agent, log, path, lie, kind):
    with serving(log, lies={path: lie}) as server, storing() as store:
        made = Publisher(agent, log, [server], [store])
        with pytest.raises(VerificationError):
            made.feed.step()
        made.works[0].step()
        assert store.batches == []
    assert agent.told == [(kind, server.url)]


def flipped(body):
    return body[:50] + bytes([body[50] ^ 1]) + body[51:]


def test_leaves_that_do_not_lead_to_the_signed_root_go_nowhere(agent, log):
    with serving(log, lies={"/tile/entries/002": flipped}) as server, storing() as store:
        made = Publisher(agent, log, [server], [store])
        made.feed.step()
        with pytest.raises(VerificationError):
            made.works[0].step()
        assert store.batches == []
        assert agent.told == [("feed", server.url)]
        server.lies.clear()
        made.fill(1000)
        assert store.snapshots == log.snapshots


def test_a_proof_that_does_not_hold_is_told_before_a_store_sees_it(agent, log, monkeypatch):
    real = publisher.cut_batches
    monkeypatch.setattr(publisher, "cut_batches", lambda parts, stop: real(parts, stop, 250))
    with serving(log, lies={"/tile/0/": flipped}) as server, storing() as store:
        made = Publisher(agent, log, [server], [store])
        made.feed.step()
        with pytest.raises(VerificationError):
            made.works[0].step()
        assert store.batches == []
    assert agent.told == [("feed", server.url)]


def test_a_second_history_is_told_with_evidence_and_goes_nowhere(agent, log):
    with serving(log) as server, storing() as store:
        made = Publisher(agent, log, [server], [store])
        made.fill(1000)
        server.log = PublishedLog()
        server.log.fill(1200, "other ")
        with pytest.raises(ContradictionError):
            made.feed.step()
        made.works[0].step()
        assert store.snapshots == log.snapshots
    assert agent.told == [("equivocation", server.url)]
    assert agent.finding(agent.kept.alerts[0], log.key).signed


def test_a_server_that_goes_back_is_told_with_evidence(agent, log):
    log.fill(100, "more ")
    with serving(log) as server, storing() as store:
        made = Publisher(agent, log, [server], [store])
        made.fill(1100)
        server.lies["/checkpoint"] = lambda _: log.notes[0]
        with pytest.raises(VerificationError, match="went back"):
            made.feed.step()
    assert agent.told == [("rollback", server.url)]
    assert agent.finding(agent.kept.alerts[0], log.key).kind == "lag"


def test_a_position_is_written_once_a_second_when_idle_and_at_a_stop(tmp_path, log, monkeypatch):
    monkeypatch.setattr(publisher, "WRITE_EVERY_S", 1.0)
    clock = Clock()
    with serving(log) as server, storing() as store:
        with open_station(tmp_path / "state") as agent:
            made = Publisher(agent, log, [server], [store], clock)
            file = made.works[0]._file
            made.fill(1000)
            log.fill(100, "more ")
            made.fill(1100)
            assert file.read()["Position"] == 1000
            made.works[0].step()
            made.works[0].step()
            assert file.read()["Position"] == 1000
            clock.now_s += 1.0
            made.works[0].step()
            assert file.read()["Position"] == 1100
            log.fill(100, "again ")
            made.fill(1200)
            log.fill(100, "and again ")
            made.fill(1300)
        assert file.read()["Position"] == 1300


def test_a_stop_before_the_store_was_asked_leaves_the_position(tmp_path, log):
    with serving(log) as server, storing() as store:
        with open_station(tmp_path / "state") as agent:
            made = Publisher(agent, log, [server], [store])
            made.fill(1000)
        with open_station(tmp_path / "state") as agent:
            Publisher(agent, log, [server], [store])
        assert made.works[0]._file.read()["Position"] == 1000


def test_one_of_several_servers_may_have_less_than_the_others(agent, log):
    log.fill(100, "more ")
    with serving(log) as server, serving(log) as behind, storing() as store:
        behind.lies["/checkpoint"] = lambda _: log.notes[0]
        made = Publisher(agent, log, [server, behind], [store])
        made.fill(1100)
        made.feed._turn = 1
        with pytest.raises(UnavailableError, match="behind"):
            made.feed.step()
        assert agent.told == []
        behind.lies.clear()
        made.feed._turn = 1
        made.feed.step()
        behind.lies["/checkpoint"] = lambda _: log.notes[0]
        made.feed._turn = 1
        with pytest.raises(VerificationError, match="went back"):
            made.feed.step()
        assert agent.told == [("rollback", behind.url)]


def test_what_was_trusted_is_remembered_over_a_restart(tmp_path, log):
    with serving(log) as server:
        with open_station(tmp_path / "state") as agent:
            Publisher(agent, log, [server], []).fill(0)
        server.log = PublishedLog()
        server.log.fill(1200, "other ")
        with open_station(tmp_path / "state") as agent, pytest.raises(ContradictionError):
            Publisher(agent, log, [server], []).fill(0)


def test_a_server_that_went_back_while_nobody_looked_is_told(tmp_path, log):
    log.fill(100, "more ")
    with serving(log) as server:
        with open_station(tmp_path / "state") as agent:
            Publisher(agent, log, [server], []).fill(0)
        server.lies["/checkpoint"] = lambda _: log.notes[0]
        with open_station(tmp_path / "state") as agent:
            with pytest.raises(VerificationError, match="went back"):
                Publisher(agent, log, [server], []).fill(0)
            assert agent.told == [("rollback", server.url)]


def test_the_next_server_is_asked_when_one_is_down(agent, log):
    with serving(log) as down:
        pass
    with serving(log) as server, storing() as store:
        made = Publisher(agent, log, [down, server], [store])
        with pytest.raises(UnreachableError):
            made.feed.step()
        made.fill(1000)
        assert store.snapshots == log.snapshots


def test_the_next_server_is_asked_when_one_lies(agent, log):
    lies = {"/checkpoint": lambda _: b"lie"}
    with serving(log, lies=lies) as liar, serving(log) as server, storing() as store:
        made = Publisher(agent, log, [liar, server], [store])
        with pytest.raises(VerificationError):
            made.feed.step()
        made.fill(1000)
        assert store.snapshots == log.snapshots
    assert agent.told == [("signature", liar.url)]


def test_one_round_ends_by_itself(tmp_path, log):
    with (
        serving(log) as server,
        storing() as store,
        open_station(tmp_path / "state", once=True) as agent,
    ):
        made = Publisher(agent, log, [server], [store])
        assert made.feed.step() is None
        ends = deque((made.works[0].step() for _ in range(STEPS)), maxlen=1)
        assert ends == deque([None])
        assert store.snapshots == log.snapshots


def test_in_one_round_a_feed_that_fails_ends_the_others(tmp_path, log):
    with serving(log) as down:
        pass
    with storing() as store, open_station(tmp_path / "state", once=True) as agent:
        made = Publisher(agent, log, [down], [store])
        with pytest.raises(UnreachableError):
            made.feed.step()
        assert made.works[0].step() is None


def test_who_does_not_wait_for_news_is_not_asked_without_a_rest(tmp_path, agent, log, monkeypatch):
    mirror = log.write_mirror(tmp_path / "mirror")
    monkeypatch.setattr(publisher, "WAIT_S", 5.0)
    trust = Trust(tmp_path / "pins" / "log.json", log.key)
    with open_source(str(mirror)) as source:
        feed = FeedWork(agent.station, trust, [source], Head())
        assert feed.step() == 0
        assert 4.0 < feed.step() <= 5.0


def test_a_static_mirror_is_published_as_well(tmp_path, agent, log):
    mirror = log.write_mirror(tmp_path / "mirror")
    head = Head()
    trust = Trust(tmp_path / "pins" / "log.json", log.key)
    with storing() as store, open_source(str(mirror)) as source:
        FeedWork(agent.station, trust, [source], head).step()
        work = StoreWork(
            agent.station, head, agent.source(store.url), agent.source, check_every_s=10.0
        )
        for _ in range(3):
            work.step()
        assert store.snapshots == log.snapshots
