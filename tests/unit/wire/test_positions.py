"""A position has one spelling, in texts and so in the maps of a proof."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qed.errors import MalformedError
from qed.wire import positions
from qed.wire.fields import format_base64

DIGEST = bytes(range(32))
HISTORY = st.integers(0, 63).flatmap(
    lambda h: st.tuples(st.integers(0, (2**64 - 1) >> h).map(lambda i: i << h), st.just(h))
)
HYPER = st.integers(0, 255).flatmap(
    lambda h: st.tuples(st.integers(0, (2**256 - 1) >> h).map(lambda i: i << h), st.just(h))
)


def hyper(index, height):
    return f"0x{index:064x}|{height}"


def test_positions_are_written_as_spec_4_says():
    assert positions.format_history_position((128, 7)) == "128|7"
    assert positions.format_hyper_position((1 << 255, 255)) == "0x8" + "0" * 63 + "|255"


@given(HISTORY)
def test_a_history_position_is_read_as_it_was_written(position):
    assert position == positions.parse_history_position(positions.format_history_position(position))


@given(HYPER)
def test_a_hyper_position_is_read_as_it_was_written(position):
    assert position == positions.parse_hyper_position(positions.format_hyper_position(position))


@given(st.text(alphabet="0123456789|x+- abcfABCF_\n") | st.text())
def test_any_text_is_canonical_or_refused(text):
    for parse, write in (
        (positions.parse_history_position, positions.format_history_position),
        (positions.parse_hyper_position, positions.format_hyper_position),
    ):
        try:
            position = parse(text)
        except MalformedError:
            continue
        assert text == write(position)


HISTORY_ATTACKS = {
    "leading zero in the index": "016|4",
    "leading zero in the height": "16|04",
    "plus": "+16|4",
    "plus in the height": "16|+4",
    "minus zero": "-0|4",
    "space before": " 16|4",
    "space after": "16|4 ",
    "newline after": "16|4\n",
    "space inside": "16 |4",
    "underscore": "1_6|4",
    "hex": "0x10|4",
    "float": "16.0|4",
    "other digits": "\uff11\uff16|4",
    "no height": "16|",
    "no index": "|4",
    "no bar": "164",
    "two bars": "16|4|0",
    "not aligned": "17|4",
    "height 64": "0|64",
    "height 100": "0|100",
    "index of 65 bits": f"{2**64}|0",
    "index of 20 digits": "99999999999999999999|0",
    "huge": "9" * 5000 + "|0",
    "empty": "",
}
HYPER_ATTACKS = {
    "upper-case hex": "0x" + "A" * 64 + "|0",
    "upper-case prefix": "0X" + "a" * 64 + "|0",
    "63 digits": "0x" + "0" * 63 + "|0",
    "65 digits": "0x" + "0" * 65 + "|0",
    "no prefix": "0" * 64 + "|0",
    "no digits": "0x|0",
    "decimal": "0|0",
    "leading zero in the height": hyper(0, 0) + "0",
    "plus in the height": "0x" + "0" * 64 + "|+1",
    "height 256": hyper(0, 256),
    "height 999": hyper(0, 999),
    "not aligned": hyper(1, 1),
    "not aligned at the top": hyper(1 << 254, 255),
    "space": " " + hyper(0, 0),
    "newline": hyper(0, 0) + "\n",
    "underscore": "0x_" + "0" * 63 + "|0",
    "empty": "",
}


@pytest.mark.parametrize("text", HISTORY_ATTACKS.values(), ids=HISTORY_ATTACKS.keys())
def test_a_history_position_written_another_way_is_refused(text):
    with pytest.raises(MalformedError, match="not a position of the history tree"):
        positions.parse_history_position(text)


@pytest.mark.parametrize("text", HYPER_ATTACKS.values(), ids=HYPER_ATTACKS.keys())
def test_a_hyper_position_written_another_way_is_refused(text):
    with pytest.raises(MalformedError, match="not a position of the hyper tree"):
        positions.parse_hyper_position(text)


def test_paths_are_sorted_as_byte_strings():
    path = {(16, 4): DIGEST, (128, 7): DIGEST, (0, 4): DIGEST, (1, 0): DIGEST}
    text = positions.format_history_path(path)

    assert [key.split('":')[0] for key in text.split('"')[1::4]] == ["0|4", "128|7", "16|4", "1|0"]


@pytest.mark.parametrize(
    ("write", "read", "path"),
    [
        (positions.format_history_path, positions.read_history_path, {(16, 4): DIGEST}),
        (positions.format_hyper_path, positions.read_hyper_path, {(16, 4): DIGEST}),
    ],
)
def test_a_path_is_written_compactly_and_read_back(write, read, path):
    text = write(path)

    assert " " not in text
    assert path == read(json.loads(text), "x")
    assert write({}) == "{}"
    assert read({}, "x") == {}


@pytest.mark.parametrize("value", [None, [], "", True])
def test_a_path_is_an_object(value):
    for read in (positions.read_history_path, positions.read_hyper_path):
        with pytest.raises(MalformedError, match="x is not an object"):
            read(value, "x")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_value_of_a_path_has_32_bytes(size):
    for read, key in (
        (positions.read_history_path, "0|0"),
        (positions.read_hyper_path, hyper(0, 0)),
    ):
        with pytest.raises(MalformedError, match=f"has {size} bytes"):
            read({key: format_base64(bytes(size))}, "x")
