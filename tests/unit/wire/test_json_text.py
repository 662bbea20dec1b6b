"""JSON: one value in UTF-8, bounded, and MalformedError for everything else."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qed.errors import MalformedError, TooLargeError
from qed.web.limits import MAX_REQUEST_EVENTS
from qed.wire.bounds import BOUNDS
from qed.wire.json_text import OtherNumber, Pairs, format_text, parse_answer, parse_request
from qed.wire.requests import decode_bulk

LEAVES = st.none() | st.booleans() | st.text() | st.integers(0, 2**64 - 1)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


def answer(text, max_bytes=10**6):
    return parse_answer(text.encode() if isinstance(text, str) else text, max_bytes=max_bytes)


@given(VALUES)
def test_an_answer_is_read_as_it_was_written(value):
    try:
        assert value == answer(json.dumps(value))
    except MalformedError as error:
        assert "nested" in str(error)  # noqa: PT017 (hypothesis may draw a value that deep)


@given(st.lists(st.tuples(st.text(), LEAVES)))
def test_a_request_keeps_order_and_repetitions(pairs):
    text = "{" + ",".join(f"{json.dumps(k)}:{json.dumps(v)}" for k, v in pairs) + "}"

    assert Pairs(pairs) == parse_request(text.encode())


@settings(deadline=None)
@given(
    st.binary(max_size=200) | st.text(alphabet='[]{}",:0123456789eE+-.\\untrfals ').map(str.encode)
)
def test_any_bytes_parse_or_are_malformed(body):
    for parse in (parse_request, answer):
        try:
            parse(body)
        except MalformedError as error:
            assert str(error).startswith("the ")  # noqa: PT017 (either outcome is right)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"a":1}x',
        b"{} {}",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"'a'",
        b"[1,]",
        b'"\n"',
        b"01",
        b"+5",
        b"0x10",
        b"\xff",
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        b"9" * 5000 + b"x",
    ],
)
def test_what_is_no_single_json_value_in_utf8_is_refused(body):
    for parse in (parse_request, answer):
        with pytest.raises(MalformedError):
            parse(body)


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_nesting_is_refused_above_the_bound_and_not_by_exhaustion(opening):
    with pytest.raises(MalformedError, match="nested more than 32 deep"):
        parse_request((opening * 200_000).encode())


def test_nesting_up_to_the_bound_is_read():
    depth = BOUNDS.nesting
    text = "[" * depth + "]" * depth

    assert json.loads(text) == answer(text)
    with pytest.raises(MalformedError, match="nested"):
        answer("[" + text + "]")


def test_brackets_in_texts_are_no_nesting():
    value = ['{[\\"[' * 100, "[" * 100]

    assert value == answer(json.dumps(value))


def test_brackets_side_by_side_are_no_nesting():
    assert answer(json.dumps([[]] * 1000)) == [[]] * 1000


def test_a_text_of_escapes_as_long_as_a_body_may_be_is_read_in_linear_time_and_memory():
    """A backtracking expression would need gigabytes here."""
    value = '"' * 2**20

    assert [value, [[]] * 40] == answer(json.dumps([value, [[]] * 40]), max_bytes=2**22)


@pytest.mark.parametrize("value", ["[]", "{}", "1e1", "1", '""'])
def test_more_values_than_any_body_has_are_refused_before_they_are_made(value, monkeypatch):
    monkeypatch.setattr("json.JSONDecoder.decode", None)  # reaching it would be a TypeError
    many = ("[" + ",".join([value] * (BOUNDS.answer_values + 1)) + "]").encode()

    with pytest.raises(TooLargeError, match="more than 400000 values"):
        parse_request(many)
    with pytest.raises(MalformedError, match="more than 2000000 values"):
        answer(many, max_bytes=len(many))


def test_values_up_to_the_bound_are_read_and_those_in_texts_do_not_count():
    most = ["[{,"] * (BOUNDS.request_values - 1)

    assert most == parse_request(json.dumps(most).encode())
    assert parse_request(json.dumps(",[" * 10**6).encode()) == ",[" * 10**6


def test_the_largest_bulk_of_a_server_and_its_answer_are_within_the_bounds():
    snapshot = '{"EventDigest":"","HistoryDigest":"","HyperDigest":"","Version":1}'
    bulk = ["YQ=="] * MAX_REQUEST_EVENTS

    assert len(bulk) == len(decode_bulk(json.dumps({"Events": bulk}).encode()))
    assert sum(map(snapshot.count, ",{")) + 1 < BOUNDS.answer_values / MAX_REQUEST_EVENTS


@pytest.mark.parametrize(
    "text", ["-1", "-0", "1.0", "1e3", "1E400", "0.5", "1" * 21, "9" * 100_000]
)
def test_a_number_that_is_no_u64_is_kept_as_text(text):
    assert OtherNumber(text) == answer(text)
    assert Pairs([("a", OtherNumber(text))]) == parse_request(f'{{"a":{text}}}'.encode())


@pytest.mark.parametrize("body", ['{"a":1,"a":1}', '[{"b":{"a":1,"a":2}}]', '{"a":1,"\\u0061":2}'])
def test_a_repeated_name_in_an_answer_is_refused(body):
    with pytest.raises(MalformedError, match="stands twice"):
        answer(body)


def test_an_answer_above_its_bound_is_refused_unread():
    assert answer("[1]", max_bytes=3) == [1]
    with pytest.raises(MalformedError, match="more than 2"):
        answer("[1]", max_bytes=2)


@given(st.text())
def test_a_text_is_written_in_ascii_and_read_back(text):
    written = format_text(text)

    assert written.isascii()
    assert text == answer(written)
