"""The monitor: each way in which a place can lie, stop or fall behind is told, and nothing else."""

import pytest
import structlog

from agent_station import Clock, open_station
from publishing import PublishedLog, serving
from qed.agents.monitor import SERVER, STORE, PlaceWork, Thresholds
from qed.agents.trust import Trust
from qed.errors import (
    ContradictionError,
    NotFoundError,
    NotPublishedError,
    QedError,
    UnavailableError,
    UnreachableError,
    VerificationError,
)
from qed.signing.note import format_verifier_key

BOUNDS = Thresholds(interval_s=10.0, max_lag=50, max_lag_age_s=60.0)


@pytest.fixture
def log():
    """Sizes 10, 20 and 30 were published."""
    made = PublishedLog()
    for name in ("a", "b", "c"):
        made.add(*[f"{name} {n}".encode() for n in range(10)])
    return made


@pytest.fixture
def agent(tmp_path):
    with open_station(tmp_path / "state") as made:
        yield made


def fork_of(at):
    """Return a log that has the first groups, and goes on differently under the same key."""
    made = PublishedLog()
    for name in ("a", "b", "c", "d", "e")[:at]:
        made.add(*[f"{name} {n}".encode() for n in range(10)])
    for name in ("x", "y", "z"):
        made.add(*[f"{name} {n}".encode() for n in range(10)])
    return made


class Monitor:
    """Works for places, stepped by hand; servers first, then stores."""

    def __init__(self, agent, log, servers, stores=(), **settings):
        self.agent = agent
        self.clock = Clock()
        path = agent.station.config.state_path / "pins" / "log.json"
        self.trust = Trust(path, settings.get("key", log.key))
        places = [(SERVER, place.url) for place in servers] + [(STORE, each.url) for each in stores]
        self.works = [
            PlaceWork(
                agent.station,
                self.trust,
                agent.source(url),
                kind=kind,
                others=[agent.source(other) for _, other in places if other != url],
                thresholds=settings.get("thresholds", BOUNDS),
                sole=kind == SERVER and len(servers) == 1,
                clock=self.clock,
            )
            for kind, url in places
        ]

    def round(self, *which):
        """Step the works, all without a number; return what each raised."""
        raised = []
        for work in [self.works[number] for number in which] if which else self.works:
            try:
                assert work.step() in {10.0, None}
                raised.append(None)
            except QedError as error:
                raised.append(type(error))
        return raised


def serve_at(server, note):
    """Let a server be where it was when it signed a note."""
    server.lies["/checkpoint"] = lambda _: note


def test_places_that_agree_are_told_of_to_nobody(agent, log):
    with serving(log) as server, serving(log) as other, serving(log) as store:
        monitor = Monitor(agent, log, [server, other], [store])
        for at in (0, 1, 2):
            serve_at(store, log.notes[max(0, at - 1)])
            serve_at(other, log.notes[at])
            serve_at(server, log.notes[at])
            assert monitor.round() == [None, None, None]
        assert [work.progress.position for work in monitor.works] == [30, 30, 20]
        assert [work.progress.lag for work in monitor.works] == [0, 0, 10]
    assert agent.told == []


def test_the_key_is_asked_of_a_server_never_of_a_store(agent, log):
    info = {"verifier_key": format_verifier_key(log.key)}
    with serving(log, info=info) as server, serving(log) as store:
        monitor = Monitor(agent, log, [server], [store], key=None)
        assert monitor.round(1, 0) == [None, None]
        assert "GET /info" in server.asked
        assert "GET /info" not in store.asked


def test_two_servers_with_two_histories(agent, log):
    fork = fork_of(2)
    with serving(log) as server, serving(fork) as other:
        monitor = Monitor(agent, log, [server, other])
        assert monitor.round() == [None, ContradictionError]
        assert agent.told == [("equivocation", other.url)]
        finding = agent.finding(agent.kept.alerts[0], log.key)
        assert (finding.kind, finding.signed) == ("equivocation", True)


def test_a_store_with_another_history_that_is_shorter(agent, log):
    fork = fork_of(1)
    with serving(log) as server, serving(fork) as store:
        serve_at(store, fork.notes[1])
        monitor = Monitor(agent, log, [server], [store])
        assert monitor.round() == [None, ContradictionError]
    assert agent.told == [("equivocation", store.url)]
    assert agent.finding(agent.kept.alerts[0], log.key).signed


def test_two_roots_of_one_size(agent, log):
    fork = fork_of(1)
    with serving(log) as server, serving(fork) as store:
        serve_at(store, fork.notes[2])
        monitor = Monitor(agent, log, [server], [store])
        assert monitor.round() == [None, ContradictionError]
    assert agent.kinds == ["equivocation"]
    assert agent.finding(agent.kept.alerts[0], log.key).signed


def test_a_server_that_rewrites_its_history(agent, log):
    with serving(log) as server:
        monitor = Monitor(agent, log, [server])
        monitor.round()
        server.log = fork_of(2)
        assert monitor.round() == [ContradictionError]
    assert agent.kinds == ["equivocation"]


def test_a_rewritten_history_is_known_after_a_restart(tmp_path, log):
    with serving(log) as server:
        with open_station(tmp_path / "state") as agent:
            Monitor(agent, log, [server]).round()
        server.log = fork_of(2)
        with open_station(tmp_path / "state") as agent:
            assert Monitor(agent, log, [server]).round() == [ContradictionError]
            assert agent.kinds == ["equivocation"]


def test_a_fork_that_only_one_of_two_servers_shows_for_a_while(agent, log):
    """Each extends what is known, not each other: whoever comes second is found out."""
    fork = fork_of(2)
    with serving(log) as server, serving(log) as other:
        monitor = Monitor(agent, log, [server, other])
        serve_at(server, log.notes[1])
        serve_at(other, log.notes[1])
        assert monitor.round() == [None, None]
        server.lies.clear()
        other.lies.clear()
        other.log = fork
        assert monitor.round() == [None, ContradictionError]
    assert agent.told == [("equivocation", other.url)]


@pytest.mark.parametrize("number", [0, 1])
def test_a_place_that_goes_back(agent, log, number):
    with serving(log) as server, serving(log) as store:
        monitor = Monitor(agent, log, [server], [store])
        assert monitor.round() == [None, None]
        behind = (server, store)[number]
        serve_at(behind, log.notes[0])
        assert monitor.round()[number] is VerificationError
        assert agent.told == [("rollback", behind.url)]
        finding = agent.finding(agent.kept.alerts[0], log.key)
        assert finding.kind == "lag"
        assert "30" in finding.sentence
        monitor.round()
        assert agent.kinds == ["rollback"]
        monitor.clock.now_s += 61.0
        # A store is behind from here on; the log's only server has gone back until it is explained.
        assert monitor.round()[number] is (VerificationError, NotPublishedError)[number]
        assert agent.kinds == ["rollback", *["lag"] * number]


def test_the_only_place_goes_back_and_nobody_has_the_proof(agent, log):
    short = PublishedLog()
    short.add(*[f"a {n}".encode() for n in range(10)])
    with serving(log) as server:
        monitor = Monitor(agent, log, [server])
        monitor.round()
        server.log = short
        assert monitor.round() == [UnavailableError]
    assert agent.told == [("rollback", server.url)]
    assert agent.finding(agent.kept.alerts[0], log.key).kind == "lag"


def test_a_place_that_goes_back_is_known_after_a_restart(tmp_path, log):
    with serving(log) as server, serving(log) as store:
        with open_station(tmp_path / "state") as agent:
            Monitor(agent, log, [server], [store]).round()
        serve_at(server, log.notes[1])
        with open_station(tmp_path / "state") as agent:
            Monitor(agent, log, [server], [store]).round(0)
            assert agent.told == [("rollback", server.url)]


@pytest.mark.parametrize("lie", [lambda _: PublishedLog(seed=2).publish(), lambda note: note[:-4]])
def test_a_checkpoint_that_the_key_did_not_sign(agent, log, lie):
    with serving(log) as server, serving(log, lies={"/checkpoint": lie}) as store:
        monitor = Monitor(agent, log, [server], [store])
        assert monitor.round() == [None, VerificationError]
    assert agent.told == [("signature", store.url)]
    assert agent.finding(agent.kept.alerts[0], log.key).kind == "signature"


def test_hashes_that_do_not_link_two_checkpoints(agent, log):
    with serving(log) as server:
        monitor = Monitor(agent, log, [server])
        serve_at(server, log.notes[0])
        monitor.round()
        server.lies = {"/tile/": lambda body: bytes(len(body))}
        assert monitor.round() == [VerificationError]
        assert agent.told == [("feed", server.url)]
        server.lies.clear()
        assert monitor.round() == [None]


def test_a_place_that_lacks_for_too_long_what_was_published(agent, log):
    with serving(log) as server, serving(log) as store:
        serve_at(store, log.notes[0])
        serve_at(server, log.notes[1])
        monitor = Monitor(agent, log, [server], [store])
        monitor.round()
        monitor.clock.now_s += 59.0
        serve_at(server, log.notes[2])
        assert monitor.round() == [None, None]
        monitor.clock.now_s += 2.0
        assert monitor.round() == [None, NotPublishedError]
        assert agent.told == [("lag", store.url)]
        assert "10 versions, 20 less" in agent.kept.alerts[0].text
        assert agent.finding(agent.kept.alerts[0], log.key).kind == "lag"
        serve_at(store, log.notes[1])  # what was due is here; what came since has its own time
        assert monitor.round() == [None, None]
        monitor.clock.now_s += 59.0
        assert monitor.round() == [None, None]
        monitor.clock.now_s += 2.0
        assert monitor.round() == [None, NotPublishedError]


def test_a_place_that_keeps_up_is_never_late(agent):
    log = PublishedLog()
    log.add(b"0")
    with serving(log) as server, serving(log) as store:
        monitor = Monitor(agent, log, [server], [store])
        for number in range(1, 20):
            log.add(b"%d" % number)
            serve_at(store, log.notes[-2])
            assert monitor.round() == [None, None]
            monitor.clock.now_s += 30.0
    assert agent.told == []


def test_a_place_that_lacks_too_many_versions(agent, log):
    log.add(*[b"many %d" % n for n in range(60)])
    with serving(log) as server, serving(log) as store:
        serve_at(store, log.notes[2])
        monitor = Monitor(agent, log, [server], [store])
        assert monitor.round() == [None, NotPublishedError]
    assert agent.told == [("lag", store.url)]


def test_no_bound_is_no_lag(agent, log):
    log.add(*[b"many %d" % n for n in range(600)])
    bounds = Thresholds(10.0, 0, 0.0)
    with serving(log) as server, serving(log) as store:
        serve_at(store, log.notes[0])
        monitor = Monitor(agent, log, [server], [store], thresholds=bounds)
        monitor.round()
        monitor.clock.now_s += 1e6
        assert monitor.round() == [None, None]
    assert agent.told == []


def test_an_empty_log_is_no_error(agent):
    log = PublishedLog()
    log.publish()
    count = {"/count": lambda _: (200, b"0")}
    with serving(log) as server, serving(PublishedLog(), lies=count) as store:
        monitor = Monitor(agent, log, [server], [store])
        for _ in range(3):
            assert monitor.round() == [None, None]
            monitor.clock.now_s += 1000.0
    assert agent.told == []


def test_an_empty_store_of_a_log_that_is_not_empty_is_behind(agent, log):
    count = {"/count": lambda _: (200, b"0")}
    with serving(log) as server, serving(PublishedLog(), lies=count) as store:
        monitor = Monitor(agent, log, [server], [store])
        assert monitor.round() == [None, None]
        monitor.clock.now_s += 61.0
        assert monitor.round() == [None, NotPublishedError]
    assert agent.told == [("lag", store.url)]


def test_a_store_that_lost_everything(agent, log):
    with serving(log) as server, serving(log) as store:
        monitor = Monitor(agent, log, [server], [store])
        monitor.round()
        store.log = PublishedLog()
        store.lies["/count"] = lambda _: (200, b"0\n")
        monitor.round()
    assert agent.told == [("store-lost", store.url)]


def test_a_store_that_is_being_filled_is_behind_and_not_silent(agent, log):
    count = {"/count": lambda _: (200, b"20")}
    with serving(log) as server, serving(PublishedLog(), lies=count) as store:
        monitor = Monitor(agent, log, [server], [store])
        for _ in range(6):
            assert monitor.round() == [None, None]
            monitor.clock.now_s += 10.0
        assert agent.told == []
        monitor.clock.now_s += 10.0
        assert monitor.round() == [None, NotPublishedError]
    assert agent.told == [("lag", store.url)]


def test_a_place_without_a_checkpoint_and_a_count_is_no_store(agent, log):
    count = {"/count": lambda _: (200, b"many")}
    with serving(log) as server, serving(PublishedLog(), lies=count) as store:
        assert Monitor(agent, log, [server], [store]).round() == [None, NotFoundError]


@pytest.mark.parametrize("number", [0, 1])
def test_silence_of_three_intervals(agent, log, number):
    with serving(log) as server, serving(log) as store:
        monitor = Monitor(agent, log, [server], [store])
        monitor.round()
        silent = (server, store)[number]
        silent.lies["/"] = lambda _: (503, b"starting\n")
        for _ in range(2):
            monitor.clock.now_s += 10.0
            assert monitor.round(number) == [UnavailableError]
        assert agent.told == []
        monitor.clock.now_s += 10.0
        monitor.round(number)
        assert agent.told == [("silence", silent.url)]
        silent.lies.clear()
        assert monitor.round(number) == [None]


def test_a_silence_is_in_the_log_once_and_then_when_it_is_over(agent, log):
    with serving(log) as server, structlog.testing.capture_logs() as logs:
        monitor = Monitor(agent, log, [server])
        monitor.round()
        for _ in range(2):
            server.lies["/"] = lambda _: (503, b"starting\n")
            for _ in range(50):
                monitor.clock.now_s += 10.0
                monitor.round()
            server.lies.clear()
            monitor.round()
    lines = [line for line in logs if line["log_level"] != "debug"]
    # The second silence is held back, so that nobody has seen its beginning.
    assert [line["event"] for line in lines] == ["alert", "silence is over"]
    assert [line["log_level"] for line in lines] == ["error", "warning"]
    assert (lines[0]["kind"], lines[1]["subject"]) == ("silence", server.url)
    assert lines[1]["silent_s"] == 500


def test_a_place_that_never_answered_is_silent_too(agent, log):
    with serving(log) as down:
        pass
    monitor = Monitor(agent, log, [down])
    assert monitor.round() == [UnreachableError]
    monitor.clock.now_s += 30.0
    assert monitor.round() == [UnreachableError]
    assert agent.told == [("silence", down.url)]


def test_answers_that_do_not_verify_are_silence_too(agent, log):
    with serving(log, lies={"/checkpoint": lambda _: b"hello"}) as server:
        monitor = Monitor(agent, log, [server])
        monitor.clock.now_s += 30.0
        assert monitor.round() == [VerificationError]
    assert agent.kinds == ["signature", "silence"]


def test_a_server_that_takes_events_and_publishes_nothing(agent, log):
    with serving(log) as server:
        monitor = Monitor(agent, log, [server])
        assert monitor.round() == [None]
        log.add(b"withheld", publish=False)
        assert monitor.round() == [None]
        monitor.clock.now_s += 29.0
        assert monitor.round() == [None]
        monitor.clock.now_s += 1.0
        assert monitor.round() == [NotPublishedError]
        assert agent.told == [("stalled", server.url)]
        log.publish()
        assert monitor.round() == [None]


def test_a_server_that_publishes_a_little_later_is_not_stalled(agent, log):
    with serving(log) as server:
        monitor = Monitor(agent, log, [server])
        for number in range(5):
            log.add(b"%d" % number, publish=False)
            assert monitor.round() == [None]
            monitor.clock.now_s += 20.0
            log.publish()
            log.add(b"next %d" % number, publish=False)
            assert monitor.round() == [None]
            monitor.clock.now_s += 20.0
    assert agent.told == []


@pytest.mark.parametrize("answer", [(404, b"no"), (200, b"{}"), (500, b"")])
def test_a_place_that_proves_nothing_is_not_stalled(agent, log, answer):
    with serving(log, lies={"/proofs/": lambda _: answer}) as server:
        monitor = Monitor(agent, log, [server])
        log.add(b"withheld", publish=False)
        for _ in range(3):
            assert monitor.round() == [None]
            monitor.clock.now_s += 30.0


def test_a_store_that_is_behind_is_believed_without_the_server_once_it_was_compared(agent, log):
    with serving(log) as server, serving(log) as store:
        serve_at(store, log.notes[1])
        monitor = Monitor(agent, log, [server], [store])
        assert monitor.round() == [None, None]
        server.lies["/"] = store.lies["/tile/"] = lambda _: (503, b"down\n")
        assert monitor.round() == [UnavailableError, None]


def test_one_round_ends_by_itself(tmp_path, log):
    with open_station(tmp_path / "state", once=True) as agent, serving(log) as server:
        monitor = Monitor(agent, log, [server])
        assert monitor.works[0].step() is None


def test_two_that_extend_the_same_one_at_the_same_time_are_held_against_each_other(agent, log):
    fork = fork_of(2)
    with serving(fork) as one, serving(log) as other:
        monitor = Monitor(agent, log, [one, other])
        serve_at(one, log.notes[1])
        assert monitor.round(0) == [None]

        def overtake(note):
            """While one is asked, the other makes its round and becomes the newest."""
            assert monitor.round(1) == [None]
            return note

        one.lies["/checkpoint"] = overtake
        assert monitor.round(0) == [ContradictionError]
    assert agent.told == [("equivocation", one.url)]


def test_silence_begins_with_the_last_verified_answer(agent, log):
    with serving(log) as server:
        monitor = Monitor(agent, log, [server])
        for _ in range(5):
            monitor.clock.now_s += 20.0
            assert monitor.round() == [None]
        server.lies["/"] = lambda _: (503, b"starting\n")
        monitor.clock.now_s += 20.0
        assert monitor.round() == [UnavailableError]
    assert agent.told == []


def test_the_only_server_goes_back_before_it_was_seen_ahead(agent, log):
    with serving(log) as server, serving(log) as store:
        serve_at(server, log.notes[0])
        serve_at(store, log.notes[0])
        monitor = Monitor(agent, log, [server], [store])
        assert monitor.round() == [None, None]
        store.lies.clear()
        assert monitor.round(1, 0) == [None, VerificationError]
    assert agent.told == [("rollback", server.url)]
    assert agent.finding(agent.kept.alerts[0], log.key).kind == "lag"


def test_one_of_two_servers_may_be_behind_for_a_while(agent, log):
    with serving(log) as server, serving(log) as other:
        serve_at(other, log.notes[0])
        monitor = Monitor(agent, log, [server, other])
        for _ in range(3):
            assert monitor.round() == [None, None]
    assert agent.told == []


def test_a_checkpoint_that_appears_while_the_only_server_is_asked_is_no_rollback(agent, log):
    with serving(log) as server, serving(log) as store:
        monitor = Monitor(agent, log, [server], [store])

        def overtaken(_note):
            assert monitor.round(1) == [None]
            return log.notes[1]

        server.lies["/checkpoint"] = overtaken
        assert monitor.round(0) == [None]
    assert agent.told == []
