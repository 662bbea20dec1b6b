"""Each answer against its question: the right ones pass, and each way to be wrong has its step."""

import dataclasses
import json
from hashlib import sha256

import pytest

from pure_log import PureLog, flip_bit
from qed import wire
from qed.errors import VerificationError
from qed.workload import questions
from qed.workload.answers import Judge
from qed.workload.ledger import Ledger

LABEL = b"event "
EVENTS = 12


def digest(number):
    return sha256(b"event %d" % number).digest()


class Server:
    """A log, the ledger of who asks, and the judge."""

    def __init__(self, events=EVENTS, *, fresh=True):
        self.log = PureLog()
        for number in range(events):
            self.log.add([digest(number)])
        self.ledger = Ledger(events - 1 if events else 2**64 - 1)
        self.judge = Judge(self.ledger, fresh=fresh)

    def snapshots(self, *numbers):
        return self.log.add([digest(number) for number in numbers])

    def check(self, question, body):
        return self.judge.check(question, self.ledger.highest, body)

    def refuses(self, step, question, body):
        with pytest.raises(VerificationError) as caught:
            self.check(question, body)
        assert caught.value.step == step, caught.value
        assert question.kind in caught.value.message


@pytest.fixture(name="server")
def server_with_events():
    return Server()


def spaced(body):
    """The same JSON written in another way."""
    return json.dumps(json.loads(body), indent=1).encode()


def changed(snapshot, **fields):
    return dataclasses.replace(snapshot, **fields)


# --- additions


@pytest.mark.parametrize("spelling", [bytes, spaced])
def test_an_addition_is_acknowledged(server, spelling):
    (added,) = server.snapshots(20)

    body = spelling(wire.encode_snapshot(added))
    assert server.check(questions.ask_add(LABEL, 20), body) == 1

    assert server.ledger.last_version == 12
    assert server.ledger.history_of(12).digest == added.history_digest
    assert server.judge.counts.answers == 1


@pytest.mark.parametrize(
    ("fields", "step"),
    [
        ({"event_digest": digest(21)}, "event-digest"),
        ({"version": 11}, "order"),
        ({"version": 0}, "order"),
        ({"version": 2**64 - 1}, "version"),
    ],
)
@pytest.mark.parametrize("spelling", [bytes, spaced])
def test_a_false_acknowledgement_is_refused(server, fields, step, spelling):
    (added,) = server.snapshots(20)
    body = spelling(wire.encode_snapshot(changed(added, **fields)))

    server.refuses(step, questions.ask_add(LABEL, 20), body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b"\xff",
        b'{"EventDigest":"","HistoryDigest":"","HyperDigest":"","Version":1}',
    ],
)
@pytest.mark.parametrize("kind", ["add", "bulk", "digests", "membership", "incremental"])
def test_what_does_not_parse_is_a_false_answer(server, kind, body):
    question = {
        "add": questions.ask_add(LABEL, 20),
        "bulk": questions.ask_bulk(LABEL, 20, 2),
        "digests": questions.ask_digests(LABEL, 20, 2),
        "membership": questions.ask_membership(LABEL, 2, known=True),
        "incremental": questions.ask_incremental(0, 3),
    }[kind]

    with pytest.raises(VerificationError) as caught:
        server.check(question, body)
    assert caught.value.step in {"answer", "count"}


def test_a_version_with_another_spelling_is_refused(server):
    (added,) = server.snapshots(20)
    body = wire.encode_snapshot(added).replace(b'"Version":12', b'"Version":012')

    server.refuses("answer", questions.ask_add(LABEL, 20), body)


@pytest.mark.parametrize("spelling", [bytes, spaced])
def test_a_bulk_is_acknowledged(server, spelling):
    added = server.snapshots(20, 21, 22)

    body = spelling(wire.encode_snapshots(added))
    assert server.check(questions.ask_bulk(LABEL, 20, 3), body) == 3

    assert server.ledger.last_version == 14
    assert server.ledger.hyper_of(14).digest == added[-1].hyper_digest


@pytest.mark.parametrize(
    ("change", "step"),
    [
        (lambda s: s[:2], "count"),
        (lambda s: [*s, changed(s[-1], version=15)], "count"),
        (lambda s: [s[1], s[0], s[2]], "event-digest"),
        (lambda s: [s[0], s[1], changed(s[2], version=15)], "version"),
        (lambda s: [s[0], s[1], changed(s[2], hyper_digest=bytes(32))], "group"),
        (lambda s: [changed(each, version=each.version - 3) for each in s], "order"),
    ],
)
@pytest.mark.parametrize("spelling", [bytes, spaced])
def test_a_false_bulk_is_refused(server, change, step, spelling):
    body = spelling(wire.encode_snapshots(change(server.snapshots(20, 21, 22))))

    server.refuses(step, questions.ask_bulk(LABEL, 20, 3), body)


@pytest.mark.parametrize("junk", [b",", b" x", b'{"a":1},'])
def test_what_stands_between_snapshots_is_seen(server, junk):
    body = wire.encode_snapshots(server.snapshots(20, 21, 22)).replace(b"},{", b"}," + junk + b"{")

    server.refuses("answer", questions.ask_bulk(LABEL, 20, 3), body)


def raw(added, first=None, count=None):
    histories = [each.history_digest for each in added][:count]
    first = added[0].version if first is None else first
    return wire.encode_added(first, added[0].hyper_digest, b"".join(histories))


def test_digests_are_acknowledged(server):
    added = server.snapshots(20, 21, 22)

    assert server.check(questions.ask_digests(LABEL, 20, 3), raw(added)) == 3
    assert server.ledger.history_of(14).digest == added[-1].history_digest


def test_false_digests_are_refused(server):
    added = server.snapshots(20, 21, 22)
    question = questions.ask_digests(LABEL, 20, 3)

    server.refuses("count", question, raw(added, count=2))
    server.refuses("order", question, raw(added, first=9))
    server.refuses("answer", question, raw(added)[:-1])


# --- proofs


@pytest.mark.parametrize("spelling", [bytes, spaced])
@pytest.mark.parametrize("number", [0, 5, 11])
def test_a_proof_of_presence_passes(server, number, spelling):
    question = questions.ask_membership(LABEL, number, known=True)
    body = spelling(wire.encode_membership(server.log.membership(digest(number))))

    assert server.check(question, body) == 1
    server.judge.verify(question, body)
    assert server.judge.counts.proofs_verified == 1
    assert server.judge.counts.absent == 0


@pytest.mark.parametrize("spelling", [bytes, spaced])
@pytest.mark.parametrize("number", range(100, 108))
def test_a_proof_of_absence_passes_where_nobody_said_it_is_there(server, number, spelling):
    question = questions.ask_membership(LABEL, number, known=False)
    body = spelling(wire.encode_membership(server.log.membership(digest(number))))

    assert server.check(question, body) == 1
    server.judge.verify(question, body)
    assert (server.judge.counts.absent, server.judge.counts.proofs_verified) == (1, 1)


def test_an_absence_beside_a_leaf_passes_and_a_false_one_does_not(server):
    near = flip_bit(digest(3), 100)
    question = questions.ask_digest(near)
    proof = server.log.membership(near)
    assert proof.hyper_leaf is not None

    server.check(question, wire.encode_membership(proof))
    server.judge.verify(question, wire.encode_membership(proof))
    leaf = dataclasses.replace(proof.hyper_leaf, version=4)
    false = wire.encode_membership(dataclasses.replace(proof, hyper_leaf=leaf))
    with pytest.raises(VerificationError):
        server.judge.verify(question, false)


def test_an_absence_of_what_is_there_is_refused(server):
    proof = server.log.membership(digest(100))
    body = wire.encode_membership(proof)

    server.refuses("absent", questions.ask_membership(LABEL, 100, known=True), body)


@pytest.mark.parametrize(
    ("fields", "step"),
    [
        ({"key_digest": digest(6)}, "question"),
        ({"query_version": 10}, "question"),
        ({"current_version": 10, "query_version": 10}, "freshness"),
        ({"actual_version": 12}, "numbers"),
        ({"current_version": 2**64 - 1, "query_version": 2**64 - 1}, "freshness"),
    ],
)
@pytest.mark.parametrize("spelling", [bytes, spaced])
def test_a_false_answer_is_refused_by_its_numbers(server, fields, step, spelling):
    proof = dataclasses.replace(server.log.membership(digest(5)), **fields)
    body = spelling(wire.encode_membership(proof))

    server.refuses(step, questions.ask_membership(LABEL, 5, known=True), body)


def test_an_absence_has_the_current_version(server):
    proof = dataclasses.replace(server.log.membership(digest(100)), actual_version=3)

    question = questions.ask_membership(LABEL, 100, known=False)
    server.refuses("numbers", question, wire.encode_membership(proof))


def test_one_of_several_servers_may_be_behind():
    server = Server(fresh=False)
    proof = server.log.membership(digest(5))
    server.snapshots(20)
    server.ledger.highest = 12

    assert server.check(
        questions.ask_membership(LABEL, 5, known=True), wire.encode_membership(proof)
    )


def test_an_empty_log_has_nothing():
    server = Server(0)
    question = questions.ask_membership(LABEL, 5, known=False)
    body = wire.encode_membership(server.log.membership(digest(5)))

    assert server.check(question, body) == 1
    server.judge.verify(question, body)
    assert server.judge.counts.proofs_verified == 0


def test_a_leaf_beside_a_presence_is_refused(server):
    body = wire.encode_membership(server.log.membership(digest(5)))
    question = questions.ask_membership(LABEL, 5, known=True)

    server.refuses("answer", question, body[:-1] + b',"HyperLeaf":null}')


@pytest.mark.parametrize("spelling", [bytes, spaced])
@pytest.mark.parametrize(("start", "end"), [(0, 0), (2, 11), (11, 11)])
def test_an_incremental_proof_passes(server, start, end, spelling):
    question = questions.ask_incremental(start, end)
    body = spelling(wire.encode_incremental(server.log.incremental(start, end)))

    assert server.check(question, body) == 1
    server.judge.verify(question, body)
    assert server.judge.counts.proofs_verified == 1


@pytest.mark.parametrize("spelling", [bytes, spaced])
def test_an_answer_about_another_range_is_refused(server, spelling):
    body = spelling(wire.encode_incremental(server.log.incremental(2, 11)))

    for start, end in ((2, 10), (3, 11)):
        question = questions.ask_incremental(start, end)
        server.refuses("question", question, body)
        with pytest.raises(VerificationError):
            server.judge.verify(question, body)
