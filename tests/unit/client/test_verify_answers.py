"""Is an answer true? Every answer of the vectors' kinds, and each against other digests."""

from dataclasses import replace
from hashlib import sha256

import pytest

from pure_log import PureLog, event_digests, flip_bit
from qed.client.verify_answers import (
    history_root,
    hyper_root,
    root_at,
    roots_needed,
    verify_incremental_answer,
    verify_membership_answer,
)
from qed.errors import MalformedError, NotProvenError, RequestError, VerificationError
from qed.trees.verify import Root

SIZE = 6


@pytest.fixture(scope="module")
def log():
    log = PureLog()
    for digest in event_digests(SIZE):
        log.add([digest])
    return log


def absent(*, with_leaf):
    """Return a digest that is not in the log; its walk ends at a leaf when it is near one."""
    return flip_bit(event_digests(1)[0], 0) if with_leaf else sha256(b"absent").digest()


def verify(log, proof, version=None, **question):
    needed = roots_needed(proof)
    history = None if needed.history_version is None else log.history_root(needed.history_version)
    verify_membership_answer(
        proof,
        **question,
        version=version,
        hyper=log.hyper_root(needed.hyper_version),
        history=history,
    )


@pytest.mark.parametrize("version", [None, 0, 3, 5, 6, 100])
def test_a_membership_is_verified_against_the_versions_needed(log, version):
    digest = event_digests(1)[0]
    proof = log.membership(digest, version)

    verify(log, proof, version, digest=digest)
    verify(log, proof, version, event=b"event 0")
    assert roots_needed(proof).hyper_version == SIZE - 1
    assert roots_needed(proof).history_version == min(
        SIZE - 1 if version is None else version, SIZE - 1
    )


@pytest.mark.parametrize("with_leaf", [True, False])
@pytest.mark.parametrize("version", [None, 0, 3, 100])
def test_an_absence_is_verified_against_the_current_version(log, version, with_leaf):
    digest = absent(with_leaf=with_leaf)
    proof = log.membership(digest, version)

    verify(log, proof, version, digest=digest)
    assert (proof.hyper_leaf is not None) is with_leaf
    assert roots_needed(proof).hyper_version == SIZE - 1
    assert roots_needed(proof).history_version == (SIZE - 1 if with_leaf else None)


def test_an_answer_to_another_question_is_refused(log):
    digest = event_digests(1)[0]
    proof = log.membership(digest, 3)

    for version, question in (
        (3, {"event": b"event 1"}),
        (3, {"digest": event_digests(2)[1]}),
        (2, {"digest": digest}),
        (None, {"digest": digest}),
    ):
        with pytest.raises(VerificationError):
            verify(log, proof, version, **question)


def test_digests_of_other_versions_are_refused(log):
    digest = event_digests(1)[0]
    proof = log.membership(digest, 3)
    good = {"hyper": log.hyper_root(5), "history": log.history_root(3)}

    verify_membership_answer(proof, digest=digest, version=3, **good)
    for bad in (
        {"hyper": log.hyper_root(4)},
        {"history": log.history_root(5)},
        {"hyper": Root(5, log.snapshots[4].hyper_digest)},
        {"hyper": Root(4, log.snapshots[5].hyper_digest)},
        {"history": Root(3, log.snapshots[5].history_digest)},
        {"history": Root(2, log.snapshots[3].history_digest)},
    ):
        with pytest.raises(VerificationError):
            verify_membership_answer(proof, digest=digest, version=3, **(good | bad))


def test_a_present_event_is_not_absent_by_saying_so(log):
    digest = event_digests(1)[0]
    proof = replace(log.membership(digest), exists=False, history=None)

    with pytest.raises(VerificationError):
        verify(log, proof, digest=digest)


def test_a_history_digest_that_is_needed_is_asked_for(log):
    digest = event_digests(1)[0]
    proof = log.membership(digest)
    leaf = absent(with_leaf=True)

    with pytest.raises(MalformedError, match="the history digest of version 5 is needed"):
        verify_membership_answer(proof, digest=digest, hyper=log.hyper_root(5))
    with pytest.raises(VerificationError):
        verify_membership_answer(log.membership(leaf), digest=leaf, hyper=log.hyper_root(5))


def test_the_question_names_the_event_or_its_digest(log):
    digest = event_digests(1)[0]
    proof = log.membership(digest)
    roots = {"hyper": log.hyper_root(5), "history": log.history_root(5)}

    for question in (
        {},
        {"event": b"event 0", "digest": digest},
        {"digest": b"short"},
        {"event": b""},
    ):
        with pytest.raises(RequestError):
            verify_membership_answer(proof, **question, **roots)


def test_of_an_empty_log_nothing_can_be_verified():
    proof = PureLog().membership(event_digests(1)[0])

    with pytest.raises(NotProvenError, match="the log is empty"):
        roots_needed(proof)
    with pytest.raises(VerificationError):
        verify_membership_answer(
            proof, digest=event_digests(1)[0], hyper=Root(2**64 - 1, bytes(32))
        )


def test_an_increment_is_verified_against_both_versions(log):
    for start in range(SIZE):
        for end in range(start, SIZE):
            proof = log.incremental(start, end)
            verify_incremental_answer(
                proof, start=log.history_root(start), end=log.history_root(end)
            )
            wrong = log.history_root((end + 1) % SIZE)
            with pytest.raises(VerificationError):
                verify_incremental_answer(proof, start=log.history_root(start), end=wrong)


def test_a_snapshot_gives_both_roots_with_its_version(log):
    assert log.hyper_root(3) == hyper_root(log.snapshots[3])
    assert log.history_root(3) == history_root(log.snapshots[3])


def test_the_root_of_a_version_is_found_or_asked_for():
    assert Root(3, b"x") == root_at({3: b"x"}, 3, "hyper")
    with pytest.raises(MalformedError, match="the hyper digest of version 4 is needed"):
        root_at({3: b"x"}, 4, "hyper")
