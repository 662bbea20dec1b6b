"""A proof in a file: one spelling, bounded, and verified offline against digests brought along."""

import base64
import json
import os
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pure_log import PureLog, event_digests, flip_bit
from qed.client.saved import (
    FORMAT,
    MAX_SAVED_BYTES,
    SavedIncremental,
    SavedMembership,
    decode_saved,
    decode_saved_answer,
    encode_saved,
    read_saved,
    verify_saved,
    write_saved,
)
from qed.client.verify_many import Answer
from qed.errors import (
    ConflictError,
    MalformedError,
    NewerFormatError,
    NotFoundError,
    NotProvenError,
    RequestError,
    VerificationError,
)
from qed.wire import encode_membership

DOCUMENT = Path(__file__).parents[3] / "docs" / "saved-proofs.md"
LOG = PureLog()
for _digest in event_digests(6):
    LOG.add([_digest])
DIGEST = event_digests(1)[0]
ABSENT = flip_bit(DIGEST, 0)  # near one that is there: its walk ends at a leaf
MEMBERSHIP = SavedMembership(DIGEST, 3, LOG.membership(DIGEST, 3))
NEWEST = SavedMembership(DIGEST, None, LOG.membership(DIGEST))
ABSENCE = SavedMembership(ABSENT, None, LOG.membership(ABSENT))
INCREMENT = SavedIncremental(2, 5, LOG.incremental(2, 5))
ALL = [MEMBERSHIP, NEWEST, ABSENCE, INCREMENT]
HYPERS = {s.version: s.hyper_digest for s in LOG.snapshots}
HISTORIES = {s.version: s.history_digest for s in LOG.snapshots}


def b64(value):
    return base64.b64encode(value).decode()


@pytest.mark.parametrize("saved", ALL)
def test_a_proof_is_read_as_it_was_saved(saved, tmp_path):
    path = tmp_path / "proof.json"
    write_saved(path, saved)

    assert saved == read_saved(path)
    assert encode_saved(saved) == path.read_bytes()


def test_the_file_is_one_line_of_compact_json():
    data = encode_saved(MEMBERSHIP)
    fields = json.loads(data)

    assert list(fields) == ["Format", "Kind", "Question", "Answer"]
    assert fields["Format"] == FORMAT == "qed/proof/v1"
    assert fields["Question"] == {"KeyDigest": b64(DIGEST), "Version": 3}
    assert data == json.dumps(fields, separators=(",", ":")).encode() + b"\n"
    assert json.loads(encode_saved(INCREMENT))["Question"] == {"Start": 2, "End": 5}
    assert json.loads(encode_saved(NEWEST))["Question"]["Version"] is None


@pytest.mark.parametrize("saved", ALL)
def test_any_other_spelling_of_the_file_is_refused(saved):
    data = encode_saved(saved)
    fields = json.loads(data)
    for other in (
        data[:-1],
        data + b"\n",
        b" " + data,
        data.replace(b",", b", ", 1),
        json.dumps(dict(reversed(fields.items())), separators=(",", ":")).encode() + b"\n",
        data.replace(b'"Answer"', b'"\\u0041nswer"'),
        data.replace(b"}\n", b',"More":1}\n'),
        data.replace(b'"Kind"', b'"kind"'),
        data[: len(data) // 2],
        b"",
    ):
        with pytest.raises(MalformedError):
            decode_saved(other)


def test_an_answer_of_the_original_is_saved_with_a_null_hyper_leaf():
    original = replace(ABSENCE.proof, hyper_leaf=None)
    saved = SavedMembership(ABSENT, None, original)

    assert b'"HyperLeaf":null' in encode_saved(saved)
    assert saved == decode_saved(encode_saved(saved))


def test_a_later_format_is_told_from_no_format():
    data = encode_saved(INCREMENT)

    with pytest.raises(NewerFormatError, match="qed/proof/v2"):
        decode_saved(data.replace(b"qed/proof/v1", b"qed/proof/v2"))
    for other in (
        b'{"Format":"x"}',
        b"{}",
        b"[]",
        b'{"Format":1}',
        data.replace(FORMAT.encode(), b""),
    ):
        with pytest.raises(MalformedError):
            decode_saved(other)


@pytest.mark.parametrize("kind", ["", "Membership", "incremental ", "receipt"])
def test_an_unknown_kind_is_refused(kind):
    data = encode_saved(MEMBERSHIP).replace(b'"membership"', json.dumps(kind).encode())
    with pytest.raises(MalformedError, match="neither membership nor incremental"):
        decode_saved(data)


def test_a_kind_does_not_read_the_other_ones_answer():
    for saved, kind, other in (
        (MEMBERSHIP, b'"membership"', b'"incremental"'),
        (INCREMENT, b'"incremental"', b'"membership"'),
    ):
        with pytest.raises(MalformedError):
            decode_saved(encode_saved(saved).replace(kind, other))


def test_a_file_above_the_bound_is_refused_unread(tmp_path):
    path = tmp_path / "proof.json"
    path.write_bytes(b" " * (MAX_SAVED_BYTES + 1))

    with pytest.raises(RequestError):
        read_saved(path)
    with pytest.raises(MalformedError, match="more than"):
        decode_saved(path.read_bytes())


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(NotFoundError, match="nothing"):
        read_saved(tmp_path / "nothing")


@given(st.integers(0, 2**32))
def test_a_damaged_file_is_malformed_or_says_something_else(seed):
    draw = random.Random(seed)  # noqa: S311 (damage, not a secret)
    saved = draw.choice(ALL)
    data = bytearray(encode_saved(saved))
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    try:
        read = decode_saved(bytes(data))
    except (MalformedError, NewerFormatError):
        return
    assert read != saved
    with pytest.raises((VerificationError, RequestError)):
        verify_saved(read, hyper_digests=HYPERS, history_digests=HISTORIES)


@pytest.mark.parametrize("saved", ALL)
def test_a_true_proof_verifies_and_not_against_other_digests(saved):
    verify_saved(saved, hyper_digests=HYPERS, history_digests=HISTORIES)
    flipped = {version: bytes([d[0] ^ 1]) + d[1:] for version, d in HISTORIES.items()}
    with pytest.raises(VerificationError):
        verify_saved(saved, hyper_digests=HYPERS, history_digests=flipped)


def test_only_the_digests_needed_are_asked_for():
    verify_saved(MEMBERSHIP, hyper_digests={5: HYPERS[5]}, history_digests={3: HISTORIES[3]})
    verify_saved(INCREMENT, history_digests={2: HISTORIES[2], 5: HISTORIES[5]})
    for missing, hypers, histories in (
        ("the hyper digest of version 5", {3: HYPERS[3]}, HISTORIES),
        ("the hyper digest of version 5", None, HISTORIES),
        ("the history digest of version 3", HYPERS, {5: HISTORIES[5]}),
    ):
        with pytest.raises(MalformedError, match=missing):
            verify_saved(MEMBERSHIP, hyper_digests=hypers, history_digests=histories)
    with pytest.raises(MalformedError, match="the history digest of version 5"):
        verify_saved(INCREMENT, history_digests={2: HISTORIES[2]})


def test_the_question_in_the_file_is_the_one_verified():
    for saved in (
        replace(MEMBERSHIP, digest=event_digests(2)[1]),
        replace(MEMBERSHIP, version=2),
        replace(MEMBERSHIP, version=None),
        replace(INCREMENT, start=1),
        replace(INCREMENT, end=4),
    ):
        with pytest.raises(VerificationError):
            verify_saved(saved, hyper_digests=HYPERS, history_digests=HISTORIES)


def test_what_is_no_file_is_never_replaced(tmp_path):
    """As root, the rename would make a file of /dev/null, for everybody."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "directory", "link"):
        with pytest.raises(ConflictError, match=f"{name} is in the way: it is not a file"):
            write_saved(tmp_path / name, MEMBERSHIP)

    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "link").is_symlink()
    assert len(list(tmp_path.iterdir())) == 3


def test_a_proof_is_written_where_a_link_leads(tmp_path):
    (tmp_path / "link").symlink_to("real")
    for saved in (MEMBERSHIP, INCREMENT):
        write_saved(tmp_path / "link", saved)

        assert saved == read_saved(tmp_path / "real")
        assert (tmp_path / "link").is_symlink()


def test_of_an_empty_log_nothing_can_be_verified():
    saved = SavedMembership(DIGEST, None, PureLog().membership(DIGEST))

    assert saved == decode_saved(encode_saved(saved))
    with pytest.raises(NotProvenError, match="the log is empty"):
        verify_saved(saved, hyper_digests=HYPERS, history_digests=HISTORIES)


def test_the_examples_of_the_document_are_files_to_the_byte():
    """docs/saved-proofs.md shows whole files and the digests that they verify against."""
    text = DOCUMENT.read_text()
    files = re.findall(r"^```json\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    digests = dict(
        re.findall(r"^\| (hyper \d+|history \d+) \| `([0-9a-f]{64})` \|", text, re.MULTILINE)
    )
    given_digests = {"hyper": {}, "history": {}}
    for name, digest in digests.items():
        tree, version = name.split()
        given_digests[tree][int(version)] = bytes.fromhex(digest)

    assert f"{MAX_SAVED_BYTES:,} bytes" in text
    assert len(files) == 2
    for file in files:
        verify_saved(
            decode_saved(file.encode()),
            hyper_digests=given_digests["hyper"],
            history_digests=given_digests["history"],
        )


@pytest.mark.parametrize("saved", [MEMBERSHIP, NEWEST, ABSENCE])
def test_the_answer_is_taken_out_as_it_stands(saved):
    answer = Answer(saved.digest, saved.version, encode_membership(saved.proof))
    assert decode_saved_answer(encode_saved(saved)) == answer

    with_event = replace(saved, proof=replace(saved.proof, key=b"event 0"))
    assert decode_saved_answer(encode_saved(with_event)).body == encode_membership(with_event.proof)


@pytest.mark.parametrize("saved", [MEMBERSHIP, NEWEST])
def test_around_the_answer_only_the_canonical_spelling_is_taken(saved):
    data = encode_saved(saved)
    end = data.index(b',"Answer":')
    for at in range(end + 10):
        for changed in (
            data[:at] + b" " + data[at:],
            data[:at] + data[at + 1 :],
            data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :],
        ):
            try:
                answer = decode_saved_answer(changed)
            except RequestError:
                continue
            # What is still a question asks something else, and only that was changed.
            assert (answer.digest, answer.version) != (saved.digest, saved.version)
            assert decode_saved(changed).digest == answer.digest
    for cut in (data[:-1], data[:-2], data + b"\n", b""):
        with pytest.raises(MalformedError):
            decode_saved_answer(cut)


def test_a_file_without_an_answer_about_membership_is_refused():
    with pytest.raises(MalformedError, match="incremental"):
        decode_saved_answer(encode_saved(INCREMENT))
    newer = encode_saved(MEMBERSHIP).replace(b"qed/proof/v1", b"qed/proof/v2")
    with pytest.raises(NewerFormatError):
        decode_saved_answer(newer)
    with pytest.raises(MalformedError):
        decode_saved_answer(encode_saved(MEMBERSHIP) + b" " * MAX_SAVED_BYTES)
