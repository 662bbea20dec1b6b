"""Notes and checkpoints against the numbers that others published."""

from __future__ import annotations

import pytest

from qed.errors import MalformedError, VerificationError
from qed.signing import checkpoint, note
from qed.signing.cosignature import timestamp_s
from qed.signing.keys import read_private_key
from qed.signing.note import NoteSigner, format_verifier_key, parse_note, parse_verifier_key
from vector_files import load

NOTES = load("c2sp/signed-note.json")
CHECKPOINTS = load("c2sp/tlog-checkpoint.json")


def named(cases):
    return pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in cases])


@named(NOTES["notes"])
def test_notes(case) -> None:
    found = parse_note(case["note"])
    assert found.text == case["text"]
    lines = [{"name": one.name, "key_id": one.key_id.hex()} for one in found.signatures]
    assert lines == case["signatures"]
    assert note.format_note(found) == case["note"].encode()
    keys = [parse_verifier_key(key) for key in case["verifier_keys"]]
    if keys:
        signed = note.verified_signatures(found, keys)
        assert [key.name for key in signed] == case["signed_by"]


@named(NOTES["falsely_signed"])
def test_notes_that_are_falsely_signed(case) -> None:
    keys = [parse_verifier_key(key) for key in case["verifier_keys"]]
    with pytest.raises(VerificationError) as caught:
        note.verified_signatures(parse_note(case["note"]), keys)
    assert caught.value.step == "signature"


@named(NOTES["malformed_notes"])
def test_notes_that_are_none(case) -> None:
    with pytest.raises(VerificationError) as caught:
        parse_note(case["note"])
    assert caught.value.step == "note"


@named(NOTES["malformed_keys"])
def test_verifier_keys_that_are_none(case) -> None:
    with pytest.raises(MalformedError):
        parse_verifier_key(case["key"])


@pytest.mark.parametrize("case", NOTES["key_files"])
def test_key_files(case, tmp_path) -> None:
    path = tmp_path / "key"
    path.write_text(case["private"])
    key = read_private_key(path)
    assert format_verifier_key(NoteSigner(key, key.name).verifier_key) == case["verifier"]


@pytest.mark.parametrize("case", CHECKPOINTS["checkpoints"])
def test_checkpoints(case) -> None:
    found = checkpoint.read_checkpoint(case["note"])
    assert (found.origin, found.size, found.root.hex()) == (
        case["origin"],
        case["size"],
        case["root"],
    )
    signatures = parse_note(case["note"]).signatures
    assert [one.name for one in signatures] == case["signatures"]
    if "cosigned" in case:
        assert signatures[-1].name == case["cosigned"]["name"]
        assert timestamp_s(signatures[-1].data) == case["cosigned"]["time"]


@named(CHECKPOINTS["malformed_texts"])
def test_texts_that_are_no_checkpoints(case) -> None:
    with pytest.raises(VerificationError) as caught:
        checkpoint.parse_checkpoint_text(case["text"])
    assert caught.value.step == "note"


@pytest.mark.parametrize("case", CHECKPOINTS["extension_lines"])
def test_extension_lines_are_refused_where_others_may_take_them(case) -> None:
    with pytest.raises(VerificationError, match="three lines"):
        checkpoint.parse_checkpoint_text(case["text"])
