"""What is sent: the bodies that the client sends for the same, and numbers that go on."""

from hashlib import sha256

import pytest

from qed import wire
from qed.errors import MalformedError, NotProvenError
from qed.trees.values import NO_VERSION, Snapshot
from qed.workload import questions
from qed.workload.ledger import Ledger
from qed.workload.plan import Plan
from qed.workload.questions import Questions


def asked(plan, size=0, *, ledger=None, count=10_000):
    ledger = Ledger(size - 1 if size else NO_VERSION) if ledger is None else ledger
    source = Questions(plan, ledger)
    found = []
    while len(found) < count and (question := source.next()) is not None:
        found.append(question)
    return found


def digest(number):
    return sha256(b"event %d" % number).digest()


def test_bodies_are_those_of_the_client():
    events = [b"event 7", b"event 8"]

    assert questions.ask_add(b"event ", 7).body == wire.encode_add(b"event 7")
    assert questions.ask_bulk(b"event ", 7, 2).body == wire.encode_bulk(events)
    assert questions.ask_digests(b"event ", 7, 2).body == digest(7) + digest(8)
    membership = questions.ask_membership(b"event ", 7, known=True)
    assert membership.body == wire.encode_digest_query(digest(7), None)
    assert questions.ask_incremental(3, 9).body == wire.encode_incremental_query(3, 9)


@pytest.mark.parametrize(
    ("kind", "status"), [("add", 201), ("bulk", 201), ("digests", 201), ("membership", 200)]
)
def test_each_kind_has_one_status(kind, status):
    assert asked(Plan(kind, num_requests=1))[0].expected_status == status


def test_additions_go_on_behind_what_is_there():
    found = asked(Plan("add", num_requests=3, offset=100, size=20), 20)

    assert [question.number for question in found] == [120, 121, 122]


@pytest.mark.parametrize("kind", ["bulk", "digests"])
def test_bulks_are_full_but_for_the_last(kind):
    found = asked(Plan(kind, num_requests=7, bulk_size=3, offset=10))

    assert [(question.number, question.count) for question in found] == [(10, 3), (13, 3), (16, 1)]


def test_questions_follow_one_another_in_qeds_order():
    found = asked(Plan("membership", num_requests=4, offset=5), 9)

    assert [question.number for question in found] == [5, 6, 7, 8]
    assert not any(question.known for question in found)


def test_questions_begin_again_when_all_have_been_asked():
    found = asked(Plan("membership", num_requests=5, size=2, offset=5), 9)

    assert [question.number for question in found] == [5, 6, 5, 6, 5]
    assert all(question.known for question in found)


def test_without_a_number_all_events_are_asked_about():
    found = asked(Plan("membership", duration_s=1), 3, count=4)

    assert [question.number for question in found] == [0, 1, 2, 0]


def test_a_seed_draws_the_same_again():
    plan = Plan("membership", num_requests=50, size=1000, seed=4)
    one, two = asked(plan, 1000), asked(plan, 1000)
    other = asked(Plan("membership", num_requests=50, size=1000, seed=5), 1000)

    numbers = [question.number for question in one]
    assert numbers == [question.number for question in two]
    assert numbers != [question.number for question in other]
    assert len(set(numbers)) > 20
    assert all(0 <= number < 1000 for number in numbers)


def test_incremental_questions_stay_inside_the_log():
    plan = Plan("incremental", num_requests=5, offset=2, incremental_delta=6)
    found = asked(plan, 10)

    assert [(each.number, each.number + each.count) for each in found] == [
        (2, 8),
        (3, 9),
        (2, 8),
        (3, 9),
        (2, 8),
    ]


@pytest.mark.parametrize(
    ("plan", "size", "error"),
    [
        (Plan("incremental", incremental_delta=10), 10, NotProvenError),
        (Plan("incremental", incremental_delta=0), 0, NotProvenError),
        (Plan("membership", size=11), 10, NotProvenError),
        (Plan("membership", size=0), 10, MalformedError),
        (Plan("mixed", mix=[("membership", 1)]), 10, MalformedError),
        (Plan("mixed", mix=[("incremental", 1)]), 0, NotProvenError),
    ],
)
def test_a_log_that_cannot_be_asked_is_refused(plan, size, error):
    with pytest.raises(error):
        asked(plan, size)


def test_a_mix_has_its_proportions_and_is_drawn_once():
    plan = Plan("mixed", mix=[("add", 1), ("membership", 3)], num_requests=4000, size=10)
    kinds = [question.kind for question in asked(plan, 10)]

    assert kinds == [question.kind for question in asked(plan, 10)]
    assert 800 < kinds.count("add") < 1200
    assert kinds.count("add") + kinds.count("membership") == 4000


def test_a_mix_on_an_empty_log_begins_with_additions():
    plan = Plan("mixed", mix=[("bulk", 1), ("membership", 5), ("incremental", 5)], num_requests=30)

    assert {question.kind for question in asked(plan)} == {"bulk"}


def test_a_mix_asks_about_what_it_has_added():
    ledger = Ledger()
    last = Snapshot(4, bytes(32), bytes(32), bytes(32))
    ledger.acknowledge(0, 5, floor=-1, number=77, last=last)
    plan = Plan("mixed", mix=[("membership", 1), ("incremental", 1), ("add", 1)], num_requests=60)
    found = asked(plan, ledger=ledger)

    assert {each.number for each in found if each.kind == "membership"} == {77}
    assert all(each.known for each in found if each.kind == "membership")
    spans = {(each.number, each.count) for each in found if each.kind == "incremental"}
    assert spans == {(0, 4)}
