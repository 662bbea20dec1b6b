"""What is asked when a load is over."""

import asyncio
import random

import pytest

from answering_log import answering_log
from qed.errors import VerificationError
from qed.trees.values import NO_VERSION
from qed.workload import recheck as module
from qed.workload.answers import Judge
from qed.workload.asker import Asker
from qed.workload.connection import read_target
from qed.workload.ledger import Ledger
from qed.workload.plan import Plan
from qed.workload.questions import ask_add
from qed.workload.recheck import choose_pairs, count_others, recheck


def added(server, judge, numbers):
    """Add events, each acknowledged to the judge."""
    for number in numbers:
        question = ask_add(b"event ", number)
        _, body = server.answer("/events", question.body)
        judge.check(question, judge._ledger.highest, body)


def look_again(server, ledger, judge, numbers):
    async def run():
        target = read_target(server.endpoint, insecure=False)
        async with Asker(target, 20.0) as asker:
            await recheck(Plan("add"), asker, ledger, judge, numbers)

    asyncio.run(run())


@pytest.mark.parametrize("numbers", [range(30), range(0)])
def test_what_was_added_is_asked_for_and_verified(numbers):
    ledger = Ledger()
    judge = Judge(ledger)
    with answering_log() as server:
        added(server, judge, range(30))
        look_again(server, ledger, judge, numbers)

    proofs = [path for path in server.paths if "membership" in path]
    pairs = [path for path in server.paths if "incremental" in path]
    assert len(proofs) == 30
    assert 2 < len(pairs) <= module.PAIRS
    assert judge.counts.proofs_verified == judge.counts.against_snapshots == len(server.paths)


def test_an_event_that_is_gone_is_found():
    ledger = Ledger()
    judge = Judge(ledger)
    with answering_log() as server:
        added(server, judge, range(10))

        with pytest.raises(VerificationError) as caught:
            look_again(server, ledger, judge, range(11))

    assert caught.value.step == "absent"


def test_a_log_that_was_rewritten_is_found():
    ledger = Ledger()
    judge = Judge(ledger)
    with answering_log() as server, answering_log() as other:
        added(server, judge, range(10))
        other.fill(3)
        other.fill(10)

        with pytest.raises(VerificationError):
            look_again(other, ledger, judge, range(10))


def test_snapshots_that_do_not_extend_one_another_are_found():
    ledger = Ledger()
    judge = Judge(ledger)
    with answering_log() as server, answering_log() as other:
        other.fill(4, label="other ")
        _, body = other.answer("/events", ask_add(b"event ", 99).body)
        judge.check(ask_add(b"event ", 99), -1, body)  # version 4 of another log
        server.fill(5)
        added(server, judge, [6])

        with pytest.raises(VerificationError) as caught:
            look_again(server, ledger, judge, range(0))

    assert caught.value.step in {"absent", "history-root"}


def test_nothing_added_is_nothing_to_ask():
    with answering_log() as server:
        look_again(server, Ledger(), Judge(Ledger()), range(0))

    assert server.paths == []


@pytest.mark.parametrize("count", [0, 1, 2, 3, 500])
def test_pairs_are_ascending_and_have_both_ends(count):
    versions = list(range(10, 10 + count))

    pairs = choose_pairs(versions, random.Random(1))  # noqa: S311 - the same draw each time

    assert len(pairs) <= module.PAIRS
    assert all(start < end for start, end in pairs)
    assert count < 2 or (10, 9 + count) in pairs


def acknowledged(start, count):
    ledger = Ledger(start)
    with answering_log() as server:
        server.fill(0 if start == NO_VERSION else start + 1)
        added(server, Judge(ledger), range(100, 100 + count))
    return ledger


@pytest.mark.parametrize(("start", "grown"), [(4, 0), (4, 7), (NO_VERSION, 0)])
def test_others_may_add_too(start, grown):
    ledger = acknowledged(start, 3)

    current = (2 if start == NO_VERSION else start + 3) + grown
    assert count_others(Plan("add"), ledger, current, 0) == grown


def test_who_is_alone_can_account_for_every_version():
    ledger = acknowledged(4, 3)

    assert count_others(Plan("add", alone=True), ledger, 9, events_unknown=2) == 2
    with pytest.raises(VerificationError) as caught:
        count_others(Plan("add", alone=True), ledger, 10, events_unknown=2)
    assert caught.value.step == "count"


@pytest.mark.parametrize("current", [6, 3, NO_VERSION])
def test_a_log_that_grew_by_less_than_it_acknowledged_is_found(current):
    with pytest.raises(VerificationError, match="acknowledged"):
        count_others(Plan("add"), acknowledged(4, 3), current, 0)
