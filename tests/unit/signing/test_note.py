"""Signed notes: strict, bounded, and worth nothing without a known key."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qed.errors import MalformedError, VerificationError
from qed.signing import note
from qed.signing.checkpoint import sign_checkpoint
from qed.signing.keys import PrivateKey, note_key_id
from qed.signing.note import (
    ED25519,
    Note,
    NoteSigner,
    Signature,
    VerifierKey,
    format_note,
    format_verifier_key,
    is_key_name,
    parse_note,
    parse_verifier_key,
    verified_signatures,
)
from signers import signer

SIGNER = signer("log.example/a")
KEY = SIGNER.verifier_key
SIGNED = sign_checkpoint(SIGNER, 5, bytes(32))


def step(data) -> str:
    with pytest.raises(VerificationError) as caught:
        parse_note(data)
    return caught.value.step


def test_a_note_goes_both_ways() -> None:
    found = parse_note(SIGNED)
    assert format_note(found) == SIGNED
    assert parse_note(SIGNED.decode()) == found
    assert verified_signatures(found, [KEY]) == (KEY,)


def test_the_key_id_is_the_one_of_key_files() -> None:
    assert KEY.key_id == note_key_id(KEY.name, KEY.public)
    assert replace(KEY, algorithm=note.ED25519_COSIGNATURE).key_id != KEY.key_id


def test_each_changed_bit_of_a_note_is_noticed() -> None:
    """A change either leaves no note, or one that the key did not sign."""
    for bit in range(8 * len(SIGNED)):
        data = bytearray(SIGNED)
        data[bit // 8] ^= 1 << bit % 8
        with pytest.raises(VerificationError):
            verified_signatures(parse_note(bytes(data)), [KEY])


def test_each_cut_of_a_note_is_noticed() -> None:
    for end in range(len(SIGNED)):
        assert step(SIGNED[:end]) == "note"
        assert step(SIGNED[end + 1 :] if end > SIGNED.index(b"\n\n") else SIGNED[:end]) == "note"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(SIGNED + b"\n", id="an empty line at the end"),
        pytest.param(SIGNED.replace(b"\n", b"\r\n"), id="ends of lines like those of Windows"),
        pytest.param(b"\xef\xbb\xbf" + SIGNED[:-1], id="a byte order mark and no end"),
        pytest.param(SIGNED.replace("—".encode(), b"-"), id="a hyphen"),
        pytest.param(SIGNED.replace("— ".encode(), "—".encode()), id="no space"),
        pytest.param(SIGNED.replace("— ".encode(), "—  ".encode()), id="two spaces"),
        pytest.param(SIGNED[:-1] + b" \n", id="a space at the end"),
        pytest.param(SIGNED[:-1] + b"=\n", id="spare padding"),
        pytest.param(b"text\n\n\xe2\x80\x94 name \n", id="no signature in the line"),
        pytest.param(b"text\n\n\xe2\x80\x94 name AAAAAA==\n", id="a key id alone"),
        pytest.param(b"text\n\n\xe2\x80\x94 name AAAAAAB=\n", id="base64 with bits to spare"),
        pytest.param(b"text\n\n\xe2\x80\x94 na+me AAAAAAA=\n", id="a plus in the name"),
        pytest.param(b"text\xff\n\n\xe2\x80\x94 name AAAAAAA=\n", id="not UTF-8"),
        pytest.param("text\ud800\n\n— name AAAAAAA=\n", id="half a character"),
        pytest.param(b"te\txt\n\n\xe2\x80\x94 name AAAAAAA=\n", id="a tab"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\n", id="a newline"),
        pytest.param(b"\n\n\n", id="newlines"),
    ],
)
def test_what_is_no_note(data) -> None:
    assert step(data) == "note"


def test_a_text_may_have_empty_lines_and_letters_of_any_kind() -> None:
    for text in ("a\n\nb\n", "a\n\n", "\n", "è\u2028x\n", "— a b\n", "a\n\n— b AAAAAAA=\n"):
        made = Note(text, (Signature("nom.exämple", b"\x00" * 4, b"\x01"),))
        assert parse_note(format_note(made)) == made


def test_a_note_has_64_signatures_at_most() -> None:
    line = format_note(Note("t\n", (Signature("n", bytes(4), bytes(64)),))).split(b"\n\n")[1]
    assert len(parse_note(b"t\n\n" + line * 64).signatures) == 64
    assert step(b"t\n\n" + line * 65) == "note"


def test_a_note_has_a_mebibyte_at_most() -> None:
    spare = note.NOTE_LIMIT_BYTES - len(SIGNED)
    assert len(parse_note(b"x" * spare + SIGNED).text) > spare
    assert step(b"x" * (spare + 1) + SIGNED) == "note"
    assert step("€" * (note.NOTE_LIMIT_BYTES // 3) + SIGNED.decode()) == "note"


def test_signatures_of_unknown_keys_are_ignored() -> None:
    found = parse_note(SIGNED)
    garbage = Signature("else.example", b"\x01\x02\x03\x04", b"garbage")
    same_name = Signature(KEY.name, b"\x01\x02\x03\x04", b"garbage")
    same_id = Signature("else.example", KEY.key_id, b"garbage")
    more = Note(found.text, (garbage, *found.signatures, same_name, same_id))
    assert verified_signatures(parse_note(format_note(more)), [KEY]) == (KEY,)


def test_a_false_signature_by_a_known_key_rejects_the_note() -> None:
    found = parse_note(SIGNED)
    true = found.signatures[0]
    for data in (b"x", bytes(64), true.data[:-1], true.data + b"\x00"):
        false = Signature(KEY.name, KEY.key_id, data)
        for signatures in ((false,), (true, false), (false, true)):
            with pytest.raises(VerificationError) as caught:
                verified_signatures(Note(found.text, signatures), [KEY])
            assert caught.value.step == "signature"


def test_no_known_key_is_no_signature() -> None:
    other = signer(KEY.name, seed=b"\x07").verifier_key
    for keys in ([], [other], [replace(KEY, name="else.example")]):
        with pytest.raises(VerificationError) as caught:
            verified_signatures(parse_note(SIGNED), keys)
        assert caught.value.step == "signature"


def test_two_known_keys_are_both_reported_once() -> None:
    other = signer("else.example", seed=b"\x07")
    found = parse_note(SIGNED)
    line = parse_note(sign_checkpoint(other, 5, bytes(32))).signatures[0]
    assert verified_signatures(found, [KEY, KEY, other.verifier_key]) == (KEY,)
    both = Note(found.text, (*found.signatures, line))
    assert verified_signatures(both, [KEY]) == (KEY,)
    with pytest.raises(VerificationError):  # of another text: it has another origin
        verified_signatures(both, [KEY, other.verifier_key])


def test_verifier_keys_go_both_ways() -> None:
    for algorithm, size in note.PUBLIC_BYTES.items():
        key = VerifierKey("a.example/b", algorithm, bytes(range(256)) * 6)
        key = replace(key, public=key.public[:size])
        assert parse_verifier_key(format_verifier_key(key)) == key


def test_each_changed_character_of_a_verifier_key_is_noticed() -> None:
    text = format_verifier_key(KEY)
    for i in range(len(text)):
        for other in "A+/ \n=é":
            if text[i] != other:
                with pytest.raises(MalformedError):
                    parse_verifier_key(text[:i] + other + text[i + 1 :])
    for start in range(len(text)):
        for end in range(start, len(text)):
            with pytest.raises(MalformedError):
                parse_verifier_key(text[start:end])


@pytest.mark.parametrize("algorithm", [0x00, 0x02, 0x05, 0xFF])
def test_keys_of_other_algorithms_are_named(algorithm) -> None:
    key = VerifierKey("a.example", algorithm, bytes(32))
    with pytest.raises(MalformedError, match=f"0x{algorithm:02x}"):
        parse_verifier_key(format_verifier_key(key))


def test_keys_that_are_no_text_of_a_key() -> None:
    key_id = KEY.key_id.hex()
    public = base64.b64encode(b"\x01" + KEY.public).decode()
    for text in (
        f"{KEY.name}+{key_id.upper()}+{public}",
        f"{KEY.name}+{key_id}+{public}\n",
        f"+{key_id}+{public}",
        f"{KEY.name}+{key_id}+",
        "x" * 5000,
    ):
        with pytest.raises(MalformedError):
            parse_verifier_key(text)


@pytest.mark.parametrize("name", ["a", "log.example/x", "é", "qed-00", "a\u200bb", "—"])
def test_names_of_keys(name) -> None:
    assert is_key_name(name)


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a+b", "a\n", "\t", "a\u00a0b", "a\u2028b", "\x00", "\x1f", "\ud800"]
)
def test_what_no_key_can_be_called(name) -> None:
    assert not is_key_name(name)


@pytest.mark.parametrize("name", ["", "a b", "qed/epoch/v1", "qed/", "x" * 256, "é" * 128])
def test_what_no_signer_can_be_called(name) -> None:
    with pytest.raises(MalformedError):
        NoteSigner(PrivateKey(bytes(32), bytes(32)), name)


def test_a_signer_shows_nothing_secret() -> None:
    assert repr(SIGNER.key.seed) not in repr(SIGNER)
    assert SIGNER.verifier_key.algorithm == ED25519


PIECES = st.sampled_from(
    [*SIGNED.decode(), "\n", "\n\n", "— ", "+", "=", " ", "\x00", "é", KEY.name, SIGNED.decode()]
)


@given(st.lists(PIECES, max_size=30).map("".join) | st.binary(max_size=200))
def test_whatever_arrives_is_a_note_or_no_note(data) -> None:
    """And what is one is written as it was read."""
    try:
        found = parse_note(data)
    except VerificationError:
        return
    assert format_note(found) == (data.encode() if isinstance(data, str) else data)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_whatever_is_typed_is_a_key_or_no_key(text) -> None:
    try:
        found = parse_verifier_key(text)
    except MalformedError:
        return
    assert format_verifier_key(found) == text
