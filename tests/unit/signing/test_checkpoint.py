"""Checkpoints: three lines, one origin, one key."""

from __future__ import annotations

from dataclasses import replace

import pytest

import signers
from qed.errors import VerificationError
from qed.signing import origins
from qed.signing.checkpoint import (
    Checkpoint,
    format_checkpoint_text,
    open_checkpoint,
    open_note_checkpoint,
    parse_checkpoint_text,
    read_checkpoint,
    sign_checkpoint,
)
from qed.signing.note import (
    ED25519_COSIGNATURE,
    ML_DSA_44_COSIGNATURE,
    Note,
    format_note,
    parse_note,
    verified_signatures,
)

ORIGIN = "log.example/a"
SIGNER = signers.signer(ORIGIN)
KEY = SIGNER.verifier_key
ROOT = bytes(range(32))


def refused(data, key=KEY) -> str:
    with pytest.raises(VerificationError) as caught:
        open_checkpoint(data, key)
    return caught.value.step


@pytest.mark.parametrize("size", [0, 1, 9, 10, 2**63, 2**64 - 1])
def test_a_checkpoint_goes_both_ways(size) -> None:
    made = Checkpoint(ORIGIN, size, ROOT)
    assert parse_checkpoint_text(format_checkpoint_text(made)) == made

    data = sign_checkpoint(SIGNER, size, ROOT)
    assert open_checkpoint(data, KEY) == read_checkpoint(data) == made
    assert open_note_checkpoint(parse_note(data), KEY) == made


def test_it_is_byte_for_byte_what_the_specification_says() -> None:
    data = sign_checkpoint(SIGNER, 4, ROOT)
    lines = data.decode().split("\n")
    assert lines[:4] == [ORIGIN, "4", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", ""]
    assert lines[4].startswith(f"— {ORIGIN} ")
    assert lines[5:] == [""]
    assert sign_checkpoint(SIGNER, 4, ROOT) == data  # Ed25519 signs the same in the same way


def test_a_checkpoint_of_another_log_is_not_this_ones() -> None:
    other = signers.signer("log.example/b")
    assert refused(sign_checkpoint(other, 4, ROOT)) == "origin"


def test_a_checkpoint_of_another_key_is_not_signed() -> None:
    other = signers.signer(ORIGIN, seed=b"another")
    assert refused(sign_checkpoint(other, 4, ROOT)) == "signature"


def test_another_origin_under_the_right_keys_signature_is_refused() -> None:
    """The key of a log signs with its own name alone, whatever the text says."""
    text = format_checkpoint_text(Checkpoint("log.example/b", 4, ROOT))
    line = parse_note(sign_checkpoint(SIGNER, 4, ROOT)).signatures
    assert refused(format_note(Note(text, line))) == "origin"


def test_a_cosigners_key_does_not_speak_for_a_log() -> None:
    data = sign_checkpoint(SIGNER, 4, ROOT)
    for algorithm in (ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE):
        key = replace(KEY, algorithm=algorithm)
        with pytest.raises(VerificationError, match="does not speak for a log") as caught:
            open_checkpoint(data, key)
        assert caught.value.step == "signature"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        f"{ORIGIN}\n4\n",
        f"{ORIGIN}\n4\nAAAA\n",
        *(f"{line}\n4\n{'A' * 43}=\n" for line in origins.FIRST_LINES),
        f"qed/\n4\n{'A' * 43}=\n",
        f"a b\n4\n{'A' * 43}=\n",
        f"a+b\n4\n{'A' * 43}=\n",
        f"a\n1_0\n{'A' * 43}=\n",
        f"a\n4\n{'A' * 43}=",
        f"a\n4\n{'A' * 43}=\n\n",
        f"a\n4\n{'A' * 43}=\nmore\n",
        f"a\n4\n {'A' * 43}=\n",
        f"a\n18446744073709551616\n{'A' * 43}=\n",
        f"a\n{'9' * 5000}\n{'A' * 43}=\n",
    ],
)
def test_what_is_no_checkpoint(text) -> None:
    with pytest.raises(VerificationError) as caught:
        parse_checkpoint_text(text)
    assert caught.value.step == "note"


def test_a_note_that_is_no_checkpoint_is_not_opened() -> None:
    signatures = parse_note(sign_checkpoint(SIGNER, 4, ROOT)).signatures
    assert refused(format_note(Note("something else\n", signatures))) == "note"
    assert refused(b"no note") == "note"
    with pytest.raises(VerificationError):
        read_checkpoint(b"no note")


@pytest.mark.parametrize(("size", "root"), [(4, b"short"), (2**64, ROOT), (-1, ROOT)])
def test_what_cannot_be_read_again_is_not_signed(size, root) -> None:
    with pytest.raises((VerificationError, AssertionError)):
        sign_checkpoint(SIGNER, size, root)


def test_a_cosigner_adds_a_line_that_others_may_ignore() -> None:
    cosigner = signers.cosigner("log.example/a-pq")
    data = sign_checkpoint(SIGNER, 4, ROOT, cosigner=cosigner, now_s=1_700_000_000)
    found = parse_note(data)
    assert [one.name for one in found.signatures] == [ORIGIN, "log.example/a-pq"]
    assert open_checkpoint(data, KEY) == Checkpoint(ORIGIN, 4, ROOT)
    assert verified_signatures(found, [KEY]) == (KEY,)
    assert found.signatures[1].data[:8] == (1_700_000_000).to_bytes(8, "big")


def test_the_clock_is_asked_when_nobody_says_the_time(monkeypatch) -> None:
    monkeypatch.setattr("qed.signing.checkpoint.time.time", lambda: 1_800_000_000.9)
    data = sign_checkpoint(SIGNER, 4, ROOT, cosigner=signers.cosigner("pq.example"))
    assert parse_note(data).signatures[1].data[:8] == (1_800_000_000).to_bytes(8, "big")
