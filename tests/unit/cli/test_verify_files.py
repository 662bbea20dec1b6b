"""Files that carry signatures, judged one by one and against each other."""

from pathlib import Path

import pytest

from qed.cli.verify_files import (
    CONTRADICTION,
    Question,
    carries_signatures,
    format_document,
    is_saved_proof,
    judge_file,
)
from qed.client.consistency import Consistency, encode_consistency
from qed.client.evidence import new_equivocation
from qed.client.known import Known
from qed.client.saved import SavedMembership, encode_saved
from qed.errors import ContradictionError, NotFoundError, VerificationError
from qed.signing.checkpoint import sign_checkpoint
from qed.signing.policy import policy_of_key
from receipt_log import consistency, one_of_each, small_log

LOG = small_log(5)
LOG.add(b"more")
AT_5, AT_6 = LOG.notes
OTHER_6 = sign_checkpoint(LOG.signer, 6, bytes(32))
POLICY = policy_of_key(LOG.key)
FILES = {
    **{name: data for name, (_, data) in one_of_each(LOG).items()},
    "consistency": encode_consistency(Consistency(AT_5, AT_6, tuple(consistency(LOG, 5, 6)))),
    "checkpoint": AT_6,
    "evidence": new_equivocation(AT_6, OTHER_6).encode(),
}


@pytest.fixture(name="write")
def write_into(tmp_path):
    def write(data: bytes, name: str = "file") -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


@pytest.fixture(name="known")
def nothing_known():
    return Known(POLICY)


@pytest.mark.parametrize("name", [name for name in FILES if name != "evidence"])
def test_what_holds_has_a_document_and_a_form(write, known, name):
    path = write(FILES[name])

    judged = judge_file(path, Question(POLICY), known)

    assert judged.error is None
    assert judged.document["Verify"] == "OK"
    assert (judged.document["File"], judged.document["Origin"]) == (str(path), "qed-test")
    assert judged.document["Size"] == 6
    form = format_document(judged.document)
    assert form.startswith(f"\nVerified {judged.document['Type']} {path} with values:\n\n    ")
    assert form.endswith("\n\nVerify: OK\n\n")
    assert carries_signatures(path)
    assert not is_saved_proof(path)


def test_evidence_that_holds_is_a_contradiction(write, known):
    judged = judge_file(write(FILES["evidence"]), Question(POLICY), known)

    assert isinstance(judged.error, ContradictionError)
    assert judged.document["Signed"] is True
    assert judged.document["Verify"] == CONTRADICTION
    assert "    Signed: true\n" in format_document(judged.document)


@pytest.mark.parametrize("name", FILES)
def test_another_key_verifies_nothing(write, name):
    policy = policy_of_key(small_log(1, seed=2).key)

    judged = judge_file(write(FILES[name]), Question(policy), Known(policy))

    assert judged.document is None
    assert judged.error.code == "verification"


@pytest.mark.parametrize("first", [AT_6, FILES["logged"], FILES["consistency"]])
def test_two_files_with_two_roots_of_one_size(write, known, first):
    assert judge_file(write(first, "a"), Question(POLICY), known).error is None

    judged = judge_file(write(OTHER_6, "b"), Question(POLICY), known)

    assert isinstance(judged.error, ContradictionError)
    again = judge_file(write(FILES["newest"], "c"), Question(POLICY), known)
    assert again.error is None


def test_a_consistency_file_whose_older_root_is_excluded(write):
    judged = judge_file(
        write(FILES["consistency"]),
        Question(POLICY),
        Known(POLICY, [sign_checkpoint(LOG.signer, 5, bytes(32))]),
    )

    assert isinstance(judged.error, ContradictionError)


def test_a_salt_of_its_own_proves_no_absence(write, known):
    question = Question(POLICY, salted=True)

    refused = judge_file(write(FILES["absent"]), question, known).error
    assert (refused.code, refused.step) == ("verification", "blind")
    assert judge_file(write(FILES["newest"]), question, known).error is None


def test_large_files_are_refused_by_the_bound_of_their_kind(write, known):
    for name, more in (("logged", 600_000), ("consistency", 5_000_000), ("checkpoint", 2_000_000)):
        judged = judge_file(write(FILES[name] + b"\n" * more), Question(POLICY), known)
        assert (judged.error.code, judged.error.step) == ("verification", "size")


def test_what_is_nothing_known_is_told_to_be_no_note(write, known):
    for data in (b"", b"\xff\xfe", b"{}", b"hello\n", b'{"Format":"qed/other/v1"}'):
        judged = judge_file(write(data), Question(POLICY), known)
        assert isinstance(judged.error, VerificationError)
        assert not carries_signatures(write(data))


def test_what_cannot_be_read_is_no_verdict(tmp_path, known):
    judged = judge_file(tmp_path / "missing", Question(POLICY), known)
    assert isinstance(judged.error, NotFoundError)
    judged = judge_file(tmp_path, Question(POLICY), known)
    assert judged.error.code in ("storage", "conflict")


def test_saved_proofs_are_told_apart(write):
    digest = LOG.snapshots[0].event_digest
    path = write(encode_saved(SavedMembership(digest, None, LOG.log.membership(digest))))

    assert is_saved_proof(path)
    assert not carries_signatures(path)


def test_who_cosigned_is_printed_with_the_time(write, known):
    judged = judge_file(write(FILES["checkpoint"]), Question(POLICY), known)
    cosigned = [{"Witness": "w", "Time": 1_700_000_000}, {"Witness": "x", "Time": 2**63 - 1}]

    form = format_document(judged.document | {"Cosigned": cosigned})

    assert "    Cosigned by: w at 2023-11-14T22:13:20Z\n" in form
    assert f"    Cosigned by: x at {2**63 - 1}\n" in form
