"""One field: nothing is coerced, and canonical base64 has one spelling."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qed.errors import MalformedError
from qed.wire import fields
from qed.wire.json_text import OtherNumber

OTHER_TYPES = [None, True, False, 1, OtherNumber("1.0"), "", "x", [], {}, ()]


@given(st.binary())
def test_base64_is_standard_with_padding_on_one_line(value):
    assert base64.b64encode(value).decode() == fields.format_base64(value)
    assert value == fields.read_bytes(fields.format_base64(value), "x")
    assert value == fields.read_bytes_leniently(fields.format_base64(value), "x")


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AA",
        "AAA",
        "AA=",
        "AA===",
        "=",
        "AA-_",
        "AA==AA==",
        "A A=",
        "AA==\n",
        "AB==",
        "ÄÄ==",
        "AA\ud800=",
    ],
)
def test_base64_that_is_not_canonical_is_refused(text):
    with pytest.raises(MalformedError, match="base64"):
        fields.read_bytes(text, "x")


@given(st.text(alphabet="AZaz09+/=-_ \n\r"))
def test_any_text_is_canonical_or_refused(text):
    try:
        value = fields.read_bytes(text, "x")
    except MalformedError:
        return
    assert text == fields.format_base64(value)


def test_lenient_base64_passes_over_line_breaks_and_spare_bits_as_go_does():
    assert fields.read_bytes_leniently("A\r\nAA\n=\n", "x") == b"\x00\x00"
    assert fields.read_bytes_leniently("AB==", "x") == b"\x00"
    for text in ("A", "A A=", "AA-_", "AA==AA==", "é"):
        with pytest.raises(MalformedError, match="x is not standard base64"):
            fields.read_bytes_leniently(text, "x")


@pytest.mark.parametrize("value", [0, 1, 2**64 - 1])
def test_a_u64_is_read(value):
    assert value == fields.read_u64(value, "x")


@pytest.mark.parametrize(
    "value", [2**64, None, True, False, "1", [], {}, OtherNumber("1.0"), OtherNumber("-1")]
)
def test_what_is_no_u64_is_refused(value):
    with pytest.raises(MalformedError, match=r"x .*is not an integer from 0 to 2\^64 - 1"):
        fields.read_u64(value, "x")


def test_a_refused_number_is_shown_but_not_at_any_length():
    with pytest.raises(MalformedError) as caught:
        fields.read_u64(OtherNumber("9" * 10_000), "Version")

    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    ("read", "good"),
    [
        (fields.read_bool, True),
        (fields.read_bool, False),
        (fields.read_text, ""),
        (fields.read_text, "x"),
        (fields.read_list, []),
        (fields.read_object, {}),
        (fields.read_bytes, ""),
    ],
)
def test_only_a_value_of_the_type_is_read(read, good):
    assert (good or type(good)()) == (read(good, "x") or type(good)())
    for other in OTHER_TYPES:
        if type(other) is not type(good):
            with pytest.raises(MalformedError, match=r"^x is "):
                read(other, "x")


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_a_digest_has_32_bytes(size):
    assert bytes(32) == fields.read_digest(fields.format_base64(bytes(32)), "x")
    with pytest.raises(MalformedError, match=f"x has {size} bytes"):
        fields.read_digest(fields.format_base64(bytes(size)), "x")


def test_an_object_has_exactly_the_fields_asked_for():
    assert fields.read_exact({"a": 1, "b": None}, "x", ("a",), ("b",)) == {"a": 1, "b": None}
    with pytest.raises(MalformedError, match="x has no field a"):
        fields.read_exact({"b": None}, "x", ("a",), ("b",))
    with pytest.raises(MalformedError, match="x has an unknown field 'A'"):
        fields.read_exact({"a": 1, "A": 1}, "x", ("a",))
