"""A claim that fails is told with its evidence, which shows it to anybody with the key."""

import pytest
import structlog

from agent_station import open_station
from publishing import PublishedLog, serving
from qed.agents import claims
from qed.client.trusted import Trusted
from qed.errors import (
    ContradictionError,
    NotFoundError,
    UnavailableError,
    VerificationError,
)
from qed.signing.checkpoint import sign_checkpoint


@pytest.fixture
def agent(tmp_path):
    with open_station(tmp_path / "state") as made:
        yield made


@pytest.fixture
def log():
    made = PublishedLog()
    for number in range(5):
        made.add(b"event %d" % number)
    return made


def fork_of(at):
    """Return a log that shares some versions, under the same key."""
    other = PublishedLog()
    for number in range(at):
        other.add(b"event %d" % number)
    for number in range(at, 8):
        other.add(b"fork %d" % number)
    return other


def judge(agent, log, known, server, note, *others):
    trusted = Trusted(log.key, known)
    claims.judge(agent.station, trusted, agent.source(server.url), note, others)
    return trusted


def test_an_honest_checkpoint_is_told_to_nobody(agent, log):
    with serving(log) as server:
        assert judge(agent, log, log.notes[1], server, log.note).note == log.note
        assert judge(agent, log, log.note, server, log.notes[1]).note == log.note
    assert agent.told == []


def test_two_histories_are_an_equivocation(agent, log):
    fork = fork_of(3)
    with serving(fork) as server, pytest.raises(ContradictionError):
        judge(agent, log, log.note, server, fork.note)
    assert agent.told == [("equivocation", server.url)]
    finding = agent.finding(agent.kept.alerts[0], log.key)
    assert (finding.kind, finding.signed) == ("equivocation", True)


def test_two_roots_of_one_size_are_an_equivocation(agent, log):
    note = sign_checkpoint(log.signer, 5, b"\1" * 32)
    with serving(log) as server, pytest.raises(ContradictionError):
        judge(agent, log, log.note, server, note)
    assert agent.kinds == ["equivocation"]
    assert agent.finding(agent.kept.alerts[0], log.key).signed


def test_a_smaller_one_of_another_history_is_shown_by_the_other_places(agent, log):
    fork = fork_of(3)
    with serving(log) as server, serving(fork) as other, pytest.raises(ContradictionError):
        judge(agent, log, log.note, other, fork.notes[3], agent.source(server.url))
    assert agent.told == [("equivocation", other.url)]
    assert agent.finding(agent.kept.alerts[0], log.key).signed


@pytest.mark.parametrize("step", ["signature", "origin", "note"])
def test_what_the_key_did_not_sign_is_kept_as_it_was_served(agent, log, step):
    notes = {
        "signature": PublishedLog(seed=2).publish(),
        "origin": PublishedLog(origin="another").publish(),
        "note": b"<html>\xff",
    }
    with serving(log) as server, pytest.raises(VerificationError) as refused:
        judge(agent, log, log.note, server, notes[step])
    assert refused.value.step == step
    assert agent.told == [("signature", server.url)]
    finding = agent.finding(agent.kept.alerts[0], log.key)
    assert (finding.kind, finding.signed) == ("signature", False)


def test_hashes_that_prove_nothing_are_told_about_who_serves_them(agent, log):
    lies = {"/tile/": lambda body: bytes(len(body))}
    with serving(log, lies=lies) as server, pytest.raises(VerificationError):
        judge(agent, log, log.notes[2], server, log.note)
    assert agent.told == [("feed", server.url)]


def test_a_liar_among_the_others_is_told_about_and_the_next_one_asked(agent, log):
    with (
        serving(log, lies={"/tile/": lambda body: bytes(len(body))}) as liar,
        serving(log) as honest,
        serving(log, lies={"/tile/": lambda _: (404, b"")}) as behind,
    ):
        others = [agent.source(liar.url), agent.source(honest.url)]
        judge(agent, log, log.note, behind, log.notes[2], *others)
    assert agent.told == [("feed", liar.url)]


def test_a_smaller_one_that_nobody_can_prove_is_told_to_nobody(agent, log):
    lies = {"/tile/": lambda _: (404, b"")}
    with serving(log, lies=lies) as behind, pytest.raises(UnavailableError, match="no place has"):
        judge(agent, log, log.note, behind, log.notes[2])
    assert agent.told == []


def test_trouble_with_fetching_is_raised_as_it_is(agent, log):
    lies = {"/tile/": lambda _: (404, b"")}
    with serving(log, lies=lies) as server, pytest.raises(NotFoundError):
        judge(agent, log, log.notes[2], server, log.note)
    assert agent.told == []


def test_an_answer_that_can_be_no_checkpoint_is_told(agent, log):
    lies = {"/checkpoint": lambda _: b"x" * 1_000_000}
    with serving(log, lies=lies) as server, pytest.raises(VerificationError):
        claims.fetch(agent.station, agent.source(server.url))
    assert agent.told == [("feed", server.url)]


def test_a_rollback_brings_both_checkpoints(agent, log):
    with serving(log) as server:
        claims.tell_rollback(agent.station, agent.source(server.url), log.note, log.notes[1])
    [alert] = agent.kept.alerts
    assert alert.text == "it served 5 versions and now serves 2"
    finding = agent.finding(alert, log.key)
    assert finding.kind == "lag"


def test_the_same_evidence_is_not_kept_twice(agent, log):
    with serving(log) as server:
        for _ in range(3):
            claims.tell_rollback(agent.station, agent.source(server.url), log.note, log.notes[1])
    assert len(list(agent.station.evidence_path.iterdir())) == 1


def test_what_was_read_from_a_liar_is_read_again_the_next_time(agent):
    log = PublishedLog()
    for number in range(300):
        log.add(b"%d" % number)
    with serving(log, lies={"/tile/0/000": lambda body: bytes(len(body))}) as server:
        source, trusted = agent.source(server.url), Trusted(log.key, log.notes[99])
        with pytest.raises(VerificationError):
            claims.judge(agent.station, trusted, source, log.note)
        server.lies.clear()
        assert claims.judge(agent.station, trusted, source, log.note).size == 300


def test_a_thousand_lies_leave_no_more_evidence_than_anybody_looks_at(agent, log, monkeypatch):
    monkeypatch.setattr(claims, "MAX_FILES", 3)
    trusted, path = Trusted(log.key), agent.station.evidence_path
    with serving(log) as server:
        source = agent.source(server.url)
        for number in range(10):
            with pytest.raises(VerificationError):
                claims.check_signed(agent.station, trusted, source, b"lie %d" % number)
        assert len(list(path.iterdir())) == 3
        claims.tell_rollback(agent.station, source, log.notes[2], log.notes[1])
    assert sorted(file.name.partition("-")[0] for file in path.iterdir()) == [
        "lag",
        *["signature"] * 3,
    ]
    assert agent.station.alerts.raised == {"signature": 10, "rollback": 1}
    assert agent.kinds == ["signature", "rollback"]  # the rest is counted


def test_that_no_more_evidence_is_kept_is_said_once_until_there_is_room_again(
    agent, log, monkeypatch
):
    monkeypatch.setattr(claims, "MAX_FILES", 2)
    trusted, path = Trusted(log.key), agent.station.evidence_path

    def lie(first, stop):
        with serving(log) as server, structlog.testing.capture_logs() as logs:
            for number in range(first, stop):
                source = agent.source(server.url)
                with pytest.raises(VerificationError):
                    claims.check_signed(agent.station, trusted, source, b"lie %d" % number)
        return [line["kind"] for line in logs if line["event"].startswith("evidence is not kept")]

    assert lie(0, 500) == ["signature"]
    assert lie(500, 510) == []
    next(path.iterdir()).unlink()
    assert lie(510, 520) == ["signature"]
