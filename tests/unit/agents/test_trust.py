"""Trust: pinned once, and grown only by what was verified against the newest."""

import pytest

from agent_station import Clock, open_station
from publishing import PublishedLog, serving
from qed.agents.trust import Trust
from qed.client import pins
from qed.client.trusted import Trusted
from qed.errors import MalformedError, UnreachableError, VerificationError
from qed.signing.note import format_verifier_key


@pytest.fixture
def log():
    made = PublishedLog()
    for number in range(4):
        made.add(b"event %d" % number)
    return made


@pytest.fixture
def agent(tmp_path):
    with open_station(tmp_path / "state") as made:
        yield made


def info(log):
    return {"verifier_key": format_verifier_key(log.key)}


def test_a_key_that_is_given_is_asked_of_nobody(tmp_path, log, agent):
    trusted = Trust(tmp_path / "pins" / "log.json", log.key).open(
        agent.source("http://127.0.0.1:1")
    )
    assert (trusted.key, trusted.size) == (log.key, 0)


def test_the_first_server_is_trusted_once_and_that_is_said(tmp_path, log, agent):
    said, path = [], tmp_path / "pins" / "log.json"
    with serving(log, info=info(log)) as server:
        trust = Trust(path, None, said.append)
        assert trust.open(agent.source(server.url)).key == log.key
        trust.open(agent.source(server.url))
        assert server.asked == ["GET /info"]
    assert len(said) == 1
    assert format_verifier_key(log.key) in said[0]
    assert pins.read_pin(path).key == log.key
    assert Trust(path).open(agent.source("http://127.0.0.1:1")).key == log.key


@pytest.mark.parametrize("said", [{}, {"verifier_key": "x"}, {"verifier_key": "a+b+c"}])
def test_a_server_that_names_no_key_is_not_trusted(tmp_path, log, agent, said):
    path = tmp_path / "pins" / "log.json"
    with serving(log, info=said) as server, pytest.raises(VerificationError) as refused:
        Trust(path).open(agent.source(server.url))
    assert "--key" in refused.value.hint
    assert not path.exists()


def test_a_server_that_does_not_answer_is_asked_again_later(tmp_path, log, agent):
    trust = Trust(tmp_path / "pins" / "log.json")
    with serving(log, info=info(log)) as server:
        with pytest.raises(UnreachableError):
            trust.open(agent.source("http://127.0.0.1:1"))
        assert trust.open(agent.source(server.url)).key == log.key


def test_another_key_than_the_pinned_one_is_refused(tmp_path, log):
    path = tmp_path / "pins" / "log.json"
    pins.keep_pin(path, Trusted(log.key))
    with pytest.raises(VerificationError, match="pins the key"):
        Trust(path, PublishedLog(seed=2).key)


def test_a_damaged_pin_is_not_begun_anew_in_silence(tmp_path, log):
    path = tmp_path / "pins" / "log.json"
    pins.keep_pin(path, Trusted(log.key))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(MalformedError):
        Trust(path, log.key)


def grown(trust, agent, log, note):
    trusted = trust.open(agent.source("http://127.0.0.1:1"))
    known = trusted.note
    trusted.compare(note, log.read_nodes)
    return trusted, known


def test_what_was_verified_is_trusted_by_everybody_and_after_a_restart(tmp_path, log, agent):
    path = tmp_path / "pins" / "log.json"
    trust = Trust(path, log.key)
    assert trust.keep(*grown(trust, agent, log, log.notes[1]))
    assert trust.keep(*grown(trust, agent, log, log.notes[3]))
    trust.flush()

    for one in (trust, Trust(path, log.key)):
        assert one.open(agent.source("http://127.0.0.1:1")).note == log.notes[3]


def test_of_two_that_extend_the_same_one_the_second_is_outdated(tmp_path, log, agent):
    trust = Trust(tmp_path / "pins" / "log.json", log.key)
    one, other = (grown(trust, agent, log, note) for note in (log.notes[1], log.notes[2]))

    assert trust.keep(*one)
    assert not trust.keep(*other)
    assert trust.open(agent.source("http://127.0.0.1:1")).note == log.notes[1]


def test_what_did_not_grow_is_never_outdated(tmp_path, log, agent):
    trust = Trust(tmp_path / "pins" / "log.json", log.key)
    trust.keep(*grown(trust, agent, log, log.notes[2]))
    behind = grown(trust, agent, log, log.notes[0])
    trust.keep(*grown(trust, agent, log, log.notes[3]))
    assert trust.keep(*behind)
    assert trust.open(agent.source("http://127.0.0.1:1")).note == log.notes[3]


def test_it_is_written_once_a_second_and_at_the_end(tmp_path, log, agent):
    path, clock = tmp_path / "pins" / "log.json", Clock()
    trust = Trust(path, log.key, clock=clock)

    def written():
        return log.notes.index(pins.read_pin(path).note)

    for number, expected in ((0, 0), (1, 0), (2, 0)):
        trust.keep(*grown(trust, agent, log, log.notes[number]))
        assert written() == expected
    clock.now_s += 1.0
    trust.keep(*grown(trust, agent, log, log.notes[2]))  # nothing new, and time to write
    assert written() == 2
    trust.keep(*grown(trust, agent, log, log.notes[3]))
    assert written() == 2
    trust.flush()
    assert written() == 3
