import pytest
from hypothesis import given
from hypothesis import strategies as st

from qed.backup import canonical_json as cj
from qed.errors import MalformedError, NewerFormatError

FIELDS = {"format": 1, "name": "ü", "items": [{"a": 1}], "none": None, "hex": "00ff"}
NAMES = tuple(FIELDS)


def test_a_document_reads_back_what_was_written() -> None:
    data = cj.encode_document(FIELDS)

    assert dict(cj.decode_document(data, newest_format=1, names=NAMES)) == FIELDS
    assert data.isascii()
    assert data.endswith(b"}\n")


def test_each_byte_that_is_flipped_cut_or_doubled_is_seen() -> None:
    data = cj.encode_document(FIELDS)
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 0x01
        for bad in (bytes(flipped), data[:at], data[:at] + data[at + 1 :], data + b" "):
            with pytest.raises((MalformedError, NewerFormatError)):
                cj.decode_document(bad, newest_format=1, names=NAMES)


def test_a_newer_format_is_told_apart() -> None:
    data = cj.encode_document({"format": 2, "later": True})

    with pytest.raises(NewerFormatError, match="format 2, newer than 1"):
        cj.decode_document(data, newest_format=1, names=NAMES)


@pytest.mark.parametrize(
    "fields", [{"format": 1}, {**FIELDS, "more": 1}, {"format": True}, {"format": -1}, {}]
)
def test_other_fields_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(MalformedError):
        cj.decode_document(cj.encode_document(fields), newest_format=1, names=NAMES)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_no_input_makes_anything_but_our_errors(data: bytes) -> None:
    with pytest.raises(MalformedError):
        cj.decode_document(data, newest_format=1, names=NAMES)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(MalformedError):
        cj.decode_document(b"[" * 100_000, newest_format=1, names=NAMES)


@pytest.mark.parametrize("value", [True, -1, 2**64, 1.0, "1", None])
def test_what_is_no_u64_is_refused(value: object) -> None:
    with pytest.raises(MalformedError):
        cj.read_int({"n": value}, "n")


def test_integers_and_their_absence() -> None:
    assert cj.read_int({"n": 2**64 - 1}, "n") == 2**64 - 1
    assert cj.read_optional_int({"n": None}, "n") is None
    assert cj.read_optional_int({"n": 0}, "n") == 0


@pytest.mark.parametrize("value", ["00F0", "00f", "0", "zz00", "0x00", "00ff00", None, 5])
def test_what_is_not_hex_of_that_size_is_refused(value: object) -> None:
    with pytest.raises(MalformedError):
        cj.read_hex({"h": value}, "h", 2)


def test_hex_and_its_absence() -> None:
    assert cj.read_hex({"h": "00ff"}, "h", 2) == b"\x00\xff"
    assert cj.read_optional_hex({"h": None}, "h", 2) is None
    assert cj.format_hex(b"\x00\xff") == "00ff"
    assert cj.format_hex(None) is None


def test_texts_lists_and_objects() -> None:
    assert cj.read_text({"t": "x"}, "t") == "x"
    assert cj.read_ints({"l": [0, 7]}, "l") == [0, 7]
    assert cj.read_names({"l": ["a", "b"]}, "l") == ["a", "b"]
    assert cj.read_objects({"l": [{"a": 1}]}, "l", ["a"]) == [{"a": 1}]
    assert cj.read_optional_object({"o": None}, "o", ["a"]) is None
    assert cj.read_optional_object({"o": {"a": 1}}, "o", ["a"]) == {"a": 1}


@pytest.mark.parametrize("value", [5, ["a", 1], "ab", None])
def test_what_is_no_list_of_texts_is_refused(value: object) -> None:
    with pytest.raises(MalformedError):
        cj.read_names({"l": value}, "l")
    with pytest.raises(MalformedError):
        cj.read_ints({"l": value}, "l")
    with pytest.raises(MalformedError):
        cj.read_objects({"l": value}, "l", ["a"])
    with pytest.raises(MalformedError):
        cj.read_text({"t": [value]}, "t")


def test_an_object_with_other_names_is_refused() -> None:
    for value in ({}, {"a": 1, "b": 2}, {"b": 1}, 5):
        with pytest.raises(MalformedError):
            cj.read_optional_object({"o": value}, "o", ["a"])
