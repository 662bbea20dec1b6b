"""Evidence about the map: absent although logged, outdated, and answers that are false."""

from dataclasses import replace
from hashlib import sha256

import pytest

from lying_log import LyingLog, fill
from publishing import PublishedLog
from qed.client.evidence import (
    decode_evidence,
    new_absence,
    new_answer,
    new_outdated,
    verify_evidence,
)
from qed.errors import VerificationError
from qed.signing.policy import policy_of_key
from qed.trees.values import NO_VERSION
from qed.wire import encode_membership
from receipt_log import EVENTS, beside, receipt, small_log

FORGOTTEN = 3
LIAR = fill(LyingLog(forgotten=[FORGOTTEN]), [1, 1, 3, 2])
LOG = small_log(5)
LOG.add(EVENTS[1])  # again, as version 5
POLICY = policy_of_key(LOG.key)


def digest_of(number: int) -> bytes:
    return sha256(EVENTS[number]).digest()


def logged(log: PublishedLog, version: int) -> bytes:
    return receipt(log, "logged", log.snapshots[version].event_digest, version=version)


def judge(evidence):
    return verify_evidence(evidence.encode(), POLICY)


def refuse(evidence, step, sentence="."):
    with pytest.raises(VerificationError, match=sentence) as raised:
        judge(evidence)
    assert raised.value.step == step, raised.value


def test_a_leaf_that_the_map_lacks():
    absent = receipt(LIAR, "absent", digest_of(FORGOTTEN))

    finding = judge(new_absence(logged(LIAR, FORGOTTEN), absent))

    assert (finding.kind, finding.signed) == ("absence", True)
    assert "version 3" in finding.sentence
    assert "version 6" in finding.sentence


def test_an_absence_before_the_addition_is_none():
    before = small_log(3)
    absent = receipt(before, "absent", digest_of(4))

    refuse(new_absence(logged(LOG, 4), absent), "evidence", "absent as of 2")


def test_an_absence_of_another_event_is_none():
    absent = receipt(LOG, "absent", beside(EVENTS[0]))

    refuse(new_absence(logged(LOG, 0), absent), "absent", "another event")
    refuse(new_absence(receipt(LOG, "newest", digest_of(0)), absent), "logged", "kind")
    refuse(new_absence(logged(LOG, 0), logged(LOG, 0)), "absent", "kind")


def test_another_logs_receipts_are_held_against_nobody():
    other = fill(LyingLog(forgotten=[FORGOTTEN]), [7])
    other.signer = small_log(1, seed=2).signer
    other.publish()
    absent = receipt(other, "absent", digest_of(FORGOTTEN))

    refuse(new_absence(logged(LIAR, FORGOTTEN), absent), "absent", "not signed")


def outdated_log(groups: list[list[bytes]], forgotten: list[int]) -> LyingLog:
    log = LyingLog(forgotten=forgotten)
    for group in groups:
        log.add_digests([sha256(event).digest() for event in group])
    log.publish()
    return log


def test_a_map_that_knows_only_an_older_version():
    log = outdated_log([[b"a"], [b"b"], [b"a", b"c"]], forgotten=[2])
    newest = receipt(log, "newest", sha256(b"a").digest())

    finding = judge(new_outdated(logged(log, 2), newest, logged(log, 0)))

    assert (finding.kind, finding.signed) == ("outdated", True)
    assert "knows only its version 0" in finding.sentence


def test_equal_events_of_one_group_are_no_fault():
    log = outdated_log([[b"b"], [b"a", b"c", b"a"]], forgotten=[])
    newest = receipt(log, "newest", sha256(b"a").digest())

    refuse(new_outdated(logged(log, 3), newest, logged(log, 1)), "evidence", "one group")


def test_a_map_that_knows_the_version_or_a_later_one_is_right():
    newest = receipt(LOG, "newest", digest_of(1))
    refuse(new_outdated(logged(LOG, 5), newest, logged(LOG, 1)), "evidence", "knows version 5")
    refuse(new_outdated(logged(LOG, 1), newest, logged(LOG, 1)), "evidence", "knows version 5")
    old = receipt(small_log(3), "newest", digest_of(1))
    refuse(new_outdated(logged(LOG, 5), old, logged(LOG, 1)), "evidence", "the map of 2")


def test_the_earlier_leaf_must_be_the_one_that_the_map_knows():
    log = outdated_log([[b"a"], [b"a"], [b"a", b"c"]], forgotten=[2])
    newest = receipt(log, "newest", sha256(b"a").digest())

    refuse(new_outdated(logged(log, 2), newest, logged(log, 0)), "evidence", "not of 1")
    assert judge(new_outdated(logged(log, 2), newest, logged(log, 1))).signed


# Answers


def test_a_false_answer():
    answer = LOG.log.membership(digest_of(2))
    false = replace(answer, hyper={**answer.hyper, next(iter(answer.hyper)): bytes(32)})

    finding = judge(new_answer(digest_of(2), None, false, [logged(LOG, 5)]))

    assert (finding.kind, finding.signed) == ("answer", False)
    assert "the answer itself, nobody signed" in finding.sentence


def test_a_false_answer_as_of_an_earlier_version():
    answer = LOG.log.membership(digest_of(2), 4)
    receipts = [logged(LOG, 5), logged(LOG, 4)]
    refuse(new_answer(digest_of(2), 4, answer, receipts), "evidence", "is right")
    assert judge(new_answer(digest_of(3), 4, answer, receipts)).kind == "answer"
    assert judge(new_answer(digest_of(2), None, answer, receipts)).kind == "answer"


def test_a_false_absence():
    answer = LOG.log.membership(sha256(b"never").digest())
    receipts = [logged(LOG, 5)]
    refuse(new_answer(sha256(b"never").digest(), None, answer, receipts), "evidence", "is right")
    about = replace(answer, key_digest=digest_of(2))
    assert judge(new_answer(digest_of(2), None, about, receipts)).kind == "answer"


def test_an_answer_without_the_snapshots_that_judge_it():
    answer = LOG.log.membership(digest_of(2), 4)
    for receipts in ([], [logged(LOG, 5)], [logged(LOG, 4)], [logged(LOG, 5), logged(LOG, 3)]):
        evidence = new_answer(digest_of(2), 4, answer, receipts)
        if not receipts:
            evidence = replace(evidence, frame=replace(evidence.frame, origin=LOG.signer.name))
        refuse(evidence, "evidence", "its receipts are not those")
    spare = [logged(LOG, 5), logged(LOG, 4)]
    now = LOG.log.membership(digest_of(2))
    refuse(new_answer(digest_of(2), None, now, spare), "evidence", "its receipts are not those")
    unsigned = logged(small_log(6, seed=2), 5)
    refuse(new_answer(digest_of(2), None, answer, [unsigned]), "receipts", "not signed")


@pytest.mark.parametrize("body", [b"", b"null", b'{"History":{"6|1":""}}', b"\xff" * 40])
def test_an_answer_that_does_not_parse(body):
    evidence = new_answer(digest_of(2), None, body, [logged(LOG, 2)])

    finding = judge(evidence)

    assert (finding.kind, finding.signed) == ("answer", False)
    assert f"{digest_of(2).hex()}, which {LOG.signer.name} signed as version 2" in finding.sentence
    assert "the answer itself, nobody signed" in finding.sentence
    assert decode_evidence(evidence.encode()) == evidence


def test_bytes_that_are_an_answer_or_are_not_about_a_logged_event_show_nothing():
    right = encode_membership(LOG.log.membership(digest_of(2)))
    false = replace(LOG.log.membership(digest_of(2)), hyper={})
    for body in (right, encode_membership(false)):
        evidence = new_answer(digest_of(2), None, body, [logged(LOG, 2)])
        refuse(evidence, "evidence", "can be read")
    refuse(new_answer(digest_of(2), None, b"", [logged(LOG, 3)]), "receipts", "Receipts: ")
    refuse(new_answer(digest_of(2), None, b"", [logged(LOG, 2)] * 2), "evidence", "one receipt")
    unsigned = logged(small_log(6, seed=2), 2)
    refuse(new_answer(digest_of(2), None, b"", [unsigned]), "receipts", "not signed")


def test_an_empty_log_has_no_false_answer():
    answer = replace(LOG.log.membership(digest_of(2)), current_version=NO_VERSION)

    refuse(new_answer(digest_of(2), None, answer, [logged(LOG, 5)]), "evidence", "empty")


def test_more_receipts_than_judge_anything_are_refused():
    answer = LOG.log.membership(digest_of(2))
    evidence = new_answer(digest_of(2), None, answer, [logged(LOG, n) for n in (3, 4, 5)])

    refuse(evidence, "evidence", "more than 2")
