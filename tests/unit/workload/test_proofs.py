"""Which proofs are true: held against snapshots, and against each other where there are none."""

import dataclasses
import json
from hashlib import sha256

import pytest

from pure_log import PureLog, flip_bit
from qed import wire
from qed.errors import VerificationError
from qed.trees import quick
from qed.workload import questions
from qed.workload.ledger import Ledger
from qed.workload.proofs import verify_proof

EVENTS = 12


def digest(number):
    return sha256(b"event %d" % number).digest()


class Server:
    """A log of numbered events, and the ledger of who asks it."""

    def __init__(self, *numbers):
        self.log = PureLog()
        for number in numbers:
            self.log.add([digest(number)])
        self.ledger = Ledger()

    def acknowledge(self, snapshot):
        body = wire.encode_snapshot(snapshot)
        self.ledger.acknowledge(snapshot.version, 1, floor=-1, number=0, last=body)

    def verify(self, question, body):
        return verify_proof(self.ledger, question, body)

    def membership(self, key):
        return wire.encode_membership(self.log.membership(key))

    def incremental(self, start, end):
        return wire.encode_incremental(self.log.incremental(start, end))


@pytest.fixture(name="server")
def server_with_events():
    return Server(*range(EVENTS))


@pytest.fixture(params=["chosen", "readable"], autouse=True)
def a_verifier(request, monkeypatch):
    """With the verifier that was built, and with none that is quick."""
    if request.param == "readable":
        monkeypatch.setattr(quick, "verify_membership", lambda *_, **__: False)
        monkeypatch.setattr(quick, "verify_incremental", lambda *_, **__: False)


def refused(step):
    return pytest.raises(VerificationError, check=lambda error: error.step == step)


@pytest.mark.parametrize("number", [0, 5, 11, 100, 101, 102, 103])
def test_a_true_proof_passes_again_and_again(server, number):
    question = questions.ask_membership(b"event ", number, known=False)
    body = server.membership(digest(number))

    for _ in range(3):
        assert server.verify(question, body) is False


def test_an_absence_beside_a_leaf_passes_and_a_false_one_does_not(server):
    near = flip_bit(digest(3), 100)
    proof = server.log.membership(near)
    question = questions.ask_digest(near)

    assert server.verify(question, wire.encode_membership(proof)) is False
    leaf = dataclasses.replace(proof.hyper_leaf, version=4)
    with pytest.raises(VerificationError):
        server.verify(question, wire.encode_membership(dataclasses.replace(proof, hyper_leaf=leaf)))


@pytest.mark.parametrize(("start", "end"), [(0, 0), (2, 11), (11, 11)])
def test_a_true_range_passes_again_and_again(server, start, end):
    question = questions.ask_incremental(start, end)

    for _ in range(3):
        assert server.verify(question, server.incremental(start, end)) is False


def test_two_proofs_of_different_logs_cannot_both_be_believed(server):
    other = Server(*range(11), 99)
    question = questions.ask_membership(b"event ", 5, known=True)

    server.verify(question, server.membership(digest(5)))
    with refused("hyper-root"):
        server.verify(question, other.membership(digest(5)))


def test_two_ranges_of_different_logs_neither(server):
    other = Server(99, *range(1, 12))

    server.verify(questions.ask_incremental(2, 9), server.incremental(2, 9))
    with refused("history-root"):
        server.verify(questions.ask_incremental(9, 11), other.incremental(9, 11))


def test_a_proof_is_held_against_the_snapshots_of_the_run(server):
    last = server.log.snapshots[-1]
    question = questions.ask_membership(b"event ", 5, known=True)
    body = server.membership(digest(5))

    server.acknowledge(last)
    assert server.verify(question, body) is True

    for tree in ("hyper", "history"):
        lying = Server()
        lying.acknowledge(dataclasses.replace(last, **{f"{tree}_digest": bytes(32)}))
        with refused(f"{tree}-root"):
            lying.verify(question, body)


def test_a_range_is_held_against_them_too(server):
    for version in (3, 9):
        server.acknowledge(server.log.snapshots[version])

    assert server.verify(questions.ask_incremental(3, 9), server.incremental(3, 9)) is True
    assert server.verify(questions.ask_incremental(3, 8), server.incremental(3, 8)) is False


@pytest.mark.parametrize("part", ["Hyper", "History"])
def test_a_changed_node_is_seen(server, part):
    question = questions.ask_membership(b"event ", 5, known=True)
    body = server.membership(digest(5))
    server.verify(question, body)

    fields = json.loads(body)
    fields[part][next(iter(fields[part]))] = "A" * 43 + "="
    false = json.dumps(fields, separators=(",", ":")).encode()

    with pytest.raises(VerificationError, match="root"):
        server.verify(question, false)


@pytest.mark.parametrize("asked", [(2, 10), (3, 11)])
def test_the_proof_of_another_range_is_refused(server, asked):
    with refused("question"):
        server.verify(questions.ask_incremental(*asked), server.incremental(2, 11))


def test_the_proof_of_another_event_is_refused(server):
    with refused("question"):
        server.verify(
            questions.ask_membership(b"event ", 6, known=True), server.membership(digest(5))
        )


def test_a_path_that_does_not_parse_is_a_false_answer(server):
    question = questions.ask_membership(b"event ", 5, known=True)

    with refused("answer"):
        server.verify(question, server.membership(digest(5)).replace(b"0x", b"0y", 1))


def test_an_empty_log_has_nothing_to_verify():
    server = Server()

    question = questions.ask_membership(b"event ", 5, known=False)
    assert server.verify(question, server.membership(digest(5))) is None


def test_an_addition_has_no_proof(server):
    body = wire.encode_snapshot(server.log.snapshots[0])

    assert server.verify(questions.ask_add(b"event ", 0), body) is None
