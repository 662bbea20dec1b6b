"""Evidence files: the frame, the bounds, and where they are kept."""

import json
from hashlib import sha256

import pytest

from lying_log import LyingLog, false_history, fill
from publishing import ORIGIN, PublishedLog
from qed.client import evidence as module
from qed.client.evidence import (
    KINDS,
    decode_evidence,
    looks_like_evidence,
    new_absence,
    new_answer,
    new_equivocation,
    new_lag,
    new_outdated,
    new_replay,
    new_signature,
    new_snapshot,
    verify_evidence,
    write_evidence,
)
from qed.errors import QedError, StorageError, VerificationError
from qed.signing.checkpoint import sign_checkpoint
from qed.signing.policy import Policy, policy_of_key
from receipt_log import EVENTS, flips, receipt, small_log

WHEN_S = 1_700_000_000
LOG = small_log(5)
POLICY = policy_of_key(LOG.key)
DIGEST = sha256(EVENTS[2]).digest()
OTHER = sign_checkpoint(LOG.signer, 5, bytes(32))


def replay_of(log: PublishedLog):
    told = log.snapshots
    return new_replay(
        log.note,
        digests=b"".join(one.event_digest for one in told),
        ends=tuple((one.version, one.hyper_digest) for one in told),
        history={1: told[1].history_digest},
        found="a false digest",
        when_s=WHEN_S,
    )


def each_kind():
    """One true file of evidence of each kind."""
    words = {"found": 'words — "and" marks', "when_s": WHEN_S}
    liar = fill(LyingLog(forgotten=[2]), [1, 1, 1, 1])
    logged = receipt(liar, "logged", DIGEST, version=2)
    forgetful = LyingLog(forgotten=[2])
    for event in (b"a", b"b", b"a"):
        forgetful.add_digests([sha256(event).digest()])
    forgetful.publish()
    a = sha256(b"a").digest()
    answer = LOG.log.membership(DIGEST)
    return [
        new_equivocation(LOG.note, OTHER, **words),
        new_absence(logged, receipt(liar, "absent", DIGEST), **words),
        new_outdated(
            receipt(forgetful, "logged", a, version=2),
            receipt(forgetful, "newest", a),
            receipt(forgetful, "logged", a, version=0),
            **words,
        ),
        replay_of(fill(LyingLog({1: false_history}), [1, 1, 1])),
        new_answer(
            sha256(EVENTS[1]).digest(),
            None,
            answer,
            [receipt(LOG, "logged", LOG.snapshots[4].event_digest)],
            **words,
        ),
        new_snapshot(receipt(LOG, "logged", DIGEST), liar.snapshots[2], **words),
        new_signature(ORIGIN, small_log(2, seed=2).note, **words),
        new_lag(LOG.note, small_log(2).note, **words),
    ]


EACH = {one.kind: one for one in each_kind()}


def test_there_is_one_of_each_kind():
    assert list(EACH) == list(KINDS)


@pytest.mark.parametrize("kind", EACH)
def test_true_evidence_is_read_back_and_shows_something(kind):
    data = EACH[kind].encode()

    assert decode_evidence(data) == EACH[kind]
    assert looks_like_evidence(data)
    finding = verify_evidence(data, POLICY)
    assert (finding.kind, finding.origin) == (kind, ORIGIN)
    assert ORIGIN in finding.sentence


@pytest.mark.parametrize("kind", EACH)
def test_the_file_is_one_line_of_json(kind):
    data = EACH[kind].encode()
    fields = json.loads(data)

    assert list(fields) == ["Format", "Kind", "Origin", "Found", "When", *EACH[kind].names]
    assert data.isascii()
    assert data.count(b"\n") == 1
    assert data.endswith(b"}\n")
    assert (fields["Kind"], fields["When"]) == (kind, WHEN_S)


@pytest.mark.slow
@pytest.mark.parametrize("kind", EACH)
def test_every_byte_flipped_is_refused_or_shows_the_same(kind):
    """Words and time are nobody's word; everything else is refused, and nothing is a bug."""
    data = EACH[kind].encode()
    true = verify_evidence(data, POLICY)
    free = range(data.index(b'"Found":'), data.index(b",", data.index(b'"When":')))
    answers, refused = [], set()
    for place, _, flipped in flips(data, (0x01, 0x20)):
        try:
            finding = verify_evidence(flipped, POLICY)
        except QedError as error:
            refused.add(error.code)
            continue
        if place not in free:
            answers.append(place)
            assert finding.kind == true.kind
    assert refused == {"verification"}
    # What nobody signed may be said otherwise and still be false.
    if true.signed and kind != "snapshot":
        assert answers == []


def test_evidence_against_a_log_that_is_not_known():
    data = EACH["equivocation"].encode()

    for policy in (Policy(()), policy_of_key(small_log(1, origin="qed-other").key)):
        with pytest.raises(VerificationError, match="whose key is not given") as raised:
            verify_evidence(data, policy)
        assert raised.value.step == "origin"
    with pytest.raises(VerificationError, match=r"not signed|not of this text"):
        verify_evidence(data, policy_of_key(small_log(1, seed=2).key))


def test_the_origin_of_the_frame_is_the_log_that_is_judged():
    other = small_log(5, origin="qed-other", seed=2)
    both = Policy((LOG.key, other.key))
    data = EACH["equivocation"].encode().replace(b'"Origin":"qed-test"', b'"Origin":"qed-other"')

    with pytest.raises(VerificationError, match="of the log qed-test"):
        verify_evidence(data, both)
    assert verify_evidence(EACH["equivocation"].encode(), both).signed


def test_a_log_with_two_keys_is_judged_by_the_one_that_signed():
    two = Policy((small_log(1, seed=2).key, LOG.key))

    assert verify_evidence(EACH["equivocation"].encode(), two).signed


def refuse(data, sentence):
    with pytest.raises(VerificationError, match=sentence) as raised:
        verify_evidence(data, POLICY)
    assert raised.value.step == "evidence"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (b'"Kind":"lag"', b'"Kind":"log"', "none of"),
        (b'"When":', b'"When":-', "not an integer"),
        (b'"When":', b'"When":0', "not JSON"),
        (b'"When":', b'"Then":', "no field When|unknown"),
        (b'"Found":', b'"When":1,"Found":', "twice"),
        (b'"Found":"', b'"Found":"' + b"x" * 5000, "too long"),
        (b'"Origin":"', b'"Origin":"' + b"x" * 300, "too long"),
        (b'"Found":"', b'"Found": "', "canonical"),
        (b'"Found":"w', b'"Found":"\\u0077', "canonical"),
        (b'"Ahead":"', b'"Ahead":"\\ud800', "half a character"),
        (b"}\n", b"}", "canonical"),
        (b"}\n", b"}\n\n", "canonical"),
        (b"evidence/v1", b"evidence/", "its format is"),
        (b"{", b"[{", "not JSON"),
    ],
)
def test_another_spelling_is_refused(old, new, sentence):
    data = EACH["lag"].encode()
    assert old in data

    refuse(data.replace(old, new, 1), sentence)


def test_what_is_no_evidence_is_refused():
    for data in (b"", b"[]", b"null", b"\xff", b"[" * 1000, b'{"Format":1}'):
        refuse(data, "does not parse")
        assert not looks_like_evidence(data)


def test_bounds_by_kind(monkeypatch):
    monkeypatch.setattr(module, "MAX_EVIDENCE_BYTES", 100)

    refuse(EACH["lag"].encode(), "more than 100")
    assert verify_evidence(EACH["replay"].encode(), POLICY).signed
    monkeypatch.setattr(module, "MAX_REPLAY_BYTES", 200)
    refuse(EACH["replay"].encode(), "more than 200")


def test_a_later_format_is_told_apart():
    with pytest.raises(VerificationError, match="v2") as raised:
        verify_evidence(EACH["lag"].encode().replace(b"evidence/v1", b"evidence/v2"), POLICY)
    assert "later version" in raised.value.hint


def test_words_are_cut_and_the_time_is_now():
    made = new_lag(LOG.note, small_log(2).note, found="x" * 10_000)

    assert verify_evidence(made.encode(), POLICY).kind == "lag"
    assert made.frame.when_s > WHEN_S


# Keeping it


def test_evidence_is_written_once(tmp_path):
    directory = tmp_path / "new" / "evidence"
    first = write_evidence(directory, EACH["lag"])
    again = write_evidence(directory, EACH["lag"].encode())
    later = new_lag(LOG.note, small_log(2).note, found="other words", when_s=WHEN_S + 60)

    assert first == again == write_evidence(directory, later)
    assert first.name.startswith("lag-20231114T221320Z-")
    assert len(first.stem.rpartition("-")[2]) == 8
    assert first.read_bytes() == EACH["lag"].encode()
    assert first.stat().st_mode & 0o777 == 0o644
    assert list(directory.iterdir()) == [first]


def test_other_evidence_is_another_file(tmp_path):
    paths = {write_evidence(tmp_path, one) for one in EACH.values()}

    assert len(paths) == len(EACH)
    assert write_evidence(tmp_path, new_lag(LOG.note, small_log(3).note)) not in paths


def test_a_file_that_is_in_the_way_hides_no_evidence(tmp_path):
    first = write_evidence(tmp_path, EACH["lag"])
    first.write_bytes(b"somebody wrote here")

    second = write_evidence(tmp_path, EACH["lag"])

    assert second != first
    assert len(second.stem.rpartition("-")[2]) == 64
    assert write_evidence(tmp_path, EACH["lag"]) == second


def test_a_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises((StorageError, QedError)):
        write_evidence(tmp_path / "file", EACH["lag"])
