"""Evidence by replay: false history and hyper digests under a signed checkpoint."""

import base64
import json
from dataclasses import replace
from hashlib import sha256

import pytest

from lying_log import LyingLog, false_history, false_hyper, fill
from qed.client.evidence import new_replay, verify_evidence
from qed.errors import VerificationError
from qed.signing.checkpoint import sign_checkpoint
from qed.signing.policy import policy_of_key
from qed.trees.kernel import extend_history
from receipt_log import consistency, small_log

GROUPS = [1, 2, 3, 1, 4]  # ends at 0, 2, 5, 6, 10
POLICY = policy_of_key(small_log(1).key)


def evidence_of(log: LyingLog, size: int | None = None):
    """What a reader of the leaves [0, size) would write."""
    told = list(log.snapshots[: log.size if size is None else size])
    ends = [
        (one.version, one.hyper_digest)
        for one, after in zip(told, [*told[1:], None], strict=True)
        if after is None or after.hyper_digest != one.hyper_digest
    ]
    digests = b"".join(one.event_digest for one in told)
    _, made = extend_history(0, b"", digests)
    history = {
        one.version: one.history_digest
        for one in told
        if made[32 * one.version : 32 * one.version + 32] != one.history_digest
    }
    proof = consistency(log, len(told), log.size)
    return new_replay(
        log.note, digests=digests, ends=tuple(ends), history=history, consistency=proof
    )


def judge(evidence):
    return verify_evidence(evidence.encode(), POLICY)


def refuse(evidence, step, sentence="."):
    with pytest.raises(VerificationError, match=sentence) as raised:
        judge(evidence)
    assert raised.value.step == step, raised.value


HONEST = fill(LyingLog(), GROUPS)
FALSE_HISTORY = fill(LyingLog({4: false_history}), GROUPS)
FALSE_GROUP = fill(LyingLog(dict.fromkeys((3, 4, 5), false_hyper)), GROUPS)
FORGETFUL = fill(LyingLog(forgotten=[4]), GROUPS)


@pytest.mark.parametrize("size", [None, 7, 5])
def test_a_false_history_digest(size):
    finding = judge(evidence_of(FALSE_HISTORY, size))

    assert (finding.kind, finding.signed) == ("replay", True)
    assert "history digest for version 4" in finding.sentence
    assert "size 11" in finding.sentence


@pytest.mark.parametrize("log", [FALSE_GROUP, FORGETFUL])
@pytest.mark.parametrize("size", [None, 7, 10])
def test_a_false_hyper_digest(log, size):
    finding = judge(evidence_of(log, size))

    assert finding.signed
    assert "hyper digest for the group that ends at version 5" in finding.sentence


def test_an_event_left_out_of_the_map_of_the_last_group():
    log = fill(LyingLog(forgotten=[10]), GROUPS)

    assert "ends at version 10" in judge(evidence_of(log)).sentence


def test_the_first_fault_is_named():
    log = fill(LyingLog(dict.fromkeys((1, 2), false_hyper) | {4: false_history}), GROUPS)
    assert "hyper digest for the group that ends at version 2" in judge(evidence_of(log)).sentence
    both = {4: lambda told: false_history(false_hyper(told))}
    log = fill(LyingLog(dict.fromkeys((3, 5), false_hyper) | both), GROUPS)
    assert "history digest for version 4" in judge(evidence_of(log)).sentence


def test_an_honest_log_is_accused_of_nothing():
    for size in (None, 7, 1):
        refuse(evidence_of(HONEST, size), "evidence", "follows from the events")


def test_a_group_that_goes_on_is_not_judged_by_its_first_part():
    refuse(evidence_of(HONEST, 5), "evidence", "follows from the events")
    # Neither by cutting it in two with one hyper digest.
    true = evidence_of(HONEST)
    cut = (*true.ends[:2], (4, true.ends[2][1]), *true.ends[2:])
    refuse(replace(true, ends=cut), "evidence", "cut in two")


def test_made_up_leaves_are_held_against_nobody():
    true = evidence_of(HONEST)
    for false in (
        replace(true, history={4: bytes(32)}),
        replace(true, digests=true.digests[:-32] + bytes(32)),
        replace(true, ends=(*true.ends[:-1], (10, bytes(32)))),
        replace(true, consistency=(bytes(32),)),
        replace(evidence_of(FALSE_HISTORY), checkpoint=HONEST.note),
        replace(evidence_of(FALSE_HISTORY, 7), consistency=()),
    ):
        refuse(false, "leaves", "not those that were signed")
    forged = sign_checkpoint(small_log(1, seed=2).signer, 11, bytes(32))
    refuse(replace(evidence_of(FALSE_HISTORY), checkpoint=forged), "checkpoint")


def test_more_leaves_than_the_checkpoint_covers():
    log = fill(LyingLog({4: false_history}), GROUPS)
    small = log.note
    log.add_digests([sha256(b"more").digest()])
    log.publish()

    refuse(replace(evidence_of(log), checkpoint=small), "evidence", "not under a checkpoint")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("Digests", b"", "one digest or more"),
        ("Digests", bytes(33), "one digest or more"),
        ("Ends", b"", "do not end at version"),
        ("Ends", bytes(39), "records of 40 bytes"),
        ("Ends", (9).to_bytes(8, "big") + bytes(32), "do not end at version 10"),
        ("Ends", 2 * ((10).to_bytes(8, "big") + bytes(32)), "does not follow"),
        ("History", (11).to_bytes(8, "big") + bytes(32), "has the version 11"),
    ],
)
def test_fields_that_are_none(name, value, sentence):
    document = json.loads(evidence_of(FALSE_HISTORY).encode())
    document[name] = base64.b64encode(value).decode()
    data = json.dumps(document, separators=(",", ":")).encode() + b"\n"

    with pytest.raises(VerificationError, match=sentence):
        verify_evidence(data, POLICY)


def test_many_groups_at_once(monkeypatch):
    monkeypatch.setattr("qed.client.evidence_replay._GROUPS_AT_ONCE", 2)

    assert "version 4" in judge(evidence_of(FALSE_HISTORY)).sentence
    assert "version 5" in judge(evidence_of(FORGETFUL)).sentence
    refuse(evidence_of(HONEST), "evidence", "follows from the events")
