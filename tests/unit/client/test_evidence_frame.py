"""What every kind of evidence has."""

import pytest

from qed.client.evidence_frame import (
    Frame,
    format_bytes_as_text,
    format_hashes,
    open_signed,
    read_hashes,
    read_text_as_bytes,
    shows_nothing,
)
from qed.errors import MalformedError, VerificationError
from receipt_log import small_log


def test_hashes_go_there_and_back():
    hashes = (bytes(32), b"\xff" * 32)

    text = format_hashes(hashes)

    assert text == f'["{"A" * 43}=","{"/" * 42}8="]'
    assert read_hashes(["A" * 43 + "="], "Proof", 1) == (bytes(32),)


@pytest.mark.parametrize("value", [None, {}, ["AA=="], [1], ["A" * 43 + "="] * 3])
def test_what_are_no_hashes(value):
    with pytest.raises(MalformedError, match="Proof"):
        read_hashes(value, "Proof", 2)


def test_texts_go_there_and_back():
    assert format_bytes_as_text("— a\n".encode()) == '"\\u2014 a\\n"'
    assert read_text_as_bytes("— a\n", "Note") == "— a\n".encode()
    with pytest.raises(MalformedError, match="half a character"):
        read_text_as_bytes("\ud800", "Note")
    with pytest.raises(MalformedError, match="not a text"):
        read_text_as_bytes(None, "Note")


def test_what_fails_names_the_field():
    log = small_log(2)
    assert open_signed(log.note, log.key, "Older").size == 2

    with pytest.raises(VerificationError, match=r"^Older: ") as raised:
        open_signed(log.note, small_log(2, seed=2).key, "Older")
    assert raised.value.step == "older"


def test_nothing_shown_is_said():
    assert str(shows_nothing("both are of one log")) == (
        "the evidence shows nothing: both are of one log"
    )
    assert Frame("o", "f", 1).when_s == 1
