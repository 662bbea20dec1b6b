"""Many answers at once: each verdict is the one that verifying that answer alone gives."""

from __future__ import annotations

from dataclasses import replace

import pytest

import mutations
from pure_log import PureLog, event_digests, flip_bit
from qed import wire
from qed.client import verify_many as module
from qed.client.verify_answers import root_at, roots_needed, verify_membership_answer
from qed.client.verify_many import Answer, Verdict, verify_many
from qed.errors import MalformedError, NotProvenError, QedError, VerificationError
from qed.trees import quick, quick_twin

SIZE = 40
DIGESTS = event_digests(SIZE)


@pytest.fixture(scope="module")
def log() -> PureLog:
    log = PureLog()
    for start in range(0, SIZE, 8):
        log.add(DIGESTS[start : start + 8])
    return log


@pytest.fixture(params=["chosen", "twin"])
def verifier(request, monkeypatch):
    """Run a test with what was chosen, and with the readable twin."""
    if request.param == "twin":
        monkeypatch.setattr(quick, "_memberships", quick_twin.verify_memberships)
        monkeypatch.setattr(quick, "_native", None)


def trusted(log):
    return {
        "hyper_digests": {s.version: s.hyper_digest for s in log.snapshots},
        "history_digests": {s.version: s.history_digest for s in log.snapshots},
    }


def answer(log, digest, version=None) -> Answer:
    return Answer(digest, version, wire.encode_membership(log.membership(digest, version)))


def answers(log) -> list[Answer]:
    """Return answers of every kind about every event, and about others near and far."""
    asked = [answer(log, digest) for digest in DIGESTS]
    asked += [answer(log, digest, version) for version, digest in enumerate(DIGESTS)]
    asked += [answer(log, digest, SIZE + 3) for digest in DIGESTS]
    asked += [answer(log, flip_bit(digest, 3), 9) for digest in DIGESTS]
    asked += [answer(log, flip_bit(digest, 254)) for digest in DIGESTS]
    return asked


def alone(asked, hyper_digests, history_digests):
    """Return the code of the error, or what is proven, as one answer alone is verified."""
    try:
        proof = wire.decode_membership(asked.body)
        needed = roots_needed(proof)
        history = needed.history_version
        verify_membership_answer(
            proof,
            digest=asked.digest,
            version=asked.version,
            hyper=root_at(hyper_digests, needed.hyper_version, "hyper"),
            history=None if history is None else root_at(history_digests, history, "history"),
        )
    except QedError as error:
        return error.code
    return proof.exists, proof.actual_version


def told(verdict: Verdict):
    """Return a verdict in the form of `alone`."""
    if verdict.error is None:
        return verdict.exists, verdict.actual_version
    assert (verdict.exists, verdict.actual_version) == (None, None)
    return verdict.error.code


@pytest.mark.usefixtures("verifier")
def test_true_answers_are_proven(log):
    asked = answers(log)
    verdicts = verify_many(asked, **trusted(log))

    assert [told(v) for v in verdicts] == [alone(a, **trusted(log)) for a in asked]
    assert [v.error for v in verdicts] == [None] * len(asked)
    assert {v.exists for v in verdicts} == {True, False}
    assert [v.actual_version for v in verdicts[:SIZE]] == list(range(SIZE))


@pytest.mark.usefixtures("verifier")
def test_false_answers_among_true_ones_are_found(log):
    """More than one batch, read from a generator; the places of the false ones are theirs."""
    honest = answers(log)
    false = []
    for asked in honest[::23]:
        proof = wire.decode_membership(asked.body)
        changed = [*mutations.hyper_paths(proof), *mutations.membership_numbers(proof)]
        for _, other in changed[::17]:
            try:
                body = wire.encode_membership(other)
            except (TypeError, ValueError, AttributeError):
                continue
            false.append(asked._replace(body=body))
    mixed = [one for pair in zip(false, honest * 9, strict=False) for one in pair]
    assert len(mixed) > 2 * module._AT_ONCE
    verdicts = verify_many(iter(mixed), **trusted(log))

    assert all(v.error is not None for v in verdicts[::2])
    assert all(v.error is None for v in verdicts[1::2])
    for asked, verdict in list(zip(mixed, verdicts, strict=True))[::2]:
        code = alone(asked, **trusted(log))
        assert told(verdict) == ("verification" if code == "malformed" else code)


@pytest.mark.usefixtures("verifier")
def test_another_spelling_is_read_the_readable_way(log):
    """With white space, or with the event in it: not canonical, and true all the same."""
    asked = answer(log, DIGESTS[3])
    spaced = asked._replace(body=asked.body.replace(b",", b", "))
    proof = replace(log.membership(DIGESTS[3]), key=b"event 3")
    with_event = asked._replace(body=wire.encode_membership(proof))
    other_event = replace(proof, key=b"event 4")
    verdicts = verify_many(
        [spaced, with_event, asked._replace(body=wire.encode_membership(other_event))],
        **trusted(log),
    )

    assert [told(v) for v in verdicts] == [(True, 3), (True, 3), "verification"]


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"\xff", b"[" * 100])
def test_an_answer_that_does_not_parse_is_a_false_claim(log, body):
    (verdict,) = verify_many([Answer(DIGESTS[0], None, body)], **trusted(log))

    assert isinstance(verdict.error, VerificationError)
    assert verdict.error.step == "answer"


@pytest.mark.usefixtures("verifier")
def test_a_digest_that_is_not_given_is_named(log):
    known = trusted(log)
    one = answer(log, DIGESTS[3], 20)
    absent = answer(log, flip_bit(DIGESTS[3], 3))
    without_hyper = {**known, "hyper_digests": {}}
    without_history = {**known, "history_digests": {}}
    for asked, digests, sentence in (
        (one, without_hyper, "the hyper digest of version 39 is needed"),
        (one, without_history, "the history digest of version 20 is needed"),
        (absent, without_history, "the history digest of version 39 is needed"),
    ):
        (verdict,) = verify_many([asked], **digests)
        assert isinstance(verdict.error, MalformedError)
        assert str(verdict.error) == sentence
    nowhere = answer(log, flip_bit(DIGESTS[3], 255))
    assert told(verify_many([nowhere], **without_history)[0]) == (False, 39)


@pytest.mark.usefixtures("verifier")
def test_wrong_digests_and_wrong_questions_prove_nothing(log):
    asked, known = answer(log, DIGESTS[3]), trusted(log)
    wrong = {v: bytes(32) for v in range(SIZE)}
    for one, digests in (
        (asked, {**known, "hyper_digests": wrong}),
        (asked, {**known, "history_digests": wrong}),
        (asked, {**known, "hyper_digests": {39: b"short"}}),
        (asked._replace(digest=DIGESTS[4]), known),
        (asked._replace(version=3), known),
        (asked._replace(version=-1), known),
    ):
        (verdict,) = verify_many([one], **digests)
        assert isinstance(verdict.error, VerificationError), one
    (verdict,) = verify_many([asked._replace(digest=b"short")], **known)
    assert isinstance(verdict.error, QedError)


def test_the_answer_of_an_empty_log_proves_nothing():
    asked = answer(PureLog(), DIGESTS[0])
    (verdict,) = verify_many([asked], hyper_digests={}, history_digests={})

    assert isinstance(verdict.error, NotProvenError)


def test_no_answers_no_verdicts():
    assert verify_many([], hyper_digests={}, history_digests={}) == []
